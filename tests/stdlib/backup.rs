use crate::harness::Project;

#[test]
fn after_a_backup_the_house_is_kept() {
    let project = Project::script(
        "//! Nightly.\nimport \"std/backup\" as saved;\nfor round in 0..3 { backup(\"uploads\"); }\n\
         info(`${saved::keep_house(\"main\").len()} forgotten`);\n",
    )
    .file(
        "runbook.toml",
        "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nkeep = { daily = 7 }\n",
    )
    .file("uploads/a", "a")
    .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    let ran = project.run().success();
    ran.says("forget what no rule keeps").says("check a part of the data").says("2 forgotten");
}
