use std::path::Path;
use std::time::{Duration, Instant};

use runbook::drivers::Drivers;
use runbook::drivers::process::{Command, End, Exit, Stream};
use runbook::failure::{Failure, FailureKind};

mod kept;

/// The two ways to run a program, which differ only in what happens when this process dies.
#[derive(Clone, Copy, Debug)]
enum Form {
    Piped,
    Kept,
}

const BOTH: [Form; 2] = [Form::Piped, Form::Kept];

impl Form {
    async fn run(
        self,
        drivers: &Drivers,
        command: &Command,
        on_line: impl FnMut(Stream, &str),
    ) -> Result<Exit, Failure> {
        match self {
            Self::Piped => drivers.processes().run(command, on_line).await,
            Self::Kept => {
                let folder = tempfile::tempdir().unwrap();
                drivers.processes().run_kept(command, &folder.path().join("place"), on_line).await
            }
        }
    }
}

fn drivers() -> Drivers {
    Drivers::kept_by(env!("CARGO_BIN_EXE_runbook"))
}

fn run(form: Form, command: &Command) -> (Result<Exit, Failure>, Vec<String>) {
    let drivers = drivers();
    let mut lines = Vec::new();
    let result = drivers.block_on(form.run(&drivers, command, |stream, line| {
        let name = if stream == Stream::Stdout { "out" } else { "err" };
        lines.push(format!("{name}: {line}"));
    }));
    (result, lines)
}

fn shell(script: &str) -> Command {
    Command { keep: 1 << 20, ..Command::new(["sh", "-c", script]) }
}

/// Runs until `stop` after the program wrote its first line, then drops the future.
fn run_and_drop(form: Form, command: &Command) -> String {
    let drivers = drivers();
    let (sender, first_line) = tokio::sync::oneshot::channel();
    let mut sender = Some(sender);
    drivers.block_on(async {
        tokio::select! {
            _ = form.run(&drivers, command, move |_, line| {
                if let Some(sender) = sender.take() {
                    sender.send(line.to_owned()).unwrap();
                }
            }) => panic!("it should not end by itself"),
            line = first_line => line.unwrap(),
        }
    })
}

fn is_alive(pid: &str) -> bool {
    let state = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    state.is_ok_and(|stat| !stat.contains(") Z "))
}

#[test]
fn lines_of_both_streams_arrive_and_the_end_is_kept() {
    for form in BOTH {
        let (exit, lines) = run(form, &shell("echo one; echo two >&2; printf three"));
        let exit = exit.unwrap();
        assert!(exit.is_ok());
        let (out, err): (Vec<_>, Vec<_>) = lines.iter().partition(|line| line.starts_with("out"));
        assert_eq!(out, ["out: one", "out: three"]);
        assert_eq!(err, ["err: two"]);
        assert_eq!(exit.stdout.into_text(), "one\nthree");
        assert_eq!(exit.stderr.into_text(), "two");
    }
}

#[test]
fn exit_code_and_signal_are_told_apart() {
    for form in BOTH {
        assert_eq!(run(form, &shell("exit 3")).0.unwrap().end, End::Code(3));
        let killed = run(form, &shell("kill -KILL $$")).0.unwrap();
        assert_eq!(killed.end, End::Signal(9));
        assert_eq!((killed.end.code(), killed.end.signal().as_deref()), (137, Some("SIGKILL")));
    }
}

#[test]
fn invalid_utf8_does_not_stop_the_log() {
    for form in BOTH {
        let (exit, lines) = run(form, &shell(r"printf 'caf\351\nnext\n'"));
        assert_eq!(lines, ["out: caf\u{fffd}", "out: next"]);
        assert_eq!(exit.unwrap().stdout.into_text(), "caf\u{fffd}\nnext");
    }
}

#[test]
fn a_progress_bar_is_logged_as_its_last_state() {
    for form in BOTH {
        let (_, lines) = run(form, &shell(r"printf '10%%\r50%%\r100%%\r\nwindows\r\nplain\n'"));
        assert_eq!(lines, ["out: 100%", "out: windows", "out: plain"]);
    }
}

#[test]
fn a_line_without_end_is_cut_and_says_so() {
    for form in BOTH {
        let (exit, lines) = run(form, &shell("head -c 200000 /dev/zero | tr '\\0' x; echo; echo after"));
        assert_eq!(lines.len(), 2);
        assert!(lines[0].ends_with("x… [line of 200000 bytes cut here]"));
        assert_eq!(lines[0].len(), "out: ".len() + 65_536 + "… [line of 200000 bytes cut here]".len());
        assert_eq!(lines[1], "out: after");
        assert_eq!(exit.unwrap().stdout.into_text().len(), 200_000 + "\nafter".len());
    }
}

