use super::Place;
use super::xml::leaves;
use crate::drivers::http::Reply;
use crate::failure::{Failure, FailureKind};

/// An answer that is not what was asked for.
pub struct Refusal {
    pub failure: Failure,
    /// Would the same request be answered the same way?
    pub is_final: bool,
}

/// What an answer complains about; `None` for one that says what was asked, also that something is not there.
pub fn of(reply: &Reply, place: &Place, key: &str) -> Option<Refusal> {
    let text = String::from_utf8_lossy(&reply.body);
    let (code, said) = if reply.status < 300 { (String::new(), String::new()) } else { words(&text) };
    match reply.status {
        200 | 204 | 206 | 412 | 416 => return None,
        // A bucket that is not there is no file that is not there.
        404 if code == "NoSuchKey" || code.is_empty() && !key.is_empty() => return None,
        _ => {}
    }
    let (kind, hint) = match (reply.status, code.as_str()) {
        (_, "RequestTimeTooSkewed" | "RequestExpired") => {
            (FailureKind::Unauthorized, Some("this machine's clock differs from the server's: set it"))
        }
        (_, "SignatureDoesNotMatch") => (
            FailureKind::Unauthorized,
            Some("is `secret_key` the one that belongs to `access_key`, and `region` right?"),
        ),
        (_, "InvalidAccessKeyId") => (FailureKind::Unauthorized, Some("the server does not know this `access_key`")),
        (401 | 403, _) => (FailureKind::Unauthorized, Some("may this key do that in this bucket?")),
        (404, "NoSuchBucket") => {
            (FailureKind::NotFound, Some("make the bucket with the tools of whoever runs the server"))
        }
        (301 | 307 | 308, _) | (_, "AuthorizationHeaderMalformed" | "PermanentRedirect") => {
            (FailureKind::Invalid, Some("are the server's address, `region` and `style` right?"))
        }
        _ => (FailureKind::System, None),
    };
    let what = if key.is_empty() { String::new() } else { format!(" about `{key}`") };
    let mut message = format!("the server of `{}` answered {}{what}", place.shown(), reply.status);
    for word in [code.as_str(), said.as_str()].into_iter().filter(|word| !word.is_empty()) {
        message.push_str(": ");
        message.push_str(word);
    }
    let failure = Failure::new(kind, message);
    let is_final = reply.status < 500 && !matches!(reply.status, 408 | 429) && code != "SlowDown";
    Some(Refusal { failure: hint.map_or(failure.clone(), |hint| failure.hint(hint)), is_final })
}

/// The code and the message of an answer, as far as there are any.
fn words(text: &str) -> (String, String) {
    let (mut code, mut said) = (String::new(), String::new());
    for leaf in leaves(text).unwrap_or_default() {
        match leaf.path.last().map(String::as_str) {
            Some("Code") => code = leaf.text,
            Some("Message") => said = leaf.text.chars().filter(|c| !c.is_control()).take(300).collect(),
            _ => {}
        }
    }
    (code, said)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::drivers::bucket::Style;

    fn read(status: u16, body: &str, key: &str) -> Option<Refusal> {
        let place = Place::parse("https://fra1.example.com/shop", "fra1", Style::Path).unwrap();
        of(&Reply { status, headers: Vec::new(), body: body.to_owned().into() }, &place, key)
    }

    #[test]
    fn what_a_server_refuses_is_said_with_what_to_do() {
        let refused = read(403, "<Error><Code>SignatureDoesNotMatch</Code><Message>No.</Message></Error>", "config");
        let refused = refused.unwrap();
        assert!(refused.is_final && refused.failure.kind == FailureKind::Unauthorized);
        let said =
            "the server of `https://fra1.example.com/shop` answered 403 about `config`: SignatureDoesNotMatch: No.";
        assert_eq!(refused.failure.message, said);
        assert!(refused.failure.hints[0].contains("secret_key"));
        assert!(!read(503, "<Error><Code>SlowDown</Code></Error>", "x").unwrap().is_final);
        assert!(!read(500, "<html>", "x").unwrap().is_final);
        assert!(read(404, "<Error><Code>NoSuchKey</Code></Error>", "x").is_none());
        assert!(read(404, "<Error><Code>NoSuchBucket</Code></Error>", "x").unwrap().is_final);
        assert!(read(404, "", "").unwrap().is_final, "a listing is never missing");
    }
}
