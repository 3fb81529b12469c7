//! The result of a command that has ended: its output, or an error.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::{Value, json};
use zeph_common::{Boundary, head_tail, truncate};
use zeph_executor::{TaskError, TaskOutput};

use crate::attempt::Ended;
use crate::capture::Capture;
use crate::group::{is_from_outside, signal_name};
use crate::json_output;
use crate::named_outputs::OutputFile;
use crate::params::{CommandParams, OutputFormat};

/// The most bytes of standard error in an error.
const STDERR_TAIL_BYTES: usize = 4 << 10;
/// The most bytes of the line of standard error in the message.
const LINE_BYTES: usize = 200;
/// The most bytes of the command in the message.
const COMMAND_BYTES: usize = 120;
/// The bytes of the line that marks a cut, at most.
const MARK_BYTES: usize = 64;

/// The output of a successful command, whose value has at most `max_bytes` as JSON, or the error.
pub(crate) fn evaluate(
    params: &CommandParams,
    ended: &Ended,
    capture: Capture,
    named: Option<OutputFile>,
    max_bytes: usize,
) -> Result<TaskOutput, TaskError> {
    let stderr = capture.stderr_text();
    let status = ended.status;
    if ended.stopped {
        let message = format!("stopped on request; the command {}", how_it_ended(status));
        let error = match status.signal() {
            // It had no time to clean up, or does not know the request.
            Some(_) => TaskError::interrupted(message),
            None => TaskError::cancelled(message),
        };
        return Err(error.with_detail(facts(status, &stderr)));
    }
    match status.code() {
        Some(code) if params.ok_codes.contains(&code) => {
            let named = named.map_or(Ok(None), |named| named.read(max_bytes / 4))?;
            output(params, code, &stderr, capture, named, max_bytes)
        }
        _ => Err(failure(params, status, &stderr)),
    }
}

fn output(
    params: &CommandParams,
    exit: i32,
    stderr: &str,
    capture: Capture,
    named: Option<Value>,
    max_bytes: usize,
) -> Result<TaskOutput, TaskError> {
    let stderr = head_tail(stderr, max_bytes / 4, Boundary::Word).to_string();
    let mut value = json!({ "stderr": stderr, "exit": exit });
    if let Some(named) = named {
        value["outputs"] = named;
    }
    let total = capture.stdout.total;
    let (bytes, is_whole) = match (params.output, capture.stdout.into_bytes()) {
        (OutputFormat::None, _) => return Ok(TaskOutput::from(value)),
        (OutputFormat::Json, Err(_)) => return Err(too_large(total, max_bytes)),
        (OutputFormat::Text | OutputFormat::Json, Ok(bytes)) => (bytes, true),
        (OutputFormat::Text, Err(ends)) => (ends, false),
    };
    let text = String::from_utf8_lossy(&bytes);
    let is_text = matches!(text, std::borrow::Cow::Borrowed(_));
    if !is_text {
        value["stdout_utf8"] = Value::Bool(false);
    }
    if params.output == OutputFormat::Json {
        let (json, is_exact) = json_output::parse(&text)?;
        value["json"] = json;
        if !is_exact {
            value["json_inexact"] = Value::Bool(true);
        }
    }
    value["stdout"] = Value::Null;
    let room = max_bytes.saturating_sub(json_len(&value));
    let text = without_last_break(&text);
    let (stdout, is_cut) = fit(text, room);
    value["stdout"] = match (stdout, params.output) {
        (Value::Null, OutputFormat::Json) => return Err(too_large(total, max_bytes)),
        (Value::Null, OutputFormat::Text | OutputFormat::None) => "".into(),
        (stdout, _) => stdout,
    };
    let is_cut = is_cut || !is_whole;
    if is_cut {
        value["stdout_truncated"] = Value::Bool(true);
        value["stdout_bytes"] = total.into();
    }
    let mut output = TaskOutput::from(value);
    if is_whole && (is_cut || !is_text) {
        output.blobs.insert("stdout".to_owned(), bytes.into());
    }
    output.check()?;
    Ok(output)
}

