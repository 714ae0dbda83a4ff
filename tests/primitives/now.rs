//! `now`: the time, looked at once.

use jiff::Timestamp;
use runbook::primitive::{Effect, Touches};
use serde_json::{Value, json};

use crate::harness::{Direct, Project, primitive};

#[test]
fn it_is_the_time_in_utc_and_here() {
    let before = Timestamp::now();
    let value = Direct::new().call(primitive("now"), json!([]), Value::Null).unwrap().value;
    let told: Timestamp = value["iso"].as_str().unwrap().parse().unwrap();
    assert!((before.as_second()..=before.as_second() + 5).contains(&told.as_second()), "{value}");
    assert_eq!(value["unix"], told.as_second());
    assert_eq!(value["unix_ms"].as_i64().unwrap() / 1000, told.as_second());
    let here: Timestamp = value["local"]["iso"].as_str().unwrap().parse().unwrap();
    assert_eq!(here, told);
    assert_eq!(value["iso"], format!("{}T{}Z", value["date"].as_str().unwrap(), value["time"].as_str().unwrap()));
}

#[test]
fn it_is_a_look_that_no_change_touches_and_that_no_plan_depends_on() {
    let direct = Direct::new();
    let now = primitive("now");
    assert_eq!(now.spec().effect, Effect::Read);
    direct.look(now, json!([]), Value::Null, |context, call| {
        assert_eq!(now.touches(context, call), Touches::Nothing);
        assert_eq!(now.observed(call, &json!({ "unix": 1 })), Value::Null);
    });
}

#[test]
fn a_script_gets_the_zone_of_the_machine() {
    let project = Project::script("let n = now(); info(n.local.zone); info(`${n.local.hour - n.hour}`)");
    project.env("TZ", "Asia/Kolkata").run().success().says("Asia/Kolkata");
}

#[test]
fn rhais_own_clock_is_not_there_and_check_says_what_is() {
    for (name, hint) in [
        ("timestamp()", "now()"),
        ("rand()", "`random`"),
        ("uuid()", "random("),
        ("getenv(\"A\")", "env_var("),
        ("hostname()", "this_machine()"),
    ] {
        let project = Project::script(&format!("info(\"first\");\nlet x = {name};"));
        let ran = project.run().code(2).never_says("info: first");
        assert!(ran.stderr.contains("there is no function") && ran.stderr.contains(hint), "{name}: {}", ran.stderr);
    }
}
