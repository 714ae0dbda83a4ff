use super::placed::{RIGHTS, Rights};
use super::thing::{Made, Thing, line};
use super::{method, needs, touches_path};
use crate::drivers::ssh::{GO_HOME, quoted};
use crate::primitive::{Action, Arg, Call, Change, Effect, Failure, FileMode, Need, Spec, Touches, Ty, text_of};

crate::options! {
    /// Options of `ssh.directory`.
    pub struct Options {
        /// The permissions, as in `"0750"`. Without it an existing folder keeps its own and a new one gets `0755`.
        mode: Option<FileMode>,
        /// User and group, as in `"www-data:www-data"`. Without it an existing folder keeps its own.
        owner: Option<String>,
    }
}

/// Makes sure that there is a folder.
pub const DIRECTORY: Made<Directory> = Made::METHOD;

/// A folder, and whose it is.
pub struct Directory {
    path: String,
    options: Options,
}

static SPEC: Spec = Spec {
    options: Some(Options::SPEC),
    effect: Effect::Change,
    ..method(
        "directory",
        &[Arg::new("path", Ty::Str, "The folder; relative to the home of whoever makes it.")],
        "Makes sure that there is a folder, with those above it. Returns whether there was something to do.",
        r#"ssh("web-1").directory("/srv/shop", #{ owner: "deploy:deploy", mode: "0750" });"#,
    )
};

impl Directory {
    /// What its changes are changes of.
    fn what(&self) -> String {
        format!("folder {}", self.path)
    }
}

impl Thing for Directory {
    const SPEC: &'static Spec = &SPEC;

    fn wanted(call: &Call) -> Result<Self, Failure> {
        Ok(Self { path: call.str(0).to_owned(), options: call.options()? })
    }

    fn shown(call: &Call) -> String {
        format!("directory {}", call.str(0))
    }

    fn needs(call: &Call) -> Vec<Need> {
        needs(call, [Need::write(text_of(call.args.first()))])
    }

    fn touches(call: &Call) -> Touches {
        touches_path(call, call.str(0))
    }

    fn names(&self) -> Vec<String> {
        vec![self.what()]
    }

    fn look(&self) -> String {
        let path = quoted(&self.path);
        format!(
            "{GO_HOME}\nif [ -d {path} ]; then stat -L -c 'folder {RIGHTS}' -- {path}; \
             elif [ -e {path} ] || [ -L {path} ]; then finish other {path}; exit; fi\nfinish done"
        )
    }

    fn differs(&self, seen: &str) -> Result<Vec<Change>, Failure> {
        let what = self.what();
        let Some(rights) = line(seen, "folder") else { return Ok(vec![Change::new(Action::Create, what)]) };
        let detail = Rights::parse(rights).differences(self.options.mode, self.options.owner.as_deref());
        let change = (!detail.is_empty()).then(|| Change { detail, ..Change::new(Action::Update, what) });
        Ok(change.into_iter().collect())
    }

    fn make(&self, seen: &str) -> String {
        let path = quoted(&self.path);
        let mut text = format!("umask 022\nmkdir -p -- {path}\n");
        let new = line(seen, "folder").is_none().then_some(FileMode(0o755));
        if let Some(mode) = self.options.mode.or(new) {
            text.push_str(&format!("chmod {mode} -- {path}\n"));
        }
        if let Some(owner) = &self.options.owner {
            text.push_str(&format!("chown -- {} {path}\n", quoted(owner)));
        }
        text
    }
}
