use base64::Engine;

use super::project;
use crate::harness::Project;
use crate::harness::certificates::Authority;
use crate::harness::smtp::{Manner, Smtp};

const PASSWORD: &str = "a-password-that-nobody-guesses";

struct Post {
    _folder: tempfile::TempDir,
    smtp: Smtp,
    project: Project,
}

fn post(manner: Manner, tls: &str, ca: bool) -> Post {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new(folder.path());
    let smtp = Smtp::start(&authority.issue("DNS:localhost", "20260101", "20360101"), manner);
    let ca = if ca { "ca = \"ca.pem\"\n" } else { "" };
    let project = project(&format!(
        "[notify.channel.ops]\nkind = \"mail\"\nserver = \"{}\"\ntls = \"{tls}\"\nfrom = \"Runbook <runbook@example.com>\"\n\
         to = [\"ops@example.com\", \"boss@example.com\"]\nuser = \"runbook\"\npassword = {{ secret = \"SMTP_PASSWORD\" }}\n{ca}\
         [[notify.rule]]\nto = [\"ops\"]\n",
        smtp.place()
    ))
    .file("ca.pem", &std::fs::read_to_string(&authority.certificate).unwrap())
    .env("SMTP_PASSWORD", PASSWORD);
    Post { _folder: folder, smtp, project }
}

#[test]
fn mail_goes_out_through_starttls_with_a_login() {
    let post = post(Manner::default(), "starttls", true);
    post.project.runbook(&["run", "deploy.rhai", "--fails", "true"]).code(1).never_says("could be told");
    let got = post.smtp.got();
    assert_eq!(got.len(), 1);
    let mail = &got[0];
    assert!(mail.tls);
    assert_eq!(mail.to.len(), 2);
    let plain = base64::engine::general_purpose::STANDARD.encode(format!("\0runbook\0{PASSWORD}"));
    assert_eq!(mail.login, format!("AUTH PLAIN {plain}"));
    assert!(mail.text.contains("Subject: [shop] deploy.rhai failed on prod\r\n"), "{}", mail.text);
    assert!(mail.text.contains("the table is locked") && mail.text.contains("next: runbook show 1"), "{}", mail.text);
    assert!(!post.smtp.seen().contains("AUTH") && !post.smtp.seen().contains("MAIL"), "{}", post.smtp.seen());
}

#[test]
fn mail_goes_out_through_a_connection_that_begins_with_tls() {
    let post = post(Manner { wrapped: true, ..Manner::default() }, "wrapped", true);
    post.project.runbook(&["notify", "test"]).success().prints("ops (mail): sent");
    assert_eq!(post.smtp.got().len(), 1);
}

#[test]
fn nothing_is_said_to_a_server_without_tls_or_with_a_certificate_of_somebody_else() {
    let open = post(Manner { plain: true, ..Manner::default() }, "starttls", true);
    open.project.runbook(&["notify", "test"]).code(1).prints("did not take the mail");
    assert!(open.smtp.got().is_empty() && !open.smtp.seen().contains("AUTH"), "{}", open.smtp.seen());
    let strange = post(Manner::default(), "starttls", false);
    let ran = strange.project.runbook(&["notify", "test"]).code(1);
    assert!(ran.stdout.contains("certificate"), "{}", ran.stdout);
    assert!(strange.smtp.got().is_empty());
}

#[test]
fn a_server_that_refuses_keeps_no_run_from_ending() {
    let post = post(Manner { refuses: true, ..Manner::default() }, "starttls", true);
    post.project
        .runbook(&["run", "deploy.rhai", "--fails", "true"])
        .code(1)
        .says("nobody could be told on `ops` yet")
        .says("nobody here")
        .never_says(PASSWORD);
    post.project.runbook(&["notify", "list"]).success().prints("to retry");
}
