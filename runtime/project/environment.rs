use serde_json::{Map, Value};

/// One `[env.NAME]` of the project file.
#[derive(Clone, Debug, Default)]
pub struct Environment {
    /// Its name.
    pub name: String,
    /// Does it ask for more care (`protected = true`)?
    pub protected: bool,
    /// Every key of the table, as scripts read them: `env::url`, `env::compose_files`.
    pub values: Map<String, Value>,
}

impl Environment {
    /// An environment with nothing in it.
    pub fn named(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    /// Do only strong values go here: is it protected, or named `prod` or `production`?
    pub fn is_for_production(&self) -> bool {
        self.protected || matches!(self.name.as_str(), "prod" | "production")
    }

    /// A string value.
    pub fn str(&self, key: &str) -> Option<&str> {
        self.values.get(key)?.as_str()
    }
}
