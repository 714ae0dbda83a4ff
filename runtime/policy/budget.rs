use serde::{Deserialize, Serialize};

use crate::primitive::{Action, Change};

/// How much of what hurts a run may do at most. What is not limited may be done as often as is granted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Budget {
    /// Containers that are stopped, replaced, restarted or removed.
    pub containers: Option<usize>,
    /// Volumes that are removed.
    pub volumes: Option<usize>,
}

/// What a run has used of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    containers: usize,
    volumes: usize,
}

/// Details by which a change of a container says that it does not go on running as it did.
const INTERRUPTED: &[&str] = &["stopped", "restarted"];

impl Budget {
    /// Reads `containers 5, volumes 0`; the error says what is wrong.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut budget = Self::default();
        for part in text.split([',', ';']).map(str::trim).filter(|part| !part.is_empty()) {
            let (name, number) = part.split_once(char::is_whitespace).unwrap_or((part, ""));
            let limit = number.trim().parse().map_err(|_| format!("`{part}` names no number: {FORM}"))?;
            match name {
                "containers" => budget.containers = Some(limit),
                "volumes" => budget.volumes = Some(limit),
                _ => return Err(format!("nothing called `{name}` is counted: {FORM}")),
            }
        }
        if budget == Self::default() { Err(FORM.to_owned()) } else { Ok(budget) }
    }

    /// The smaller limit of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let least = |one: Option<usize>, other: Option<usize>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { containers: least(self.containers, other.containers), volumes: least(self.volumes, other.volumes) }
    }

    /// Is anything limited?
    pub fn limits_anything(&self) -> bool {
        *self != Self::default()
    }

    /// What would be too much once this is spent, in words.
    pub fn exceeded_by(&self, spent: Spent) -> Option<String> {
        let over = |limit: Option<usize>, spent: usize, done: &str| {
            let limit = limit.filter(|limit| spent > *limit)?;
            Some(format!("{spent} {done} of at most {limit}"))
        };
        over(self.containers, spent.containers, "containers stopped or replaced")
            .or_else(|| over(self.volumes, spent.volumes, "volumes removed"))
    }
}

const FORM: &str = "write it like `containers 5, volumes 0`";

impl Spent {
    /// What these changes come to.
    pub fn on(changes: &[Change]) -> Self {
        let of = |kind: &'static str| changes.iter().filter(move |change| change.what.starts_with(kind));
        let interrupts = |change: &&Change| match change.action {
            Action::Remove | Action::Replace => true,
            Action::Update => change.detail.iter().any(|line| INTERRUPTED.contains(&line.as_str())),
            Action::Create | Action::Run => false,
        };
        Self {
            containers: of("container ").filter(interrupts).count(),
            volumes: of("volume ").filter(|change| change.action == Action::Remove).count(),
        }
    }

    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self { containers: self.containers + other.containers, volumes: self.volumes + other.volumes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stops_containers_and_loses_data_is_counted() {
        let change = |action, what: &str| Change::new(action, what);
        let spent = Spent::on(&[
            change(Action::Replace, "container shop-web-1"),
            change(Action::Update, "container shop-web-2").detail("stopped"),
            change(Action::Update, "container shop-web-3").detail("started"),
            change(Action::Create, "container shop-web-4"),
            change(Action::Remove, "volume shop-data"),
            change(Action::Remove, "image shop:1"),
        ]);
        assert_eq!(spent, Spent { containers: 2, volumes: 1 });
        let budget = Budget::parse("containers 2, volumes 0").unwrap();
        assert_eq!(budget.exceeded_by(spent), Some("1 volumes removed of at most 0".into()));
        assert_eq!(budget.exceeded_by(Spent { volumes: 0, ..spent }), None);
        let again = Spent { volumes: 0, ..spent.and(spent) };
        assert_eq!(budget.exceeded_by(again), Some("4 containers stopped or replaced of at most 2".into()));
    }

    #[test]
    fn the_smaller_limit_counts() {
        let read = |text| Budget::parse(text).unwrap();
        assert_eq!(read("containers 5").and(read("containers 3; volumes 0")), read("containers 3, volumes 0"));
        for wrong in ["", "containers", "containers x", "images 3"] {
            assert!(Budget::parse(wrong).is_err(), "{wrong}");
        }
    }
}
