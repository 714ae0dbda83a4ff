//! Literal addresses that are not URLs.

use super::super::cx::{Callee, Cx};
use super::super::finding::{Details, error};
use super::super::tree::{Kind, Node};
use super::super::walk::Lint;
use crate::failure::nearest;

pub(super) struct Addresses;

impl Lint for Addresses {
    fn node<'a>(&mut self, cx: &mut Cx<'a>, node: &'a Node) {
        let Some(call) = node.call() else { return };
        let Callee::Primitive(spec) = cx.callee(call) else { return };
        for (_, argument) in spec.args.iter().zip(&call.args).filter(|(arg, _)| arg.name == "url") {
            match &argument.kind {
                Kind::Text(text) => check(cx, argument, text),
                Kind::List(items) => {
                    for item in items {
                        if let Kind::Text(text) = &item.kind {
                            check(cx, item, text);
                        }
                    }
                }
                _ => {}
            }
        }
    }
}

fn check(cx: &mut Cx<'_>, node: &Node, text: &str) {
    let finding = |why: &str| error("wrong-url", node.at, format!("`{text}` is not a URL: {why}"));
    let local = text.starts_with("localhost") || text.starts_with("127.") || text.starts_with("[::1]");
    let scheme = if local { "http" } else { "https" };
    let found = match text.split_once("://") {
        None if text.starts_with('/') => {
            finding("it has no host").hint("write `env::url + \"/path\"`, or the whole address")
        }
        None => {
            let rest = text.trim_start_matches("http:").trim_start_matches("https:").trim_start_matches('/');
            let whole = format!("{scheme}://{rest}");
            finding("`http://` or `https://` is missing")
                .hint(format!("did you mean `{whole}`?"))
                .replace(format!("\"{whole}\""))
        }
        Some(("http" | "https", rest)) => {
            let host = rest.split(['/', '?', '#']).next().unwrap_or_default();
            let host = host.rsplit('@').next().unwrap_or_default();
            let (name, port) = if host.starts_with('[') {
                host.split_once("]:").map_or((host, None), |(name, port)| (name, Some(port)))
            } else {
                host.split_once(':').map_or((host, None), |(name, port)| (name, Some(port)))
            };
            if name.is_empty() {
                finding("it has no host")
            } else if text.contains(char::is_whitespace) {
                finding("it has a space in it")
            } else if port.is_some_and(|port| !port.is_empty() && port.parse::<u16>().is_err()) {
                finding("its port is not a number up to 65535")
            } else {
                return;
            }
        }
        Some((other, rest)) => {
            let problem = finding(&format!("`{other}` is not `http` or `https`"));
            match nearest(other, ["http", "https"]) {
                Some(near) => {
                    problem.hint(format!("did you mean `{near}://{rest}`?")).replace(format!("\"{near}://{rest}\""))
                }
                None => problem,
            }
        }
    };
    cx.report(found);
}
