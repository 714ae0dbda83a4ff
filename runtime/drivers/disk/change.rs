/// Which lines of a text differ from those of another.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LineChange {
    /// How many are new.
    pub added: usize,
    /// How many are gone.
    pub removed: usize,
    /// `- old` and `+ new`, in the order of the text.
    pub lines: Vec<String>,
}

/// The most lines on each side that are compared line by line; beyond it the differing middle counts as replaced.
const COMPARED: usize = 400;

/// The most lines shown, and the most characters of one.
const SHOWN: usize = 20;
const WIDTH: usize = 120;

impl LineChange {
    /// Compares two texts; `None` when one of them is no text.
    pub fn between(before: &[u8], after: &[u8]) -> Option<Self> {
        let (before, after) = (std::str::from_utf8(before).ok()?, std::str::from_utf8(after).ok()?);
        let (before, after): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
        let head = before.iter().zip(&after).take_while(|(old, new)| old == new).count();
        let (before, after) = (&before[head..], &after[head..]);
        let foot = before.iter().rev().zip(after.iter().rev()).take_while(|(old, new)| old == new).count();
        let (before, after) = (&before[..before.len() - foot], &after[..after.len() - foot]);
        let mut change = Self::default();
        if before.len() > COMPARED || after.len() > COMPARED {
            for line in before {
                change.remove(line);
            }
            for line in after {
                change.add(line);
            }
        } else {
            change.walk(before, after);
        }
        Some(change)
    }

    /// `+3 -1 lines`.
    pub fn summary(&self) -> String {
        match (self.added, self.removed) {
            (added, 0) => format!("+{added} lines"),
            (0, removed) => format!("-{removed} lines"),
            (added, removed) => format!("+{added} -{removed} lines"),
        }
    }

    /// The lines for a log, at most 20.
    pub fn shown(&self) -> Vec<String> {
        let mut shown: Vec<String> = self.lines.iter().take(SHOWN).cloned().collect();
        if self.lines.len() > SHOWN {
            shown.push(format!("… and {} more lines", self.lines.len() - SHOWN));
        }
        shown
    }

    /// Walks both texts along their longest common subsequence.
    fn walk(&mut self, before: &[&str], after: &[&str]) {
        let width = after.len() + 1;
        let mut common = vec![0_u16; (before.len() + 1) * width];
        for old in (0..before.len()).rev() {
            for new in (0..after.len()).rev() {
                common[old * width + new] = if before[old] == after[new] {
                    common[(old + 1) * width + new + 1] + 1
                } else {
                    common[(old + 1) * width + new].max(common[old * width + new + 1])
                };
            }
        }
        let (mut old, mut new) = (0, 0);
        while old < before.len() || new < after.len() {
            if old < before.len() && new < after.len() && before[old] == after[new] {
                (old, new) = (old + 1, new + 1);
            } else if new == after.len()
                || (old < before.len() && common[(old + 1) * width + new] >= common[old * width + new + 1])
            {
                self.remove(before[old]);
                old += 1;
            } else {
                self.add(after[new]);
                new += 1;
            }
        }
    }

    fn add(&mut self, line: &str) {
        self.added += 1;
        self.lines.push(format!("+ {}", cut(line)));
    }

    fn remove(&mut self, line: &str) {
        self.removed += 1;
        self.lines.push(format!("- {}", cut(line)));
    }
}

fn cut(line: &str) -> String {
    if line.chars().count() <= WIDTH { line.to_owned() } else { line.chars().take(WIDTH - 1).chain(['…']).collect() }
}