/// The text, or its head and tail, in so many bytes of JSON, and whether it was cut. Null if nothing fits.
fn fit(text: &str, room: usize) -> (Value, bool) {
    let whole = Value::from(text);
    // The marks of a cut output need room as well.
    if json_len(&whole) <= room {
        return (whole, false);
    }
    let room = room.saturating_sub(2 * MARK_BYTES);
    let mut keep = text.len().min(room);
    while keep > 0 {
        let cut = Value::from(head_tail(text, keep, Boundary::Word).to_string());
        let len = json_len(&cut);
        if len <= room {
            return (cut, true);
        }
        // Escapes make a text longer.
        keep = (keep * room / len).min(keep - 1 - keep / 16);
    }
    (Value::Null, true)
}

fn json_len(value: &Value) -> usize {
    value.to_string().len()
}

fn too_large(bytes: u64, max_bytes: usize) -> TaskError {
    TaskError::permanent(format!(
        "standard output has {bytes} bytes, and `output = \"json\"` needs all of them in a result of at most {max_bytes} bytes; print less, or write a file and print its name"
    ))
    .with_code("output_too_large")
    .with_detail(json!({ "stdout_bytes": bytes, "max_bytes": max_bytes }))
}

fn without_last_break(text: &str) -> &str {
    match text.strip_suffix('\n') {
        Some(text) => text.strip_suffix('\r').unwrap_or(text),
        None => text,
    }
}

/// The error of an exit code or a signal that does not mean success.
fn failure(params: &CommandParams, status: ExitStatus, stderr: &str) -> TaskError {
    let name = params.argv.as_ref().filter(|_| params.shell.is_none());
    let name = name.map_or_else(|| "the shell script".to_owned(), |argv| command_line(argv));
    let mut message = format!("{name} {}", how_it_ended(status));
    if params.shell.is_some() && status.code() == Some(127) {
        message.push_str(" (the shell did not find a command)");
    }
    let last = tail(stderr);
    if let Some(line) = reason(last) {
        // The redactor runs later and must find whole secrets.
        let line = truncate(&line, LINE_BYTES, Boundary::Word);
        message.push_str(&format!(": {line}"));
    }
    if WANTED_TERMINAL.iter().any(|text| last.contains(text)) {
        message.push_str(
            "; a task has no terminal: pass what the program asks for in `env`, in a file or on `stdin`",
        );
    }
    let is_listed = |codes: &[i32]| status.code().is_some_and(|code| codes.contains(&code));
    let error = match status.signal() {
        Some(signal) if is_from_outside(signal) => TaskError::interrupted(message),
        _ if is_listed(&params.skip_codes) => TaskError::skip(message),
        None if (params.retry_codes.as_ref()).is_some_and(|codes| !is_listed(codes)) => {
            TaskError::permanent(message)
        }
        _ => TaskError::retryable(message),
    };
    error
        .with_code("exit_code")
        .with_detail(facts(status, stderr))
}

/// What programs print that found no terminal to ask at.
const WANTED_TERMINAL: [&str; 7] = [
    "/dev/tty",
    "No such device or address",
    "Device not configured",
    "a terminal is required",
    "no tty present",
    "not a tty",
    "terminal prompts disabled",
];

/// The line of standard error that tells why: the last one that calls itself an error, else the last one.
fn reason(stderr: &str) -> Option<String> {
    const MARKS: [&str; 6] = [
        "error:",
        "error[",
        "fatal:",
        "exception:",
        "panicked at",
        "panic:",
    ];
    let lines = || {
        stderr
            .lines()
            .map(str::trim)
            .filter(|line| !line.is_empty())
    };
    let is_error = |line: &&str| {
        let line = line.to_ascii_lowercase();
        MARKS.iter().any(|mark| line.contains(mark))
    };
    let mut after = None;
    for line in lines().rev() {
        if is_error(&line) {
            // The message of a panic is on the line behind its place.
            let message = after.filter(|_| line.ends_with(':'));
            return Some(message.map_or_else(|| line.to_owned(), |text| format!("{line} {text}")));
        }
        after = Some(line);
    }
    lines().next_back().map(str::to_owned)
}

