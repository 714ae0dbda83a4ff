use std::io::{ErrorKind, Read, Write};
use std::process::ExitCode;

use clap::Args;

use super::{CommandResult, places};
use crate::failure::Failure;
use crate::report;
use crate::secrets::{Redactor, redactor_of};

/// How much is read at once.
const PIECE: usize = 64 << 10;

const EXAMPLES: &str = "\
Examples:
  docker compose logs api | runbook redact --env prod
  pg_dump --verbose shop 2>&1 >shop.sql | runbook redact --env prod";

/// Copy standard input to standard output with the secrets of an environment masked
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub struct Redact {
    /// The environment of the project file whose secrets are masked
    #[arg(short, long, value_name = "NAME")]
    env: Option<String>,
}

impl Redact {
    /// Copies until the input ends. Nothing is copied when the secrets cannot be had.
    pub fn run(self) -> CommandResult {
        let project = places::project_in(places::root_here()?, self.env.as_deref())?;
        let redactor = redactor_of(&project)?;
        copy(&redactor, &mut std::io::stdin().lock(), &mut report::stdout())
            .map_err(|error| Failure::system("copy the input", &error))?;
        Ok(ExitCode::SUCCESS)
    }
}

fn copy(redactor: &Redactor, input: &mut dyn Read, output: &mut dyn Write) -> std::io::Result<()> {
    let (mut stream, mut piece, mut out) = (redactor.stream(), vec![0; PIECE], Vec::new());
    loop {
        let read = match input.read(&mut piece) {
            Err(error) if error.kind() == ErrorKind::Interrupted => continue,
            read => read?,
        };
        if read == 0 {
            stream.finish(&mut out);
            return output.write_all(&out).and_then(|()| output.flush());
        }
        stream.push(&piece[..read], &mut out);
        if piece[..read].ends_with(b"\n") {
            // Whoever reads along sees whole lines.
            stream.pause(&mut out);
        }
        output.write_all(&out).and_then(|()| output.flush())?;
        out.clear();
    }
}
