//! A deployment: its files come back as they were, and its images are those that ran.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use runbook::drivers::docker::Reference;
use runbook::primitive::FailureKind;
use serde_json::{Value, json};

use super::{backup, open, restic, restore, site, snapshots};
use crate::harness::cut::{Blow, Way};
use crate::harness::{Direct, Lab, primitive};

/// What no manifest, result or line may hold.
const SECRET: &str = "q7Vw2mx9-of-the-shop";

/// An application of two services with a file of everything that can describe one.
struct Shop {
    lab: Lab,
    direct: Direct,
    project: String,
    api: String,
}

impl Shop {
    fn new() -> Option<Self> {
        let lab = Lab::start()?;
        let (direct, project) = (site(), lab.name("shop"));
        let api = lab.image("api", "1", "RUN dd if=/dev/urandom of=/blob bs=1M count=12\nCMD [\"sleep\", \"600\"]");
        direct.write(
            "app/compose.yaml",
            "include: [more/worker.yaml]\nservices:\n  api:\n    image: ${IMAGE}\n    env_file: api.env\n    stop_grace_period: 1s\n    \
             environment: { PASSWORD: \"${PASSWORD}\", TAG: \"${TAG}\" }\n    configs: [greeting]\n    \
             volumes: [\"./nginx.conf:/etc/nginx.conf:ro\", \"./data:/data\"]\nconfigs: { greeting: { file: greeting.txt } }\n",
        );
        direct.write(
            "app/more/worker.yaml",
            "services:\n  worker: { image: 'runbook-test/busybox:1', command: [sleep, '600'], stop_grace_period: 1s }\n",
        );
        direct.write("app/.env", &format!("PASSWORD='{SECRET}'\nTAG=from-file\nIMAGE={api}\n"));
        direct.write("app/api.env", "LEVEL=debug\n").write("app/greeting.txt", "hello\n");
        direct.write("app/nginx.conf", "events {}\n").write("app/data/large", "data, and no description");
        direct.write("app/scripts/entry.sh", "#!/bin/sh\n");
        let mode = |path: &str, mode| {
            std::fs::set_permissions(direct.path().join(path), PermissionsExt::from_mode(mode)).unwrap();
        };
        mode("app/.env", 0o600);
        mode("app/scripts/entry.sh", 0o755);
        Some(Self { lab, direct, project, api })
    }

    fn handle(&self, more: &Value) -> Value {
        let mut options = json!({ "files": ["app/compose.yaml"] });
        options.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        self.direct.call(primitive("compose"), json!([self.project]), options).unwrap().value
    }

    fn up(&self, handle: Value) {
        self.direct.method("compose.up", handle, json!([]), json!({ "wait": "30s", "record": false })).unwrap();
    }

    fn down(&self) {
        self.direct.method("compose.down", self.handle(&json!({})), json!([]), json!({})).unwrap();
    }

