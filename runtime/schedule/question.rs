//! When would it fire? Questions about any expression, and their answers, as `runbook schedule next` takes and gives them.

use jiff::Timestamp;
use jiff::civil::DateTime;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::unusual::{UnusualDay, unusual_days};
use super::zone::moment;
use super::{DstPolicy, Expression, Fires, Problem, ProblemKind, Zone};
use crate::failure::{in_plain_words, nearest, unknown_name};

/// Fires that are listed when neither an end nor a number is given.
const LISTED: usize = 10;

/// Two years of minutes: more is never listed.
const MOST: usize = 1_100_000;

/// What somebody wants to know.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Question {
    /// Given back with the answer.
    #[serde(default)]
    pub id: Option<Value>,
    /// The expression.
    pub cron: String,
    /// The time zone; this machine's when left out.
    #[serde(default)]
    pub zone: Option<String>,
    /// From when on; now when left out.
    #[serde(default)]
    pub from: Option<String>,
    /// Until when, that moment not included.
    #[serde(default)]
    pub until: Option<String>,
    /// How many at most.
    #[serde(default)]
    pub limit: Option<usize>,
    /// What is done where clocks are changed.
    #[serde(default)]
    pub dst: DstPolicy,
}

/// The fires, or why there are none.
#[derive(Clone, Debug, Serialize)]
pub struct Answer {
    /// That of the question.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// The fires.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What came out.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Outcome {
    /// It fires.
    Fires(Listing),
    /// It cannot be said.
    Refused {
        /// Why.
        error: Refusal,
    },
}

/// When something fires.
#[derive(Clone, Debug, Serialize)]
pub struct Listing {
    /// The expression.
    pub cron: String,
    /// The time zone.
    pub zone: String,
    /// The moments, in order.
    pub fires: Vec<Timestamp>,
    /// Are there more before the end of what was asked for?
    pub more: bool,
    /// What Debian's cron takes, and nobody can have meant.
    pub warnings: Vec<Problem>,
}

/// Why a question has no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// `syntax` and `never` (of the expression), `zone`, `time`, `question`.
    pub kind: &'static str,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// Where in the expression, in characters from 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
    /// How many characters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub length: Option<usize>,
    /// The expression, with its place marked, for people.
    #[serde(skip)]
    pub marked: Option<String>,
}

impl Question {
    /// Reads a question as JSON.
    fn read(value: Value) -> Result<Self, Refusal> {
        serde_path_to_error::deserialize(value).map_err(|error| {
            let path = error.path().to_string();
            let said = error.into_inner().to_string();
            if let Some((name, known)) = unknown_name(&said, "field") {
                let hint = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("the keys are {}", known.join(", ")),
                };
                return Refusal { hint: Some(hint), ..Refusal::new("question", format!("there is no key `{name}`")) };
            }
            if let Some((name, known)) = unknown_name(&said, "variant") {
                let message = format!("`{path}` is `{name}`, which is none of {}", known.join(", "));
                return Refusal::new("question", message);
            }
            let message = match said.strip_prefix("missing field ") {
                Some(name) => format!("the key {name} is missing"),
                None => format!("`{path}` {}", in_plain_words(&said)),
            };
            Refusal::of_question(message)
        })
    }

    /// Answers it; `now` is what a beginning that is left out means.
    pub fn answer(&self, now: Timestamp) -> Answer {
        let outcome = match self.listing(now) {
            Ok(listing) => Outcome::Fires(listing),
            Err(error) => Outcome::Refused { error },
        };
        Answer { id: self.id.clone(), outcome }
    }

    /// The fires.
    pub fn listing(&self, now: Timestamp) -> Result<Listing, Refusal> {
        let (expression, zone) = (Expression::parse(&self.cron)?, self.zone()?);
        let time = |text: &Option<String>| text.as_ref().map(|text| parse_time(text, &zone)).transpose();
        let from = time(&self.from)?.unwrap_or(now);
        let until = time(&self.until)?;
        let most = self.limit.unwrap_or(if until.is_some() { MOST } else { LISTED }).min(MOST);
        // A fire at the very beginning counts: everything is in whole seconds.
        let behind = from.as_second() - i64::from(from.subsec_nanosecond() == 0);
        let mut fires = Fires::after(&expression, &zone, self.dst, behind).map(moment);
        let within = |at: &Timestamp| until.is_none_or(|until| *at < until);
        let listed: Vec<Timestamp> = fires.by_ref().take_while(within).take(most).collect();
        let more = listed.len() == most && fires.next().is_some_and(|next| within(&next));
        let warnings = expression.slips().to_vec();
        Ok(Listing { cron: expression.text().to_owned(), zone: zone.name().to_owned(), fires: listed, more, warnings })
    }

    /// The days of the next two years on which it fires not at all, or more often than usual.
    pub fn unusual(&self, now: Timestamp) -> Result<Vec<UnusualDay>, Refusal> {
        let (expression, zone, from) = (Expression::parse(&self.cron)?, self.zone()?, now.as_second());
        Ok(unusual_days(&expression, &zone, self.dst, from, from + 731 * 24 * 60 * 60))
    }

    /// The zone it is about.
    pub fn zone(&self) -> Result<Zone, Refusal> {
        let named = |name: &String| Zone::named(name).map_err(|message| Refusal::new("zone", message));
        self.zone.as_ref().map_or_else(|| Ok(Zone::system()), named)
    }
}

/// A time with its offset, or as the clocks of the zone show it.
fn parse_time(text: &str, zone: &Zone) -> Result<Timestamp, Refusal> {
    if let Ok(moment) = text.parse::<Timestamp>() {
        return Ok(moment);
    }
    let local = text.parse::<DateTime>().ok().and_then(|local| local.to_zoned(zone.time_zone().clone()).ok());
    local.map(|local| local.timestamp()).ok_or_else(|| Refusal {
        hint: Some("write `2026-03-29T02:30:00Z`, or `2026-03-29T02:30` for a time in the zone".into()),
        ..Refusal::new("time", format!("`{text}` is no time"))
    })
}

impl Answer {
    /// To a question as JSON; `now` is what a beginning that is left out means.
    pub fn to_line(line: &str, now: Timestamp) -> Self {
        let (id, read) = match serde_json::from_str::<Value>(line) {
            Ok(value) if value.is_object() => (value.get("id").cloned(), Question::read(value)),
            Ok(_) => (None, Err(Refusal::of_question("this line is no JSON object"))),
            Err(error) => {
                let message = format!("this line is no JSON: it goes wrong at character {}", error.column());
                (None, Err(Refusal::of_question(message)))
            }
        };
        match read {
            Ok(question) => question.answer(now),
            Err(error) => Self { id, outcome: Outcome::Refused { error } },
        }
    }
}

impl Refusal {
    /// Of what is no question.
    fn of_question(message: impl Into<String>) -> Self {
        let hint = r#"write an object, as in `{"cron": "30 2 * * *", "zone": "Europe/Berlin"}`"#.to_owned();
        Self { hint: Some(hint), ..Self::new("question", message) }
    }

    fn new(kind: &'static str, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, column: None, length: None, marked: None }
    }
}

impl From<Problem> for Refusal {
    fn from(problem: Problem) -> Self {
        let kind = match problem.kind {
            ProblemKind::Syntax => "syntax",
            ProblemKind::Never => "never",
        };
        let marked = Some(problem.with_caret());
        let Problem { message, hint, column, length, .. } = problem;
        Self { kind, message, hint, column: Some(column), length: Some(length), marked }
    }
}
