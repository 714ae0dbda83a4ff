//! Programs that outlive the process that started them: mostly this test binary again, killed in the middle.

use std::fs::{File, Permissions};
use std::io::Write;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::{Duration, Instant, SystemTime};

use runbook::drivers::process::{Command, End, Exit, Search, Stream, Whereabouts};
use runbook::failure::FailureKind;
use rustix::fs::{FlockOperation, flock};
use rustix::process::{Pid, Signal, kill_process};

use super::{drivers, is_alive, shell};
use crate::harness::skip;

const PLACE: &str = "RUNBOOK_TEST_PLACE";
const SCRIPT: &str = "RUNBOOK_TEST_SCRIPT";

/// Runs the script kept; nothing when started by hand.
#[test]
#[ignore = "started by the tests of this file"]
fn another_process() {
    let (Ok(place), Ok(script)) = (std::env::var(PLACE), std::env::var(SCRIPT)) else { return };
    let drivers = drivers();
    drivers.block_on(drivers.processes().run_kept(&shell(&script), Path::new(&place), |_, _| {})).unwrap();
}

/// A folder for a test, with the place in it.
struct Scene {
    folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn place(&self) -> PathBuf {
        self.path("place")
    }

    fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.place().join(name)).unwrap_or_default()
    }

    /// A place as somebody left it.
    fn left(&self, files: &[(&str, &str)]) -> &Self {
        std::fs::create_dir_all(self.place()).unwrap();
        for (name, text) in files {
            std::fs::write(self.place().join(name), text).unwrap();
        }
        self
    }

    /// Another process that runs the script kept; `$D` is the folder.
    fn start(&self, script: &str) -> Child {
        std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "drivers::process::kept::another_process"])
            .env(PLACE, self.place())
            .env(SCRIPT, script)
            .env("D", self.folder.path())
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Kills that process as soon as its program has made the file `ready`.
    fn start_and_kill(&self, script: &str) {
        let mut child = self.start(script);
        self.wait_for("ready");
        child.kill().unwrap();
        child.wait().unwrap();
    }

    fn wait_for(&self, name: &str) {
        until(name, || self.path(name).exists());
    }

    fn touch(&self, name: &str) {
        File::create(self.path(name)).unwrap();
    }

    /// The process of the program.
    fn program(&self) -> String {
        self.read("started").split(' ').next().unwrap().to_owned()
    }

    /// The process that keeps watch over the program.
    fn keeper(&self) -> Pid {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.program())).unwrap();
        let parent = status.lines().find_map(|line| line.strip_prefix("PPid:")).unwrap();
        Pid::from_raw(parent.trim().parse().unwrap()).unwrap()
    }

    fn find_out_since(&self, since: SystemTime) -> (Whereabouts, Vec<String>) {
        let (drivers, place, mut lines) = (drivers(), self.place(), Vec::new());
        let search = Search { since, ..search(&place) };
        let work = drivers.processes().find_out(&search, |stream, line| {
            lines.push(format!("{}: {line}", if stream == Stream::Stdout { "out" } else { "err" }));
        });
        let found =
            drivers.block_on(async { tokio::time::timeout(Duration::from_secs(60), work).await }).expect("it ends");
        (found.unwrap(), lines)
    }

    fn find_out(&self) -> Whereabouts {
        self.find_out_since(SystemTime::now()).0
    }

    fn ended(&self) -> (Exit, Vec<String>) {
        match self.find_out_since(SystemTime::now()) {
            (Whereabouts::Ended(exit), lines) => (exit, lines),
            (other, _) => panic!("{other:?}"),
        }
    }

    fn unknown(&self) -> String {
        match self.find_out() {
            Whereabouts::Unknown(why) => why,
            other => panic!("{other:?}"),
        }
    }
}

fn until(what: &str, is_so: impl Fn() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(60), "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

fn search(place: &Path) -> Search<'_> {
    Search { place, keep: 64 << 20, since: SystemTime::now(), limit: Duration::from_secs(600), is_wanted: &|| true }
}

