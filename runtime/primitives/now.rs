use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use serde_json::{Value, json};

use crate::primitive::{Call, Context, Effect, Failure, Need, Outcome, Primitive, Spec, Touches};

/// `now()`: the time, the same one when the run is gone on with.
pub struct Now;

static SPEC: Spec = Spec {
    name: "now",
    receiver: None,
    args: &[],
    options: None,
    returns: None,
    effect: Effect::Read,
    summary: "The time, in UTC and in `local` where this machine is: as text, as a number and in parts.",
    example: "let name = `backup-${now().stamp}.sql`",
};

impl Primitive for Now {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, _: &Call) -> Vec<Need> {
        Vec::new()
    }

    fn call(&self, _context: &Context<'_>, _call: &Call) -> Result<Outcome, Failure> {
        let moment = Timestamp::now();
        let value = at(moment, &TimeZone::system());
        let note = value["iso"].as_str().unwrap_or_default().to_owned();
        Ok(Outcome::from(value).note(note))
    }

    fn touches(&self, _context: &Context<'_>, _call: &Call) -> Touches {
        Touches::Nothing
    }

    fn observed(&self, _call: &Call, _result: &Value) -> Value {
        Value::Null
    }
}

/// What a script gets of a moment.
fn at(moment: Timestamp, zone: &TimeZone) -> Value {
    let mut value = parts(&moment.to_zoned(TimeZone::UTC));
    value["iso"] = moment.strftime("%Y-%m-%dT%H:%M:%SZ").to_string().into();
    value["stamp"] = moment.strftime("%Y%m%dT%H%M%SZ").to_string().into();
    value["zone"] = "UTC".into();
    value["unix"] = moment.as_second().into();
    value["unix_ms"] = moment.as_millisecond().into();
    let there = moment.to_zoned(zone.clone());
    let mut local = parts(&there);
    local["iso"] = there.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string().into();
    local["stamp"] = there.strftime("%Y%m%dT%H%M%S").to_string().into();
    local["zone"] = zone.iana_name().map_or_else(|| there.offset().to_string(), str::to_owned).into();
    value["local"] = local;
    value
}

fn parts(time: &Zoned) -> Value {
    json!({
        "iso": "",
        "date": time.strftime("%Y-%m-%d").to_string(),
        "time": time.strftime("%H:%M:%S").to_string(),
        "stamp": "",
        "year": time.year(),
        "month": time.month(),
        "day": time.day(),
        "hour": time.hour(),
        "minute": time.minute(),
        "second": time.second(),
        "weekday": time.strftime("%A").to_string().to_lowercase(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_in_utc_and_on_the_other_side_of_midnight() {
        let zone = TimeZone::get("Europe/Madrid").unwrap();
        let value = at("2026-07-31T22:05:09.123Z".parse().unwrap(), &zone);
        let expected = json!({
            "iso": "2026-07-31T22:05:09Z", "date": "2026-07-31", "time": "22:05:09", "stamp": "20260731T220509Z",
            "year": 2026, "month": 7, "day": 31, "hour": 22, "minute": 5, "second": 9, "weekday": "friday",
            "zone": "UTC", "unix": 1_785_535_509, "unix_ms": 1_785_535_509_123_i64,
            "local": {
                "iso": "2026-08-01T00:05:09+02:00", "date": "2026-08-01", "time": "00:05:09", "stamp": "20260801T000509",
                "year": 2026, "month": 8, "day": 1, "hour": 0, "minute": 5, "second": 9, "weekday": "saturday",
                "zone": "Europe/Madrid",
            },
        });
        assert_eq!(value, expected);
    }
}
