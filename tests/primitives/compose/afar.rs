//! An application on the engine of another host, reached over SSH.

use std::os::unix::fs::PermissionsExt;

use runbook::drivers::docker::Reference;
use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::Shop;
use crate::harness::sshd::{Quirks, Sshd};
use crate::harness::{Registry, primitive};

/// The application as a script names it on the host.
fn there(shop: &Shop) -> Value {
    shop.direct.call(primitive("compose"), json!([shop.project]), json!({ "host": "web" })).unwrap().value
}

fn on_host(shop: &Shop, server: &Sshd, method: &str, args: Value, options: Value) -> runbook::primitive::Outcome {
    let handle = there(shop);
    let result = shop.direct.method(&format!("compose.{method}"), handle, args, options);
    result.unwrap_or_else(|failure| panic!("{method}: {failure:?}\n{}", server.log()))
}

#[test]
fn an_application_is_brought_up_and_back_on_a_host_with_the_files_of_this_machine() {
    let compose = "services:
  web:
    image: BASE
    command: [sh, -c, 'exec sleep 600']
    stop_grace_period: 0s
    environment: { VERSION: 'one' }
    configs: [{ source: site, target: /etc/site.conf }]
    secrets: [token]
    deploy: { update_config: { order: start-first } }
configs: { site: { file: ./site.conf } }
secrets: { token: { file: ./token } }
";
    let (Some(shop), Some(server)) = (Shop::new(compose), Sshd::start()) else { return };
    shop.direct.write("runbook.toml", &server.entry("web")).write("site.conf", "a = 1\n").write("token", "t0ken");
    let options = || json!({ "wait": "30s", "settle": "500ms" });
    on_host(&shop, &server, "up", json!([]), options());
    let before = on_host(&shop, &server, "release", json!([]), json!({})).value;
    let seen = shop.exec("web", &["sh", "-c", "cat /etc/site.conf /run/secrets/token; echo; echo $VERSION"]);
    assert_eq!(seen, (0, "a = 1\nt0ken\none\n".into()));
    assert_eq!(on_host(&shop, &server, "up", json!([]), options()).changed, Some(false));

    shop.write(&compose.replace("'one'", "'two'"));
    assert_eq!(Shop::actions(&on_host(&shop, &server, "up", json!([]), options())), ["web recreated"]);
    assert_eq!(shop.exec("web", &["sh", "-c", "echo $VERSION"]), (0, "two\n".into()));
    on_host(&shop, &server, "up", json!([before]), options());
    assert_eq!(shop.exec("web", &["sh", "-c", "echo $VERSION; cat /etc/site.conf"]), (0, "one\na = 1\n".into()));
    assert_eq!(shop.containers(), ["web-1 running"]);

    shop.write(compose);
    shop.direct.write("site.conf", "a = 2\n");
    let outcome = on_host(&shop, &server, "up", json!([]), options());
    assert_eq!(outcome.value["services"]["web"]["reasons"], json!(["/etc/site.conf in the container: other content"]));
}

#[test]
fn nothing_is_pulled_to_a_host_whose_disk_is_nearly_full() {
    let programs = tempfile::tempdir().unwrap();
    let df = programs.path().join("df");
    std::fs::write(&df, "#!/bin/sh\necho Filesystem\necho '/dev/vda1 41152736 41050336 102400 99% /'\n").unwrap();
    std::fs::set_permissions(&df, std::fs::Permissions::from_mode(0o755)).unwrap();
    let here = programs.path().display();
    let config = vec![format!("SetEnv HOME={here} PATH={here}:/usr/bin:/bin")];
    let compose = "services: { web: { image: '127.0.0.1:1/none:1', command: sleep 600 } }\n";
    let (Some(shop), Some(server)) = (Shop::new(compose), Sshd::with(Quirks { config, ..Quirks::default() })) else {
        return;
    };
    shop.direct.write("runbook.toml", &server.entry("web"));
    let failure = shop.direct.method("compose.up", there(&shop), json!([]), json!({})).unwrap_err();
    assert_eq!(failure.kind, FailureKind::Check, "{failure:?}");
    assert!(failure.message.ends_with("on `web` has 100.0 MiB free, too little to pull 1 image"), "{failure}");
    assert_eq!(shop.containers(), [] as [&str; 0]);
}

#[test]
fn the_login_for_a_registry_travels_with_the_call_to_the_host() {
    let (Some(shop), Some(server), Some(registry)) = (Shop::new("services: {}\n"), Sshd::start(), Registry::start())
    else {
        return;
    };
    shop.direct.write("runbook.toml", &server.entry("web"));
    let image = format!("{}/{}:v1", registry.address, shop.lab.name("app"));
    let folder = tempfile::tempdir().unwrap();
    shop.lab.image_from(folder.path(), &image, "CMD [\"sleep\", \"600\"]");
    let reference = Reference::parse(&image).unwrap();
    let engine = &shop.lab.engine;
    shop.lab
        .run(async {
            engine.push(&reference, Some(&registry.login), &mut |_| {}).await?;
            engine.remove_image(&image, true).await
        })
        .unwrap();
    shop.write(&format!("services:\n  api: {{ image: '{image}', stop_grace_period: 0s }}\n"));
    let refused = shop.direct.method("compose.up", there(&shop), json!([]), json!({})).unwrap_err();
    assert_eq!(refused.kind, runbook::primitive::FailureKind::Unauthorized, "{refused:?}");
    let login = json!({ "username": registry.login.username, "password": registry.login.password });
    on_host(&shop, &server, "up", json!([]), json!({ "wait": "30s", "login": login }));
    assert_eq!(shop.containers(), ["api-1 running"]);
}
