//! A run to be disturbed: its runbook, what it finds, and how it ends when nobody disturbs it.

use std::path::Path;
use std::process::Command;

/// A runbook and the world around it.
pub struct Scenario {
    pub name: &'static str,
    /// The text of `run.rhai`.
    pub script: &'static str,
    /// Options of `runbook run run.rhai`.
    pub options: &'static [&'static str],
    /// Files of the project beside it.
    pub files: &'static [(&'static str, &'static str)],
    /// Makes what lies beside the project's folder.
    pub prepare: fn(&Path),
    /// The exit code when nothing disturbs it.
    pub code: i32,
    /// Are its effects in the same order every time? Those of branches are not.
    pub ordered: bool,
    /// Is there a run log before it begins?
    pub has_log: bool,
}

impl Scenario {
    const fn new(name: &'static str, script: &'static str) -> Self {
        let prepare = |_: &Path| ();
        Self { name, script, options: &[], files: &[], prepare, code: 0, ordered: true, has_log: true }
    }
}

const FILES: Scenario = Scenario {
    options: &["--name", "world"],
    files: &[
        ("page.j2", "Hello, {{ name }}!\n{% for line in lines %}\n- {{ line }}\n{% endfor %}\n"),
        ("existing.txt", "old\n"),
        ("old/one/file", "text\n"),
        ("old/two", "text\n"),
    ],
    ..Scenario::new("files", include_str!("scenarios/files.rhai"))
};

/// Waits in the middle for the file `go`.
pub const PAUSED: Scenario = Scenario::new("paused", include_str!("scenarios/paused.rhai"));

/// A command that takes half a second.
pub const SLOW: Scenario = Scenario::new("slow", include_str!("scenarios/slow.rhai"));

/// Every scenario that needs no engine.
pub const ALL: &[Scenario] = &[
    FILES,
    Scenario { name: "first run", has_log: false, ..FILES },
    Scenario::new("commands", include_str!("scenarios/commands.rhai")),
    Scenario { ordered: false, ..Scenario::new("nested", include_str!("scenarios/nested.rhai")) },
    Scenario {
        files: &[("existing.txt", "old\n")],
        code: 1,
        ordered: false,
        ..Scenario::new("undone", include_str!("scenarios/undone.rhai"))
    },
    Scenario { code: 1, ordered: false, ..Scenario::new("storm", include_str!("scenarios/storm.rhai")) },
    Scenario { prepare: repository, ..Scenario::new("checkout", include_str!("scenarios/checkout.rhai")) },
    Scenario { options: &["--tag", "v1", "--yes"], ..Scenario::new("locked", include_str!("scenarios/locked.rhai")) },
    Scenario {
        options: &["--name", "Ada"],
        files: &[("quickstart/index.html.j2", include_str!("../../runbooks/quickstart/index.html.j2"))],
        ..Scenario::new("quickstart", include_str!("../../runbooks/quickstart.rhai"))
    },
    Scenario {
        options: &["--name", "Ada", "--fail"],
        files: &[
            ("quickstart/index.html.j2", include_str!("../../runbooks/quickstart/index.html.j2")),
            ("quickstart/site/index.html", "<h1>the old page</h1>\n"),
        ],
        code: 1,
        ..Scenario::new("quickstart that fails", include_str!("../../runbooks/quickstart.rhai"))
    },
];

/// A bare repository `origin.git` with a tag and a commit after it.
fn repository(folder: &Path) {
    let git = |words: &str| {
        let mut command = Command::new("git");
        command.args(["-c", "user.name=tester", "-c", "user.email=tester@example.com", "-c", "init.templateDir="]);
        let status = command.args(words.split(' ')).current_dir(folder).env("HOME", folder).status();
        assert!(status.unwrap().success(), "git {words}");
    };
    git("init --quiet --initial-branch=main work");
    for (text, then) in [("one\n", "tag v1"), ("two\n", "branch --list")] {
        std::fs::write(folder.join("work/app.txt"), text).unwrap();
        std::fs::create_dir_all(folder.join("work/bin")).unwrap();
        std::fs::write(folder.join("work/bin/start"), "#!/bin/sh\n").unwrap();
        git("-C work add .");
        git("-C work commit --quiet -m change");
        git(&format!("-C work {then}"));
    }
    git("clone --quiet --bare work origin.git");
    std::fs::remove_dir_all(folder.join("work")).unwrap();
}
