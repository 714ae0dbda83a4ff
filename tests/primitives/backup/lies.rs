//! Every fault at every source: whatever goes wrong with a source, the repository, the network, the disk or the machine, nothing is
//! "ok" that does not come back as it was, what is there already stays as it was, and nobody waits long to hear of it.

mod faults;
mod ground;
mod stores;
mod subjects;

use faults::{DAMAGES, LIMITS, MACHINE, REQUESTS, WAYS};
pub use ground::rhai;
use ground::{Ground, Tally};
pub use stores::Objects;
use subjects::{Folder, Keys, Lines, Tables, Upright};
pub use subjects::{Subject, noise};

use crate::harness::at_night;

/// By day one case of so many.
const SAMPLE: usize = 22;

/// Every fault for one kind of source. `number` tells the kinds apart, so that the samples of all are different faults.
fn stand_everything<S: Subject>(number: usize, make: fn() -> Option<S>) {
    let mut case = number * 5;
    let mut is_chosen = move |is_patient: bool| {
        case += 1;
        at_night() || (case.is_multiple_of(SAMPLE) && !is_patient)
    };
    let mut tally = Tally::default();
    let Some(subject) = make() else { return };
    let name = subject.name();
    let mut ground = Ground::in_folder(subject);
    for doomed in ground.doomed() {
        if is_chosen(doomed.is_patient) {
            ground.stand_doomed(&doomed, &mut tally);
        }
    }
    for damage in DAMAGES {
        if is_chosen(false) {
            ground.stand_damage(damage, &mut tally);
        }
    }
    for call in MACHINE {
        if is_chosen(false) {
            ground.stand_call(call, &mut tally);
        }
    }
    for limit in LIMITS {
        if is_chosen(false) {
            ground.stand_limit(limit, &mut tally);
        }
    }
    let mut subject = ground.ends_well();
    // By day one of the other two for each kind of source.
    if at_night() || number.is_multiple_of(2) {
        let Some(mut ground) = Ground::in_bucket(subject, &format!("lies-{number}")) else { return };
        for request in REQUESTS {
            if is_chosen(request.is_patient()) {
                ground.stand_request(request, &mut tally);
            }
        }
        subject = ground.ends_well();
    }
    if at_night() || number % 2 == 1 {
        let Some(mut ground) = Ground::on_host(subject) else { return };
        for way in WAYS {
            if is_chosen(way.is_patient()) {
                ground.stand_way(way, &mut tally);
            }
        }
        ground.ends_well();
    }
    eprintln!("{name}: {tally}");
}

#[test]
fn no_fault_makes_a_lie_of_a_folder() {
    stand_everything(0, || Some(Folder));
}

#[test]
fn no_fault_makes_a_lie_of_what_a_command_prints() {
    stand_everything(1, || Some(Lines));
}

#[test]
fn no_fault_makes_a_lie_of_a_sqlite_database() {
    stand_everything(2, || Some(Upright));
}

#[test]
fn no_fault_makes_a_lie_of_a_postgres_database() {
    stand_everything(3, Tables::new);
}

#[test]
fn no_fault_makes_a_lie_of_redis() {
    stand_everything(4, Keys::new);
}

#[test]
fn no_fault_makes_a_lie_of_a_bucket() {
    stand_everything(5, Objects::new);
}
