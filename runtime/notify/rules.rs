//! Which way something goes, and when.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::Happening;
use crate::journal::NewNotice;
use crate::project::{Channel, NotifyEvent, NotifyRule, NotifySection};
use crate::units::Span;

/// The notices that rules make of what happened.
pub(super) fn notices(section: &NotifySection, happenings: &[Happening], now: i64) -> Vec<NewNotice> {
    let mut notices: Vec<NewNotice> = Vec::new();
    for happening in happenings {
        for (number, rule) in section.rule.iter().enumerate() {
            if happening.rule.is_some_and(|only| only != number) {
                continue;
            }
            for name in &rule.to {
                let Some(channel) = section.channel.get(name).filter(|channel| wants(rule, channel, happening)) else {
                    continue;
                };
                let is_ping = matches!(channel, Channel::Ping { .. });
                let due = if is_ping { now } else { due(rule, happening.message.event, now) };
                let message = &happening.message;
                notices.push(NewNotice {
                    subject: happening.subject.clone(),
                    channel: name.clone(),
                    environment: message.environment.clone(),
                    message: serde_json::to_value(message).unwrap_or_default(),
                    due,
                    bundled: due > now,
                    expires: due.saturating_add(seconds(section.give_up)),
                });
            }
        }
    }
    notices
}

/// Is it the rule's business, on that channel?
fn wants(rule: &NotifyRule, channel: &Channel, happening: &Happening) -> bool {
    use NotifyEvent::{Cancelled, Failed, Started, Succeeded};
    let message = &happening.message;
    let event = message.event;
    let by_event = match channel {
        Channel::Ping { start, success, failure, .. } => {
            let has_url = match event {
                Started => start.is_some(),
                Succeeded => success.is_some(),
                Failed | Cancelled => failure.is_some(),
                _ => false,
            };
            has_url && (rule.events.is_empty() || rule.events.contains(&event))
        }
        // Whoever is told of all that fails is told once.
        _ if rule.events.is_empty() => {
            NotifyEvent::TROUBLE.contains(&event)
                && event != NotifyEvent::DrillFailed
                && (event != NotifyEvent::TooLong || rule.longer_than.is_some())
        }
        _ => rule.events.contains(&event),
    };
    by_event && is_about(rule, &message.environment, &message.runbook)
}

/// Is a rule about that runbook on that environment?
pub(super) fn is_about(rule: &NotifyRule, environment: &str, runbook: &str) -> bool {
    let names = [runbook, runbook.trim_end_matches(".rhai")];
    (rule.env.is_empty() || rule.env.iter().any(|pattern| fits(pattern, environment)))
        && (rule.runbook.is_empty() || rule.runbook.iter().any(|pattern| names.iter().any(|name| fits(pattern, name))))
}

/// When it is sent: at once, at the end of the rule's span, or when nobody sleeps any more.
fn due(rule: &NotifyRule, event: NotifyEvent, now: i64) -> i64 {
    if rule.urgent.contains(&event) {
        return now;
    }
    let due = match rule.digest.map(seconds) {
        Some(span) if span > 0 => (now / span + 1) * span,
        _ => now,
    };
    end_of_quiet(rule, due).unwrap_or(due)
}

/// When the quiet hours end in which that second is; none when it is in none.
fn end_of_quiet(rule: &NotifyRule, at: i64) -> Option<i64> {
    let quiet = rule.quiet?;
    let zone = rule.zone.as_ref().and_then(|name| TimeZone::get(name).ok()).unwrap_or_else(TimeZone::system);
    let here = Timestamp::from_second(at).ok()?.to_zoned(zone.clone());
    let (time, date) = (here.time(), here.date());
    let over_midnight = quiet.until < quiet.from;
    let is_quiet =
        if over_midnight { time >= quiet.from || time < quiet.until } else { time >= quiet.from && time < quiet.until };
    if !is_quiet {
        return None;
    }
    let day = if over_midnight && time >= quiet.from { date.tomorrow().ok()? } else { date };
    Some(day.to_datetime(quiet.until).to_zoned(zone).ok()?.timestamp().as_second())
}

/// Does a text fit a pattern, in which `*` stands for any text?
fn fits(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = text.strip_prefix(parts.next().unwrap_or_default()) else { return false };
    let parts: Vec<&str> = parts.collect();
    let Some((last, between)) = parts.split_last() else { return rest.is_empty() };
    for part in between {
        let Some(place) = rest.find(part) else { return false };
        rest = &rest[place + part.len()..];
    }
    rest.ends_with(last)
}

fn seconds(span: Span) -> i64 {
    i64::try_from(span.0.as_secs()).unwrap_or(i64::MAX / 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_text() {
        for (pattern, text, wanted) in [
            ("prod", "prod", true),
            ("prod", "prod-eu", false),
            ("prod*", "prod-eu", true),
            ("*", "", true),
            ("*deploy*", "shop/deploy-api", true),
            ("a*a", "a", false),
            ("a*b*c", "a-b-c", true),
            ("a*b*c", "acb", false),
        ] {
            assert_eq!(fits(pattern, text), wanted, "{pattern} {text}");
        }
    }

    #[test]
    fn nobody_is_woken_but_for_what_is_urgent() {
        let quiet = crate::project::Quiet::try_from("22:00-07:00".to_owned()).unwrap();
        let rule = NotifyRule {
            quiet: Some(quiet),
            zone: Some("Europe/Berlin".into()),
            urgent: vec![NotifyEvent::Failed],
            ..NotifyRule::default()
        };
        let at = |text: &str| text.parse::<Timestamp>().unwrap().as_second();
        let evening = at("2026-03-28T22:30:00+01:00");
        // The clocks are changed in that night.
        assert_eq!(due(&rule, NotifyEvent::Missed, evening), at("2026-03-29T07:00:00+02:00"));
        assert_eq!(due(&rule, NotifyEvent::Failed, evening), evening);
        let night = at("2026-03-29T03:30:00+02:00");
        assert_eq!(due(&rule, NotifyEvent::Missed, night), at("2026-03-29T07:00:00+02:00"));
        let noon = at("2026-03-29T12:00:00+02:00");
        assert_eq!(due(&rule, NotifyEvent::Missed, noon), noon);
    }

    #[test]
    fn what_happens_within_a_span_is_due_together() {
        let rule = NotifyRule { digest: Some(Span::seconds(600)), ..NotifyRule::default() };
        assert_eq!(due(&rule, NotifyEvent::Failed, 1_201), 1_800);
        assert_eq!(due(&rule, NotifyEvent::Failed, 1_799), 1_800);
        assert_eq!(due(&rule, NotifyEvent::Failed, 1_800), 2_400);
    }
}
