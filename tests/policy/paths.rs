//! No path leads out of the folder that is granted: not by `..`, not by links, not by links that are swapped in meanwhile.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use runbook::drivers::disk::{self, Place, Replacement};
use runbook::failure::Failure;
use runbook::units::ByteSize;

use crate::harness::Project;

/// A granted folder with a project around it, and a canary outside of both.
struct Ground {
    folder: tempfile::TempDir,
}

impl Ground {
    fn new() -> Self {
        let ground = Self { folder: tempfile::tempdir().unwrap() };
        fs::create_dir_all(ground.at("project/granted/inner")).unwrap();
        fs::create_dir_all(ground.at("outside/inner")).unwrap();
        fs::write(ground.at("outside/canary"), "alive").unwrap();
        fs::write(ground.at("outside/inner/canary"), "alive").unwrap();
        fs::write(ground.at("project/granted/inner/canary"), "mine").unwrap();
        fs::write(ground.at("project/beside"), "beside").unwrap();
        ground
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn place(&self, written: &str) -> Result<Place, Failure> {
        Ok(Place::new(&self.at("project"), written)?.within(vec![self.at("project/granted")]))
    }

    #[track_caller]
    fn is_untouched(&self, case: &str) {
        let mut names: Vec<String> = all(&self.at("outside"));
        names.sort();
        assert_eq!(names, ["canary", "inner", "inner/canary"], "{case}");
        for canary in ["outside/canary", "outside/inner/canary"] {
            assert_eq!(fs::read_to_string(self.at(canary)).unwrap(), "alive", "{case}");
        }
        assert_eq!(fs::read_to_string(self.at("project/beside")).unwrap(), "beside", "{case}");
    }
}

fn all(folder: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(path) = open.pop() {
        for entry in fs::read_dir(path).unwrap().flatten() {
            found.push(entry.path().strip_prefix(folder).unwrap().display().to_string());
            if entry.file_type().unwrap().is_dir() {
                open.push(entry.path());
            }
        }
    }
    found
}

fn read(place: &Place) -> Result<String, Failure> {
    disk::text(place, ByteSize(1 << 20))
}

fn write(place: &Place) -> Result<String, Failure> {
    let replacement = Replacement::begin(place, None, "test")?;
    disk::write(replacement, b"changed", &mut |_| Ok(())).map(|_| String::new())
}

fn remove(place: &Place) -> Result<String, Failure> {
    let entry = place.entry()?;
    fs::remove_file(entry.path()).map_err(|error| Failure::system("remove", &error)).map(|()| String::new())
}

fn remove_all(place: &Place) -> Result<String, Failure> {
    let entry = place.entry()?;
    fs::remove_dir_all(entry.path()).map_err(|error| Failure::system("remove", &error)).map(|()| String::new())
}

fn make(place: &Place) -> Result<String, Failure> {
    place.new_folder()?.make(0o755).map_err(|error| Failure::system("make", &error)).map(|()| String::new())
}

type Operation = fn(&Place) -> Result<String, Failure>;

const OPERATIONS: &[(&str, Operation)] =
    &[("read", read), ("write", write), ("remove", remove), ("remove all", remove_all), ("make", make)];

/// Twelve ways out, each with what has to be there for it.
const ESCAPES: &[(&str, &[(&str, &str)])] = &[
    ("granted/../beside", &[]),
    ("granted/../../outside/canary", &[]),
    ("../outside/canary", &[]),
    ("granted/inner/../../../outside/inner/new", &[]),
    ("granted/out/canary", &[("granted/out", "../../outside")]),
    ("granted/out/inner/new", &[("granted/out", "../../outside")]),
    ("granted/abs/canary", &[("granted/abs", "/OUTSIDE")]),
    ("granted/one/canary", &[("granted/one", "two"), ("granted/two", "../../outside")]),
    ("granted/inner/up/outside/canary", &[("granted/inner/up", "../../..")]),
    ("granted/self/../../outside/canary", &[("granted/self", ".")]),
    ("granted/abs/new/deeper", &[("granted/abs", "/OUTSIDE")]),
    ("granted/proc/canary", &[("granted/proc", "/proc/self/root/OUTSIDE")]),
];

#[test]
fn sixty_ways_out_lead_nowhere() {
    assert_eq!(ESCAPES.len() * OPERATIONS.len(), 60);
    for (written, links) in ESCAPES {
        for (what, operation) in OPERATIONS {
            let ground = Ground::new();
            let outside = ground.at("outside").display().to_string();
            for (link, target) in *links {
                let target = target.replace("/OUTSIDE", &outside);
                symlink(target, ground.at("project").join(link)).unwrap();
            }
            let case = format!("{what} {written}");
            let result = ground.place(written).and_then(|place| operation(&place));
            assert!(
                !result.as_ref().is_ok_and(|text| text.contains("alive") || text.contains("beside")),
                "{case}: {result:?}"
            );
            ground.is_untouched(&case);
        }
    }
}

/// A link at the end: it is read and written only inside, and removed as the link it is.
#[test]
fn a_link_that_leads_out_is_no_file_to_read_or_write() {
    let ground = Ground::new();
    symlink(ground.at("outside/canary"), ground.at("project/granted/link")).unwrap();
    let place = || ground.place("granted/link").unwrap();
    assert!(read(&place()).is_err() && write(&place()).is_err());
    remove(&place()).unwrap();
    ground.is_untouched("link");
    assert!(!ground.at("project/granted/link").is_symlink());
}

#[test]
fn what_is_inside_works_over_links_that_stay_inside() {
    let ground = Ground::new();
    symlink("inner", ground.at("project/granted/alias")).unwrap();
    assert_eq!(read(&ground.place("granted/alias/canary").unwrap()).unwrap(), "mine");
    write(&ground.place("granted/alias/canary").unwrap()).unwrap();
    make(&ground.place("granted/alias/a/b").unwrap()).unwrap();
    assert_eq!(fs::read_to_string(ground.at("project/granted/inner/canary")).unwrap(), "changed");
    assert!(ground.at("project/granted/inner/a/b").is_dir());
}

/// A folder that turns into a link to the outside and back, thousands of times, while it is worked in.
#[test]
fn a_folder_that_is_swapped_for_a_link_meanwhile_leads_nowhere() {
    for (what, operation) in OPERATIONS.iter().filter(|(what, _)| *what != "remove all") {
        let ground = Ground::new();
        symlink(ground.at("outside/inner"), ground.at("project/granted/evil")).unwrap();
        let (one, other) = (ground.at("project/granted/inner"), ground.at("project/granted/evil"));
        let done = AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    let exchange = rustix::fs::RenameFlags::EXCHANGE;
                    let here = rustix::fs::CWD;
                    let _ = rustix::fs::renameat_with(here, &one, here, &other, exchange);
                }
            });
            let began = Instant::now();
            while began.elapsed() < Duration::from_millis(700) {
                let name = if *what == "make" { "granted/inner/new" } else { "granted/inner/canary" };
                let seen = ground.place(name).and_then(|place| operation(&place));
                assert!(!seen.as_ref().is_ok_and(|text| text.contains("alive")), "{what}: {seen:?}");
            }
            done.store(true, Ordering::Relaxed);
        });
        ground.is_untouched(what);
    }
}

