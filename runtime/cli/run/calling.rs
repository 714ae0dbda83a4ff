use std::io::stdin;
use std::str::FromStr;

use crate::failure::{Failure, FailureKind};
use crate::journal::FireTicket;

/// How a worker of the service learns which fire it runs for.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Calling {
    /// It is told so with everything else.
    Known(FireTicket),
    /// It prepares its run, and is told on standard input when its time has come.
    Awaited,
}

impl Calling {
    /// The ticket with which the run may begin. Waits for it as long as somebody is there who could give it: whoever does not need
    /// this run after all, or dies, closes the other end.
    pub(in crate::cli) fn ticket(self) -> Result<FireTicket, Failure> {
        let text = match self {
            Self::Known(ticket) => return Ok(ticket),
            Self::Awaited => std::io::read_to_string(stdin().lock()),
        };
        let text = text.map_err(|error| Failure::system("read which fire this run is for", &error))?;
        text.trim().parse().map_err(|_| Failure::new(FailureKind::Cancelled, "nobody gave this run a fire to begin"))
    }
}

impl FromStr for Calling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::Awaited) } else { text.parse().map(Self::Known) }
    }
}
