//! The primitives as the cases know them.

use runbook::primitive::{Arg, Effect, Spec, Ty};
use runbook::project::Environment;

mod options {
    use std::collections::BTreeMap;

    use runbook::primitive::Span;

    runbook::options! {
        /// Options of `compose`.
        pub struct Compose {
            /// The compose files.
            files: Vec<String>,
            /// Variables for them.
            env: BTreeMap<String, String>,
        }
    }
    runbook::options! {
        /// Options of `up`.
        pub struct Up {
            /// `stop-first` or `start-first`.
            order: Order = Order::StopFirst,
            /// How long to wait until services are healthy.
            wait: Span = Span::seconds(60),
            /// Only these services.
            services: Vec<String>,
        }
    }
    runbook::options! {
        /// Options of the other methods.
        pub struct Some {
            /// Only these services.
            services: Vec<String>,
            /// How many lines.
            tail: i64 = 100,
            /// How long until they are healthy.
            wait: Span = Span::seconds(60),
            /// How long at most.
            timeout: Span = Span::seconds(60),
        }
    }

    runbook::options! {
        /// Options of `template`.
        pub struct Template {
            /// The file to write.
            to: Option<String>,
            /// Its permissions.
            mode: Option<String>,
        }
    }

    #[derive(Clone, Copy, Debug, serde::Deserialize)]
    #[serde(rename_all = "kebab-case")]
    pub enum Order {
        StopFirst,
        StartFirst,
    }

    impl runbook::primitive::OptionType for Order {
        fn label() -> String {
            "`stop-first` or `start-first`".into()
        }
    }
}

const fn method(name: &'static str, args: &'static [Arg]) -> Spec {
    Spec {
        name,
        receiver: Some("compose"),
        args,
        options: Some(options::Some::SPEC),
        returns: None,
        effect: Effect::Change,
        summary: "For the cases.",
        example: "app.method()",
    }
}

static COMPOSE: Spec = Spec {
    name: "compose",
    receiver: None,
    args: &[Arg::new("name", Ty::Str, "The project's name.")],
    options: Some(options::Compose::SPEC),
    returns: Some("compose"),
    effect: Effect::Pure,
    summary: "A compose application.",
    example: "compose(\"shop\", #{ files: [\"compose.yaml\"] })",
};

static METHODS: &[Spec] = &[
    Spec {
        options: Some(options::Up::SPEC),
        ..method("up", &[Arg::optional("release", Ty::Handle("release"), "The release to put back.")])
    },
    Spec { options: None, ..method("check_env", &[]) },
    Spec { options: None, ..method("ps", &[]) },
    Spec {
        options: None,
        returns: Some("release"),
        ..method("release", &[Arg::optional("number", Ty::Int, "The number of a release.")])
    },
    Spec { options: None, returns: Some("release"), ..method("last_good", &[]) },
    Spec { options: None, ..method("releases", &[]) },
    method("pull", &[]),
    method("restart", &[Arg::optional("services", Ty::OneOf(&[Ty::Str, Ty::Strings]), "Which ones.")]),
    method("logs", &[Arg::new("service", Ty::Str, "Which one.")]),
    method("exec", &[Arg::new("service", Ty::Str, "Which one."), Arg::new("argv", Ty::Strings, "The command.")]),
    method("run", &[Arg::new("service", Ty::Str, "Which one."), Arg::new("argv", Ty::Strings, "The command.")]),
];

/// The primitives of the crate.
pub fn all() -> Vec<&'static Spec> {
    let mut specs = runbook::primitives::specs();
    if !specs.iter().any(|spec| spec.name == "compose") {
        specs.push(&COMPOSE);
        specs.extend(METHODS);
    }
    if !specs.iter().any(|spec| spec.name == "template") {
        specs.push(&TEMPLATE);
    }
    specs
}

/// What the compose files of the cases define; nobody knows those of others.
pub fn services(_: &Environment, files: &[String]) -> Option<Vec<String>> {
    if !files.iter().any(|file| file == "compose.yaml") {
        return None;
    }
    let mut services = vec!["api", "worker", "postgres", "redis"];
    if files.iter().any(|file| file == "compose.demo.yaml") {
        services.push("mailpit");
    }
    Some(services.into_iter().map(str::to_owned).collect())
}

static TEMPLATE: Spec = Spec {
    name: "template",
    receiver: None,
    args: &[
        Arg::new("source", Ty::OneOf(&[Ty::Str, Ty::Map]), "The template."),
        Arg::new("values", Ty::Map, "What it may use."),
    ],
    options: Some(options::Template::SPEC),
    returns: None,
    effect: Effect::Change,
    summary: "For the cases.",
    example: "template(\"Caddyfile.j2\", #{ domain: \"example.com\" })",
};
