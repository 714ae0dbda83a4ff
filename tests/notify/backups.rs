use crate::harness::Project;

#[test]
fn a_job_without_a_fresh_backup_is_told_of_once_a_day() {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nmax_age = '26h'\n[backup.main.job.shop]\n\
             [notify.channel.file]\nkind = 'command'\nargv = ['sh', '-c', 'cat >> told.json; echo $RUNBOOK_EVENT >> told.txt']\n\
             [[notify.rule]]\nto = ['file']\n",
        )
        .file("nothing.rhai", "//! Nothing.\ninfo(\"nothing\");\n")
        .file("save.rhai", "//! Save.\nbackup(\"uploads\");\n")
        .file("uploads/a", "a")
        .env("P", "correct horse");
    project.runbook(&["run", "nothing.rhai"]).success();
    project.runbook(&["run", "nothing.rhai"]).success();
    assert_eq!(project.read("told.txt"), "backup_too_old\n");
    let told: serde_json::Value = serde_json::from_str(&project.read("told.json")).unwrap();
    assert_eq!(told["summary"], "backup shop: there is no snapshot of shop");
    assert_eq!(told["command"], "runbook backup list --repository main");

    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai"]).success();
    assert_eq!(project.read("told.txt"), "backup_too_old\n");
    project.runbook(&["doctor"]).prints("1 snapshots, the newest of ");
}

#[test]
fn a_restore_drill_that_fails_is_told_as_one_to_whoever_asks_for_it() {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\n\
             [notify.channel.drills]\nkind = 'command'\nargv = ['sh', '-c', 'echo $RUNBOOK_EVENT >> drills.txt']\n\
             [notify.channel.all]\nkind = 'command'\nargv = ['sh', '-c', 'echo $RUNBOOK_EVENT >> all.txt']\n\
             [[notify.rule]]\nto = ['drills']\nevents = ['drill_failed']\n[[notify.rule]]\nto = ['all']\n",
        )
        .file("drill.rhai", "//! Try the newest backup out.\nbackup_drilled(restore(\"latest\", \"drill\"));\n")
        .file("other.rhai", "//! Fails.\nsh([\"false\"]);\n")
        .file("uploads/a", "a")
        .env("P", "correct horse");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "other.rhai"]).code(1);
    project.runbook(&["run", "drill.rhai"]).code(1);
    assert_eq!(project.read("drills.txt"), "drill_failed\n");
    assert_eq!(project.read("all.txt"), "failed\nfailed\n", "whoever is told of all that fails is told once");
}
