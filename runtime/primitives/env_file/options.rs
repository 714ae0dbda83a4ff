use serde::de::Error;
use serde::{Deserialize, Deserializer};

use crate::primitive::{FileMode, OptionType};
use crate::primitives::schema::Schema;
use crate::secrets::env_file::Dialect;

crate::options! {
    /// Options of `env_file`.
    pub struct Options {
        /// Who reads the file: `"compose"`, `"docker"`, `"systemd"`, `"dotenv"`, or a list of them.
        dialect: Dialects = Dialects(vec![Dialect::Compose]),
        /// Rules about the values, checked before anything is written.
        schema: Schema = Schema::default(),
        /// Leave the other variables and the comments of the file as they are; otherwise they go.
        merge: bool = false,
        /// Comment lines at the top of the file, without `#`. Not together with `merge`.
        comment: String = String::new(),
        /// The permissions, as in `"0640"`; others than the owner and the group get none.
        mode: FileMode = FileMode(0o600),
    }
}

/// The readers of a file, at least one.
#[derive(Clone, Debug)]
pub struct Dialects(pub Vec<Dialect>);

impl OptionType for Dialects {
    fn label() -> String {
        "string or list of strings".to_owned()
    }
}

impl<'de> Deserialize<'de> for Dialects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "a string or a list of strings")]
        enum Names {
            One(String),
            Several(Vec<String>),
        }
        let names = match Names::deserialize(deserializer)? {
            Names::One(name) => vec![name],
            Names::Several(names) => names,
        };
        let known = || Dialect::ALL.map(|dialect| format!("`{}`", dialect.name())).join(", ");
        let dialect =
            |name: &String| Dialect::named(name).ok_or_else(|| D::Error::custom(format!("must be one of {}", known())));
        let dialects: Vec<Dialect> = names.iter().map(dialect).collect::<Result<_, _>>()?;
        if dialects.is_empty() {
            Err(D::Error::custom(format!("must name one of {}", known())))
        } else {
            Ok(Self(dialects))
        }
    }
}
