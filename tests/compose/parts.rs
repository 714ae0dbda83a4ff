//! `extends`, `include` and profiles.

use serde_json::json;

use super::Project;

#[test]
fn a_service_extends_another_one_of_the_same_file() {
    let project = Project::new(
        "services:
  base: {image: x, environment: {A: 1, B: 1}, ports: ['80:80']}
  middle: {extends: base, environment: {B: 2}}
  a: {extends: {service: middle}, user: u, ports: !reset []}
",
    );
    let a = project.config("/services/a");
    assert_eq!((&a["environment"], &a["user"], &a["ports"]), (&json!({"A": "1", "B": "2"}), &json!("u"), &json!(null)));
    assert_eq!(project.config("/services/middle/ports/0/target"), json!(80));
}

#[test]
fn paths_of_an_extended_file_are_relative_to_it() {
    let project = Project::new(
        "services: {a: {extends: {file: common/base.yaml, service: web}, volumes: ['./own:/own']}}",
    )
    .file(
        "common/base.yaml",
        "services: {web: {build: app, volumes: ['./data:/data'], env_file: web.env, extends: root}, root: {user: r}}",
    )
    .file("common/web.env", "A=1\n");
    let a = project.config("/services/a");
    assert_eq!(a["build"]["context"], json!("@/common/app"));
    assert_eq!(a["volumes"][0]["source"], json!("@/common/data"));
    assert_eq!(a["volumes"][1]["source"], json!("@/own"));
    assert_eq!((&a["environment"], &a["user"]), (&json!({"A": "1"}), &json!("r")));
}

#[test]
fn what_cannot_be_extended_is_a_problem() {
    let project = Project::new(
        "services:
  a:
    extends: b
  b:
    extends: a
  c:
    extends: {file: none.yaml, service: x}
  d:
    extends: {file: base.yaml, service: y}
  e:
    extends: [a]
",
    )
    .file("base.yaml", "services: {x: {image: x}}");
    assert_eq!(
        project.problems(),
        [
            "compose.yaml:3:14: services.a.extends: the services extend each other in a circle: a -> b -> a",
            "compose.yaml:5:14: services.b.extends: the services extend each other in a circle: b -> a -> b",
            "compose.yaml:9:14: services.d.extends: there is no service `y` in `base.yaml`",
            "compose.yaml:11:14: services.e.extends: must name a service: `extends: {service: base, file: base.yml}`",
            "none.yaml: there is no such file",
        ]
    );
}

#[test]
fn an_included_file_has_its_own_folder_and_variables() {
    let project = Project::new("include: [db/compose.yaml]\nservices: {a: {image: x, depends_on: [db]}}")
        .file(
            "db/compose.yaml",
            "services: {db: {image: 'db:$TAG', volumes: ['./data:/data', 'store:/store']}}\nvolumes: {store: }",
        )
        .file("db/.env", "TAG=16\n");
    assert_eq!(project.config("/services/db/image"), json!("db:16"));
    assert_eq!(project.config("/services/db/volumes/0/source"), json!("@/db/data"));
    assert_eq!(project.config("/volumes/store/name"), json!("shop_store"));
}

#[test]
fn an_include_takes_overrides_a_folder_and_environment_files() {
    let project = Project::new(
        "include:
  - path: [db/compose.yaml, db/over.yaml]
    project_directory: .
    env_file: db/prod.env
services: {db: {user: own}}
",
    )
    .file("db/compose.yaml", "services: {db: {image: 'db:$TAG', volumes: ['./data:/data']}}")
    .file("db/over.yaml", "services: {db: {hostname: over}}")
    .file("db/prod.env", "TAG=17\n");
    let db = project.config("/services/db");
    assert_eq!(db["volumes"][0]["source"], json!("@/data"));
    assert_eq!((&db["image"], &db["hostname"], &db["user"]), (&json!("db:17"), &json!("over"), &json!("own")));
}

#[test]
fn an_include_of_itself_is_a_problem() {
    let project = Project::new("include:\n  - other.yaml\nservices: {a: {image: x}}")
        .file("other.yaml", "include:\n  - compose.yaml\nservices: {b: {image: x}}");
    assert_eq!(project.problems(), ["other.yaml:2:5: include[0]: `compose.yaml` includes itself"]);
}

