use std::os::unix::net::UnixStream;

use serde_json::Value;

use super::super::on_engine::short_key;
use super::tree::{self, Entry, Kind, Remote, There};
use super::{ask_within, method, needs, target, told, touches_path, user};
use crate::drivers::disk::{Held, Tree};
use crate::drivers::ssh::{GO_HOME, Script, quoted};
use crate::primitive::{
    Action, Arg, ByteSize, Call, Change, Context, Effect, Failure, FailureKind, FileMode, Need, Outcome, Prediction,
    Primitive, Probe, Recovery, Span, Spec, Touches, Ty, text_of,
};

crate::options! {
    /// Options of `ssh.upload`.
    pub struct Options {
        /// The permissions of files, as in `"0644"`; those they have here when left out.
        mode: Option<FileMode>,
        /// User and group of everything, as in `"www-data:www-data"`. Without it what is there keeps its own.
        owner: Option<String>,
        /// Remove files of the folder on the host that the folder here does not have.
        delete: bool = false,
        /// How long it may take.
        timeout: Span = Span::seconds(600),
    }
}

/// Sends a file or folder.
pub struct Upload;

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "upload",
        &[
            Arg::new("from", Ty::Str, "A file or folder of this machine, relative to the project's folder."),
            Arg::new("to", Ty::Str, "The path on the host: of the file, or of the folder whose content it becomes."),
        ],
        "Sends a file or folder, of which only what differs travels. Returns whether there was something to do.",
        r#"ssh("web-1").upload("public", "/srv/www", #{ owner: "www-data:www-data", delete: true });"#,
    )
};

/// How many names a plan and the run log show.
const SHOWN: usize = 20;

impl Primitive for Upload {
    fn spec(&self) -> &'static Spec {
        &SPEC
    }

    fn needs(&self, call: &Call) -> Vec<Need> {
        needs(call, [Need::read(text_of(call.args.first())), Need::write(text_of(call.args.get(1)))])
    }

    fn preview(&self, call: &Call) -> String {
        told(call, format!("upload {} to {}", call.str(0), call.str(1)))
    }

    fn effect(&self, call: &Call) -> Effect {
        let deletes = call.options.get("delete").and_then(Value::as_bool).unwrap_or(false);
        if deletes { Effect::Destroy } else { Effect::Change }
    }

    fn call(&self, context: &Context<'_>, call: &Call) -> Result<Outcome, Failure> {
        let sending = Sending::new(context, call)?;
        let remote = sending.look(context, call)?;
        let open = sending.open(&remote)?;
        let Some(change) = open.change(&sending, call) else { return Ok(Outcome::unchanged(false)) };
        let size: u64 =
            open.sent.iter().map(|entry| if let Kind::File(_, size, _) = entry.kind { size } else { 0 }).sum();
        let all = sending.entries.iter().filter(|entry| !matches!(entry.kind, Kind::Folder(_))).count();
        let note = format!("{} of {all} sent, {}", open.sent.len(), ByteSize(size));
        let outcome = Outcome::changed(true).made([change]).note(note);
        context.announce(&outcome, &Value::Null)?;
        sending.send(context, call, &open)?;
        Ok(outcome)
    }

    fn recovery(&self, _: &Call) -> Recovery {
        Recovery::Probe
    }

    fn probe(&self, context: &Context<'_>, call: &Call) -> Result<Probe, Failure> {
        let Some(announced) = context.announced() else { return Ok(Probe::NotDone) };
        let sending = Sending::new(context, call)?;
        let is_there = sending.open(&sending.look(context, call)?)?.is_empty();
        Ok(if is_there { Probe::Done(announced.outcome) } else { Probe::NotDone })
    }

    fn touches(&self, _: &Context<'_>, call: &Call) -> Touches {
        touches_path(call, call.str(1))
    }

    fn predict(&self, context: &Context<'_>, call: &Call) -> Result<Prediction, Failure> {
        // What earlier calls will put there is not there yet.
        let place = context.readable(call.str(0))?;
        if context.left(&place).is_some() || context.services.is_doubtful(&place.name()) {
            let what = format!("{} on {}", call.str(1), call.receiver_str("name"));
            return Ok(Prediction::one(Change::depending(Action::Update, what), true));
        }
        let sending = Sending::new(context, call)?;
        let change = sending.open(&sending.look(context, call)?)?.change(&sending, call);
        Ok(change.map_or_else(|| Prediction::nothing(false), |change| Prediction::one(change, true)))
    }
}

