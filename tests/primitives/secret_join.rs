//! `secret_join`: one secret out of several texts.

use super::secret::{project, refused, runs};

#[test]
fn texts_and_secrets_become_one_secret() {
    let project = runs(
        r#"let one = secret_join(["a", secret("DB_PASSWORD"), "b"]);
        let two = secret_join([one, secret("API_TOKEN")], "/");
        file("out").write(one + "\n" + two.sha256(), #{ mode: "0600" });"#,
    );
    let out = project.read("out");
    let (one, two) = out.split_once('\n').unwrap();
    assert_eq!(one, "aS3cr3t-V4lue+/=abc'$xb");
    let whole = format!("{one}/another-token-0123456789");
    let mut digest = std::process::Command::new("sh");
    digest.args(["-c", "printf %s \"$V\" | sha256sum"]).env("V", whole);
    let digest = digest.output().unwrap();
    assert!(String::from_utf8_lossy(&digest.stdout).starts_with(two));
}

#[test]
fn only_texts_are_joined() {
    for script in [r#"secret_join(["a", 3])"#, r#"secret_join(secret("DB_PASSWORD"))"#] {
        project(script).run().code(2).says("argument `parts` must be a list of strings");
    }
    refused(r#"secret_join([[secret("API_TOKEN")]])"#, "argument `parts` must be a list of strings");
}
