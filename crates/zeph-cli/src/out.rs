//! Output: lines on stdout without panics, logs on stderr with `-v`.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::Display;
use std::io::{self, ErrorKind, IsTerminal as _, Write as _};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstyle::{AnsiColor, Style};
use tracing_subscriber::EnvFilter;

/// The first error of a write to stdout, except for a closed pipe.
static FAILURE: OnceLock<io::Error> = OnceLock::new();

/// Prints a line on stdout and flushes it. A closed pipe is not an error.
pub(crate) fn line(text: impl Display) {
    self::text(format!("{text}\n"));
}

/// Prints a text on stdout without adding a line end.
pub(crate) fn text(text: impl Display) {
    let mut stdout = anstream::stdout().lock();
    keep_error(write!(stdout, "{text}").and_then(|()| stdout.flush()));
}

/// Writes bytes to stdout unchanged.
pub(crate) fn bytes(bytes: &[u8]) {
    let mut stdout = io::stdout().lock();
    keep_error(stdout.write_all(bytes).and_then(|()| stdout.flush()));
}

/// Standard output for a writer of bytes. A closed pipe is not an error.
#[derive(Debug, Default)]
pub(crate) struct Stdout;

impl io::Write for Stdout {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = io::stdout().lock().write_all(bytes);
        keep_error(written);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        keep_error(io::stdout().lock().flush());
        Ok(())
    }
}

/// Prints one JSON value as a line on stdout, with escapes for characters that could control a terminal.
pub(crate) fn json(value: &serde_json::Value) {
    line(escaped(&value.to_string()));
}

/// JSON text with `\u` escapes for characters that hide or reorder text. JSON allows such characters only
/// in strings, where the escape has the same meaning.
fn escaped(json: &str) -> Cow<'_, str> {
    if json.is_ascii() {
        return json.into();
    }
    let mut safe = String::with_capacity(json.len());
    let (mut text, mut units) = ([0; 4], [0; 2]);
    for c in json.chars() {
        let one = &*c.encode_utf8(&mut text);
        if c.is_ascii() || zeph_common::escape_terminal(one) == one {
            safe.push(c);
        } else {
            for unit in c.encode_utf16(&mut units) {
                safe.push_str(&format!("\\u{unit:04x}"));
            }
        }
    }
    safe.into()
}

/// Whether nothing is printed on stderr.
static IS_QUIET: AtomicBool = AtomicBool::new(false);

/// Prints nothing on stderr from here on.
pub(crate) fn be_quiet() {
    IS_QUIET.store(true, Ordering::Relaxed);
}

/// Prints a line for people on stderr.
pub(crate) fn note_line(text: impl Display) {
    if IS_QUIET.load(Ordering::Relaxed) {
        return;
    }
    // If stderr is closed, the error cannot be reported.
    let _ = writeln!(anstream::stderr().lock(), "{text}");
}

/// Prints a warning on stderr.
pub(crate) fn warn(text: impl Display) {
    note_line(format!("{} {text}", Tone::Warning.paint("warning:")));
}

/// The stream for the lines of a run, and their label.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Channel {
    /// Whether the lines go to stderr, because stdout is for the answer only.
    pub(crate) to_stderr: bool,
    /// The prefix of each line.
    pub(crate) label: &'static str,
}

/// The label of each line of a scripted run.
const SCRIPTED_LABEL: &str = "[scripted]";

impl Channel {
    pub(crate) const fn new(to_stderr: bool, scripted: bool) -> Self {
        let label = if scripted { SCRIPTED_LABEL } else { "" };
        Self { to_stderr, label }
    }

    /// Prints one line, or several.
    pub(crate) fn line(self, text: impl Display) {
        let text = self.labelled(&text.to_string());
        if self.to_stderr {
            note_line(text);
        } else {
            line(text);
        }
    }

    /// Prints commands, each with its effect, in two columns if they are narrow enough. The effect is a
    /// comment, so that a whole line can be pasted into a shell.
    pub(crate) fn commands(self, commands: &[(String, impl Display)]) {
        const MIN_WIDTH: usize = 34;
        const MAX_WIDTH: usize = 56;
        let lengths = commands.iter().map(|(command, _)| command.chars().count());
        let width = lengths
            .filter(|length| *length <= MAX_WIDTH)
            .fold(MIN_WIDTH, usize::max);
        for (command, what) in commands {
            let command = Tone::Question.paint(format!("{command:<width$}"));
            let what = Tone::Quiet.paint(format!("# {what}"));
            self.line(format!("  {command} {what}"));
        }
    }

    /// A JSON object, marked if the run is scripted.
    pub(crate) fn marked(self, mut object: serde_json::Value) -> serde_json::Value {
        if !self.label.is_empty() {
            object["scripted"] = true.into();
        }
        object
    }

    /// A line with the label before it, without colours.
    pub(crate) fn prefixed(self, line: &str) -> String {
        match self.label {
            "" => line.to_owned(),
            label => format!("{label} {line}"),
        }
    }