/// A link in the project that leads out of it, handed to everything that reads or works in a place of this machine.
const SCRIPTS: &[&str] = &[
    r#"file("out/canary").read();"#,
    r#"file("out/canary").write("gone");"#,
    r#"file("out/canary").lines();"#,
    r#"file("out/canary").copy("mine");"#,
    r#"folder("out").list();"#,
    r#"folder("out/inner").remove(#{ recursive: true });"#,
    r#"template("out/canary", #{});"#,
    r#"env_file("out/canary", #{ A: "1" });"#,
    r#"sh(["touch", "canary"], #{ cwd: "out" });"#,
    r#"git("out/repository").revision("HEAD");"#,
    r#"git().checkout("HEAD", "out/new");"#,
    r#"compose("shop", #{ files: "out/compose.yml" });"#,
    r#"compose("shop", #{ files: "compose.yml", env_file: "out/canary" });"#,
    r#"http_check("https://127.0.0.1:1/", #{ tls: #{ ca: "out/canary" }, timeout: "2s" });"#,
    r#"docker().build("out", #{ tags: ["escape:1"] });"#,
    r#"docker().copy_in("no-such-container", "out/canary", "/");"#,
    r#"docker().copy_out("no-such-container", "/etc/passwd", "out/new");"#,
    r#"docker().run("no-such-image:1", #{ volumes: ["./out:/data"] });"#,
    r#"ssh("nobody@127.0.0.1").upload("out/canary", "new");"#,
    r#"ssh("nobody@127.0.0.1").upload("out", "new");"#,
];

#[test]
fn no_primitive_goes_out_of_the_project_over_a_link() {
    for script in SCRIPTS {
        let project = Project::script(&format!(
            "//! Tries.\n//! @needs host *; docker *; command *; http *; read **; write **\n{script}"
        ))
        .file("compose.yml", "services: { web: { image: \"web:1\" } }\n");
        let outside = tempfile::tempdir().unwrap();
        let at = |name: &str| outside.path().join(name);
        fs::create_dir(at("inner")).unwrap();
        for name in ["canary", "inner/canary", "compose.yml", "Dockerfile"] {
            fs::write(at(name), "alive").unwrap();
        }
        for folder in [&at("repository"), &project.path().to_owned()] {
            fs::create_dir_all(folder).unwrap();
            let git = |words: &[&str]| {
                let ran = Command::new("git").args(words).current_dir(folder).status();
                assert!(ran.is_ok_and(|ran| ran.success()), "git {words:?}");
            };
            git(&["init", "--quiet"]);
            git(&["-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--allow-empty", "--message=one"]);
        }
        symlink(outside.path(), project.path().join("out")).unwrap();
        let before = all(outside.path());
        let ran = project.runbook(&["run", "test.rhai"]);
        assert_eq!(ran.code, 1, "{script}: {}", ran.stderr);
        assert!(
            ["leads out of the project", "out of `"].iter().any(|words| ran.stderr.contains(words)),
            "{script}: {}",
            ran.stderr
        );
        assert_eq!(all(outside.path()), before, "{script}");
        assert_eq!(fs::read_to_string(at("canary")).unwrap(), "alive", "{script}");
    }
}
