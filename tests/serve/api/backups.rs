use super::{Api, project, token};

#[test]
fn backups_are_told_with_their_age_without_opening_a_repository() {
    let project = project("[backup.main]\npath = \"repository\"\npassword = \"BACKUP_PASSWORD\"\nmax_age = \"1h\"\n")
        .file("save.rhai", "backup(\"notes\", #{ job: \"notes\" });\n")
        .file("notes/one.txt", "one\n")
        .env("BACKUP_PASSWORD", "correct horse battery staple");
    let read = token(&project, "ann", "read,metrics");
    let api = Api::start(&project);
    let empty = api.with(&read, "GET", "/v1/backups", "").json();
    assert_eq!(empty["backups"][0]["repository"], "main");
    project.runbook(&["backup", "init"]).success();
    project.runbook(&["run", "save.rhai", "--env", "prod"]).success();
    let told = api.with(&read, "GET", "/v1/backups", "").json();
    let job = &told["backups"][0]["jobs"][0];
    assert_eq!((&job["job"], &job["snapshots"]), (&"notes".into(), &1.into()), "{told}");
    assert!((0..600).contains(&job["newest"]["age_seconds"].as_i64().unwrap()), "{told}");
    assert_eq!(told["backups"][0]["findings"], serde_json::json!([]), "{told}");
    let listed = api.with(&read, "GET", "/v1/backups/main", "").json();
    assert_eq!(listed["snapshots"][0]["id"], job["newest"]["id"], "{listed}");
    assert_eq!(api.with(&read, "GET", "/v1/backups/other", "").status, 404);
    let metrics = api.with(&read, "GET", "/metrics", "").body;
    assert!(metrics.contains("runbook_backup_age_seconds{repository=\"main\",job=\"notes\"} "), "{metrics}");
    let document = api.ask("GET", "/openapi.json", &[], "").json();
    assert!(document["paths"]["/v1/backups/{name}"]["get"].is_object());
}
