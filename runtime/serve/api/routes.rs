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
    pub(super) does: Does,
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

const fn route(
    method: &'static str,
    path: &'static str,
    needs: Permission,
    does: Does,
    summary: &'static str,
) -> Route {
    Route { method, path, needs, summary, does }
}

/// All of them.
pub const ROUTES: &[Route] = &[
    route("GET", "/healthz", Permission::Anybody, Does::Health, "Does the service answer?"),
    route("GET", "/readyz", Permission::Anybody, Does::Ready, "Can it read its run log?"),
    route("GET", "/openapi.json", Permission::Anybody, Does::Document, "This document"),
    route("GET", "/metrics", Permission::Scope("metrics"), Does::Metrics, "Figures for Prometheus"),
    route("GET", "/v1/runs", Permission::Scope("read"), Does::Runs, "The newest runs: runbook, env, state, limit"),
    route("GET", "/v1/runs/{run}", Permission::Scope("read"), Does::Run, "A run with its calls"),
    route("GET", "/v1/runs/{run}/logs", Permission::Scope("read"), Does::Logs, "Its newest lines: limit, search"),
    route("GET", "/v1/runs/{run}/follow", Permission::Scope("read"), Does::Follow, "Its lines as server-sent events"),
    route("POST", "/v1/runs", Permission::Scope("start"), Does::Start, "Start: runbook, env, parameters"),
    route("POST", "/v1/runs/{run}/cancel", Permission::Scope("control"), Does::Cancel, "Stop it in good order"),
    route("POST", "/v1/runs/{run}/resume", Permission::Scope("control"), Does::Resume, "Go on with it"),
    route("POST", "/v1/runs/{run}/approve", Permission::Scope("approve"), Does::Approve, "Say yes: digest"),
    route("POST", "/v1/runs/{run}/reject", Permission::Scope("approve"), Does::Reject, "Say no: reason"),
    route("GET", "/v1/schedules", Permission::Scope("read"), Does::Schedules, "The schedules and their next fires"),
    route("GET", "/v1/fires", Permission::Scope("read"), Does::Fires, "The ledger: schedule, limit"),
    route("POST", "/v1/schedules/{name}/pause", Permission::Scope("schedule"), Does::Pause, "Keep it from running"),
    route("POST", "/v1/schedules/{name}/resume", Permission::Scope("schedule"), Does::Unpause, "Let it run again"),
    route("GET", "/v1/backups", Permission::Scope("read"), Does::Backups, "The jobs that are backed up, and how old"),
    route("GET", "/v1/backups/{name}", Permission::Scope("read"), Does::Snapshots, "The snapshots of a repository"),
    route("GET", "/v1/statistics", Permission::Scope("read"), Does::Statistics, "How the newest runs went"),
    route("GET", "/v1/notices", Permission::Scope("read"), Does::Notices, "Who was told what"),
    route("POST", "/hooks/{name}", Permission::Signature, Does::Webhook, "Somebody else's event, signed"),
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
