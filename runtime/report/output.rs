use std::io::{ErrorKind, Result, Write};

/// A writer that takes a closed pipe for a reader who has seen enough: `runbook runs | head` ends quietly.
#[derive(Debug)]
pub struct Forgiving<W>(W);

/// Standard output, for data.
pub fn stdout() -> Forgiving<std::io::Stdout> {
    Forgiving(std::io::stdout())
}

/// Standard error, for everything meant for people.
pub fn stderr() -> Forgiving<std::io::Stderr> {
    Forgiving(std::io::stderr())
}

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.0.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(bytes.len()),
            result => result,
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self.0.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ErrorKind, Forgiving, Result, Write};

    struct Closed(ErrorKind);

    impl Write for Closed {
        fn write(&mut self, _: &[u8]) -> Result<usize> {
            Err(self.0.into())
        }
        fn flush(&mut self) -> Result<()> {
            Err(self.0.into())
        }
    }

    #[test]
    fn a_reader_that_went_away_is_no_error_but_a_full_disk_is() {
        let mut gone = Forgiving(Closed(ErrorKind::BrokenPipe));
        assert!(gone.write_all(b"line\n").and_then(|()| gone.flush()).is_ok());
        assert!(Forgiving(Closed(ErrorKind::StorageFull)).write_all(b"line\n").is_err());
    }
}