/// What is to be sent, and where to.
struct Sending {
    /// The folder of the host that the names are below.
    base: String,
    is_folder: bool,
    entries: Vec<Entry>,
    options: Options,
    /// What is sent, held open: it is read by way of this.
    held: Held,
}

/// What differs.
#[derive(Default)]
struct Open<'a> {
    /// The folder itself is not there.
    is_new: bool,
    folders: Vec<&'a Entry>,
    sent: Vec<&'a Entry>,
    gone: Vec<String>,
    details: Vec<String>,
}

impl Sending {
    fn new(context: &Context<'_>, call: &Call) -> Result<Self, Failure> {
        let options: Options = call.options()?;
        let place = context.readable(call.str(0))?;
        let held = place.source()?;
        let mut to = call.str(1).to_owned();
        let is_folder = held.path().is_dir();
        if to.trim_end_matches('/').is_empty() {
            return Err(Failure::new(FailureKind::Argument, format!("`{to}` cannot be where something is sent to")));
        }
        if !is_folder && to.ends_with('/') {
            to.push_str(&held.real().file_name().unwrap_or_default().to_string_lossy());
        }
        if !is_folder && options.delete {
            return Err(Failure::new(FailureKind::Option, "option `delete` is for folders"));
        }
        let to = to.trim_end_matches('/');
        let (base, name) = match (is_folder, to.rsplit_once('/')) {
            (true, _) => (to, ""),
            (false, None) => (".", to),
            (false, Some(("", name))) => ("/", name),
            (false, Some((base, name))) => (base, name),
        };
        let from = tree_of(&held, call)?;
        let entries = tree::local(from, call.str(0), name, &|| context.still_wanted())?;
        Ok(Self { base: base.to_owned(), is_folder, entries, options, held })
    }

    fn look(&self, context: &Context<'_>, call: &Call) -> Result<Remote, Failure> {
        let names: Vec<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        let mut input = names.join("\0").into_bytes();
        // `xargs` runs once even for no name at all.
        input.extend_from_slice(if names.is_empty() { b".\0" } else { b"\0" });
        let script = Script::new(tree::look(&self.base, self.options.delete)).reading(input);
        let answer = ask_within(context, call, "comparing files", script, 256 << 20, self.options.timeout.0)?;
        let answer = String::from_utf8_lossy(&answer);
        let names = if names.is_empty() { vec!["."] } else { names };
        Remote::parse(&answer, &names).ok_or_else(|| {
            let message = format!("`{}` tells about its files what nobody understands", call.receiver_str("name"));
            Failure::new(FailureKind::Invalid, message)
                .evidence("its answer", answer.chars().take(2000).collect::<String>())
        })
    }