#[test]
fn a_hundred_megabytes_of_output_keep_only_their_end() {
    for form in BOTH {
        let command = Command {
            keep: 1_000,
            ..shell("yes 'a line of some length, again and again' | head -c 100000000; echo; echo end")
        };
        let drivers = drivers();
        let before = resident_kilobytes();
        let mut count = 0_u64;
        let exit = drivers.block_on(form.run(&drivers, &command, |_, _| count += 1)).unwrap();
        assert!(count > 2_000_000, "{count}");
        assert!(exit.stdout.is_truncated());
        let text = exit.stdout.into_text();
        assert!(text.len() < 1_000 && text.ends_with("\nend"));
        assert!(resident_kilobytes() < before + 60_000);
    }
}

fn resident_kilobytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

#[test]
fn input_reaches_the_program() {
    for form in BOTH {
        let command = Command { stdin: Some(b"hello\n".repeat(50_000)), ..shell("wc -l") };
        assert_eq!(run(form, &command).0.unwrap().stdout.into_text().trim(), "50000");
        assert_eq!(run(form, &shell("cat")).0.unwrap().stdout.into_text(), "");
    }
}

#[test]
fn a_program_that_never_reads_its_input_ends_all_the_same() {
    for form in BOTH {
        let command = Command { stdin: Some(vec![b'x'; 10 << 20]), ..shell("exit 0") };
        assert!(run(form, &command).0.unwrap().is_ok());
    }
}

#[test]
fn dropping_the_future_ends_grandchildren_too() {
    for form in BOTH {
        let pids = run_and_drop(form, &shell("sleep 300 & echo $$ $!; sleep 300"));
        for pid in pids.split_whitespace() {
            assert!(!is_alive(pid), "{pid} of {pids} is still alive");
        }
    }
}

#[test]
fn a_program_deaf_to_sigterm_is_killed_after_its_grace() {
    for form in BOTH {
        let start = Instant::now();
        let pids = run_and_drop(
            form,
            &shell("trap '' TERM; (trap '' TERM; while :; do sleep 1; done) & echo $$ $!; while :; do sleep 1; done"),
        );
        assert!(start.elapsed() >= Duration::from_secs(2));
        for pid in pids.split_whitespace() {
            assert!(!is_alive(pid), "{pid} of {pids} is still alive");
        }
    }
}

#[test]
fn no_zombie_is_left_behind() {
    for form in BOTH {
        let pids = run_and_drop(form, &shell("echo $$; sleep 300"));
        assert!(!Path::new(&format!("/proc/{}", pids.trim())).exists());
    }
}

#[test]
fn kill_all_ends_what_runs_without_grace() {
    for form in BOTH {
        let drivers = drivers();
        let processes = drivers.processes().clone();
        let command = shell("trap '' TERM; echo ready; while :; do sleep 1; done");
        let exit = drivers.block_on(form.run(&drivers, &command, |_, _| processes.kill_all())).unwrap();
        assert_eq!(exit.end, End::Signal(9));
    }
}

#[test]
fn a_grandchild_that_holds_the_output_does_not_hang_the_call() {
    for form in BOTH {
        let start = Instant::now();
        let (exit, lines) = run(form, &shell("sleep 300 & echo $!"));
        let exit = exit.unwrap();
        assert!(exit.is_ok() && exit.held_open);
        assert!(start.elapsed() < Duration::from_secs(60));
        let pid = lines[0].strip_prefix("out: ").unwrap();
        assert!(is_alive(pid), "what a program left in the background on purpose stays");
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    }
}

#[test]
fn a_grandchild_that_never_stops_talking_does_not_hang_the_call() {
    for form in BOTH {
        let (exit, lines) = run(form, &shell("yes talk & echo $!"));
        assert!(exit.unwrap().held_open);
        let pid = lines.iter().find_map(|line| line.strip_prefix("out: ")?.parse::<u32>().ok()).unwrap();
        assert!(std::process::Command::new("kill").arg(pid.to_string()).status().is_ok());
    }
}

#[test]
fn a_background_process_with_its_own_output_is_not_waited_for() {
    for form in BOTH {
        let (exit, lines) = run(form, &shell("sleep 300 >/dev/null 2>&1 & echo $!"));
        assert!(!exit.unwrap().held_open);
        let pid = lines[0].strip_prefix("out: ").unwrap();
        assert!(is_alive(pid));
        assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    }
}

