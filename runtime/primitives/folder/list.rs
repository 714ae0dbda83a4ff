use ignore::WalkBuilder;
use ignore::overrides::{Override, OverrideBuilder};
use serde_json::Value;

use super::{FOLDER, place, touches};
use crate::drivers::disk::{self, Place};
use crate::primitive::{Call, Context, Effect, Failure, FailureKind, Need, Outcome, Primitive, Spec, Touches};

/// The most entries returned: a script that needs more wants a pattern.
const MOST: usize = 10_000;

crate::options! {
    /// Options of `folder.list`.
    pub struct Options {
        /// Only what fits this pattern: `*.sql` in the folder itself, `**/*.sql` at any depth, `2026/*.sql` in one below.
        glob: Option<String>,
    }
}

/// Lists a folder.
pub struct List;

static SPEC: Spec = Spec {
    name: "list",
    receiver: Some(FOLDER),
    args: &[],
    options: Some(Options::SPEC),
    returns: None,
    effect: Effect::Read,
    summary: "Returns the paths of what the folder holds, sorted; those of folders end with `/`.",
    example: r#"for path in folder("sql").list(#{ glob: "*.sql" }) { info(path) }"#,
};

impl Primitive for List {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        vec![Need::read(call.receiver_needed("path"))]
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let options: Options = call.options()?;
        let place = place(context, call)?;
        let shown = place.written();
        match disk::exists(&place)? {
            Some(found) if found.is_dir() => {}
            Some(_) => return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` is a file, not a folder"))),
            None => return Err(Failure::new(FailureKind::NotFound, format!("there is no folder `{shown}`"))),
        }
        let pattern = options.glob.as_deref().map(|glob| pattern(&place, glob)).transpose()?;
        let depth = if options.glob.is_some_and(|glob| glob.contains('/')) { None } else { Some(1) };
        let mut paths = Vec::new();
        let walk = WalkBuilder::new(place.path()).standard_filters(false).max_depth(depth).build();
        for entry in walk {
            context.still_wanted()?;
            let entry =
                entry.map_err(|error| Failure::new(FailureKind::System, format!("cannot list `{shown}`: {error}")))?;
            if entry.depth() == 0 {
                continue;
            }
            let is_folder = entry.file_type().is_some_and(|kind| kind.is_dir());
            if pattern.as_ref().is_some_and(|pattern| !pattern.matched(entry.path(), is_folder).is_whitelist()) {
                continue;
            }
            let below = entry.path().strip_prefix(place.path()).unwrap_or(entry.path());
            let Some(below) = below.to_str() else {
                return Err(Failure::new(
                    FailureKind::Invalid,
                    format!("a name in `{shown}` is not UTF-8: `{}`", below.display()),
                ));
            };
            let end = if is_folder { "/" } else { "" };
            paths.push(format!("{}/{below}{end}", shown.trim_end_matches('/')));
            if paths.len() > MOST {
                return Err(Failure::new(FailureKind::Invalid, format!("`{shown}` holds more than {MOST} entries"))
                    .hint("narrow the option `glob`"));
            }
        }
        paths.sort_unstable();
        Ok(Value::from(paths).into())
    }

    fn touches(&self, context: &Context<'_>, call: &Call) -> Touches {
        touches(context, call)
    }
}

fn pattern(place: &Place, glob: &str) -> Result<Override, Failure> {
    let mut builder = OverrideBuilder::new(place.path());
    let built = builder.add(glob).and_then(|builder| builder.build());
    built.map_err(|_| Failure::new(FailureKind::Option, format!("option `glob` is no pattern: `{glob}`")))
}
