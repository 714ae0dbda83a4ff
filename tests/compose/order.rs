//! The order of starting.

use runbook::compose::Condition;

use super::Project;

#[test]
fn services_start_in_waves_after_those_they_depend_on() {
    let project = Project::new(
        "services:
  web: {image: x, depends_on: {api: {condition: service_healthy}, cache: {condition: service_started, required: false}}}
  api: {image: x, depends_on: {migrate: {condition: service_completed_successfully}, db: {condition: service_healthy, restart: true}}}
  migrate: {image: x, depends_on: [db]}
  db: {image: x}
  cache: {image: x, profiles: [cache]}
  worker: {image: x}
",
    );
    let waves: Vec<Vec<String>> =
        project.app().order().iter().map(|wave| wave.iter().map(|start| start.service.clone()).collect()).collect();
    assert_eq!(waves, [vec!["db", "worker"], vec!["migrate"], vec!["api"], vec!["web"]]);
    let app = project.app();
    let order = app.order();
    assert_eq!(order[2][0].after["migrate"].condition, Condition::Completed);
    assert_eq!(order[2][0].after["db"].condition, Condition::Healthy);
    assert!(order[2][0].after["db"].restart);
    assert_eq!(order[3][0].after.keys().collect::<Vec<_>>(), ["api"]);
}

#[test]
fn a_circle_of_dependencies_is_a_problem() {
    let project = Project::new(
        "services:\n  a:\n    image: x\n    depends_on: [b]\n  b:\n    image: x\n    depends_on: [c]\n  c:\n    image: x\n    depends_on: [a]\n",
    );
    assert_eq!(
        project.problems(),
        ["compose.yaml:4:5: services.a.depends_on: the services depend on each other in a circle: a -> b -> c -> a"]
    );
}
