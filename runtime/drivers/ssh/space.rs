//! How full a file system of a host is, as its `df` says.

use super::hosts::Hosts;
use super::script::Script;
use super::target::Target;
use super::words::{GO_HOME, quoted};
use crate::failure::Failure;

/// The longest answer of `df` that is read.
const LONGEST: usize = 16 << 10;

/// A file system of a host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Space {
    /// Where it is mounted.
    pub mount: String,
    /// Bytes.
    pub total: u64,
    /// Bytes that may still be written.
    pub free: u64,
    /// How full it is.
    pub used_percent: u64,
}

impl Space {
    /// The question for the file system that holds a path.
    pub fn question(path: &str) -> Script {
        let quoted = quoted(path);
        Script::new(format!(
            "{GO_HOME}\nif [ ! -e {quoted} ]; then finish absent {quoted}; exit; fi\n\
             if df -Pk -- {quoted}; then finish done; else finish failed; fi"
        ))
    }

    /// The second line of `df -Pk`: device, total, used, free, percent, mount.
    pub fn parse(answer: &str) -> Option<Self> {
        let mut words = answer.lines().nth(1)?.split_whitespace().skip(1);
        let mut number = || words.next()?.trim_end_matches('%').parse::<u64>().ok();
        let (total, _used, free, used_percent) = (number()?, number()?, number()?, number()?);
        let mount = words.collect::<Vec<_>>().join(" ");
        Some(Self { mount, total: total << 10, free: free << 10, used_percent })
    }
}

impl Hosts {
    /// The file system of a host that holds a path; `None` where nobody understands the answer.
    pub async fn space(&self, target: &Target, path: &str) -> Result<Option<Space>, Failure> {
        let (answer, _) = self.ask(target, &Space::question(path), LONGEST).await?;
        Ok(Space::parse(&String::from_utf8_lossy(&answer)))
    }
}

#[cfg(test)]
mod tests {
    use super::Space;

    #[test]
    fn the_answer_of_df_is_read() {
        let text = "Filesystem     1024-blocks      Used Available Capacity Mounted on\n/dev/vda1 41152736  9123456 30121212      24% /my disk\n";
        let space = Space::parse(text).unwrap();
        assert_eq!((space.free, space.used_percent, space.mount.as_str()), (30_121_212 << 10, 24, "/my disk"));
        assert!(Space::parse("df: no\n").is_none());
    }
}
