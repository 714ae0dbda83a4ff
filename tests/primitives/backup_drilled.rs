use crate::harness::Project;

#[test]
fn a_drill_is_noted_for_what_this_run_restored_and_for_nothing_else() {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nmax_drill_age = '8d'\n",
        )
        .file("save.rhai", "//! Save.\nbackup(\"uploads\");\n")
        .file(
            "drill.rhai",
            "//! Drill.\nlet restored = restore(\"latest\", \"drill\");\nlet drill = backup_drilled(restored);\n\
             info(`${drill.job} ${drill.point_seconds < 600}`);\n",
        )
        .file("claim.rhai", "//! Claim.\nbackup_drilled(#{ snapshot: backup(\"uploads\").id });\n")
        .file("wrong.rhai", "//! Wrong.\nbackup_drilled(#{ id: 1 });\n")
        .file("uploads/a", "a")
        .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai"]).success();
    project.runbook(&["plan", "drill.rhai"]).success().prints("what the run log knows of drills of main");
    project.runbook(&["run", "drill.rhai"]).success().says("shop true");
    project.runbook(&["backup", "list"]).success().prints("drilled 20");
    project.runbook(&["run", "claim.rhai"]).code(1).says("this run did not restore snapshot");
    project.runbook(&["run", "wrong.rhai"]).code(1).says("is a map without `snapshot`");
}