fn boot() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap().trim().to_owned()
}

const WAIT_FOR_GO: &str = "while [ ! -e $D/go ]; do sleep 0.02; done";

#[test]
fn a_program_survives_the_death_of_its_parent_and_is_attached_to() {
    let scene = Scene::new();
    scene.start_and_kill(&format!(
        "echo one; echo two >&2; touch $D/ready; {WAIT_FOR_GO}
         yes 'after the death of the parent' | head -n 300000; yes 'on the other stream' | head -n 500000 >&2; exit 7"
    ));
    assert!(is_alive(&scene.program()));
    std::thread::scope(|threads| {
        let found = threads.spawn(|| scene.ended());
        std::thread::sleep(Duration::from_millis(200));
        assert!(!found.is_finished(), "it waits");
        scene.touch("go");
        let (exit, lines) = found.join().unwrap();
        assert_eq!(exit.end, End::Code(7));
        let (out, err): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("out"));
        assert_eq!((out.len(), err.len()), (300_001, 500_001));
        assert_eq!((out[0].as_str(), err[0].as_str()), ("out: one", "err: two"));
        assert!(out[1..].iter().all(|line| *line == "out: after the death of the parent"));
        assert!(err[1..].iter().all(|line| *line == "err: on the other stream"));
        assert_eq!(exit.stdout.into_text().len(), "one\n".len() + 300_000 * 30 - 1);
        assert_eq!(exit.stderr.into_text().len(), "two\n".len() + 500_000 * 20 - 1);
    });
}

#[test]
fn the_end_of_a_program_whose_parent_was_dead_is_found() {
    let scene = Scene::new();
    scene.start_and_kill("touch $D/ready; sleep 0.1; echo done; kill -KILL $$");
    until("ended", || scene.place().join("ended").exists());
    let (exit, lines) = scene.ended();
    assert_eq!((exit.end, lines), (End::Signal(9), vec!["out: done".to_owned()]));
    let (again, _) = scene.ended();
    assert_eq!(again.end, End::Signal(9), "it may be asked again");
    drivers().processes().clear(&scene.place()).unwrap();
    assert!(!scene.place().exists());
    drivers().processes().clear(&scene.place()).unwrap();
}

#[test]
fn both_streams_are_whole_and_in_order() {
    let scene = Scene::new();
    let command = Command {
        keep: 64 << 20,
        ..shell("seq 1400000 & seq 1400000 >&2; wait") // 10 MB each
    };
    let (drivers, mut next) = (drivers(), [0, 0]);
    let exit = drivers.block_on(drivers.processes().run_kept(&command, &scene.place(), |stream, line| {
        next[stream as usize] += 1;
        assert_eq!(line.parse(), Ok(next[stream as usize]));
    }));
    let exit = exit.unwrap();
    assert_eq!(next, [1_400_000, 1_400_000]);
    assert!(!exit.incomplete && !exit.held_open);
    assert!(exit.stdout.into_text() == exit.stderr.into_text());
}

#[test]
fn what_was_never_started_may_be_started() {
    let scene = Scene::new();
    assert!(matches!(scene.find_out(), Whereabouts::NeverStarted), "no folder");
    scene.left(&[]);
    assert!(matches!(scene.find_out(), Whereabouts::NeverStarted), "an empty folder");
    scene.left(&[("boot", &boot()), ("stdin", "input")]);
    assert!(matches!(scene.find_out(), Whereabouts::NeverStarted), "killed before the keeper");
    let drivers = drivers();
    let exit = drivers.block_on(drivers.processes().run_kept(&shell("exit 4"), &scene.place(), |_, _| {})).unwrap();
    assert_eq!(exit.end, End::Code(4));
    assert_eq!(scene.ended().0.end, End::Code(4));
}

