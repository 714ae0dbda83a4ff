use super::Site;

/// A stand-in for Alembic: its revision is a file of the volume.
const ALEMBIC: &str = "#!/bin/sh
case \"$1\" in
  current) cat /data/revision 2>/dev/null; exit 0 ;;
  upgrade) echo $2 > /data/revision ;;
  downgrade) echo base > /data/revision; echo went $2 ;;
esac
";

fn site(script: &str) -> Option<Site> {
    let site = Site::new(script)?;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("alembic"), ALEMBIC).unwrap();
    let image = format!("runbook-test/{}:1", site.lab.name("app"));
    site.lab.image_from(folder.path(), &image, "COPY alembic /bin/alembic\nRUN chmod 755 /bin/alembic");
    let compose = site.project.read("compose.yaml").replace("runbook-test/busybox:1", &image);
    std::fs::write(site.project.path().join("compose.yaml"), compose).unwrap();
    Some(site)
}

#[test]
fn alembic_goes_to_the_newest_revision_and_back() {
    let script = r#"
import "std/db" as db;
let app = compose("NAME");
let first = db::alembic(app, "api");
info(`from "${first.before}" to "${first.after}": ${first.changed}`);
info(`again: ${db::alembic(app, "api").changed}`);
db::alembic_downgrade(app, "api", "-1");
info(`now ${db::alembic_current(app, "api")}`);
"#;
    let Some(site) = site(script) else { return };
    site.run().code(0).says("from \"\" to \"head\": true").says("again: false").says("now base");
    let label = format!("com.docker.compose.project={}", site.name);
    assert_eq!(site.lab.run(site.lab.engine.containers(&[label])).unwrap().len(), 0, "one-offs are gone");
}

#[test]
fn a_migration_gets_what_it_is_given_and_fails_with_its_output() {
    let script = r#"
import "std/db" as db;
let app = compose("NAME");
info(db::migrate(app, "api", ["sh", "-c", "echo seed is $SEED"], #{ env: #{ SEED: "demo" } }).stdout);
db::migrate(app, "api", ["sh", "-c", "echo relation exists; exit 3"]);
"#;
    let Some(site) = site(script) else { return };
    site.run().code(1).says("seed is demo").says("ended with exit code 3").says("relation exists");
}

#[test]
fn an_unknown_option_is_refused() {
    let script = "import \"std/db\" as db;\ndb::migrate(compose(\"NAME\"), \"api\", [\"true\"], #{ time: 1 });\n";
    let Some(site) = site(script) else { return };
    site.run().code(1).says("db::migrate: there is no option `time`; the options are");
}
