use std::io::stdin;
use std::str::FromStr;

use crate::failure::{Failure, FailureKind};
use crate::journal::{Begun, FireTicket};
use crate::report;
use crate::run::Start;

/// How a worker of the service learns which fire it runs for.
#[derive(Clone, Debug)]
pub(in crate::cli) enum Calling {
    /// It is told so with everything else.
    Known(FireTicket),
    /// It prepares its run, says on standard output what is to be written of it, and is told on standard input when its time has come.
    Awaited,
}

impl Calling {
    /// The ticket with which the run may begin, or the run that was begun for this process. Waits for it as long as somebody is
    /// there who could give it: whoever does not need this run after all, or dies, closes the other end.
    pub(in crate::cli) fn answered(self, start: &Start) -> Result<(Option<FireTicket>, Option<Begun>), Failure> {
        if let Self::Known(ticket) = self {
            return Ok((Some(ticket), None));
        }
        let offered = start.offer();
        if let Some((offer, _)) = &offered {
            // Unheard, it begins by itself.
            let _ = report::json_line(&mut report::stdout(), offer);
        }
        let text = std::io::read_to_string(stdin().lock());
        // Whoever began it may have died before it could say so.
        if let Some((_, offered)) = offered
            && let Some(begun) = start.journal.take_offered(offered)?
        {
            return Ok((None, Some(begun)));
        }
        let text = text.map_err(|error| Failure::system("read which fire this run is for", &error))?;
        let ticket = text.trim().parse();
        let ticket = ticket.map_err(|_| Failure::new(FailureKind::Cancelled, "nobody gave this run a fire to begin"));
        Ok((Some(ticket?), None))
    }
}

impl FromStr for Calling {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "-" { Ok(Self::Awaited) } else { text.parse().map(Self::Known) }
    }
}
