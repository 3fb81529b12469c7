//! Scenario: a text file with a graph, a script of events, and the expected trace.
//!
//! A file has three parts. The first is the graph: policy lines (`max_parallel 2`, `run_timeout 10s`,
//! `cancel_grace 1s`, `suspend_grace 0s`, `lane net 2`, `over_budget partial`, and `budget 1000+5000`:
//! tokens, and millionths of a dollar), then one line per task: `name <- parents  key=value…`, an action
//! unless the line says `milestone` or `question`. `patch NAME` before such a line puts the task into a
//! patch that another task may propose.
//!
//! The second part, after `---`, is the script: `+1.5s fetch ok`, `+2s cancel run`,
//! `+3s fetch reserves 800`, `settles b1 150`, `notes`, `proposes NAME`. Timers that are due before a line's
//! time fire before it, and timers at exactly its time after it. `=8h tick` sets the clock to that time
//! without firing the timers before it; `-1h tick` sets the clock back.
//!
//! The third part, after `===`, is the trace: the records as text and, with `!`, the actions that do not
//! follow from a record. `UPDATE_SCENARIOS=1` rewrites this part; review the difference.

mod graph;
mod play;
mod times;
mod why;
mod words;

use std::path::Path;

pub use play::play;

/// Plays a scenario and compares the trace with the expected one.
///
/// # Errors
/// A description of the unreadable line, the broken invariant or the first different line.
pub fn check(file: &Path, update: bool) -> Result<(), String> {
    let name = file.display();
    let text = std::fs::read_to_string(file).map_err(|error| format!("{name}: {error}"))?;
    let (script, expected) = match text.split_once("\n===\n") {
        Some((script, expected)) => (script, expected),
        None => (text.trim_end(), ""),
    };
    let trace = play(script).map_err(|error| format!("{name}: {error}"))?;
    if update {
        let text = format!("{script}\n===\n{}\n", trace.join("\n"));
        return std::fs::write(file, text).map_err(|error| format!("{name}: {error}"));
    }
    let expected: Vec<&str> = expected.trim_end().lines().collect();
    let longest = expected.len().max(trace.len());
    for at in 0..longest {
        let (wanted, seen) = (expected.get(at), trace.get(at));
        if wanted.copied() != seen.map(String::as_str) {
            return Err(format!(
                "{name}: line {} of the trace\n  expected {wanted:?}\n  found    {seen:?}",
                at + 1
            ));
        }
    }
    Ok(())
}
