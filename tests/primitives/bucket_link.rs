//! `bucket_link`: who has it may read one object for a while; it is a secret as long as it stays in a run.

use std::process::Command;

use super::secret::{VALUE, is_nowhere, project, refused, runs};
use crate::harness::bucket::{Bucket, KEY, REGION};

const PLACE: &str =
    r#"#{ bucket: "https://s3.example.com/media/in", access_key: "API_TOKEN", secret_key: "DB_PASSWORD" }"#;

#[test]
fn a_link_is_a_secret_that_stands_where_secrets_may() {
    let project = runs(&format!(
        r#"let link = bucket_link({PLACE}, "a b.mp4", #{{ valid: "7d" }});
        file("link").write(link, #{{ mode: "0600" }});"#
    ));
    let link = project.read("link");
    assert!(link.starts_with("https://s3.example.com/media/in/a%20b.mp4?X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{link}");
    assert!(link.contains("&X-Amz-Expires=604800&") && !link.contains(VALUE), "{link}");
    // Where it turns up it is masked, and nobody writes it where anybody reads.
    let script = format!(
        r#"let link = bucket_link({PLACE}, "a");
        file("link").write(link, #{{ mode: "0600" }});
        sh(["cat", "link"]);"#
    );
    let ran = self::project(&script);
    ran.run().success();
    let signature = ran.read("link").rsplit_once('=').unwrap().1.to_owned();
    assert!(!ran.runbook(&["logs", "1"]).stdout.contains(&signature));
    is_nowhere(&ran);
    // What it has in common with harmless texts is not: a folder of that name, the server, what the signature is called.
    let script = format!(
        r#"let link = bucket_link({PLACE}, "links/summer-holidays.mp4");
        folder("links").create();
        file("links/summer-holidays").write(link, #{{ mode: "0600" }});
        sh(["sh", "-c", "ls links/; echo https://s3.example.com/media/in/links/ X-Amz-Signature=0; cut -d? -f2 links/summer-holidays"]);"#
    );
    let told = self::project(&script);
    told.run().success().says("create links/").says("write links/summer-holidays");
    let said = told.runbook(&["logs", "1"]).success().stdout;
    assert!(said.contains("https://s3.example.com/media/in/links/ X-Amz-Signature=0"), "{said}");
    assert!(said.contains("X-Amz-Algorithm=AWS4-HMAC-SHA256&"), "{said}");
    let link = told.read("links/summer-holidays");
    let signature = link.rsplit_once('=').unwrap().1;
    assert!(said.contains("X-Amz-Signature=••••••") && !said.contains(&signature[..12]), "{said}");
    self::project(&format!(r#"info(bucket_link({PLACE}, "a"))"#))
        .run()
        .code(2)
        .says("may not stand in `text` of `info`");
}

#[test]
fn a_link_that_is_none_is_said() {
    for (object, options, why) in [
        ("a", r#"valid: "8d""#, "a link is valid from a second to 7 days"),
        ("a", r#"valid: "0s""#, "a link is valid from a second to 7 days"),
        ("", r#"valid: "1h""#, "is the name of no object"),
        ("../a", r#"valid: "1h""#, "is the name of no object"),
    ] {
        refused(&format!("bucket_link({PLACE}, {object:?}, #{{ {options} }})"), why);
    }
    let nowhere = PLACE.replace("https://", "");
    refused(&format!("bucket_link({nowhere}, \"a\")"), "names no bucket");
    refused(&format!("bucket_link({}, \"a\")", PLACE.replace("DB_PASSWORD", "NO_SUCH_SECRET")), "NO_SUCH_SECRET");
}

#[test]
fn a_link_is_read_without_a_key() {
    let Some(bucket) = Bucket::new("link-run") else { return };
    let script = format!(
        r#"let link = bucket_link(#{{ bucket: "{}", access_key: "ACCESS", secret_key: "SECRET", region: "{REGION}" }}, "x");
        file("link").write(link, #{{ mode: "0600" }});"#,
        bucket.url()
    );
    let ran = project(&script).env("ACCESS", KEY.0).env("SECRET", KEY.1);
    ran.run().success();
    let output =
        Command::new("curl").args(["-s", "-w", "%{http_code}", "-o", "/dev/null"]).arg(ran.read("link")).output();
    assert_eq!(output.unwrap().stdout, b"404", "it is signed, and there is no such object");
}
