use std::io::{ErrorKind, Result, Write};

/// A writer that takes a closed pipe for a reader who has seen enough: `runbook runs | head` ends quietly.
#[derive(Debug)]
pub struct Forgiving<W> {
    inner: W,
    closed: bool,
}

impl<W> Forgiving<W> {
    fn new(inner: W) -> Self {
        Self { inner, closed: false }
    }

    /// Has the reader gone away? What is written from then on goes nowhere.
    pub fn is_closed(&self) -> bool {
        self.closed
    }
}

/// Standard output, for data.
pub fn stdout() -> Forgiving<std::io::Stdout> {
    Forgiving::new(std::io::stdout())
}

/// Standard error, for everything meant for people.
pub fn stderr() -> Forgiving<std::io::Stderr> {
    Forgiving::new(std::io::stderr())
}

/// Says something to the person, beside the data.
pub fn note(text: &str) {
    // Without a standard error there is nobody to tell.
    let _ = writeln!(stderr(), "{text}");
}

impl<W: Write> Write for Forgiving<W> {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self.inner.write(bytes) {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(bytes.len())
            }
            result => result,
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self.inner.flush() {
            Err(error) if error.kind() == ErrorKind::BrokenPipe => {
                self.closed = true;
                Ok(())
            }
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
        let mut gone = Forgiving::new(Closed(ErrorKind::BrokenPipe));
        assert!(gone.write_all(b"line\n").and_then(|()| gone.flush()).is_ok());
        assert!(gone.is_closed());
        assert!(Forgiving::new(Closed(ErrorKind::StorageFull)).write_all(b"line\n").is_err());
    }
}
