//! Repositories of backups: whoever may not have the password or write to the folder does nothing with one, and is told so
//! before anything runs wherever the script names the repository.

use runbook::drivers::backup::{Location, Repository};

use crate::harness::Project;

/// A call of every primitive that works with a repository; `MAIN` and `OFFSITE` stand for the names of two.
const CALLS: &[&str] = &[
    "backup(\"kept\", #{ to: MAIN })",
    "backup_check(#{ repository: MAIN })",
    "backup_copy(OFFSITE, #{ from: MAIN })",
    "backup_forget(#{ repository: MAIN })",
    "backup_prune(#{ repository: MAIN })",
    "backup_drilled(restore(\"latest\", `restored-${random(#{ bytes: 4 })}`, #{ from: MAIN }), #{ repository: MAIN })",
];

fn project() -> Project {
    Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n\
             [backup.main]\npath = 'store'\npassword = 'STORE'\nkeep = { last = 1 }\n\
             [backup.offsite]\npath = 'other'\npassword = 'STORE'\n",
        )
        .file("secrets.env", "STORE='correct horse battery'\n")
        .file("kept/one", "1")
}

#[test]
fn a_repository_is_opened_only_by_whoever_is_granted_what_it_needs() {
    let project = project();
    for folder in ["store", "other"] {
        let folder: Location = project.path().join(folder).into();
        Repository::init(folder, "correct horse battery").unwrap();
    }
    for call in CALLS {
        // Named in the script, it is told before the run; known only in the run, at the door.
        let named = call.replace("MAIN", "\"main\"").replace("OFFSITE", "\"offsite\"");
        let hidden = call.replace("MAIN", "v(\"main\")").replace("OFFSITE", "v(\"offsite\")");
        for (code, call) in [(2, named), (1, hidden)] {
            project.file_now("test.rhai", &format!("fn v(x) {{ x }}\n{call};\n"));
            project.runbook(&["run", "test.rhai"]).success();
            for denied in ["secret STORE", "write store"] {
                let ran = project.runbook(&["run", "test.rhai", "--deny", denied]).code(code);
                ran.says(&format!("needs `{denied}`, which `--deny` on the command line denies"));
            }
        }
    }
}

#[test]
fn what_a_repository_needs_is_declared_on_request() {
    let all = CALLS.join(";\n").replace("MAIN", "\"main\"").replace("OFFSITE", "\"offsite\"");
    let project = project().file("test.rhai", &format!("//! Keeps.\n//! @needs read kept\n{all};\n"));
    let ran = project.runbook(&["run", "test.rhai"]).code(2);
    let ran = ran.says("`backup` needs `write store`, which the runbook does not declare").says("test.rhai:3");
    ran.says("`//! @needs write other, store; secret STORE`");
    assert!(!project.path().join("store").exists());
    project.runbook(&["check", "--fix", "test.rhai"]).success();
    let text = project.read("test.rhai");
    assert!(text.contains("//! @needs write other, restored-**, store; secret STORE\n"), "{text}");
    project.runbook(&["check", "test.rhai"]).success();
}

#[test]
fn of_a_repository_that_only_the_run_knows_each_is_declared_and_none_demanded() {
    let script = "//! Keeps.\n//! @param to: string = \"main\"\n//! @needs read kept; secret STORE; write store\n\
                  backup(\"kept\", #{ to: param(\"to\") });\n";
    let project = project().file("test.rhai", script);
    let store: Location = project.path().join("store").into();
    Repository::init(store, "correct horse battery").unwrap();
    project.runbook(&["check", "test.rhai"]).success();
    project.runbook(&["run", "test.rhai"]).success();
    let ran = project.runbook(&["run", "test.rhai", "--to", "offsite"]).code(1);
    ran.says("`backup` needs `write other`, which the runbook does not declare").says("test.rhai:4");
    project.runbook(&["check", "--fix", "test.rhai"]).success().says("declared `@needs write other`");
}