#[test]
fn a_program_that_the_kernel_refused_was_never_started() {
    let scene = Scene::new();
    let program = scene.path("program");
    std::fs::write(&program, "no program\n").unwrap();
    std::fs::set_permissions(&program, Permissions::from_mode(0o755)).unwrap();
    let (drivers, command) = (drivers(), Command::new([program.to_str().unwrap()]));
    let failure = drivers.block_on(drivers.processes().run_kept(&command, &scene.place(), |_, _| {})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Invalid);
    until("the keeper is gone", || matches!(scene.find_out(), Whereabouts::NeverStarted));
}

#[test]
fn what_may_still_be_started_is_waited_for() {
    let scene = Scene::new();
    scene.left(&[("boot", &boot())]);
    let lock = File::open(scene.place().join("boot")).unwrap();
    flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    std::thread::scope(|threads| {
        let found = threads.spawn(|| scene.find_out());
        std::thread::sleep(Duration::from_millis(200));
        assert!(!found.is_finished(), "a keeper is about to start it");
        drop(lock);
        assert!(matches!(found.join().unwrap(), Whereabouts::NeverStarted));
    });
}

#[test]
fn after_a_reboot_only_a_written_end_is_believed() {
    let another = "11111111-2222-3333-4444-555555555555";
    let anew = "the machine was started anew since";
    let scene = Scene::new();
    let (found, _) = scene.find_out_since(SystemTime::UNIX_EPOCH);
    assert!(matches!(found, Whereabouts::Unknown(why) if why == anew), "the folder itself may have been lost");
    scene.left(&[("boot", another)]);
    assert_eq!(scene.unknown(), anew);
    scene.left(&[("started", "")]);
    assert_eq!(scene.unknown(), anew);
    scene.left(&[("started", &format!("{} 1", std::process::id()))]);
    assert_eq!(scene.unknown(), anew);
    scene.left(&[("stdout", "whole\n"), ("stderr", ""), ("ended", "code 3 6 0 .")]);
    assert_eq!(scene.ended().0.end, End::Code(3));
    scene.left(&[("stdout", "who")]);
    assert_eq!(scene.unknown(), "the end of its output is missing");
    scene.left(&[("ended", "code 3 6")]);
    assert_eq!(scene.unknown(), anew, "half a note is none");
}

#[test]
fn a_process_with_the_number_of_a_dead_program_is_left_alone() {
    let scene = Scene::new();
    let mut other = std::process::Command::new("sleep").arg("300").spawn().unwrap();
    scene.left(&[("boot", &boot()), ("started", &format!("{} 1", other.id()))]);
    assert_eq!(scene.unknown(), "the process that kept watch over it was killed");
    assert!(other.try_wait().unwrap().is_none(), "it lives");
    other.kill().unwrap();
    other.wait().unwrap();
}

#[test]
fn without_its_keeper_a_program_is_waited_for_and_its_end_is_unknown() {
    let scene = Scene::new();
    scene.start_and_kill(&format!("touch $D/ready; {WAIT_FOR_GO}; touch $D/gone"));
    kill_process(scene.keeper(), Signal::KILL).unwrap();
    std::thread::scope(|threads| {
        let found = threads.spawn(|| scene.unknown());
        std::thread::sleep(Duration::from_millis(200));
        assert!(!found.is_finished(), "a program that runs must not be started a second time");
        scene.touch("go");
        assert_eq!(found.join().unwrap(), "the process that kept watch over it was killed");
    });
    scene.wait_for("gone");
}

#[test]
fn a_keeper_that_is_killed_takes_its_program_along_while_somebody_waits() {
    let scene = Scene::new();
    let (drivers, place) = (drivers(), scene.place());
    let failure = drivers.block_on(drivers.processes().run_kept(&shell("echo; sleep 300"), &place, |_, _| {
        kill_process(scene.keeper(), Signal::KILL).unwrap();
    }));
    assert_eq!(
        failure.unwrap_err().message,
        "the process that kept watch over `sh -c \"echo; sleep 300\"` was killed, so nobody knows how that ended"
    );
    assert!(!is_alive(&scene.program()));
}

