use crate::harness::{Lab, Project};

fn project(script: &str) -> Project {
    let project = Project::script(script)
        .file(
            "runbook.toml",
            "[project]\nname = 'shop'\n[backup.main]\npath = 'store'\npassword = 'P'\nkeep = { daily = 7 }\n\
             [backup.away]\npath = 'away'\npassword = 'P'\nkeep = { daily = 7 }\n",
        )
        .file("uploads/a", "a")
        .env("P", "correct horse");
    for name in ["main", "away"] {
        project.runbook(&["backup", "init", "-r", name]).success();
    }
    project
}

#[test]
fn after_a_backup_the_house_is_kept() {
    let project = project(
        "//! Nightly.\nimport \"std/backup\" as saved;\nfor round in 0..3 { backup(\"uploads\", #{ to: \"main\" }); }\n\
         info(`${saved::keep_house(\"main\").len()} forgotten`);\n",
    );
    let ran = project.run().success();
    ran.says("forget what no rule keeps").says("check a part of the data").says("2 forgotten");
}

#[test]
fn a_night_saves_copies_and_keeps_house_in_both() {
    let project = project(
        "//! Nightly.\nimport \"std/backup\" as saved;\n\
         let made = saved::nightly([\"uploads\"], #{ to: \"main\", copy_to: \"away\", job: \"night\" });\n\
         info(`${made.files} files of ${made.job}`);\n",
    );
    for _ in 0..2 {
        project.run().success().says("copy to away").says("2 files of night");
    }
    for name in ["main", "away"] {
        let listed = project.runbook(&["backup", "list", "-r", name, "--json"]).success();
        let listed: serde_json::Value = serde_json::from_str(&listed.stdout).unwrap();
        assert_eq!(listed["snapshots"].as_array().unwrap().len(), 1, "{name}: {listed}");
    }
    project.file_now(
        "test.rhai",
        "//! Wrong.\nimport \"std/backup\" as saved;\nsaved::nightly([\"uploads\"], #{ too: \"main\" });\n",
    );
    project.run().code(1).says("there is no option `too`");
}

#[test]
fn the_volumes_of_an_application_are_sources() {
    let Some(lab) = Lab::start() else { return };
    let name = lab.name("shop");
    let mut labels = lab.labels();
    labels.insert("com.docker.compose.project".into(), name.clone());
    let spec = runbook::drivers::docker::VolumeSpec { name: format!("{name}_data"), labels, ..Default::default() };
    lab.run(lab.engine.create_volume(&spec)).unwrap();
    let project = project(&format!(
        "//! Volumes.\nimport \"std/backup\" as saved;\nlet made = backup(saved::volumes(\"{name}\", ()), #{{ to: \"main\" }});\n\
         info(`parts: ${{made.parts}}`);\n"
    ));
    project.run().success().says(&format!("{name}_data"));
}
