//! Scenario: a text file that draws a graph, scripts what happens, and lists the expected trace.
//!
//! Three parts. First the graph: policy lines (`max_parallel 2`, `run_timeout 10s`, `cancel_grace 1s`,
//! `suspend_grace 0s`, `lane net 2`, `over_budget partial`, and `budget 1000+5000`: tokens, and millionths
//! of a dollar), then a line a task: `name <- parents  key=value…`, an action unless it says `milestone`
//! or `question`. `patch NAME` before such a line makes the task part of what another may propose. After
//! `---` what happens: `+1.5s fetch ok`, `+2s cancel run`, `+3s fetch reserves 800`, `settles b1 150`,
//! `notes`, `proposes NAME`; deadlines before a line's time are met by themselves, one at its time only
//! after it (`=8h tick` jumps there without them, `-1h tick` sets the clock back). After `===` the trace:
//! the records in words and, with `!`, the actions that nobody could guess. `UPDATE_SCENARIOS=1` rewrites
//! the last part; read what it wrote.

mod graph;
mod play;
mod times;
mod why;
mod words;

use std::path::Path;

pub use play::play;

/// Plays a scenario and compares the trace with the one that it lists.
///
/// # Errors
/// What cannot be read, the invariant that broke, or the first line that differs, in words.
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