    /// A text with the label at the start of each line.
    pub(crate) fn labelled(self, text: &str) -> String {
        if self.label.is_empty() {
            return text.to_owned();
        }
        let label = Tone::Quiet.paint(self.label);
        let lines = text.split('\n').map(|line| format!("{label} {line}"));
        lines.collect::<Vec<_>>().join("\n")
    }
}

fn keep_error(written: io::Result<()>) {
    if let Err(error) = written
        && error.kind() != ErrorKind::BrokenPipe
    {
        let _ = FAILURE.set(error);
    }
}

/// The first error of a write to stdout, if there was one.
pub(crate) fn failure() -> Option<&'static io::Error> {
    FAILURE.get()
}

/// A word quoted for a shell, and safe to print. What is unsafe to print becomes escapes of `printf`, which
/// all shells have.
pub(crate) fn quoted(word: impl AsRef<OsStr>) -> String {
    let bytes = word.as_ref().as_encoded_bytes();
    let shown = str::from_utf8(bytes).ok();
    let Some(word) = shown.filter(|word| zeph_common::escape_terminal(word) == *word) else {
        let escaped = bytes.iter().map(|&byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b' ' | b'-' | b'_' | b'.' | b'/' | b':' => {
                char::from(byte).to_string()
            }
            byte => format!("\\{byte:03o}"),
        });
        let escaped: String = escaped.collect();
        // A format that begins with a dash would be an option.
        let dashes = if escaped.starts_with('-') { "-- " } else { "" };
        return format!("\"$(printf {dashes}'{escaped}')\"");
    };
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,+@%".contains(c);
    // A shell may take a word that begins with `=` as the path of a program.
    if !word.is_empty() && word.chars().all(is_plain) && !word.starts_with('=') {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// Whether stderr and stdin are terminals, so that a person can answer.
pub(crate) fn is_interactive() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

/// Whether colours are shown on stderr.
pub(crate) fn has_colours() -> bool {
    anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never
}

/// Whether stderr is a terminal.
pub(crate) fn is_watched() -> bool {
    io::stderr().is_terminal()
}

/// Starts logging to stderr: `-v` for the decisions of runs, `-vv` for all of this workspace, `-vvv` for the
/// libraries too.
pub(crate) fn trace(verbose: u8) {
    let filter = match verbose {
        0 => return,
        1 => "warn,zeph=debug",
        2 => "warn,zeph=trace",
        _ => "trace",
    };
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(filter))
        .with_ansi(has_colours())
        .with_writer(io::stderr);
    // Only a second call could fail, and there is none.
    let _ = subscriber.try_init();
}

/// The colour of a word, by its meaning.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Good,
    Bad,
    Warning,
    Question,
    Quiet,
    Heading,
    Plain,
}

impl Tone {
    const fn style(self) -> Style {
        match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Bad => AnsiColor::Red.on_default().bold(),
            Self::Warning => AnsiColor::Yellow.on_default(),
            Self::Question => AnsiColor::Cyan.on_default().bold(),
            Self::Quiet => Style::new().dimmed(),
            Self::Heading => Style::new().bold(),
            Self::Plain => Style::new(),
        }
    }

    /// The colour of a state of a task or of a run, by its word.
    pub(crate) fn of_state(word: &str) -> Self {
        match word {
            "completed" => Self::Good,
            "failed" | "timed_out" => Self::Bad,
            "degraded" | "interrupted" | "canceled" | "canceling" | "backing_off" => Self::Warning,
            "asking" | "waiting" | "paused" => Self::Question,
            "pending" | "ready" | "skipped" => Self::Quiet,
            _ => Self::Plain,
        }
    }

    /// The text in this colour. The output stream decides whether colours are shown.
    pub(crate) fn paint(self, text: impl Display) -> String {
        if self == Self::Plain {
            return text.to_string();
        }
        let style = self.style();
        format!("{style}{text}{style:#}")
    }
}

#[cfg(test)]
mod tests {
    use super::{escaped, quoted};

    #[test]
    fn json_stays_the_same_value_and_cannot_act() {
        let value = serde_json::json!({ "a": "x\u{202e}y\u{9b}z\u{e0041}ä\u{1b}" });
        let text = value.to_string();
        let safe = escaped(&text);
        assert_eq!(*safe, *r#"{"a":"x\u202ey\u009bz\udb40\udc41ä\u001b"}"#);
        let back: serde_json::Value = serde_json::from_str(&safe).unwrap();
        assert_eq!(back, value);
    }

    #[test]
    fn words_are_quoted_when_a_shell_would_split_or_expand_them() {
        let table = [
            ("plain-1.toml", "plain-1.toml"),
            ("", "''"),
            ("a b", "'a b'"),
            ("it's $x", r"'it'\''s $x'"),
            ("$(reboot)", "'$(reboot)'"),
            ("\u{1b}[31mred", r#""$(printf '\033\13331mred')""#),
            ("=ls", "'=ls'"),
            ("-5", "-5"),
        ];
        for (word, wanted) in table {
            assert_eq!(quoted(word), wanted, "{word:?}");
        }
    }
}