    fn open(&self, remote: &Remote) -> Result<Open<'_>, Failure> {
        let mut open = Open { is_new: !remote.is_there, ..Open::default() };
        let in_the_way = |entry: &Entry, what: &str| {
            let message = format!("`{}/{}` of the host is {what}", self.base.trim_end_matches('/'), entry.name);
            let is_for_it = !self.is_folder && what == "a folder";
            let hint = if is_for_it { "end it with `/` to put the file into it" } else { "remove it first" };
            Err(Failure::new(FailureKind::Conflict, message).hint(hint))
        };
        let owner = self.options.owner.as_deref();
        for entry in &self.entries {
            let name = &entry.name;
            match (&entry.kind, remote.at(name)) {
                (Kind::Folder(_), There::Folder) => {}
                (Kind::Folder(_), There::Nothing) => open.folders.push(entry),
                (Kind::Folder(_), _) => return in_the_way(entry, "no folder"),
                (_, There::Folder) => return in_the_way(entry, "a folder"),
                (_, There::Other) => return in_the_way(entry, "a device or a pipe"),
                (_, There::Nothing) => {
                    open.details.push(format!("+ {name}"));
                    open.sent.push(entry);
                }
                (Kind::File(_, _, sum), There::File(now, _)) if sum != now => {
                    open.details.push(format!("~ {name}"));
                    open.sent.push(entry);
                }
                (Kind::File(mode, ..), There::File(_, rights)) => {
                    let differs = rights.differences(Some(self.options.mode.unwrap_or(FileMode(*mode))), owner);
                    if !differs.is_empty() {
                        open.details.push(format!("~ {name} ({})", differs.join(", ")));
                        open.sent.push(entry);
                    }
                }
                (Kind::Link(to), There::Link(now)) if to == now => {}
                (Kind::File(..) | Kind::Link(_), There::File(..) | There::Link(_)) => {
                    open.details.push(format!("± {name}"));
                    open.sent.push(entry);
                }
            }
        }
        let here: std::collections::BTreeSet<&str> = self.entries.iter().map(|entry| entry.name.as_str()).collect();
        for name in remote.all.iter().filter(|name| !here.contains(name.as_str())) {
            open.details.push(format!("- {name}"));
            open.gone.push(name.clone());
        }
        if open.details.is_empty() {
            open.details.extend(open.folders.iter().map(|entry| format!("+ {}/", entry.name)));
        }
        Ok(open)
    }

    /// Everything travels to a place beside, is checked there, and then each takes its place.
    fn send(&self, context: &Context<'_>, call: &Call, open: &Open<'_>) -> Result<(), Failure> {
        let lists = [
            (
                "sums",
                lines(open.sent.iter().filter_map(|entry| match &entry.kind {
                    Kind::File(_, _, sum) => Some(format!("{sum}  {}", entry.name)),
                    _ => None,
                })),
            ),
            ("moved", lines(open.sent.iter().map(|entry| entry.name.clone()))),
            (
                "folders",
                lines(open.folders.iter().filter_map(|entry| match entry.kind {
                    Kind::Folder(mode) => Some(format!("{mode:o} {}", entry.name)),
                    _ => None,
                })),
            ),
            ("gone", lines(open.gone.iter().cloned())),
        ];
        let sent: Vec<&Entry> = open.folders.iter().chain(&open.sent).copied().collect();
        let script = Script::new(self.script(&short_key(context), open)).run_by(user(call));
        let target = target(context, call)?;
        let (ours, theirs) = UnixStream::pair().map_err(|error| Failure::system("make a pair of sockets", &error))?;
        let (held, mode) = (tree_of(&self.held, call)?, self.options.mode.map(|mode| mode.0));
        let what = format!("sending files to `{}`", target.name);
        std::thread::scope(|scope| {
            let packing = scope.spawn(move || tree::pack(ours, &lists, &held, &sent, mode));
            let fed = context.wait(&what, self.options.timeout.0, context.drivers.ssh().feed(&target, &script, theirs));
            // The archive's other end is gone by now, so this ends, too.
            match (packing.join(), fed) {
                (_, Ok(_)) => Ok(()),
                (Ok(Err(error)), Err(_)) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                    Err(Failure::system(format!("read `{}`", call.str(0)), &error))
                }
                (_, Err(failure)) => Err(failure),
            }
        })
    }

    fn script(&self, key: &str, open: &Open<'_>) -> String {
        let base = quoted(&self.base);
        let parent =
            quoted(self.base.rsplit_once('/').map_or(".", |(parent, _)| if parent.is_empty() { "/" } else { parent }));
        let owner = self.options.owner.as_deref().map(quoted);
        let stage = if open.is_new {
            format!("mkdir -p -- {parent} && parent=$(cd -- {parent} && pwd) && stage=$parent/.runbook-{key}")
        } else {
            format!("base=$(cd -- {base} && pwd) && stage=$base/.runbook-{key}")
        };
        // A file that is replaced goes on being whose it was.
        let own = owner.as_ref().map_or_else(
            || {
                "if [ -e \"$base/$p\" ]; then chown -h -- \"$(stat -c %u:%g -- \"$base/$p\")\" \"$p\" 2>/dev/null; fi"
                    .to_owned()
            },
            |owner| format!("chown -h -- {owner} \"$p\" || broken"),
        );
        let own_folder = owner.as_ref().map_or_else(String::new, |owner| format!(" && chown -- {owner} \"$base/$p\""));
        let arrive = if open.is_new {
            let own = owner.map_or_else(String::new, |owner| format!("chown -R -h -- {owner} . || broken\n"));
            format!(
                "{own}chmod 755 .\nsync\ncd /\nmv -- \"$stage/files\" \"$parent/\"{} || broken\n",
                quoted(base_name(&self.base))
            )
        } else {
            format!(
                "sync\nwhile read -r mode p; do mkdir -p -- \"$base/$p\" && chmod \"$mode\" -- \"$base/$p\"{own_folder} || broken; done <../folders\n\
                 while IFS= read -r p; do\n{own}\nmv -f -- \"$p\" \"$base/$p\" || broken\ndone <../moved\n\
                 while IFS= read -r p; do rm -f -- \"$base/$p\" || broken; done <../gone\n"
            )
        };
        let absent =
            if self.is_folder || !open.is_new { String::new() } else { format!("finish absent {base}\nexit\n") };
        format!(
            "{GO_HOME}\numask 022\nbroken() {{ finish failed \"${{1:-the files cannot be put in their place}}\"; exit; }}\n{absent}{stage} || broken\n\
             rm -rf -- \"$stage\"\ntrap 'cd /; rm -rf -- \"$stage\"' EXIT\ntrap 'exit 1' HUP INT TERM PIPE\n\
             mkdir -m 700 -- \"$stage\" || broken\ntar -xmpf - -C \"$stage\" || broken\n\
             cd -- \"$stage/files\" && [ -e ../gone ] || broken 'the files did not arrive as a whole'\n\
             if [ -s ../sums ]; then sha256sum -c ../sums >/dev/null 2>&1 || broken 'the files did not arrive as they were read; did they change meanwhile?'; fi\n\
             {arrive}finish done"
        )
    }
}

