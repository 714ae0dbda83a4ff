use std::time::Duration;

use runbook::drivers::docker::{Login, Reference};
use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{Shop, evidence};
use crate::harness::Registry;

/// An application whose image is in a registry with a login.
pub(super) struct Remote {
    pub shop: Shop,
    pub registry: Registry,
    pub image: String,
}

impl Remote {
    pub fn start() -> Option<Self> {
        let registry = Registry::start()?;
        let shop = Shop::new("services: {}\n")?;
        let image = format!("{}/{}", registry.address, shop.lab.name("app"));
        shop.write(&format!("services:\n  api: {{ image: '{image}:v1', stop_grace_period: 0s }}\n"));
        Some(Self { shop, registry, image })
    }

    /// Builds a version, pushes it as `v1` and forgets it here; returns its digest.
    pub fn publish(&self, version: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        let lines = format!("RUN echo {version} > /version\nCMD [\"sleep\", \"600\"]");
        let reference = self.shop.lab.image_from(folder.path(), &format!("{}:v1", self.image), &lines);
        let reference = Reference::parse(&reference).unwrap();
        let engine = &self.shop.lab.engine;
        self.shop
            .lab
            .run(async {
                engine.push(&reference, Some(&self.registry.login), &mut |_| {}).await?;
                let digest =
                    engine.image(&reference.to_string()).await?.unwrap().digest_in(&reference).unwrap().to_owned();
                // Another tag may hold it; what is gone is the name that a deployment pulls.
                engine.remove_image(&reference.to_string(), true).await?;
                Ok(digest)
            })
            .unwrap()
    }

    pub fn login(&self) -> Value {
        json!({ "username": self.registry.login.username, "password": self.registry.login.password })
    }
}

#[test]
fn pull_reports_each_service_and_says_when_nothing_is_new() {
    let Some(remote) = Remote::start() else { return };
    let digest = remote.publish("one");
    let pulled = remote.shop.call("pull", json!([]), json!({ "login": remote.login() }));
    assert_eq!((pulled.changed, pulled.note.as_deref()), (Some(true), Some("1 pulled")));
    let api = &pulled.value["services"]["api"];
    assert_eq!((&api["action"], &api["digest"]), (&json!("pulled"), &json!(format!("{}@{digest}", remote.image))));
    let again = remote.shop.call("pull", json!([]), json!({ "login": remote.login() }));
    assert_eq!((again.changed, again.note.as_deref()), (Some(false), Some("1 up to date")));
    assert_eq!(remote.shop.containers(), Vec::<String>::new());
}

#[test]
fn a_login_of_the_project_file_is_used_and_a_wrong_one_is_told() {
    let Some(remote) = Remote::start() else { return };
    remote.publish("one");
    let failure = remote.shop.fails("pull", json!([]), json!({}));
    assert_eq!(failure.kind, FailureKind::Unauthorized, "{failure:?}");
    assert!(failure.message.starts_with("service `api`: cannot pull"), "{failure:?}");
    let wrong = json!({ "login": { "username": "deployer", "password": "guessed" } });
    let failure = remote.shop.fails("pull", json!([]), wrong);
    assert_eq!(failure.kind, FailureKind::Unauthorized);
    assert!(failure.hints[0].contains("refused this user name and password"), "{failure:?}");
    remote.shop.direct.write(
        "runbook.toml",
        &format!(
            "[registry.\"{}\"]\nusername = \"deployer\"\npassword_env = \"NO_SUCH_PASSWORD\"\n",
            remote.registry.address
        ),
    );
    let failure = remote.shop.fails("pull", json!([]), json!({}));
    assert!(failure.message.contains("`NO_SUCH_PASSWORD` is not set"), "{failure:?}");
}

#[test]
fn a_missing_image_and_a_registry_that_is_down_are_told_apart() {
    let Some(mut remote) = Remote::start() else { return };
    let login = remote.login();
    let failure = remote.shop.fails("pull", json!([]), json!({ "login": login }));
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
    let failure = remote.shop.fails("up", json!([]), json!({ "login": login }));
    assert_eq!(failure.kind, FailureKind::NotFound, "{failure:?}");
    assert_eq!(remote.shop.containers(), Vec::<String>::new());
    remote.registry.stop();
    let failure = remote.shop.fails("pull", json!([]), json!({ "login": login }));
    assert_eq!(failure.kind, FailureKind::Unreachable, "{failure:?}");
    assert!(failure.hints.iter().any(|hint| hint.contains("could not reach the registry")), "{failure:?}");
}

