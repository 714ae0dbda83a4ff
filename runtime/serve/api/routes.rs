/// What it takes to be let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// Nothing.
    Anybody,
    /// A token with this scope.
    Scope(&'static str),
    /// A signature of the body.
    Signature,
}

/// What can be asked.
#[derive(Clone, Copy, Debug)]
pub struct Route {
    /// The method.
    pub method: &'static str,
    /// The path; `{name}` stands for one part of it.
    pub path: &'static str,
    /// What it takes.
    pub needs: Permission,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What may stand behind the question mark.
    pub asks: &'static [Field],
    /// What its body may hold.
    pub takes: &'static [Field],
    pub(super) does: Does,
}

/// Something that may be said in a query or a body.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// Its name.
    pub name: &'static str,
    /// Its type, as JSON has it.
    pub kind: &'static str,
    /// Must it be said?
    pub is_needed: bool,
    /// What it is.
    pub summary: &'static str,
}

/// Who answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Does {
    Health,
    Ready,
    Document,
    Metrics,
    Runs,
    Run,
    Logs,
    Follow,
    Start,
    Cancel,
    Resume,
    Approve,
    Reject,
    Schedules,
    Fires,
    Pause,
    Unpause,
    Backups,
    Snapshots,
    Statistics,
    Notices,
    Webhook,
}

/// What tokens may be good for.
pub const SCOPES: [&str; 6] = ["read", "metrics", "start", "control", "approve", "schedule"];

const fn get(path: &'static str, scope: &'static str, does: Does, summary: &'static str) -> Route {
    Route { method: "GET", path, needs: Permission::Scope(scope), summary, asks: &[], takes: &[], does }
}

const fn post(path: &'static str, scope: &'static str, does: Does, summary: &'static str) -> Route {
    Route { method: "POST", ..get(path, scope, does, summary) }
}

/// What everybody may ask.
const fn open(path: &'static str, does: Does, summary: &'static str) -> Route {
    Route { needs: Permission::Anybody, ..get(path, "", does, summary) }
}

const fn text(name: &'static str, summary: &'static str) -> Field {
    Field { name, kind: "string", is_needed: false, summary }
}

const LIMIT: Field = Field { name: "limit", kind: "integer", is_needed: false, summary: "how many, from 1 to 1000" };

/// All of them.
pub const ROUTES: &[Route] = &[
    open("/healthz", Does::Health, "Does the service answer?"),
    open("/readyz", Does::Ready, "Can it read its run log?"),
    open("/openapi.json", Does::Document, "This document"),
    get("/metrics", "metrics", Does::Metrics, "Figures for Prometheus"),
    Route {
        asks: &[
            text("runbook", "of this runbook: its path, or its name with or without `.rhai`"),
            text("env", "on this environment"),
            text("state", "in one of these states, with commas"),
            LIMIT,
        ],
        ..get("/v1/runs", "read", Does::Runs, "The newest runs")
    },
    get("/v1/runs/{run}", "read", Does::Run, "A run with its calls"),
    Route {
        asks: &[text("search", "words that a line holds"), LIMIT],
        ..get("/v1/runs/{run}/logs", "read", Does::Logs, "Its newest lines")
    },
    get("/v1/runs/{run}/follow", "read", Does::Follow, "Its lines as server-sent events"),
    Route {
        takes: &[
            Field { is_needed: true, ..text("runbook", "its path in the project") },
            text("env", "the environment; the project's default one when left out"),
            Field { kind: "object", ..text("parameters", "its parameters, in their types") },
        ],
        ..post("/v1/runs", "start", Does::Start, "Start a run")
    },
    post("/v1/runs/{run}/cancel", "control", Does::Cancel, "Stop it in good order"),
    post("/v1/runs/{run}/resume", "control", Does::Resume, "Go on with it"),
    Route {
        takes: &[Field { is_needed: true, ..text("digest", "of what is agreed to, in `parked` of the run") }],
        ..post("/v1/runs/{run}/approve", "approve", Does::Approve, "Say yes")
    },
    Route { takes: &[text("reason", "why")], ..post("/v1/runs/{run}/reject", "approve", Does::Reject, "Say no") },
    get("/v1/schedules", "read", Does::Schedules, "The schedules and their next fires"),
    Route {
        asks: &[text("schedule", "of this schedule"), LIMIT],
        ..get("/v1/fires", "read", Does::Fires, "The ledger: what was expected, and what became of it")
    },
    post("/v1/schedules/{name}/pause", "schedule", Does::Pause, "Keep it from running"),
    post("/v1/schedules/{name}/resume", "schedule", Does::Unpause, "Let it run again"),
    get("/v1/backups", "read", Does::Backups, "The jobs that are backed up, and how old"),
    get("/v1/backups/{name}", "read", Does::Snapshots, "The snapshots of a repository"),
    get("/v1/statistics", "read", Does::Statistics, "How the newest runs went"),
    Route { asks: &[LIMIT], ..get("/v1/notices", "read", Does::Notices, "Who was told what") },
    Route { needs: Permission::Signature, ..post("/hooks/{name}", "", Does::Webhook, "Somebody else's event, signed") },
];

/// The route of a request, and what its variable part is.
pub(super) fn find<'a>(method: &str, path: &'a str) -> Option<(&'static Route, &'a str)> {
    ROUTES.iter().filter(|route| route.method == method).find_map(|route| {
        let (mut wanted, mut found, mut part) = (route.path.split('/'), path.split('/'), "");
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return Some((route, part)),
                (Some(name), Some(text)) if name.starts_with('{') && !text.is_empty() => part = text,
                (Some(one), Some(other)) if one == other => {}
                _ => return None,
            }
        }
    })
}
