//! Values that only plans have: durations in microseconds, and names.

use std::time::Duration;

use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, quote};
use zeph_graph::wire::code as graph_code;

/// A duration such as `1h 30m`, in microseconds; zero is refused.
pub(crate) fn micros(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<u64> {
    let micros = micros_or_zero(node, what, problems)?;
    if micros == 0 {
        let one = Diagnostic::new(graph_code::ZERO_TIMEOUT, format!("{what} is zero"));
        problems.push(one.at(node.span).help("leave it out for no limit"));
        return None;
    }
    Some(micros)
}

/// A duration such as `1h 30m`, in microseconds.
pub(crate) fn micros_or_zero(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<u64> {
    node.duration(what, problems).map(as_micros)
}

/// Rounded up, so that a duration above zero stays above zero.
fn as_micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos().div_ceil(1_000)).unwrap_or(u64::MAX)
}

/// Whether a text can name a task, a parameter or a lane: `[A-Za-z_][A-Za-z0-9_-]{0,63}`.
pub(crate) fn is_name(text: &str) -> bool {
    let is_first = |c: char| c.is_ascii_alphabetic() || c == '_';
    let is_next = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    text.starts_with(is_first) && text.len() <= 64 && text.chars().all(is_next)
}

/// Reports a key that cannot be a name.
pub(crate) fn check_name(entry: &Entry, what: &str, problems: &mut Diagnostics) {
    if !is_name(&entry.key) {
        let message = format!("{} cannot be the name of a {what}", quote(&entry.key));
        let one = Diagnostic::new(graph_code::BAD_NAME, message).at(entry.key_span);
        problems.push(
            one.help("use 1 to 64 of a-z, A-Z, 0-9, '_' and '-', beginning with a letter or '_'"),
        );
    }
}