#[test]
fn whoever_stops_waiting_for_a_program_it_attached_to_ends_all_of_it() {
    let scene = Scene::new();
    scene.start_and_kill("sleep 300 & echo $! >$D/part; mv $D/part $D/ready; sleep 300");
    let grandchild = std::fs::read_to_string(scene.path("ready")).unwrap();
    let drivers = drivers();
    let place = scene.place();
    drivers.block_on(async {
        let search = search(&place);
        let work = drivers.processes().find_out(&search, |_, _| {});
        assert!(tokio::time::timeout(Duration::from_millis(100), work).await.is_err());
    });
    assert!(!is_alive(&scene.program()));
    assert!(!is_alive(grandchild.trim()));
    assert_eq!(scene.ended().0.end, End::Signal(15), "its end is on record");
}

#[test]
fn the_time_of_a_program_is_counted_from_its_start() {
    let scene = Scene::new();
    scene.start_and_kill("touch $D/ready; sleep 300");
    let (drivers, place) = (drivers(), scene.place());
    let search = Search { limit: Duration::from_millis(1), ..search(&place) };
    let found = drivers.block_on(drivers.processes().find_out(&search, |_, _| {})).unwrap();
    assert!(matches!(found, Whereabouts::TimedOut), "{found:?}");
    assert!(!is_alive(&scene.program()));
    let found = drivers.block_on(drivers.processes().find_out(&search, |_, _| {})).unwrap();
    assert!(matches!(found, Whereabouts::Ended(_)), "what has ended has ended in time: {found:?}");
}

#[test]
fn a_program_that_is_not_wanted_any_more_is_ended_and_what_has_ended_is_told() {
    let scene = Scene::new();
    scene.start_and_kill("touch $D/ready; sleep 300");
    let (drivers, place) = (drivers(), scene.place());
    let search = Search { is_wanted: &|| false, ..search(&place) };
    let found = drivers.block_on(drivers.processes().find_out(&search, |_, _| {})).unwrap();
    assert!(matches!(found, Whereabouts::Stopped), "{found:?}");
    assert!(!is_alive(&scene.program()));
    let found = drivers.block_on(drivers.processes().find_out(&search, |_, _| {})).unwrap();
    assert!(matches!(found, Whereabouts::Ended(_)), "{found:?}");
}

#[test]
fn a_place_in_use_is_not_taken_away() {
    let scene = Scene::new();
    scene.start_and_kill(&format!("touch $D/ready; {WAIT_FOR_GO}"));
    let drivers = drivers();
    let failure =
        drivers.block_on(drivers.processes().run_kept(&shell("true"), &scene.place(), |_, _| {})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("the program started in `{}` still runs", scene.place().display()));
    scene.touch("go");
    assert_eq!(scene.ended().0.end, End::Code(0));
}

