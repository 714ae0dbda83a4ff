//! The header of a runbook: the `//!` lines at its top.
//!
//! ```text
//! //! Deploy the shop behind a health gate.
//! //!
//! //! @param tag: string = "latest"   image tag to deploy
//! //! @needs docker shop; http https://shop.example.com
//! //! @budget containers 5, volumes 0
//! //! @lock deploy/{env}
//! //! @timeout 20m
//! ```

mod param;

pub use param::{Param, ParamType};

use crate::failure::nearest;
use crate::policy::{Budget, Declared, Grant};
use crate::project::ScheduleEntry;
use crate::units::Span;

/// What a runbook says about itself.
#[derive(Clone, Debug, Default)]
pub struct Header {
    /// The first line of prose.
    pub title: String,
    /// The prose after it.
    pub description: String,
    /// `@param`, in order.
    pub params: Vec<Param>,
    /// `@needs` and `@budget`: what it asks to be allowed, and how much of it.
    pub declared: Declared,
    /// `@lock`: the name of the lock held for the whole run; `{env}` stands for the environment.
    pub lock: Option<String>,
    /// `@timeout`: how long the run may take.
    pub timeout: Option<Span>,
    /// `@schedule`, by name: when it runs by itself.
    pub schedules: Vec<(String, ScheduleEntry)>,
    /// The names in `@param` lines that are not understood: they are meant to be declared.
    pub undecided: Vec<String>,
    /// Lines that are not understood.
    pub problems: Vec<HeaderProblem>,
}

/// A mistake in a header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HeaderProblem {
    /// Line, from 1.
    pub line: usize,
    /// Column in characters, from 1.
    pub column: usize,
    /// How many characters are wrong.
    pub length: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What to write instead of the marked characters, when that is known.
    pub replacement: Option<String>,
}

const TAGS: &[&str] = &["param", "needs", "budget", "lock", "timeout", "schedule"];

impl Header {
    /// Reads the header of a script. Never fails: what is not understood is kept in `problems`.
    pub fn parse(text: &str) -> Self {
        let mut header = Self::default();
        for (index, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            let Some(content) = trimmed.strip_prefix("//!") else {
                if trimmed.is_empty() || (index == 0 && trimmed.starts_with("#!")) || trimmed.starts_with("// ") {
                    continue;
                }
                break;
            };
            let body = content.trim_start();
            let column = line.chars().count() - body.chars().count() + 1;
            header.line(&Piece { text: body.trim_end(), line: index + 1, column });
        }
        header.description = header.description.trim().to_owned();
        header
    }

    /// The declared parameter of that name.
    pub fn param(&self, name: &str) -> Option<&Param> {
        self.params.iter().find(|param| param.name == name)
    }

    fn line(&mut self, line: &Piece<'_>) {
        let Some(rest) = line.text.strip_prefix('@') else {
            if self.title.is_empty() {
                line.text.clone_into(&mut self.title);
            } else {
                self.description.push_str(line.text);
                self.description.push('\n');
            }
            return;
        };
        let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
        let (tag, value) = (&rest[..end], line.part(rest[end..].trim_start()));
        match tag {
            "param" => match Param::parse(&value) {
                Ok(param) => self.add(param, &value),
                Err(problem) => {
                    self.undecided.push(param::name_in(value.text).to_owned());
                    self.problems.push(problem);
                }
            },
            "needs" => self.needs(&value),
            "budget" => match Budget::parse(value.text) {
                Ok(budget) => self.declared.budget = self.declared.budget.and(budget),
                Err(message) => self.problems.push(value.problem(format!("`@budget`: {message}"))),
            },
            "lock" if value.text.is_empty() => {
                self.problems.push(line.problem("`@lock` takes the name of a lock").hint("as in `@lock deploy/{env}`"));
            }
            "lock" => self.lock = Some(value.text.to_owned()),
            "timeout" => match Span::parse(value.text) {
                Ok(span) => self.timeout = Some(span),
                Err(message) => self.problems.push(if value.text.is_empty() {
                    line.problem("`@timeout` takes a duration").hint("as in `@timeout 20m`")
                } else {
                    value.problem(format!("`@timeout`: {message}"))
                }),
            },
            "schedule" => match schedule(&value) {
                Ok(schedule) => self.schedules.push(schedule),
                Err(problem) => self.problems.push(problem),
            },
            unknown => {
                let problem = line.part(&line.text[..=end]).problem(format!("there is no `@{unknown}` in a header"));
                self.problems.push(match nearest(unknown, TAGS.iter().copied()) {
                    Some(tag) => problem.hint(format!("did you mean `@{tag}`?")).replace(format!("@{tag}")),
                    None => problem
                        .hint("a header knows `@param`, `@needs`, `@budget`, `@lock`, `@timeout` and `@schedule`"),
                });
            }
        }
    }

    /// A line that cannot be read declares nothing, and says that something is declared.
    fn needs(&mut self, line: &Piece<'_>) {
        let needs = self.declared.needs.get_or_insert_default();
        match Grant::parse(line.text) {
            Ok(grants) => needs.extend(grants),
            Err(mistake) => {
                let mut problem = line.part(line.text.get(mistake.place).unwrap_or_default()).problem(mistake.message);
                problem.hint = mistake.hint;
                problem.replacement = mistake.replacement;
                self.problems.push(problem);
            }
        }
    }

