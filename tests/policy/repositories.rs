//! Repositories of backups: whoever may not have the password or write to the folder does nothing with one.

use runbook::drivers::backup::{Location, Repository};

use super::table::OF_A_REPOSITORY;
use crate::harness::Project;

#[test]
fn a_repository_is_opened_only_by_whoever_is_granted_what_it_needs() {
    let project = Project::new()
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[secrets]\nsources = [{ from = 'dotenv', file = 'secrets.env' }]\n\
             [backup.main]\npath = 'store'\npassword = 'STORE'\nkeep = { last = 1 }\n\
             [backup.offsite]\npath = 'other'\npassword = 'STORE'\n",
        )
        .file("secrets.env", "STORE='correct horse battery'\n");
    for folder in ["store", "other"] {
        let folder: Location = project.path().join(folder).into();
        Repository::init(folder, "correct horse battery").unwrap();
    }
    for name in OF_A_REPOSITORY {
        let arguments =
            if *name == "backup_copy" { "\"offsite\", #{ from: \"main\" }" } else { "#{ repository: \"main\" }" };
        project.file_now("test.rhai", &format!("{name}({arguments});\n"));
        project.runbook(&["run", "test.rhai"]).success();
        for denied in ["secret *", "write /**"] {
            project.runbook(&["run", "test.rhai", "--deny", denied]).code(1).says(denied.split(' ').next().unwrap());
        }
    }
}