#[test]
fn only_its_owner_may_look_into_a_place_and_the_input_does_not_stay() {
    let scene = Scene::new();
    let command = Command { stdin: Some(b"secret".to_vec()), ..shell("cat; cat >&2 </dev/null") };
    let drivers = drivers();
    drivers.block_on(drivers.processes().run_kept(&command, &scene.place(), |_, _| {})).unwrap();
    let mode = |path: &Path| path.metadata().unwrap().mode() & 0o777;
    assert_eq!(mode(&scene.place()), 0o700);
    let mut names = Vec::new();
    for entry in std::fs::read_dir(scene.place()).unwrap() {
        assert_eq!(mode(&entry.as_ref().unwrap().path()), 0o600);
        names.push(entry.unwrap().file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["boot", "ended", "started", "stderr", "stdout"]);
    assert_eq!(scene.read("stdout"), "secret");
}

#[test]
fn an_environment_that_no_other_program_could_start_in_is_the_commands_alone() {
    let scene = Scene::new();
    std::fs::write(scene.path("libc.so.6"), "no library").unwrap();
    let mut command = shell("");
    let ruinous = format!("LD_LIBRARY_PATH={}", scene.folder.path().display());
    command.env.insert("LD_LIBRARY_PATH".into(), Some(scene.folder.path().to_str().unwrap().into()));
    command.env.insert("a name.that-no-shell/keeps".into(), Some("value".into()));
    let drivers = drivers();
    let exit = drivers.block_on(drivers.processes().run_kept(&command, &scene.place(), |_, _| {})).unwrap();
    assert_eq!(exit.end, End::Code(127), "not even a shell starts, but its end is known");
    command.env.remove("LD_LIBRARY_PATH");
    command.argv = vec!["env".into()];
    let exit = drivers.block_on(drivers.processes().run_kept(&command, &scene.place(), |_, _| {})).unwrap();
    let text = exit.stdout.into_text();
    assert!(text.lines().any(|line| line == "a name.that-no-shell/keeps=value"), "{text}");
    // The variable itself may be there: cargo sets it for the tests that it starts.
    assert!(!text.lines().any(|line| line == ruinous), "{text}");
}

#[test]
fn a_full_disk_stops_no_program_and_loses_no_end() {
    let scene = Scene::new();
    let disk = scene.path("disk");
    std::fs::create_dir(&disk).unwrap();
    let mount =
        std::process::Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(&disk).status();
    if !mount.is_ok_and(|status| status.success()) {
        return skip("the right to mount a small disk");
    }
    let drivers = drivers();
    let exit =
        drivers.block_on(drivers.processes().run_kept(&shell("seq 100000; exit 3"), &disk.join("place"), |_, _| {}));
    let found = drivers.block_on(drivers.processes().find_out(&search(&disk.join("place")), |_, _| {}));
    assert!(std::process::Command::new("umount").arg(&disk).status().unwrap().success());
    let exit = exit.unwrap();
    assert_eq!((exit.end, exit.incomplete), (End::Code(3), true));
    let Whereabouts::Ended(exit) = found.unwrap() else { panic!("its end is lost") };
    assert_eq!((exit.end, exit.incomplete), (End::Code(3), true));
}

#[test]
fn a_process_that_is_no_runbook_says_that_it_cannot_keep_watch() {
    let scene = Scene::new();
    let drivers = runbook::drivers::Drivers::default();
    let failure =
        drivers.block_on(drivers.processes().run_kept(&shell("true"), &scene.place(), |_, _| {})).unwrap_err();
    assert_eq!(
        failure.message,
        "cannot start the process that keeps watch over `sh`: this process does not know its own executable"
    );
    let drivers = runbook::drivers::Drivers::kept_by("/bin/true");
    let failure =
        drivers.block_on(drivers.processes().run_kept(&shell("true"), &scene.place(), |_, _| {})).unwrap_err();
    assert_eq!(failure.message, "cannot start the process that keeps watch over `sh`: it ended at once");
}

/// Not a test of anything: prints what a trivial program costs in both forms, with the keeper of another build if told to.
#[test]
#[ignore = "a measurement"]
fn cost() {
    let keeper = std::env::var("RUNBOOK_TEST_KEEPER").unwrap_or_else(|_| env!("CARGO_BIN_EXE_runbook").into());
    let drivers = runbook::drivers::Drivers::kept_by(keeper);
    let mut times = [Vec::new(), Vec::new()];
    for _ in 0..200 {
        for (form, times) in super::BOTH.into_iter().zip(&mut times) {
            let began = Instant::now();
            drivers.block_on(form.run(&drivers, &Command::new(["true"]), |_, _| {})).unwrap();
            times.push(began.elapsed());
        }
    }
    let [piped, kept] = times.map(|mut times| {
        times.sort();
        (times[0], times[20], times[100])
    });
    writeln!(std::io::stderr(), "least, 10 %, median: piped {piped:?}, kept {kept:?}").unwrap();
}
