//! What a container of another host prints, cut there into pieces, of which only those travel that are not known here.

use super::program::{Program, Pumping};
use super::size;
use crate::drivers::cut::{Order, Printed, print};
use crate::primitive::{Context, Failure, LogStream};

/// Runs a program where it is and hands on what it prints; returns its exit code. `None` when it was not run: it is nowhere else, nothing is
/// known of it, or that host has no `runbook` like this one.
pub async fn cut(
    program: &Program,
    context: &Context<'_>,
    on_bytes: &mut (dyn FnMut(&[u8]) + Send),
    on_line: &mut (dyn FnMut(&str) + Send),
    pumping: Option<Pumping<'_>>,
) -> Result<Option<i64>, Failure> {
    let Some((Pumping { known: Some(known), within, .. }, container)) = pumping.zip(program.container.as_ref()) else {
        return Ok(None);
    };
    let engine = context.drivers.docker(program.engine.as_deref())?;
    let Some(host) = engine.host().map(|target| target.name.clone()) else { return Ok(None) };
    let request = program.request();
    let order = Order {
        container: container.clone(),
        command: request.command,
        user: request.user,
        env: request.env,
        limit: within.0,
    };
    match print(context.drivers.ssh(), &engine, order, known, on_bytes, on_line).await? {
        Printed::Not(why) => {
            context.log(LogStream::Info, &format!("all of it travels from `{host}`: {why}"));
            Ok(None)
        }
        Printed::Cut(finished, came) => {
            let (travelled, all) = (size(came.travelled), size(came.bytes));
            context.log(LogStream::Info, &format!("{travelled} of {all} travelled from `{host}`"));
            program.code_of(finished).map(Some)
        }
    }
}
