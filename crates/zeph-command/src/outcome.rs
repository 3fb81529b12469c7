//! The result of a command that has ended: its output, or an error.

use std::os::unix::process::ExitStatusExt;
use std::process::ExitStatus;

use serde_json::{Value, json};
use zeph_common::{Boundary, head_tail, truncate};
use zeph_executor::{TaskError, TaskOutput};

use crate::attempt::Ended;
use crate::capture::Capture;
use crate::group::signal_name;
use crate::params::{CommandParams, OutputFormat};

/// The most bytes of standard error in an error.
const STDERR_TAIL_BYTES: usize = 4 << 10;
/// The most bytes of its last line in the message.
const LAST_LINE_BYTES: usize = 200;

/// The output of a successful command, or the error.
pub(crate) fn evaluate(
    params: &CommandParams,
    ended: &Ended,
    capture: Capture,
) -> Result<TaskOutput, TaskError> {
    let stderr = capture.stderr_text();
    let status = ended.status;
    if ended.stopped {
        let how = how_it_ended(status);
        return Err(
            TaskError::cancelled(format!("stopped on request; the command {how}"))
                .with_detail(facts(status, &stderr)),
        );
    }
    match status.code() {
        Some(code) if params.ok_codes.contains(&code) => output(params, code, &stderr, capture),
        _ => Err(failure(params, status, &stderr)),
    }
}

fn output(
    params: &CommandParams,
    exit: i32,
    stderr: &str,
    capture: Capture,
) -> Result<TaskOutput, TaskError> {
    let bytes = capture.stdout.into_bytes().map_err(too_large)?;
    let mut value = json!({ "stderr": stderr, "exit": exit });
    let (text, raw) = match String::from_utf8(bytes) {
        Ok(text) => (text, None),
        Err(error) => {
            value["stdout_utf8"] = Value::Bool(false);
            (
                String::from_utf8_lossy(error.as_bytes()).into_owned(),
                Some(error.into_bytes()),
            )
        }
    };
    if params.output == OutputFormat::Json {
        value["json"] = serde_json::from_str(&text).map_err(|error| {
            TaskError::permanent(format!(
                "standard output is not one JSON value: {error}; print nothing else, or set `output` to \"text\""
            ))
            .with_code("bad_json")
            .with_detail(json!({ "line": error.line(), "column": error.column() }))
        })?;
    }
    value["stdout"] = Value::String(without_last_break(text));
    let mut output = TaskOutput::from(value);
    output
        .blobs
        .extend(raw.map(|bytes| ("stdout".to_owned(), bytes.into())));
    output.check()?;
    Ok(output)
}

fn too_large(bytes: u64) -> TaskError {
    TaskError::permanent(format!(
        "standard output has {bytes} bytes, more than the limit of a result; write it to a file and print the file's name"
    ))
    .with_code("output_too_large")
    .with_detail(json!({ "stdout_bytes": bytes }))
}

fn without_last_break(mut text: String) -> String {
    if text.ends_with('\n') {
        text.pop();
        if text.ends_with('\r') {
            text.pop();
        }
    }
    text
}

/// The error of an exit code or a signal that does not mean success.
fn failure(params: &CommandParams, status: ExitStatus, stderr: &str) -> TaskError {
    let name = match (&params.argv, &params.shell) {
        (Some(argv), _) => argv.first().map_or("", String::as_str),
        (None, _) => "the shell script",
    };
    let mut message = format!(
        "{} {}",
        truncate(name, LAST_LINE_BYTES, Boundary::Char),
        how_it_ended(status)
    );
    if params.shell.is_some() && status.code() == Some(127) {
        message.push_str(" (the shell did not find a command)");
    }
    if let Some(line) = stderr.lines().rev().find(|line| !line.trim().is_empty()) {
        // The redactor runs later and must find whole secrets.
        let line = truncate(tail(line).trim(), LAST_LINE_BYTES, Boundary::Word);
        message.push_str(&format!(": {line}"));
    }
    TaskError::retryable(message)
        .with_code("exit_code")
        .with_detail(facts(status, stderr))
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
