//! How a message looks to those who get it.

use serde_json::{Value, json};

use super::Message;
use super::message::shown;

/// Letters that Discord takes.
const DISCORD: usize = 1_900;

/// Letters of a text in other chats.
const CHAT: usize = 10_000;

/// For a program: the message, or several.
pub(super) fn document(messages: &[Message]) -> Value {
    match messages {
        [message] => serde_json::to_value(message).unwrap_or_default(),
        messages => json!({ "event": "digest", "messages": messages }),
    }
}

/// For Slack and whatever understands its incoming webhooks.
pub(super) fn slack(messages: &[Message]) -> Value {
    let escape = |text: &str| text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    json!({ "text": cut(&marked_up(messages, "*", escape), CHAT) })
}

/// For Discord: nobody is called by what a run said.
pub(super) fn discord(messages: &[Message]) -> Value {
    let text = marked_up(messages, "**", str::to_owned);
    json!({ "content": cut(&text, DISCORD), "allowed_mentions": { "parse": [] } })
}

/// For a workflow of Teams that posts a card.
pub(super) fn teams(messages: &[Message]) -> Value {
    let block = |text: String| json!({ "type": "TextBlock", "text": text, "wrap": true });
    let mut body = Vec::new();
    for message in messages {
        body.push(
            json!({ "type": "TextBlock", "text": message.summary, "wrap": true, "weight": "Bolder", "size": "Medium" }),
        );
        let facts: Vec<Value> =
            message.details().into_iter().map(|(title, value)| json!({ "title": title, "value": value })).collect();
        body.push(json!({ "type": "FactSet", "facts": facts }));
        for piece in &message.evidence {
            body.push(block(piece.title.clone()));
            body.push(
                json!({ "type": "TextBlock", "text": shown(&piece.text), "wrap": true, "fontType": "Monospace" }),
            );
        }
        body.push(block(format!("next: {}", message.command)));
    }
    let card = json!({
        "$schema": "http://adaptivecards.io/schemas/adaptive-card.json", "type": "AdaptiveCard", "version": "1.4", "body": body,
    });
    json!({
        "type": "message",
        "attachments": [{ "contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": null, "content": card }],
    })
}

/// Subject and text of a mail.
pub(super) fn mail(messages: &[Message]) -> (String, String) {
    let project = messages.first().map(|message| message.project.clone()).unwrap_or_default();
    let subject = match messages {
        [message] => message.summary.clone(),
        messages => format!("{} notifications", messages.len()),
    };
    let one_line = format!("[{project}] {subject}").replace(|c: char| c.is_control(), " ");
    let texts: Vec<String> = messages.iter().map(Message::text).collect();
    (one_line, texts.join(&format!("\n{}\n\n", "-".repeat(60))))
}

fn marked_up(messages: &[Message], bold: &str, escape: impl Fn(&str) -> String) -> String {
    let of = |message: &Message| {
        let mut text = format!("{bold}{}{bold}\n", escape(&message.summary));
        for (name, value) in message.details() {
            text.push_str(&format!("{name}: {}\n", escape(&value)));
        }
        for piece in &message.evidence {
            let fenced = shown(&piece.text).replace("```", "'''");
            text.push_str(&format!("{}:\n```\n{}\n```\n", escape(&piece.title), escape(fenced.trim_end())));
        }
        text.push_str(&format!("next: `{}`", escape(&message.command)));
        text
    };
    messages.iter().map(of).collect::<Vec<_>>().join("\n\n")
}

fn cut(text: &str, letters: usize) -> String {
    if text.chars().count() <= letters {
        text.to_owned()
    } else {
        text.chars().take(letters - 1).chain(['…']).collect()
    }
}
