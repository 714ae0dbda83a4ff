use crate::harness::Project;

fn site() -> Project {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nrecovery_time = '15m'\n",
        )
        .file("save.rhai", "//! Save.\nbackup(\"uploads\", #{ to: \"main\", job: \"shop\" });\n")
        .file("uploads/a", "a")
        .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project
}

#[test]
fn nobody_can_claim_a_drill() {
    let project = site();
    project.runbook(&["run", "save.rhai"]).success();
    let claim = |evidence: &str| {
        project.file_now(
            "claim.rhai",
            &format!(
                "//! Claim.\nlet id = backup_find(\"latest\", #{{ from: \"main\" }}).id;\n\
            backup_drill_record({evidence}, #{{ repository: \"main\" }});\n"
            ),
        );
        project.runbook(&["run", "claim.rhai"])
    };
    claim("#{ drill: \"a\", job: \"shop\", began: now().iso, ok: true, snapshot: id }")
        .code(1)
        .says("this run did not note that snapshot");
    claim("#{ drill: \"a\", job: \"shop\", began: now().iso, ok: true }")
        .code(1)
        .says("a drill that went well has a `snapshot`");
    claim("#{ drill: \"a\", job: \"shop\", ok: true }").code(1).says("missing field `began`");
    claim("#{ drill: \"a\", job: \"shop\", began: now().iso, ok: false, failure: \"why\" }").success();
    claim("#{ drill: \"a\", job: \"shop\", began: now().iso, ok: false, failure: \"again\" }").success();
    project
        .runbook(&["backup", "drill", "--repository", "main", "--history"])
        .success()
        .prints("shop: 1 drills, none went well, 15m are allowed");
}
