//! The table: what services do, and what must come of it.

mod calls;
mod forms;
mod reasoning;
mod rejections;

use super::run::Mode;
use super::service::Plays;

/// What must come of a row.
#[derive(Clone, Copy, Debug)]
pub(in crate::wire) enum Want {
    /// The goal is reached.
    Answer,
    /// The run fails, and says these words.
    Failure(&'static [&'static str]),
    /// The same, and nothing is charged.
    Free(&'static [&'static str]),
}

/// A row of the table.
#[derive(Clone, Debug)]
pub struct Row {
    /// What the service does.
    pub name: &'static str,
    pub(in crate::wire) plays: Plays,
    pub(in crate::wire) want: Want,
    pub(in crate::wire) most_requests: usize,
    /// Whether exactly the reported usage of four answers is charged.
    pub(in crate::wire) has_usage: bool,
    /// Whether it is about streams only.
    needs_stream: bool,
}

impl Row {
    /// Whether the row says something in that mode.
    #[must_use]
    pub fn fits(&self, mode: Mode) -> bool {
        !self.needs_stream || mode == Mode::Streamed
    }
}

/// A plan, two turns of an agent, an answer.
const SCENES: usize = 4;

fn row(name: &'static str, want: Want, most_requests: usize, plays: Plays) -> Row {
    Row {
        name,
        plays,
        want,
        most_requests,
        has_usage: false,
        needs_stream: false,
    }
}

fn answered(name: &'static str, plays: Plays) -> Row {
    row(name, Want::Answer, SCENES, plays)
}

fn paid(name: &'static str, plays: Plays) -> Row {
    Row {
        has_usage: true,
        ..answered(name, plays)
    }
}

/// Rejected once: every later request comes without the field.
fn repeated(name: &'static str, plays: Plays) -> Row {
    row(name, Want::Answer, SCENES + 1, plays)
}

/// All rows.
#[must_use]
pub fn rows() -> Vec<Row> {
    [
        forms::forms(),
        forms::counts(),
        rejections::rejections(),
        rejections::failures(),
        calls::calls(),
        calls::written_calls(),
        reasoning::reasoning(),
    ]
    .concat()
}
