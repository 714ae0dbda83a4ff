use std::collections::BTreeSet;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use runbook::drivers::Drivers;
use runbook::drivers::docker::{EngineLease, HeldLock, HolderProcess, LockHolder, LockRequest};
use runbook::primitive::FailureKind;
use rustix::process::{Pid, Signal, kill_process};

use crate::harness::{Lab, skip};

const NAME: &str = "RUNBOOK_TEST_LOCK";
const FOLDER: &str = "RUNBOOK_TEST_FOLDER";
/// Instead of a minute.
const SILENCE: Duration = Duration::from_secs(2);

fn holder(run: i64, uid: &str) -> LockHolder {
    LockHolder {
        owner: "ann@desk".into(),
        project: "shop".into(),
        run,
        run_uid: uid.into(),
        process: HolderProcess::current(),
    }
}

/// On a machine that is not this one.
fn elsewhere(run: i64, uid: &str) -> LockHolder {
    let process = HolderProcess {
        machine: "laptop".into(),
        machine_id: Some("0123456789abcdef".into()),
        boot_id: Some("another".into()),
        ..HolderProcess::current()
    };
    LockHolder { owner: "eve@laptop".into(), process, ..holder(run, uid) }
}

/// Of this boot, and over: no such number.
fn gone(run: i64, uid: &str) -> LockHolder {
    LockHolder { process: HolderProcess { pid: i32::MAX, ..HolderProcess::current() }, ..holder(run, uid) }
}

fn acquire(lab: &Lab, name: &str, holder: LockHolder) -> Result<EngineLease, Box<HeldLock>> {
    lab.run(lab.engine.acquire_lock(&mut LockRequest::new(name, holder), "pull")).unwrap()
}