    fn id_of(&self, image: &str) -> Option<String> {
        self.lab.run(self.lab.engine.image(image)).unwrap().map(|image| image.id)
    }
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn a_deployment_comes_back_with_its_files_its_variables_and_the_very_images() {
    let Some(shop) = Shop::new() else { return };
    let (direct, lab) = (&shop.direct, &shop.lab);
    let handle = shop.handle(&json!({ "env": { "TAG": "v1.4" } }));
    shop.up(handle.clone());
    let ran = shop.id_of(&shop.api).unwrap();
    let source = json!({ "deployment": handle, "images": true, "files": ["scripts"], "name": "shop" });
    let made = backup(direct, source.clone(), json!({})).unwrap().value;
    assert_eq!(made["parts"], json!(["shop", "shop.images.tar"]));

    // What is told of it is whole, and holds no value.
    let manifest = open(direct).manifest(&snapshots(direct)[0]).unwrap().unwrap();
    let facts = &manifest.parts[0].facts["deployment"];
    assert_eq!(
        (&facts["project"], &facts["files"], &facts["env_file"], &facts["images"]),
        (&json!(shop.project), &json!(["compose.yaml"]), &json!(".runbook/variables.env"), &json!("shop.images.tar"))
    );
    let services = facts["services"].as_array().unwrap();
    assert_eq!((services.len(), &services[0]["service"], &services[0]["image_id"]), (2, &json!("api"), &json!(ran)));
    assert_eq!((&services[0]["image"], &services[0]["running"]), (&json!(shop.api), &json!(true)));
    assert_eq!(manifest.parts[1].facts["images"].as_array().unwrap().len(), 2);
    let told = format!("{} {made} {:?}", serde_json::to_string(&manifest).unwrap(), direct.lines());
    assert!(!told.contains(SECRET) && !told.contains("v1.4"), "{told}");
    let found = direct.call(primitive("backup_find"), json!(["latest"]), json!({})).unwrap().value;
    assert_eq!((&found["parts"][0]["holds"], &found["parts"][1]["holds"]), (&json!("deployment"), &json!("images")));
    assert_eq!(found["parts"][0]["deployment"]["services"][0]["image_id"], json!(ran));
    assert!(!found.to_string().contains(SECRET));
    // Saved once more, little of the images is stored again: pieces in which an archive has a time of its own.
    let again = backup(direct, source, json!({})).unwrap().value;
    let added = |saved: &Value| saved["added"].as_u64().unwrap();
    assert!(added(&made) > 12_000_000 && added(&again) * 2 < added(&made), "{made} {again}");

    // On a machine that has neither files nor images.
    shop.down();
    lab.run(lab.engine.remove_image(&ran, true)).unwrap();
    assert_eq!(shop.id_of(&ran), None);
    std::fs::remove_dir_all(direct.path().join("app")).unwrap();
    restore(direct, made.clone(), json!("app"), json!({ "part": "shop" })).unwrap();
    let app = direct.path().join("app");
    assert_eq!(read(&app.join(".env")), format!("PASSWORD='{SECRET}'\nTAG=from-file\nIMAGE={}\n", shop.api));
    for (path, mode) in [(".env", 0o600), (".runbook/variables.env", 0o600), ("scripts/entry.sh", 0o755)] {
        assert_eq!(std::fs::metadata(app.join(path)).unwrap().permissions().mode() & 0o777, mode, "{path}");
    }
    assert_eq!(
        (read(&app.join("greeting.txt")), read(&app.join("api.env"))),
        ("hello\n".into(), "LEVEL=debug\n".into())
    );
    assert_eq!(read(&app.join("nginx.conf")), "events {}\n");
    assert!(app.join("more/worker.yaml").is_file() && !app.join("data").exists());
    let loaded = restore(direct, made.clone(), json!({ "images": true }), json!({})).unwrap();
    assert_eq!((&loaded["images"][&shop.api], &loaded["files"]), (&json!(ran), &json!(2)));
    assert_eq!(shop.id_of(&shop.api).as_ref(), Some(&ran));
    // It runs again, as it did: with the variables of the day.
    shop.up(shop.handle(&json!({ "env_file": "app/.runbook/variables.env" })));
    let name = format!("{}-api-1", shop.project);
    assert_eq!(lab.run(lab.engine.inspect(&name)).unwrap().image_id, ran);
    let (_, said) = lab.exec(&name, &["sh", "-c", "echo $TAG $PASSWORD $LEVEL"]);
    assert_eq!(said, format!("v1.4 {SECRET} debug\n"));
    shop.down();
    if restic(direct, &["check", "--read-data"]).is_some() {
        restic(direct, &["restore", made["id"].as_str().unwrap(), "--target", "theirs"]);
        let theirs = super::listing(&direct.path().join("theirs/data/shop"));
        std::fs::remove_dir_all(direct.path().join("app/data")).unwrap();
        assert_eq!(super::listing(&app), theirs);
    }
}

#[test]
fn the_name_of_another_image_is_not_taken_unless_that_is_said() {
    let Some(shop) = Shop::new() else { return };
    let (direct, lab) = (&shop.direct, &shop.lab);
    shop.up(shop.handle(&json!({})));
    let source = json!({ "deployment": shop.handle(&json!({})), "images": true });
    let made = backup(direct, source, json!({})).unwrap().value;
    let ran = shop.id_of(&shop.api).unwrap();
    let newer = shop.lab.image("api", "1", "ENV NEWER=1\nCMD [\"sleep\", \"600\"]");
    let other = shop.id_of(&newer).unwrap();
    assert_ne!(ran, other);

    let refused = restore(direct, made.clone(), json!({ "images": true }), json!({})).unwrap_err();
    assert_eq!(refused.kind, FailureKind::Refused);
    assert!(refused.message.contains("is another image, which would lose its name"), "{refused:?}");
    assert_eq!(shop.id_of(&shop.api).as_ref(), Some(&other));
    // Beside it, under names of their own.
    let prefix = format!("runbook-test/{}", lab.name("drill"));
    restore(direct, made.clone(), json!({ "images": true, "prefix": prefix }), json!({})).unwrap();
    assert_eq!(shop.id_of(&format!("{prefix}/api:restored")).as_ref(), Some(&ran));
    assert_eq!(shop.id_of(&shop.api).as_ref(), Some(&other));
    // In its place: the other one is still found.
    restore(direct, made, json!({ "images": true }), json!({ "replace": true })).unwrap();
    assert_eq!(shop.id_of(&shop.api).as_ref(), Some(&ran));
    let kept = Reference::parse(&shop.api).unwrap().with_tag("1.before-restore").to_string();
    assert_eq!(shop.id_of(&kept).as_ref(), Some(&other));
    shop.down();
    for name in [format!("{prefix}/api:restored"), format!("{prefix}/worker:restored"), kept] {
        lab.run(lab.engine.remove_image(&name, true)).unwrap();
    }
}

#[test]
fn a_deployment_that_is_not_whole_is_no_snapshot() {
    let Some(shop) = Shop::new() else { return };
    let direct = &shop.direct;
    // Nothing runs: there are no images, and its files alone are worth a warning.
    let with_images = json!({ "deployment": shop.handle(&json!({})), "images": true });
    let failure = backup(direct, with_images, json!({})).unwrap_err();
    assert!(failure.message.contains("it has no images to be saved"), "{failure:?}");
    backup(direct, json!({ "deployment": shop.handle(&json!({})) }), json!({})).unwrap();
    assert!(direct.lines().iter().any(|line| line.contains("no image is noted")), "{:?}", direct.lines());

    shop.up(shop.handle(&json!({})));
    // The engine dies in the middle of the images.
    let port = shop.lab.afar().rsplit_once(':').unwrap().1.parse().unwrap();
    let way = Way::until(port, 600_000, Blow::Cut, true);
    let engine = format!("tcp://127.0.0.1:{}", way.port());
    let cut = json!({ "deployment": shop.handle(&json!({ "engine": engine })), "images": true });
    let failure = backup(direct, cut, json!({})).unwrap_err();
    assert_ne!(failure.kind, FailureKind::Argument, "{failure:?}");
    // A file that its description names is gone, or cannot be part of it.
    std::fs::remove_file(direct.path().join("app/greeting.txt")).unwrap();
    let gone = backup(direct, json!({ "deployment": shop.handle(&json!({})) }), json!({})).unwrap_err();
    assert!(gone.message.contains("greeting.txt"), "{gone:?}");
    direct.write("app/greeting.txt", "hello\n");
    direct.write("app/compose.yaml", "services: { api: { imagine: x } }\n");
    let wrong = backup(direct, json!({ "deployment": shop.handle(&json!({})) }), json!({})).unwrap_err();
    assert!(wrong.message.contains("2 problems in the compose files"), "{wrong:?}");
    for (wrong, kind) in [
        (json!({ "deployment": "shop" }), FailureKind::Argument),
        (json!({ "deployment": shop.handle(&json!({})), "folder": "app" }), FailureKind::Option),
    ] {
        assert_eq!(backup(direct, wrong.clone(), json!({})).unwrap_err().kind, kind, "{wrong}");
    }
    assert_eq!(snapshots(direct).len(), 1);
    let one = snapshots(direct).remove(0);
    let none = restore(direct, json!(one.id), json!({ "images": true }), json!({})).unwrap_err();
    assert!(none.message.contains("which part"), "{none:?}");
    direct.write("app/compose.yaml", "services: {}\n");
    shop.down();
}
