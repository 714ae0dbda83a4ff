use std::io::IsTerminal;

/// How much the console says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verbosity {
    /// `-q`: failures, warnings and the summary.
    Quiet,
    /// Steps and the calls made directly in them.
    #[default]
    Normal,
    /// `-v`: every call with its arguments and its log lines.
    Verbose,
}

/// What the output can show: colours, Unicode marks, redrawn lines, and how wide it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Style {
    /// Colours and bold; nothing is ever told by colour alone.
    pub color: bool,
    /// `✓` and `…` rather than `+` and `...`.
    pub unicode: bool,
    /// Columns.
    pub width: usize,
    /// A terminal, on which running lines are redrawn.
    pub terminal: bool,
    /// How much to say.
    pub verbosity: Verbosity,
}

/// The columns assumed when nobody says.
const WIDTH: usize = 80;

impl Style {
    /// 80 columns without colours, as in a pipe.
    pub const fn plain() -> Self {
        Self { color: false, unicode: true, width: WIDTH, terminal: false, verbosity: Verbosity::Normal }
    }

    /// What standard error can show.
    ///
    /// `NO_COLOR` (<https://no-color.org>) and `TERM=dumb` switch colours off, `CLICOLOR_FORCE` switches them on in a
    /// pipe, `COLUMNS` overrides the width, and a locale that says anything but UTF-8 switches to ASCII marks.
    pub fn detect() -> Self {
        Self::from_environment(std::io::stderr().is_terminal(), &|name| std::env::var(name).ok())
    }

    /// What standard output can show, for the commands whose answer is data.
    pub fn detect_stdout() -> Self {
        Self::from_environment(std::io::stdout().is_terminal(), &|name| std::env::var(name).ok())
    }

    /// The same, with another verbosity.
    #[must_use]
    pub fn verbosity(self, verbosity: Verbosity) -> Self {
        Self { verbosity, ..self }
    }

    fn from_environment(is_terminal: bool, variable: &dyn Fn(&str) -> Option<String>) -> Self {
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let terminal = is_terminal && set("TERM").is_none_or(|term| term != "dumb");
        let forced = set("CLICOLOR_FORCE").is_some_and(|value| value != "0");
        let columns = set("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns >= 20);
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].iter().find_map(|name| set(name));
        Self {
            color: set("NO_COLOR").is_none() && (terminal || forced),
            unicode: locale.is_none_or(|locale| is_utf8(&locale)),
            width: columns.or_else(|| terminal.then(terminal_width).flatten()).unwrap_or(WIDTH),
            terminal,
            verbosity: Verbosity::Normal,
        }
    }

    /// The columns a line may take. A terminal's last one stays free: some begin a new line as soon as it is filled.
    pub(super) fn columns(self) -> usize {
        if self.terminal { self.width.saturating_sub(1) } else { self.width }
    }

    pub(super) fn paint(self, paint: Paint, text: &str) -> String {
        if self.color && !text.is_empty() { format!("\x1b[{}m{text}\x1b[0m", paint.code()) } else { text.to_owned() }
    }

    pub(super) fn pick(self, unicode: &'static str, ascii: &'static str) -> &'static str {
        if self.unicode { unicode } else { ascii }
    }
}

/// The width of the terminal on standard error now.
pub(super) fn terminal_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    Some(usize::from(size.ws_col)).filter(|columns| *columns > 0)
}

/// The height of the terminal on standard error now.
pub(super) fn terminal_height() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stderr()).ok()?;
    Some(usize::from(size.ws_row)).filter(|rows| *rows > 0)
}

fn is_utf8(locale: &str) -> bool {
    let locale = locale.to_ascii_lowercase();
    locale.contains("utf-8") || locale.contains("utf8")
}

/// The few colours in use, by meaning.
#[derive(Clone, Copy)]
pub(super) enum Paint {
    /// Went well.
    Good,
    /// Failed.
    Bad,
    /// Wants attention.
    Warning,
    /// A hint, or something that runs.
    Active,
    /// A heading.
    Strong,
    /// Of less interest.
    Faint,
}

impl Paint {
    const fn code(self) -> &'static str {
        match self {
            Self::Good => "32",
            Self::Bad => "1;31",
            Self::Warning => "33",
            Self::Active => "36",
            Self::Strong => "1",
            Self::Faint => "2",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Style;

    fn style(is_terminal: bool, variables: &[(&str, &str)]) -> Style {
        Style::from_environment(is_terminal, &|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn no_color_wins_over_a_terminal_and_over_force() {
        assert!(style(true, &[("TERM", "xterm")]).color);
        assert!(!style(true, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")]).color);
        assert!(style(true, &[("NO_COLOR", "")]).color, "an empty NO_COLOR does not count");
    }

    #[test]
    fn a_pipe_has_80_columns_and_no_colours_unless_told_otherwise() {
        assert_eq!(style(false, &[]), Style::plain());
        assert_eq!(style(false, &[("COLUMNS", "120")]).width, 120);
        assert!(style(false, &[("CLICOLOR_FORCE", "1")]).color);
    }

    #[test]
    fn a_dumb_terminal_is_not_redrawn() {
        assert!(!style(true, &[("TERM", "dumb")]).terminal);
    }

    #[test]
    fn marks_are_ascii_only_where_the_locale_says_so() {
        assert!(style(false, &[]).unicode);
        assert!(!style(false, &[("LANG", "C")]).unicode);
        assert!(style(false, &[("LC_ALL", "en_US.UTF-8"), ("LANG", "C")]).unicode);
    }
}
