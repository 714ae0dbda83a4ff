//! `runbook backup export`: plain files for whoever has nothing but `tar`.

use std::process::Command;

use super::project;

#[test]
fn a_folder_becomes_a_tar_archive_and_a_dump_itself() {
    let long = "x".repeat(120);
    let project = project().file("uploads/deep/b", &noise()).file(&format!("uploads/{long}/{long}"), "far").file(
        "both.rhai",
        "//! Save.\nbackup([\"uploads\", #{ command: [\"seq\", \"1\", \"9\"], name: \"n.txt\" }]);\n",
    );
    std::os::unix::fs::symlink("../a.txt", project.path().join("uploads/deep/link")).unwrap();
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "both.rhai"]).success();
    project.runbook(&["backup", "export", "latest", "all.tar"]).code(2).says("which part? `--part NAME`");
    project.runbook(&["backup", "export", "latest", "x", "--part", "no"]).code(2).says("has no part `no`");
    for file in ["out.tar", "out.tar.gz"] {
        let ran = project.runbook(&["backup", "export", "latest", file, "--part", "uploads"]).success();
        ran.says("compared with the manifest");
        let to = project.path().join(format!("from-{file}"));
        std::fs::create_dir(&to).unwrap();
        let unpacked = Command::new("tar").arg("xpf").arg(project.path().join(file)).current_dir(&to).status().unwrap();
        assert!(unpacked.success());
        let mut same = Command::new("diff");
        same.args(["-r", "--no-dereference"]).arg(project.path().join("uploads")).arg(to.join("uploads"));
        assert!(same.status().unwrap().success());
        assert_eq!(std::fs::read_link(to.join("uploads/deep/link")).unwrap().to_str(), Some("../a.txt"));
    }
    project.runbook(&["backup", "export", "latest", "out.tar", "--part", "uploads"]).code(2).says("is there already");
    let ran = project.runbook(&["backup", "export", "latest", "-", "--part", "n.txt"]).success();
    assert_eq!(ran.stdout, "1\n2\n3\n4\n5\n6\n7\n8\n9\n");
    // What is damaged is said, and no file is made.
    let packs = project.path().join("store/data");
    for folder in std::fs::read_dir(packs).unwrap().flatten() {
        for pack in std::fs::read_dir(folder.path()).unwrap().flatten() {
            let mut content = std::fs::read(pack.path()).unwrap();
            if content.len() > 100_000 {
                content[50_000] ^= 1;
                std::fs::write(pack.path(), content).unwrap();
            }
        }
    }
    project.runbook(&["backup", "export", "latest", "late.tar", "--part", "uploads"]).code(1);
    assert!(!project.path().join("late.tar").exists());
}

/// A text of which little can be compressed away.
fn noise() -> String {
    let mut state = 1u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        format!("{:016x}", state.rotate_left(29))
    };
    (0..60_000).map(|_| next()).collect()
}