fn tree_of(held: &Held, call: &Call) -> Result<Tree, Failure> {
    held.tree().map_err(|error| Failure::system(format!("read `{}`", call.str(0)), &error))
}

impl Open<'_> {
    fn is_empty(&self) -> bool {
        self.details.is_empty() && !self.is_new
    }

    fn change(&self, sending: &Sending, call: &Call) -> Option<Change> {
        if self.is_empty() {
            return None;
        }
        let word = if sending.is_folder { "folder" } else { "file" };
        let what = format!("{word} {} on {}", call.str(1).trim_end_matches('/'), call.receiver_str("name"));
        let is_new = self.is_new || !sending.is_folder && self.details.iter().all(|line| line.starts_with('+'));
        let mut change = Change::new(if is_new { Action::Create } else { Action::Update }, what);
        if sending.is_folder {
            change.detail = self.details.iter().take(SHOWN).cloned().collect();
            if self.details.len() > SHOWN {
                change.detail.push(format!("and {} more", self.details.len() - SHOWN));
            }
        } else if !is_new {
            change.detail = self
                .details
                .iter()
                .map(|line| {
                    line.split_once(" (").map_or("content".into(), |(_, why)| why.trim_end_matches(')').to_owned())
                })
                .collect();
        }
        Some(change)
    }
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

fn lines(lines: impl Iterator<Item = String>) -> String {
    lines.fold(String::new(), |text, line| text + line.as_str() + "\n")
}
