//! Every shipped runbook that needs an engine, killed at boundaries of its journal: after `resume` the world is what an
//! undisturbed run leaves, each effect happened once, nothing stray runs, no lock is held and nobody was asked.
//!
//! (What needs no engine is a scenario of the whole matrix: `quickstart.rhai`.)

mod backups;
pub mod boundaries;
mod events;
pub mod host;
mod seeding;
mod stage;
pub mod world;

use host::Host;
use seeding::{EMPTY, Seeding};
use stage::Stage;
use world::{ImageFolder, Systems, World};

use super::plan::has_strace;
use crate::harness::{Lab, only_at_night};
use crate::runbooks::demo_images;
use crate::runbooks::systems::System;

const STUPIDBOT: &[&str] = &["18080", "13000"];
const CHATSPHERE: &[&str] = &["18100", "18101"];
const DND_HELPER: &[&str] = &["18090", "15432", "16379"];

/// The engine, with the images of the applications.
fn applications() -> Option<Lab> {
    has_strace().then(|| demo_images::images(&["--databases", "false"]))?
}

/// The engine, with all images.
fn everything() -> Option<Lab> {
    applications()?;
    demo_images::databases()
}

#[test]
fn stupidbots_deployment_survives_kills() {
    let Some(lab) = applications() else { return };
    let world = Systems::new(System::new(lab, &["stupidbot"], STUPIDBOT));
    let deploy = |tag| vec!["run", "stupidbot/deploy.rhai", "--env", "demo", "--tag", tag];
    Stage::new("stupidbot/deploy.rhai", &world, vec![deploy("1"), deploy("2")]).survives(10);
}

#[test]
fn stupidbots_rollback_survives_kills() {
    let Some(lab) = applications() else { return };
    let world = Systems::new(System::new(lab, &["stupidbot"], STUPIDBOT));
    for tag in ["1", "2"] {
        world.does(&["run", "stupidbot/deploy.rhai", "--env", "demo", "--tag", tag]);
    }
    let back = |release| vec!["run", "stupidbot/rollback.rhai", "--env", "demo", "--to", release];
    Stage::new("stupidbot/rollback.rhai", &world, vec![back("1"), back("2")]).survives(6);
}

#[test]
fn dnd_helpers_deployment_rollback_and_seeding_survive_kills() {
    let Some(lab) = everything() else { return };
    let world = Systems::new(System::new(lab, &["dnd-helper"], DND_HELPER));
    let deploy = |tag| vec!["run", "dnd-helper/deploy.rhai", "--env", "demo", "--api-tag", tag];
    Stage::new("dnd-helper/deploy.rhai", &world, vec![deploy("1"), deploy("2")]).survives(8);
    let back = vec!["run", "dnd-helper/rollback.rhai", "--env", "demo"];
    Stage::new("dnd-helper/rollback.rhai", &world, vec![back.clone(), back]).survives(6);
    let seed = vec!["run", "dnd-helper/seed.rhai", "--env", "demo"];
    Stage::new("dnd-helper/seed.rhai", &Seeding(&world), vec![seed]).after(vec![EMPTY.to_vec()]).survives(6);
}

#[test]
fn chatspheres_setup_deployment_and_rollback_survive_kills() {
    let Some(lab) = everything() else { return };
    let world = Systems::new(System::new(lab, &["chatsphere"], CHATSPHERE));
    let setup = vec!["run", "chatsphere/setup.rhai", "--env", "demo"];
    Stage::new("chatsphere/setup.rhai", &world, vec![setup]).survives(6);
    let deploy = |tag| vec!["run", "chatsphere/deploy.rhai", "--env", "demo", "--tag", tag];
    Stage::new("chatsphere/deploy.rhai", &world, vec![deploy("v1"), deploy("v2")]).survives(8);
    let back = vec!["run", "chatsphere/rollback.rhai", "--env", "demo"];
    Stage::new("chatsphere/rollback.rhai", &world, vec![back.clone(), back]).survives(6);
}

#[test]
fn removing_the_demo_survives_kills() {
    let Some(lab) = everything() else { return };
    let world =
        Systems::new(System::new(lab, &["stupidbot", "dnd-helper", "chatsphere"], &[STUPIDBOT, DND_HELPER].concat()));
    let again = vec![
        vec!["run", "stupidbot/deploy.rhai", "--env", "demo"],
        vec!["run", "dnd-helper/deploy.rhai", "--env", "demo"],
    ];
    let remove = vec!["run", "remove-demo.rhai", "--env", "demo"];
    Stage::new("remove-demo.rhai", &world, vec![remove]).after(again).survives(3);
}

#[test]
fn building_the_demos_images_survives_kills() {
    let Some(_lab) = everything() else { return };
    let world = ImageFolder::new();
    let build = vec!["run", "images.rhai", "--profile", "dev", "--databases", "false"];
    Stage::new("demo-app/images.rhai", &world, vec![build]).survives(4);
}

/// On a Debian of its own: set up, a second time with nothing to do, and then killed over it. It takes many minutes and
/// Debian's mirror.
#[test]
fn setting_a_host_up_survives_kills() {
    let Some(host) = (only_at_night() && has_strace()).then(Host::start).flatten() else { return };
    let provision = vec!["run", "provision.rhai", "--host", "web", "--public-key", "key.pub", "--swap", ""];
    host.runs(&provision).success().says("web is set up: Debian");
    host.runs(&provision).success().says("nothing changed");
    Stage::new("provision.rhai", &host, vec![provision]).after(vec![vec!["reset"]]).survives(4);
}