/// The command in words, for a message: whole words up to a length, since the redactor must find whole secrets.
fn command_line(argv: &[String]) -> String {
    let (program, rest) = argv
        .split_first()
        .map_or(("", argv), |(first, rest)| (&**first, rest));
    let mut text = truncate(program, LINE_BYTES, Boundary::Char).to_string();
    for word in rest {
        if text.len() + word.len() > COMMAND_BYTES || word.contains(char::is_control) {
            text.push_str(" …");
            break;
        }
        let quote = if word.is_empty() || word.contains(' ') {
            "'"
        } else {
            ""
        };
        text.push_str(&format!(" {quote}{word}{quote}"));
    }
    text
}

fn how_it_ended(status: ExitStatus) -> String {
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exited with code {code}"),
        (None, Some(signal)) => format!("was ended by {}", signal_name(signal)),
        (None, None) => "ended in an unknown way".to_owned(),
    }
}

/// A text of up to [`STDERR_TAIL_BYTES`], or the tail of a longer one.
fn tail(text: &str) -> &str {
    let ends = head_tail(text, STDERR_TAIL_BYTES, Boundary::Word);
    if ends.cut == 0 { ends.head } else { ends.tail }
}

fn facts(status: ExitStatus, stderr: &str) -> Value {
    let tail = tail(stderr);
    json!({ "exit": status.code(), "signal": status.signal(), "stderr_tail": tail })
}

#[cfg(test)]
mod tests {
    use super::{command_line, fit, reason};

    #[test]
    fn the_reason_is_the_line_that_calls_itself_an_error() {
        for (stderr, wanted) in [
            (
                "error[E0308]: mismatched types\n  --> web/src/lib.rs:3:5\n\n",
                "error[E0308]: mismatched types",
            ),
            (
                "thread 'main' panicked at src/main.rs:1:5:\nboom\n  13: <unknown>\n",
                "thread 'main' panicked at src/main.rs:1:5: boom",
            ),
            (
                "Traceback (most recent call last):\n  File x\nValueError: no\n",
                "ValueError: no",
            ),
            ("warning: a\nfatal: no\nhint: try b\n", "fatal: no"),
            ("one\ntwo\n\n", "two"),
        ] {
            assert_eq!(reason(stderr).as_deref(), Some(wanted));
        }
        assert_eq!(reason("\n"), None);
    }

    #[test]
    fn a_command_is_shown_with_its_whole_words() {
        let line = |words: &[&str]| {
            let argv: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
            command_line(&argv)
        };
        assert_eq!(line(&["test", "1242", "-gt", "5000"]), "test 1242 -gt 5000");
        assert_eq!(line(&["sh", "-c", "exit 3", ""]), "sh -c 'exit 3' ''");
        assert_eq!(line(&["sh", "-c", "a\nb", "c"]), "sh -c …");
        assert_eq!(line(&["cat", &"x".repeat(200), "c"]), "cat …");
    }

    #[test]
    fn a_text_is_cut_to_the_bytes_of_its_json() {
        let text = format!("head {} tail", "\u{1}\u{1}\u{1} ".repeat(250));
        let (value, is_cut) = fit(&text, 2_000);
        let cut = value.as_str().unwrap_or_default();
        assert!(
            is_cut && cut.starts_with("head") && cut.ends_with("tail"),
            "{cut:?}"
        );
        assert!(cut.contains("bytes cut"));
        let len = value.to_string().len();
        assert!((800..=2_000).contains(&len), "{len}");
        assert_eq!(fit("abc", 5), ("abc".into(), false));
        assert!(fit("abcd", 5).0.is_null());
    }
}