#[test]
fn services_are_active_by_their_profiles() {
    let compose = "services: {a: {image: x}, b: {image: x, profiles: [debug]}, c: {image: x, profiles: [debug, test]}}";
    let names = |project: Project| project.app().services.into_keys().collect::<Vec<_>>().join(" ");
    assert_eq!(names(Project::new(compose)), "a");
    assert_eq!(names(Project::new(compose).profile("test")), "a c");
    assert_eq!(names(Project::new(compose).profile("debug")), "a b c");
    assert_eq!(names(Project::new(compose).profile("*")), "a b c");
    assert_eq!(Project::new(compose).app().disabled.into_keys().collect::<Vec<_>>(), ["b", "c"]);
}

#[test]
fn an_inactive_service_need_not_be_right_but_may_be_needed() {
    let project = Project::new(
        "services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    profiles: [debug]\n    networks: [none]\n",
    );
    let problems = project.load().unwrap_err();
    assert_eq!(problems.len(), 1);
    assert_eq!(problems[0].to_string(), "compose.yaml:4:18: services.a.depends_on.b: the service `b` is not active");
    assert_eq!(problems[0].hint.as_deref(), Some("activate the profile `debug`, or write `required: false`"));
}

#[test]
fn some_services_bring_those_they_depend_on() {
    let project = Project::new(
        "services: {a: {image: x, depends_on: [b]}, b: {image: x}, c: {image: x}, d: {image: x, profiles: [debug], depends_on: [c]}}",
    );
    let app = project.app();
    let only =
        |name: &str| app.only(&[name.to_owned()]).map(|app| app.services.into_keys().collect::<Vec<_>>().join(" "));
    assert_eq!(only("a"), Ok("a b".into()));
    assert_eq!(only("d"), Ok("c d".into()));
    assert_eq!(only("e"), Err("e".into()));
}

#[test]
fn links_and_mounts_of_others_make_a_service_wait_for_them() {
    let file = "
services:
  a:
    image: x
    links: ['db:database']
    volumes_from: ['data:ro', 'container:old']
  db: {image: x}
  data: {image: x}
";
    let waits = Project::new(file).config("/services/a/depends_on");
    let on = |restart: bool| {
        let mut on = serde_json::json!({ "condition": "service_started", "restart": true, "required": true });
        if !restart {
            on.as_object_mut().unwrap().remove("restart");
        }
        on
    };
    assert_eq!(waits, serde_json::json!({ "data": on(false), "db": on(true) }));
}

#[test]
fn labels_come_from_files_below_those_written_here() {
    let file = "
services:
  a: {image: x, label_file: [one.labels, two.labels], labels: {c: here}}
";
    let project = Project::new(file).file("one.labels", "a=1\nb=1\n").file("two.labels", "b=${a}2\nc=3\n");
    assert_eq!(project.config("/services/a/labels"), serde_json::json!({ "a": "1", "b": "12", "c": "here" }));
}

#[test]
fn a_label_file_that_is_missing_is_a_problem_of_the_line_that_names_it() {
    let file = "
services:
  a: {image: x, label_file: one.labels}
";
    let problems = Project::new(file).problems();
    assert_eq!(problems, ["compose.yaml:3:29: services.a.label_file[0]: `one.labels` does not exist"]);
}

#[test]
fn a_raw_environment_file_is_taken_as_it_is() {
    let file = "
services:
  a: {image: x, env_file: [{path: raw.env, format: raw}]}
";
    let project = Project::new(file).file("raw.env", "# a comment\nA='quoted $B' # no comment\nB=x=y\nHOME_OF\n");
    let found = project.set("HOME_OF", "here");
    let expected = [("A", "'quoted $B' # no comment"), ("B", "x=y"), ("HOME_OF", "here")];
    let expected = expected.map(|(name, value)| (name.to_owned(), Some(value.to_owned())));
    assert_eq!(super::environment(&found), expected.into());
}

#[test]
fn any_graphics_processor_is_a_request_for_all() {
    let file = "
services:
  a: {image: x, gpus: all}
";
    assert_eq!(Project::new(file).config("/services/a/gpus"), serde_json::json!([{ "count": -1 }]));
}
