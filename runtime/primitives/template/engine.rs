use std::io::{Error as IoError, Write};
use std::path::Path;
use std::sync::{Arc, Mutex};

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Serde;
use minijinja::{AutoEscape, Environment, Error, ErrorKind, UndefinedBehavior};

use super::{LARGEST, fault, filters};
use crate::drivers::disk::{self, Place};
use crate::primitive::{Failure, FailureKind};

/// How many steps a template may take: about a second of a loop that does nothing, hundreds of times what a
/// long configuration needs.
const STEPS: u64 = 5_000_000;

/// Fills in `source`, which is called `name` in messages and whose `include`s start at its folder.
///
/// `granted` is asked about every file that was included before anything of the text, or of an error in it, is let out.
pub fn render(
    project: &Path,
    name: &str,
    source: &str,
    values: &serde_json::Value,
    granted: &dyn Fn(&str) -> Result<(), Failure>,
) -> Result<String, Failure> {
    let included = Included::default();
    let rendered = filled(project, name, source, values, &included);
    let included = included.lock().map(|names| names.clone()).unwrap_or_default();
    included.iter().try_for_each(|name| granted(name))?;
    rendered
}

/// The names of the files that a template included.
type Included = Arc<Mutex<Vec<String>>>;

fn filled(
    project: &Path,
    name: &str,
    source: &str,
    values: &serde_json::Value,
    included: &Included,
) -> Result<String, Failure> {
    let environment = environment(project, included.clone())?;
    let explain = |error: &Error| fault::explain(error, name, source, values);
    let template = environment.template_from_named_str(name, source).map_err(|error| explain(&error))?;
    let mut text = Bounded::default();
    match template.render_captured_to(Serde(values), &mut text) {
        Ok(_) => Ok(String::from_utf8_lossy(&text.bytes).into_owned()),
        Err(_) if text.is_full => {
            Err(Failure::new(FailureKind::Invalid, format!("what `{name}` renders is larger than {LARGEST}")))
        }
        Err(error) => Err(explain(&error)),
    }
}

/// Plain text (no escaping for HTML), an undefined value is an error, and a block tag alone on its line leaves no line.
fn environment(project: &Path, included: Included) -> Result<Environment<'static>, Failure> {
    let mut environment = Environment::new();
    let syntax = SyntaxConfig::builder().trim_blocks(true).lstrip_blocks(true).keep_trailing_newline(true).build();
    environment.set_syntax(syntax.map_err(|error| Failure::new(FailureKind::System, error.to_string()))?);
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| AutoEscape::None);
    environment.set_debug(true);
    environment.set_fuel(Some(STEPS));
    environment.set_path_join_callback(|name, parent| beside(name, parent).into());
    let project = project.to_owned();
    environment.set_loader(move |name| {
        if let Ok(mut included) = included.lock() {
            included.push(name.to_owned());
        }
        load(&project, name)
    });
    filters::add(&mut environment);
    Ok(environment)
}

/// The path of an included template: relative to the folder of the one that includes it.
fn beside(name: &str, parent: &str) -> String {
    let mut path: Vec<&str> = parent.split('/').collect();
    path.pop();
    if name.starts_with('/') {
        path = vec![""];
    }
    for part in name.split('/').filter(|part| !part.is_empty()) {
        match part {
            "." => {}
            ".." if path.last().is_some_and(|last| !last.is_empty() && *last != "..") => drop(path.pop()),
            part => path.push(part),
        }
    }
    path.join("/")
}

/// Reads an included template; it must lie in the project, whatever its name or a link says.
fn load(project: &Path, name: &str) -> Result<Option<String>, Error> {
    let refused = |failure: &Failure| Error::new(ErrorKind::InvalidOperation, failure.message.clone());
    let place = Place::new(project, name).map_err(|failure| refused(&failure))?;
    let (Ok(root), Ok(path)) = (project.canonicalize(), place.path().canonicalize()) else { return Ok(None) };
    if !path.starts_with(root) {
        return Err(Error::new(ErrorKind::InvalidOperation, format!("`{name}` lies outside the project")));
    }
    disk::text(&place, LARGEST).map(Some).map_err(|failure| refused(&failure))
}

/// The rendered text, up to a limit.
#[derive(Default)]
struct Bounded {
    bytes: Vec<u8>,
    is_full: bool,
}

impl Write for Bounded {
    fn write(&mut self, part: &[u8]) -> std::io::Result<usize> {
        if (self.bytes.len() + part.len()) as u64 > LARGEST.0 {
            self.is_full = true;
            return Err(IoError::other("the text is too large"));
        }
        self.bytes.extend_from_slice(part);
        Ok(part.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}
