//! `secret_eq`: what a script never has, compared.

use super::secret::{project, refused};

#[test]
fn it_is_compared_by_a_function_of_its_own() {
    let script = r#"let one = secret("DB_PASSWORD");
        info(if secret_eq(one, secret("DB_PASSWORD")) { "same" } else { "other" });
        info(if secret_eq(one, secret("API_TOKEN")) { "same" } else { "other" });"#;
    let ran = project(script).run().success();
    ran.says("info: same").says("info: other");
    for compared in ["one == \"x\"", "\"x\" != one", "one == secret(\"API_TOKEN\")"] {
        let script = format!("let one = secret(\"DB_PASSWORD\"); if {compared} {{ info(\"equal\"); }}");
        refused(&script, "write `secret_eq(one, other)`");
    }
}