/// Asks again and again for this long, as one who waits does.
fn wait_for(lab: &Lab, request: &mut LockRequest, time: Duration) -> Option<EngineLease> {
    let began = Instant::now();
    while began.elapsed() < time {
        if let Ok(lease) = lab.run(lab.engine.acquire_lock(request, "")).unwrap() {
            return Some(lease);
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    None
}

fn until(what: &str, condition: impl Fn() -> bool) {
    let began = Instant::now();
    while !condition() {
        assert!(began.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A process with five threads, each of which tries once to take the lock, says how it went, and stays.
struct Contender(Child);

impl Contender {
    fn start(lock: &str, folder: &Path) -> Self {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--ignored", "drivers::docker::lease::another_process"])
            .envs([(NAME, lock), (FOLDER, folder.to_str().unwrap())])
            .stdout(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(i32::try_from(self.0.id()).unwrap()).unwrap(), signal).unwrap();
    }

    fn kill(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Contender {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What the other processes do; nothing when started by hand.
#[test]
#[ignore = "started by the tests of this file"]
fn another_process() {
    let (Ok(name), Ok(folder)) = (std::env::var(NAME), std::env::var(FOLDER)) else { return };
    let drivers = Drivers::default();
    let engine = drivers.docker(None).unwrap();
    drivers.block_on(engine.info()).unwrap();
    std::fs::write(Path::new(&folder).join(format!("ready-{}", std::process::id())), "").unwrap();
    until("nobody said go", || Path::new(&folder).join("go").exists());
    std::thread::scope(|scope| {
        for thread in 0..5 {
            let (drivers, engine, name, folder) = (&drivers, &engine, &name, &folder);
            scope.spawn(move || {
                let run = i64::from(std::process::id()) * 10 + thread;
                let mut request = LockRequest::new(name, holder(run, &run.to_string()));
                let text = match drivers.block_on(engine.acquire_lock(&mut request, "pull")) {
                    Ok(Ok(lease)) => format!("won {run} {}", lease.fence),
                    Ok(Err(held)) => format!("lost {}", held.holder.run),
                    Err(failure) => format!("failed {failure:?}"),
                };
                let file = |name: &str| Path::new(folder).join(format!("{name}-{run}"));
                std::fs::write(file("part"), text).unwrap();
                std::fs::rename(file("part"), file("said")).unwrap();
                loop {
                    std::thread::park();
                }
            });
        }
    });
}

fn files(folder: &Path, beginning: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let wanted = |path: &Path| path.file_name().unwrap().to_string_lossy().starts_with(beginning);
    entries.filter(|path| wanted(path)).map(|path| std::fs::read_to_string(path).unwrap()).collect()
}

/// Lets that many processes of five threads try at once, and returns them with what they said.
fn race(lock: &str, folder: &Path, processes: usize) -> (Vec<Contender>, Vec<String>) {
    let contenders: Vec<_> = (0..processes).map(|_| Contender::start(lock, folder)).collect();
    until("the others are ready", || files(folder, "ready-").len() == processes);
    std::fs::write(folder.join("go"), "").unwrap();
    until("all have tried", || files(folder, "said-").len() == processes * 5);
    (contenders, files(folder, "said-"))
}

/// The run that won, which everyone else was told of, and its fence.
fn only_winner(said: &[String]) -> (i64, i64) {
    let winners: Vec<&str> = said.iter().filter_map(|text| text.strip_prefix("won ")).collect();
    assert_eq!(winners.len(), 1, "{said:?}");
    let (run, fence) = winners[0].split_once(' ').unwrap();
    let lost = format!("lost {run}");
    assert!(said.iter().all(|text| *text == lost || text.starts_with("won ")), "{said:?}");
    (run.parse().unwrap(), fence.parse().unwrap())
}

#[test]
fn of_twenty_who_want_a_lock_at_once_one_gets_it_and_the_others_are_told_who() {
    let Some(lab) = Lab::start() else { return };
    let (lock, folder) = (lab.name("shop"), tempfile::tempdir().unwrap());
    let (mut contenders, said) = race(&lock, folder.path(), 4);
    let (winner, fence) = only_winner(&said);
    let held = acquire(&lab, &lock, holder(1, "late")).unwrap_err();
    assert_eq!((held.holder.run, held.holder.owner.as_str(), held.step.as_str()), (winner, "ann@desk", "pull"));
    assert_eq!((held.name.as_str(), held.fence, held.parked), (lock.as_str(), fence, false));
    assert!(held.since.duration_since(jiff::Timestamp::now()).abs() < jiff::SignedDuration::from_secs(60));

    contenders.iter_mut().for_each(Contender::kill);
    let folder = tempfile::tempdir().unwrap();
    let (_contenders, said) = race(&lock, folder.path(), 4);
    let (_, later) = only_winner(&said);
    assert!(later > fence, "of twenty who find it dead at once, one takes it over");
}

#[test]
fn fences_grow_with_every_holder_however_they_came_by_the_lock() {
    let Some(lab) = Lab::start() else { return };
    let mut fences = Vec::new();
    for run in 0..30 {
        let dies = run % 3 == 0;
        let uid = format!("uid-{run}");
        let lease = acquire(&lab, &lab.name("shop"), if dies { gone(run, &uid) } else { holder(run, &uid) }).unwrap();
        fences.push(lease.fence);
        if !dies {
            lab.run(lab.engine.release_lock(&lease)).unwrap();
        }
    }
    assert!(fences.windows(2).all(|pair| pair[0] < pair[1]), "{fences:?}");
}

#[test]
fn a_holder_that_was_killed_is_replaced_at_once_and_one_that_is_stopped_never() {
    let Some(lab) = Lab::start() else { return };
    let (lock, folder) = (lab.name("shop"), tempfile::tempdir().unwrap());
    let (contenders, said) = race(&lock, folder.path(), 1);
    only_winner(&said);
    contenders[0].signal(Signal::STOP);
    let mut request = LockRequest::new(&lock, holder(7, "seven")).silence(Duration::from_millis(100));
    assert!(wait_for(&lab, &mut request, SILENCE).is_none(), "its process is there, so its silence means nothing");

    // Not waited for: what is left of it in the table of processes is not a living holder.
    contenders[0].signal(Signal::KILL);
    let began = Instant::now();
    assert!(wait_for(&lab, &mut request, Duration::from_secs(30)).is_some());
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
}

#[test]
fn a_holder_elsewhere_is_replaced_only_after_it_said_nothing_while_somebody_listened() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let lease = acquire(&lab, &lock, elsewhere(1, "one")).unwrap();
    let held = acquire(&lab, &lock, holder(2, "two")).unwrap_err();
    assert_eq!(held.holder.owner, "eve@laptop");

    // Twice as long as the silence, but it goes on saying where it is.
    let mut request = LockRequest::new(&lock, holder(2, "two")).silence(SILENCE);
    let mut renewed = Instant::now();
    for step in 0..10 {
        lease.note_step(&format!("step {step}"));
        renewed = Instant::now();
        lab.run(lab.engine.renew_lock(&lease)).unwrap();
        assert!(wait_for(&lab, &mut request, SILENCE / 5).is_none());
    }
    assert_eq!(acquire(&lab, &lock, holder(2, "two")).unwrap_err().step, "step 9");

    let taken = wait_for(&lab, &mut request, Duration::from_secs(30)).unwrap();
    assert!(renewed.elapsed() >= SILENCE, "{:?}", renewed.elapsed());
    assert!(taken.fence > lease.fence);

    let lost = lab.run(lab.engine.renew_lock(&lease)).unwrap_err();
    assert_eq!(lost.kind, FailureKind::Conflict);
    assert_eq!(lost.message, format!("this run no longer holds the lock `{lock}`: run 2 of ann@desk has it"));
    let lost = lab.run(lab.engine.check_lock(&lease)).unwrap_err();
    assert_eq!(lost.message, format!("this run no longer holds the lock `{lock}`: run 2 of ann@desk has it"));
    lab.run(lab.engine.release_lock(&lease)).unwrap();
    lab.run(lab.engine.check_lock(&taken)).unwrap();
}

#[test]
fn a_holder_in_another_name_space_of_processes_is_judged_by_what_it_says() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let mut inside = gone(1, "one");
    inside.process.pid_namespace = Some("pid:[1]".into());
    let lease = acquire(&lab, &lock, inside).unwrap();
    let held = acquire(&lab, &lock, holder(2, "two")).unwrap_err();
    assert_eq!((held.holder.run, held.fence), (1, lease.fence));
    let mut request = LockRequest::new(&lock, holder(2, "two")).silence(SILENCE);
    assert!(wait_for(&lab, &mut request, Duration::from_secs(30)).is_some());
}

#[test]
fn a_holder_from_before_this_machine_booted_is_dead_and_a_copy_of_this_machine_is_not() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let with_id = |mut holder: LockHolder, boot: &str| {
        holder.process.machine_id = Some("a-machine".into());
        holder.process.boot_id = Some(boot.into());
        holder
    };
    acquire(&lab, &lock, with_id(holder(1, "one"), "earlier")).unwrap();
    let me = with_id(holder(2, "two"), "now");
    let up_for_an_hour = LockRequest::new(&lock, me.clone()).uptime(|| 3600);
    let held = lab.run(lab.engine.acquire_lock(&mut { up_for_an_hour }, "")).unwrap().unwrap_err();
    assert_eq!(held.holder.run, 1, "taken since this machine booted: by another one with the same id");
    std::thread::sleep(Duration::from_millis(1100));
    let just_booted = LockRequest::new(&lock, me).uptime(|| 0);
    lab.run(lab.engine.acquire_lock(&mut { just_booted }, "")).unwrap().unwrap();
}

#[test]
fn a_lock_whose_run_waits_for_a_person_goes_to_that_run_and_to_nobody_else() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    for (asker, first) in [(1, gone(1, "one")), (2, elsewhere(2, "two"))] {
        let lease = acquire(&lab, &lock, first.clone()).unwrap();
        lease.note_step("approve");
        lab.run(lab.engine.park_lock(&lease)).unwrap();
        lab.run(lab.engine.renew_lock(&lease)).unwrap();
        let mut other = LockRequest::new(&lock, holder(3, "three")).silence(Duration::from_millis(200));
        assert!(wait_for(&lab, &mut other, SILENCE).is_none());
        let held = acquire(&lab, &lock, holder(3, "three")).unwrap_err();
        assert_eq!((held.parked, held.step.as_str()), (true, "approve"));

        let again = acquire(&lab, &lock, holder(asker, &first.run_uid)).unwrap();
        assert_eq!((&again.id, again.fence), (&lease.id, lease.fence), "it never was anybody else's");
        let held = acquire(&lab, &lock, holder(3, "three")).unwrap_err();
        assert_eq!((held.parked, held.step.as_str()), (false, "pull"));
        assert_eq!(held.holder.process, HolderProcess::current());
        lab.run(lab.engine.release_lock(&again)).unwrap();
    }
}

#[test]
fn a_run_takes_its_own_lock_up_again_after_it_died_and_asks_twice_without_harm() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let dead = acquire(&lab, &lock, elsewhere(1, "one")).unwrap();
    let lease = acquire(&lab, &lock, holder(1, "one")).unwrap();
    assert!(lease.fence > dead.fence);
    let same = acquire(&lab, &lock, holder(1, "one")).unwrap();
    assert_eq!((&same.id, same.fence), (&lease.id, lease.fence));
}

#[test]
fn a_lock_that_was_removed_behind_our_back_is_missed_at_once() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let lease = acquire(&lab, &lock, holder(1, "one")).unwrap();
    lab.run(lab.engine.check_lock(&lease)).unwrap();
    lab.run(lab.engine.rename(&lease.id, &lab.name("moved"))).unwrap();
    assert_eq!(lab.run(lab.engine.check_lock(&lease)).unwrap_err().kind, FailureKind::Conflict);
    assert!(lab.run(lab.engine.remove(&lease.container, true)).is_ok());
    lab.run(lab.engine.remove(&lease.id, true)).unwrap();
    for lost in [lab.run(lab.engine.renew_lock(&lease)), lab.run(lab.engine.check_lock(&lease))] {
        let lost = lost.unwrap_err();
        assert_eq!(lost.kind, FailureKind::Conflict);
        let container = format!("runbook-lock-{lock}");
        assert_eq!(
            lost.message,
            format!(
                "this run no longer holds the lock `{lock}`: its container `{container}` was removed from the engine"
            )
        );
        assert!(lost.hints[0].contains("label!=runbook.lock"), "{lost:?}");
    }
    lab.run(lab.engine.release_lock(&lease)).unwrap();
    lab.run(lab.engine.release_lock(&lease)).unwrap();
}

/// What engines do when somebody reads in the container at that moment: here a file that cannot be removed stands for it.
#[test]
fn a_lock_that_the_engine_failed_to_remove_is_removed_again() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let lease = acquire(&lab, &lock, holder(1, "one")).unwrap();
    let of_engine = |what: &str| {
        let output = Command::new("docker").args(["info", "--format", what]).output().unwrap();
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let (root, driver) = (of_engine("{{.DockerRootDir}}"), of_engine("{{.Driver}}"));
    let name = format!("{root}/image/{driver}/layerdb/mounts/{}/mount-id", lease.id);
    let Ok(name) = std::fs::read_to_string(name) else { return skip("root, and the files of the engine") };
    let stays = format!("{root}/{driver}/{name}/stays");
    std::fs::create_dir(&stays).unwrap();
    let mark = |how: &str| Command::new("chattr").args([how, &stays]).status().unwrap().success();
    if !mark("+i") {
        return skip("a file system with files that cannot be removed");
    }
    let failure = lab.run(lab.engine.release_lock(&lease)).unwrap_err();
    let mut request = LockRequest::new(&lock, holder(2, "two"));
    let refused = lab.run(lab.engine.acquire_lock(&mut request, "")).unwrap_err();
    assert!(mark("-i"));
    for failure in [failure, refused] {
        assert!(failure.message.contains("failed to remove root filesystem"), "{failure:?}");
    }
    let lease = lab.run(lab.engine.acquire_lock(&mut request, "")).unwrap().unwrap();
    lab.run(lab.engine.check_lock(&lease)).unwrap();
    lab.run(lab.engine.release_lock(&lease)).unwrap();
}

#[test]
fn a_container_that_is_no_lock_is_left_alone() {
    let Some(lab) = Lab::start() else { return };
    let lock = lab.name("shop");
    let mut spec = lab.spec("shop", "true");
    spec.name = format!("runbook-lock-{lock}");
    let id = lab.run(lab.engine.create(&spec)).unwrap();
    let mut request = LockRequest::new(&lock, holder(1, "one"));
    let failure = lab.run(lab.engine.acquire_lock(&mut request, "")).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.hints, [format!("if nobody needs it, remove it: docker rm runbook-lock-{lock}")]);
    assert!(lab.run(lab.engine.find(&id)).unwrap().is_some());
}

#[test]
fn ten_first_locks_of_an_engine_need_one_image() {
    let Some(lab) = Lab::start() else { return };
    // Others may hold locks at this moment; their image stays without its name until the next lock.
    lab.run(lab.engine.remove_image("runbook/lock:1", true)).unwrap();
    std::thread::scope(|scope| {
        let lab = &lab;
        let taken = |number: i64| {
            move || acquire(lab, &lab.name(&format!("app/{number}")), holder(number, &number.to_string())).unwrap()
        };
        let all: Vec<_> = (0..10).map(|number| scope.spawn(taken(number))).collect();
        let names: BTreeSet<String> = all.into_iter().map(|thread| thread.join().unwrap().container).collect();
        assert_eq!(names.len(), 10);
    });
    let images = lab.run(lab.engine.images()).unwrap();
    let ours: Vec<_> = images.iter().filter(|image| image.labels.contains_key("runbook.image")).collect();
    assert_eq!(ours.len(), 1, "{ours:?}");
    assert!(ours[0].size < 1000, "{ours:?}");
}

#[test]
fn all_locks_are_listed_and_belong_to_no_application() {
    let Some(lab) = Lab::start() else { return };
    let mine = || -> Vec<HeldLock> {
        let locks = lab.run(lab.engine.locks()).unwrap();
        locks.into_iter().filter(|lock| lock.name.starts_with(&lab.name(""))).collect()
    };
    let second = acquire(&lab, &lab.name("b"), elsewhere(2, "two")).unwrap();
    let first = acquire(&lab, &lab.name("a"), holder(1, "one")).unwrap();
    let held = mine();
    let shown: Vec<_> = held.iter().map(|lock| (lock.name.clone(), lock.holder.owner.as_str(), lock.fence)).collect();
    assert_eq!(shown, [(lab.name("a"), "ann@desk", first.fence), (lab.name("b"), "eve@laptop", second.fence)]);
    let found = lab.run(lab.engine.inspect(&first.id)).unwrap();
    assert!(found.labels.keys().all(|label| !label.starts_with("com.docker.compose")), "{:?}", found.labels);
    assert!(found.networks.is_empty() || found.networks.keys().all(|name| name == "none"), "{:?}", found.networks);

    lab.run(lab.engine.break_lock(&held[1])).unwrap();
    lab.run(lab.engine.break_lock(&held[1])).unwrap();
    lab.run(lab.engine.release_lock(&first)).unwrap();
    assert!(mine().is_empty());
}

#[test]
fn taking_and_giving_back_a_lock_costs_little() {
    let Some(lab) = Lab::start() else { return };
    drop(acquire(&lab, &lab.name("warm"), holder(1, "one")));
    let (mut took, mut renewed, mut checked, mut gave) = (vec![], vec![], vec![], vec![]);
    let timed = |times: &mut Vec<Duration>, work: &mut dyn FnMut()| {
        let began = Instant::now();
        work();
        times.push(began.elapsed());
    };
    for _ in 0..15 {
        let mut lease = None;
        timed(&mut took, &mut || lease = acquire(&lab, &lab.name("shop"), holder(1, "one")).ok());
        let lease = lease.unwrap();
        timed(&mut renewed, &mut || lab.run(lab.engine.renew_lock(&lease)).unwrap());
        timed(&mut checked, &mut || lab.run(lab.engine.check_lock(&lease)).unwrap());
        timed(&mut gave, &mut || lab.run(lab.engine.release_lock(&lease)).unwrap());
    }
    for times in [&mut took, &mut renewed, &mut checked, &mut gave] {
        times.sort();
    }
    let (take, give_back) = (took[7], gave[7]);
    eprintln!("median: take {take:?}, renew {:?}, check {:?}, give back {give_back:?}", renewed[7], checked[7]);
    assert!(take + give_back < Duration::from_millis(500), "take {take:?}, give back {give_back:?}");
}