#[test]
fn several_images_that_cannot_be_pulled_are_told_together() {
    let Some(mut remote) = Remote::start() else { return };
    remote.registry.stop();
    remote.shop.write(&format!("services:\n  a: {{ image: '{0}:1' }}\n  b: {{ image: '{0}:2' }}\n", remote.image));
    let failure = remote.shop.fails("pull", json!([]), json!({ "login": remote.login() }));
    assert!(failure.message.ends_with("(and 1 failure more)"), "{failure:?}");
    let all = evidence(&failure);
    assert!(all.contains("service `a`: cannot pull") && all.contains("service `b`: cannot pull"), "{all}");
}

#[test]
fn an_image_that_nobody_may_pull_is_told_before_anything_starts() {
    let Some(shop) = Shop::new("services:\n  api: { image: 'nowhere/app:1', pull_policy: never }\n") else { return };
    let failure = shop.fails("up", json!([]), json!({}));
    assert_eq!(
        failure.message,
        "service `api`: the engine has no image `nowhere/app:1`, and `pull_policy: never` forbids to pull it"
    );
    assert!(shop.lab.run(shop.lab.engine.network(&format!("{}_default", shop.project))).unwrap().is_none());
}

#[test]
fn a_tag_that_moved_replaces_the_container() {
    let Some(remote) = Remote::start() else { return };
    remote.publish("one");
    let login = json!({ "login": remote.login() });
    remote.shop.call("up", json!([]), login.clone());
    let first = remote.shop.container("api").image_id;
    remote.publish("two");
    remote.shop.call("pull", json!([]), login.clone());
    let outcome = remote.shop.call("up", json!([]), login);
    let reason = outcome.value["services"]["api"]["reasons"][0].as_str().unwrap().to_owned();
    assert!(reason.starts_with(&format!("image {} → sha256:", &first[..19])), "{reason}");
    assert_eq!(remote.shop.exec("api", &["cat", "/version"]), (0, "two\n".into()));
}

#[test]
fn services_with_a_build_section_are_built() {
    let Some(shop) = Shop::new("services: {}\n") else { return };
    let (image, lab) = (format!("runbook-test/{}", shop.lab.name("built")), shop.lab.label());
    shop.direct.write(
        "app/Dockerfile",
        "FROM runbook-test/busybox:1\nARG WHO\nRUN echo $WHO > /who\nCMD [\"sleep\", \"600\"]\n",
    );
    let (key, value) = lab.split_once('=').unwrap();
    shop.write(&format!(
        "services:\n  api:\n    image: '{image}:1'\n    stop_grace_period: 0s\n    build: {{ context: app, args: {{ WHO: me }}, labels: {{ {key}: {value} }} }}\n"
    ));
    let pulled = shop.call("pull", json!([]), json!({}));
    assert_eq!(pulled.value["services"]["api"]["action"], "skipped");
    let built = shop.call("build", json!([]), json!({}));
    assert_eq!((built.changed, built.value["services"]["api"]["action"].as_str()), (Some(true), Some("built")));
    assert_eq!(shop.call("build", json!([]), json!({})).changed, Some(false));
    shop.up();
    assert_eq!(shop.exec("api", &["cat", "/who"]), (0, "me\n".into()));

    shop.direct.write("app/Dockerfile", "FROM runbook-test/busybox:1\nRUN false\n");
    let failure = shop.fails("build", json!([]), json!({}));
    assert!(failure.message.starts_with("service `api`: "), "{failure:?}");
}

#[test]
fn cancelled_while_pulling_it_stops() {
    let Some(remote) = Remote::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    // Enough random bytes that the transfer is still going on when it is stopped.
    let lines = "RUN dd if=/dev/urandom of=/big bs=1M count=200\nCMD [\"sleep\", \"600\"]";
    let reference = remote.shop.lab.image_from(folder.path(), &format!("{}:v1", remote.image), lines);
    let reference = Reference::parse(&reference).unwrap();
    let engine = &remote.shop.lab.engine;
    let login: &Login = &remote.registry.login;
    remote
        .shop
        .lab
        .run(async {
            engine.push(&reference, Some(login), &mut |_| {}).await?;
            engine.remove_image(&reference.to_string(), true).await
        })
        .unwrap();
    remote.shop.direct.cancel_after(Duration::from_millis(150));
    let begun = std::time::Instant::now();
    let failure = remote.shop.fails("pull", json!([]), json!({ "login": remote.login() }));
    assert_eq!(failure.kind, FailureKind::Cancelled, "{failure:?}");
    assert!(begun.elapsed() < super::SLACK);
}
