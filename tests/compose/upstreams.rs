//! Proxies that would not notice that another container serves.

use runbook::compose::{load, stale_upstreams};

use super::Project;

const COMPOSE: &str = "services:
  proxy: { image: nginx, volumes: ['./site.conf:/etc/nginx/conf.d/default.conf:ro'] }
  web: { image: web }
  api: { image: api, networks: { default: { aliases: [backend] } } }
";

fn found(config: &str) -> Vec<String> {
    let project = Project::new(COMPOSE).file("site.conf", config);
    let application = load(&project.request).unwrap();
    stale_upstreams(&application, 3)
        .iter()
        .map(|stale| format!("{} {} {:?}", stale.upstream, stale.place, stale.keeps))
        .collect()
}

#[test]
fn a_name_that_is_looked_up_once_is_found_with_its_line() {
    assert_eq!(found("server {\n  location / {\n    proxy_pass http://web:8000;\n  }\n}\n"), ["web site.conf:3 None"]);
    assert_eq!(
        found(
            "upstream app {\n  server backend:80 max_fails=1;\n}\nserver { location / { proxy_pass http://app/; } }\n"
        ),
        ["api site.conf:2 None"]
    );
    assert_eq!(found("location / { fastcgi_pass\n  \"api:9000\"; }"), ["api site.conf:1 None"]);
}

#[test]
fn what_is_looked_up_again_soon_enough_is_fine() {
    let dynamic =
        "resolver 127.0.0.11 valid=1s;\nserver { location / { set $web web:8000; proxy_pass http://$web; } }\n";
    assert_eq!(found(dynamic), Vec::<String>::new());
    assert_eq!(
        found("upstream a { zone a 64k; server web:80 resolve; } # proxy_pass http://api;\n"),
        Vec::<String>::new()
    );
    assert_eq!(found("location / { proxy_pass http://elsewhere.example.com; }"), Vec::<String>::new());
}

#[test]
fn what_is_kept_longer_than_two_containers_serve_is_found() {
    let kept = "server {\n  resolver 127.0.0.11 valid=30s;\n  set $web http://web:8000;\n  proxy_pass $web;\n}\n";
    assert_eq!(found(kept), ["web site.conf:2 Some(30)"]);
    assert_eq!(found(&kept.replace(" valid=30s", "")), ["web site.conf:2 Some(600)"]);
}

#[test]
fn what_keeps_two_containers_apart_has_its_place() {
    let project = Project::new(
        "services:
  web:
    image: web
    container_name: web
    ports:
      - '8000'
      - '127.0.0.1:8001:80'
    volumes:
      - data:/data
      - ./conf:/conf:ro
      - /run/docker.sock:/run/docker.sock
      - ./uploads:/uploads
    networks: { default: { ipv4_address: 10.0.0.2 } }
  side: { image: side, network_mode: 'service:web' }
volumes: { data: }
",
    );
    let application = load(&project.request).unwrap();
    let shown = |shared: &[String]| -> Vec<String> {
        application.services["web"].obstacles(shared).iter().map(|obstacle| obstacle.shown()).collect()
    };
    let all = shown(&[]);
    assert_eq!(all[0], "the name `web` is fixed (compose.yaml:4:5)");
    assert_eq!(all[1], "the port 8001 of the host is fixed (compose.yaml:7:9)");
    assert_eq!(all[2], "the address in `default` is fixed (compose.yaml:13:17)");
    assert_eq!(all[3], "`side` is in its network, and can only be in that of one container (compose.yaml:14:24)");
    assert_eq!(all[4], "the volume `data` has one writer (compose.yaml:9:9)");
    assert!(
        all[5].starts_with("the folder `/") && all[5].ends_with("/uploads` has one writer (compose.yaml:12:9)"),
        "{all:?}"
    );
    assert_eq!(all.len(), 6);
    assert_eq!(shown(&["data".into(), "./uploads".into()]).len(), 4);
}