#[test]
fn variables_are_added_removed_and_cleared() {
    for form in BOTH {
        let mut command = shell("echo \"$ADDED|${HOME-unset}\"; env | wc -l");
        command.env.insert("ADDED".into(), Some("yes it is".into()));
        command.env.insert("HOME".into(), None);
        assert!(run(form, &command).0.unwrap().stdout.into_text().starts_with("yes it is|unset\n"));

        let mut command = Command { clear_env: true, keep: 1_000, ..Command::new(["env"]) };
        command.env.insert("ONLY".into(), Some("1".into()));
        let text = run(form, &command).0.unwrap().stdout.into_text();
        let mut names: Vec<&str> = text.lines().map(|line| line.split('=').next().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, ["ONLY", "PATH"]);
    }
}

#[test]
fn a_misspelled_program_gets_its_near_name() {
    for form in BOTH {
        let failure = run(form, &Command::new(["ehco", "hi"])).0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert_eq!(failure.message, "there is no program `ehco`");
        assert_eq!(failure.hints, ["did you mean `echo`?"]);
    }
}

#[test]
fn a_missing_program_names_its_package_or_the_path() {
    for form in BOTH {
        let mut command = Command::new(["pg_dump"]);
        command.env.insert("PATH".into(), Some("/nowhere".into()));
        assert_eq!(run(form, &command).0.unwrap_err().hints, ["install it: `apt-get install postgresql-client`"]);
        command.argv = vec!["frobnicate".into()];
        assert_eq!(
            run(form, &command).0.unwrap_err().hints,
            ["install it, or add its folder to PATH, which is `/nowhere`"]
        );
    }
}

#[test]
fn a_command_line_in_one_word_is_shown_as_a_list() {
    for form in BOTH {
        let failure = run(form, &Command::new(["ls -l /tmp"])).0.unwrap_err();
        assert_eq!(failure.hints, [r#"each argument is an item of its own: write ["ls", "-l", "/tmp"]"#]);
    }
}

#[test]
fn files_that_cannot_be_executed_say_why() {
    for form in BOTH {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str, text: &str, mode: u32| {
            use std::os::unix::fs::PermissionsExt;
            let path = folder.path().join(name);
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let command = Command { cwd: Some(folder.path().into()), ..Command::new([format!("./{name}")]) };
            let failure = run(form, &command).0.unwrap_err();
            (failure.kind, failure.message)
        };
        assert_eq!(at("a", "#!/bin/sh\n", 0o644), (FailureKind::Invalid, "`./a` is not executable".into()));
        assert_eq!(
            at("b", "#!/no/such/python -u\n", 0o755),
            (
                FailureKind::NotFound,
                "`./b` starts with `#!/no/such/python -u`, and that interpreter does not exist".into()
            )
        );
        assert_eq!(
            at("c", "no first line\n", 0o755),
            (FailureKind::Invalid, "`./c` is no program this machine can execute".into())
        );
        let failure = run(form, &Command::new(["/etc"])).0.unwrap_err();
        assert_eq!(failure.message, "`/etc` is a folder, not a program");
    }
}

#[test]
fn a_missing_folder_to_run_in_is_told_apart_from_a_missing_program() {
    for form in BOTH {
        let command = Command { cwd: Some("/no/such/folder".into()), ..Command::new(["true"]) };
        let failure = run(form, &command).0.unwrap_err();
        assert_eq!(failure.kind, FailureKind::NotFound);
        assert_eq!(failure.message, "the folder to run in, `/no/such/folder`, does not exist");
    }
}

#[test]
fn bytes_the_kernel_would_misread_are_refused() {
    for form in BOTH {
        assert_eq!(
            run(form, &Command::new(["echo", "a\0b"])).0.unwrap_err().message,
            "word 2 of the argument list holds a NUL byte"
        );
        let mut command = Command::new(["true"]);
        command.env.insert("A=B".into(), Some(String::new()));
        assert_eq!(run(form, &command).0.unwrap_err().message, "`A=B` cannot be the name of an environment variable");
        assert_eq!(run(form, &Command::new([""; 0])).0.unwrap_err().message, "the argument list names no program");
    }
}

#[test]
fn too_many_arguments_hint_at_the_input() {
    for form in BOTH {
        let failure = run(form, &Command::new(["echo".to_owned(), "x".repeat(3 << 20)])).0.unwrap_err();
        assert_eq!(failure.message, "the argument list of `echo` is too long for the kernel");
        assert_eq!(failure.hints, ["hand long text over with the option `stdin`, or in a file"]);
    }
}
