use crate::harness::Project;

fn shop() -> Project {
    let base = "\
services:
  api:
    image: ghcr.io/acme/api:${TAG:-latest}
    ports: ['8080:80']
    environment: {DB_PASSWORD: '${DB_PASSWORD:-}'}
    cpu_count: 2
  tools: {image: x, profiles: [debug]}
";
    let over = "services: {api: {ports: !override ['9090:80'], command: serve --fast}}\n";
    Project::new()
        .file("shop/compose.yaml", base)
        .file("shop/compose.override.yaml", over)
        .file("shop/.env", "DB_PASSWORD=hunter2\n")
        .file("one.yaml", "name: other\nservices: {a: {image: x, tyt: 1}}\n")
}

#[test]
fn config_prints_one_file_that_means_the_same() {
    let ran = shop().runbook(&["compose", "config", "--project-directory", "shop", "--env", "TAG=v1"]).success();
    let expected = "\
name: shop
networks:
  default:
    ipam: {}
    name: shop_default
services:
  api:
    command:
      - serve
      - \"--fast\"
    cpu_count: 2
    environment:
      DB_PASSWORD: hunter2
    image: ghcr.io/acme/api:v1
    networks:
      default: null
    ports:
      - mode: ingress
        target: 80
        published: \"9090\"
        protocol: tcp
";
    let sorted = |text: &str| {
        let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
        lines.sort();
        lines
    };
    assert_eq!(sorted(&ran.stdout), sorted(expected), "{}", ran.stdout);
    assert!(ran.stderr.contains("compose.yaml:6:16: services.api.cpu_count: has no effect"), "{}", ran.stderr);
    // What was printed is a compose file: it says the same again.
    let again = Project::new().file("compose.yaml", &ran.stdout);
    assert_eq!(again.runbook(&["compose", "config"]).success().stdout, ran.stdout);
}

#[test]
fn config_prints_hashes_and_json() {
    let shop = shop();
    let hashes = |arguments: &[&str]| shop.runbook(&[&["compose", "config"], arguments].concat()).success().stdout;
    let of = ["--project-directory", "shop"];
    let first = hashes(&[&of[..], &["--hash"]].concat());
    let (service, hash) = first.trim().split_once(' ').unwrap();
    assert_eq!((service, hash.len()), ("api", 64));
    assert_ne!(first, hashes(&[&of[..], &["--hash", "--env", "TAG=v1"]].concat()), "another image, another hash");
    assert_eq!(hashes(&[&of[..], &["--hash", "--profile", "*"]].concat()).lines().count(), 2);
    let json: serde_json::Value = serde_json::from_str(&hashes(&[&of[..], &["--json", "tools"]].concat())).unwrap();
    assert_eq!(json["services"].as_object().unwrap().keys().collect::<Vec<_>>(), ["tools"]);
}

#[test]
fn config_says_what_is_wrong_and_where() {
    let shop = shop();
    let ran = shop.runbook(&["compose", "config", "-f", "one.yaml"]);
    assert_eq!(ran.code, 2);
    assert!(ran.stderr.contains("one.yaml:2:26: services.a.tyt: there is no such key"), "{}", ran.stderr);
    let ran = shop.runbook(&["compose", "config"]);
    assert!(ran.stderr.contains("there is no compose file in"), "{}", ran.stderr);
    let ran = shop.runbook(&["compose", "config", "--project-directory", "shop", "apo"]);
    assert!(ran.stderr.contains("there is no service `apo`"), "{}", ran.stderr);
}

#[test]
fn explain_tells_where_a_value_comes_from_and_shows_no_secret() {
    let shop = shop();
    let told = shop.runbook(&["compose", "explain", "DB_PASSWORD", "--project-directory", "shop"]).success().stdout;
    let expected = "\
DB_PASSWORD = •••

set by
  .env:1  •••

used by
  compose.yaml:5:32  services.api.environment.DB_PASSWORD  ${DB_PASSWORD:-} → •••

in the containers of
  api  •••  compose.yaml:5:19
";
    assert_eq!(told, expected);
    let asked =
        ["compose", "explain", "DB_PASSWORD", "--project-directory", "shop", "--show-values", "--env", "DB_PASSWORD=x"];
    let told = shop.runbook(&asked).success().stdout;
    assert!(told.starts_with("DB_PASSWORD = x\n\nset by\n  asked for, with --env or --inherit  x\n"), "{told}");
    assert!(told.contains("hunter2  does not count"), "{told}");
    assert_eq!(shop.runbook(&["compose", "explain", "NOBODY", "--project-directory", "shop"]).code, 1);
}
