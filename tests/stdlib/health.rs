use super::Site;

#[test]
fn containers_and_urls_that_are_well_pass() {
    let script = r#"
import "std/health" as health;
let app = compose("NAME");
app.up(#{ wait: "30s" });
info(`looked at ${health::containers(app)}`);
info(`status ${health::http("http://127.0.0.1:PORT/health").status}`);
health::http("http://127.0.0.1:PORT/nowhere", #{ status: 404 });
"#;
    let Some(site) = Site::new(script) else { return };
    site.run().code(0).says("looked at 1").says("status 200");
}

#[test]
fn a_container_that_does_not_run_is_named() {
    let script = r#"
import "std/health" as health;
let app = compose("NAME");
app.up(#{ wait: "30s" });
app.stop();
health::containers(app, #{ services: ["api"] });
"#;
    let Some(site) = Site::new(script) else { return };
    site.run().code(1).says(&format!("{0}: {0}-api-1 is exited with exit code", site.name));
}

#[test]
fn an_application_without_containers_is_not_well() {
    let script = "import \"std/health\" as health;\nhealth::containers(compose(\"NAME\"));\n";
    let Some(site) = Site::new(script) else { return };
    site.run().code(1).says("has no containers");
}
