use runbook::drivers::docker::{ContainerSpec, Mount, NetworkAttachment, NetworkSpec, Subnet, VolumeSpec};
use runbook::primitive::FailureKind;

use crate::harness::Lab;

#[test]
fn a_network_in_use_is_not_removed() {
    let Some(lab) = Lab::start() else { return };
    let network = lab.network("net");
    let attachment = NetworkAttachment { name: network.clone(), ..NetworkAttachment::default() };
    let name = lab.up(&ContainerSpec { networks: vec![attachment], ..lab.spec("inside", "sleep 600") });
    let failure = lab.run(lab.engine.remove_network(&network)).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Conflict);
    assert_eq!(failure.message, format!("cannot remove network `{network}`: it is in use by {name}"));
    lab.run(lab.engine.disconnect_network(&name, &network)).unwrap();
    assert!(lab.run(lab.engine.remove_network(&network)).unwrap());
    assert!(!lab.run(lab.engine.remove_network(&network)).unwrap(), "it is gone already");
}

#[test]
fn a_network_is_made_as_asked_for_and_once() {
    let Some(lab) = Lab::start() else { return };
    let subnet = Subnet { subnet: Some("10.213.77.0/24".into()), ..Subnet::default() };
    let spec = NetworkSpec {
        name: lab.name("fixed"),
        labels: lab.labels(),
        internal: true,
        subnets: vec![subnet],
        ..NetworkSpec::default()
    };
    lab.run(lab.engine.create_network(&spec)).unwrap();
    let made = lab.run(lab.engine.network(&spec.name)).unwrap().unwrap();
    assert_eq!((made.internal, made.subnets[0].subnet.as_deref()), (true, Some("10.213.77.0/24")));
    assert_eq!(lab.run(lab.engine.create_network(&spec)).unwrap_err().kind, FailureKind::Conflict);
    assert_eq!(lab.run(lab.engine.networks(&[lab.label()])).unwrap().len(), 1);
}

#[test]
fn a_container_is_found_in_a_network_joined_later() {
    let Some(lab) = Lab::start() else { return };
    let network = lab.network("late");
    let alias =
        NetworkAttachment { name: network.clone(), aliases: vec!["web".into()], ..NetworkAttachment::default() };
    let server = lab.script("server", "sleep 600");
    lab.run(lab.engine.connect_network(&server, &alias)).unwrap();
    let client = NetworkAttachment { name: network, ..NetworkAttachment::default() };
    let client = lab.up(&ContainerSpec { networks: vec![client], ..lab.spec("client", "sleep 600") });
    assert_eq!(lab.exec(&client, &["nslookup", "web"]).0, 0);
}

#[test]
fn a_volume_in_use_is_not_removed() {
    let Some(lab) = Lab::start() else { return };
    let volume = lab.volume("data");
    let mount = Mount { source: volume.clone(), target: "/data".into(), ..Mount::default() };
    let name = lab.up(&ContainerSpec { mounts: vec![mount], ..lab.spec("user", "sleep 600") });
    assert_eq!(lab.run(lab.engine.remove_volume(&volume)).unwrap_err().kind, FailureKind::Conflict);
    lab.run(lab.engine.remove(&name, false)).unwrap();
    assert!(lab.run(lab.engine.remove_volume(&volume)).unwrap());
    assert!(!lab.run(lab.engine.remove_volume(&volume)).unwrap(), "it is gone already");
}

#[test]
fn a_volume_is_made_once() {
    let Some(lab) = Lab::start() else { return };
    let spec = VolumeSpec { name: lab.volume("once"), ..VolumeSpec::default() };
    assert_eq!(lab.run(lab.engine.create_volume(&spec)).unwrap_err().kind, FailureKind::Conflict);
    assert_eq!(lab.run(lab.engine.volumes(&[lab.label()])).unwrap().len(), 1);
}