    fn add(&mut self, param: Param, line: &Piece<'_>) {
        if let Some(first) = self.param(&param.name) {
            let name = &line.text[..param.name.len()];
            let message = format!("parameter `{}` is declared twice", param.name);
            let problem = line.part(name).problem(message).hint(format!("it is declared first in line {}", first.line));
            self.problems.push(problem);
        } else {
            self.params.push(param);
        }
    }
}

/// What TOML calls a document with one entry.
#[derive(serde::Deserialize)]
struct Wrapped {
    entry: ScheduleEntry,
}

/// Reads `nightly { cron = "30 2 * * *", env = "prod" }`: a name, and what a `[schedule.NAME]` of the project file holds.
fn schedule(line: &Piece<'_>) -> Result<(String, ScheduleEntry), HeaderProblem> {
    let example = "as in `@schedule nightly { cron = \"30 2 * * *\" }`";
    let Some((name, entry)) = line.text.split_once('{').map(|(name, _)| (name.trim(), &line.text[name.len()..])) else {
        return Err(line.problem("`@schedule` takes a name and, in braces, when").hint(example));
    };
    if name.is_empty() || name.contains(char::is_whitespace) {
        return Err(line.problem("`@schedule` takes a name of one word before the braces").hint(example));
    }
    match toml::from_str::<Wrapped>(&format!("entry = {entry}")) {
        Ok(Wrapped { entry }) => Ok((name.to_owned(), entry)),
        Err(error) => Err(line.part(entry).problem(format!("`@schedule`: {}", error.message())).hint(example)),
    }
}

/// A part of a header line with its place.
struct Piece<'a> {
    text: &'a str,
    line: usize,
    column: usize,
}

impl<'a> Piece<'a> {
    /// A part of this piece's own text.
    fn part(&self, part: &'a str) -> Self {
        let offset = part.as_ptr().addr().saturating_sub(self.text.as_ptr().addr());
        let before = self.text.get(..offset).unwrap_or_default();
        Self { text: part, line: self.line, column: self.column + before.chars().count() }
    }

    fn problem(&self, message: impl Into<String>) -> HeaderProblem {
        HeaderProblem {
            line: self.line,
            column: self.column,
            length: self.text.chars().count().max(1),
            message: message.into(),
            hint: None,
            replacement: None,
        }
    }
}

impl HeaderProblem {
    fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    fn replace(mut self, replacement: impl Into<String>) -> Self {
        self.replacement = Some(replacement.into());
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_header_says_what_a_runbook_is_and_takes() {
        let header = Header::parse(
            "//! Deploy the shop.\n//! Puts everything back.\n//!\n//! @param tag: string = \"latest\"   image tag to deploy\n\
             //! @param replicas: integer\n//! @needs docker shop; http https://x\n//! @lock deploy/{env}\n//! @timeout 20m\n\
             \nlet x = 1;\n//! @param late: string\n",
        );
        assert_eq!(header.problems, []);
        assert_eq!((header.title.as_str(), header.description.as_str()), ("Deploy the shop.", "Puts everything back."));
        assert_eq!(header.params.len(), 2);
        assert_eq!(header.params[0].default, Some(json!("latest")));
        assert_eq!(header.params[0].doc, "image tag to deploy");
        assert!(header.params[1].default.is_none());
        let needs: Vec<String> = header.declared.needs.iter().flatten().map(ToString::to_string).collect();
        assert_eq!(needs, ["docker shop", "http https://x"]);
        assert_eq!((header.lock.as_deref(), header.timeout), (Some("deploy/{env}"), Some(Span::seconds(1200))));
    }

    #[test]
    fn a_mistake_in_a_header_has_its_place() {
        let place = |text: &str| {
            let problem = Header::parse(text).problems.remove(0);
            (problem.line, problem.column, problem.length, problem.message)
        };
        let message = |text: &str| place(text).3;
        assert_eq!(place("//! @parm x: string"), (1, 5, 5, "there is no `@parm` in a header".into()));
        assert_eq!(
            place("//! T\n//! @param x: strng = \"a\""),
            (2, 15, 5, "there is no parameter type `strng`".into())
        );
        assert_eq!(
            place("//! @param n: integer = \"3\"  how many"),
            (1, 25, 3, "the default of parameter `n` must be an integer, got a string".into())
        );
        assert_eq!(message("//! @param a: bool\n//! @param a: bool"), "parameter `a` is declared twice");
        assert_eq!(
            message("//! @timeout 20"),
            "`@timeout`: `20` is not a duration: write a number with a unit, as in \"90s\", \"5m\" or \"1h30m\""
        );
        assert_eq!(
            place("//! T\n//! @needs docker shop; htp https://x"),
            (2, 25, 3, "there is no kind of need called `htp`".into())
        );
        assert_eq!(
            message("//! @budget many"),
            "`@budget`: `many` names no number: write it like `containers 5, volumes 0`"
        );
        assert_eq!(message("//! @param tag = \"x\""), "parameter `tag` has no type");
        assert_eq!(message("//! @param"), "`@param` takes a name and a type");
    }
}
