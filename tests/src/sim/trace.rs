//! Trace: the events of a run, line by line; stored only on request.

use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};

use zeph_graph::{Entry, Header, Timestamp, Work};

use crate::call::Call;

/// The lines of one run. A clone shares them, so that they survive a panic of the run.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    lines: Option<Arc<Mutex<Vec<String>>>>,
}

impl Trace {
    /// A trace that stores its lines.
    #[must_use]
    pub fn kept() -> Self {
        Self {
            lines: Some(Arc::default()),
        }
    }

    /// Whether lines are stored.
    #[must_use]
    pub const fn is_kept(&self) -> bool {
        self.lines.is_some()
    }

    /// Adds a line; `line` is called only if lines are stored.
    pub fn line(&self, line: impl FnOnce() -> String) {
        if let Some(lines) = &self.lines {
            let line = line();
            let mut lines = lines.lock().unwrap_or_else(PoisonError::into_inner);
            lines.push(line);
        }
    }

    /// Adds the records of a batch.
    pub fn records(&self, entries: &[Entry]) {
        for entry in entries {
            self.line(|| format!("      {:>3} {:?}", entry.seq.get(), entry.record));
        }
    }

    /// The lines so far.
    #[must_use]
    pub fn lines(&self) -> Vec<String> {
        let lines = self.lines.as_ref();
        lines.map_or_else(Vec::new, |lines| {
            lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
        })
    }
}

/// A call as text.
#[must_use]
pub fn happening(what: &Call) -> String {
    match what {
        Call::Input(input) => format!("{input:?}"),
        Call::Reserve {
            task,
            attempt,
            most,
        } => format!("{task} {attempt:?} reserves {most}"),
        Call::Settle {
            task,
            attempt,
            reservation,
            spent,
        } => format!("{task} {attempt:?} settles {reservation:?} with {spent}"),
        Call::Note {
            task,
            attempt,
            content,
        } => format!("{task} {attempt:?} notes {content:?}"),
        Call::Amend {
            task,
            attempt,
            after,
            content,
            patch,
        } => {
            let fine = if patch.grown.is_some() { "" } else { "bad " };
            let patch = patch.spec.to_json();
            format!("{task} {attempt:?} proposes {fine}{content:?} after {after}: {patch}")
        }
        Call::AmendByHand {
            by_hand,
            content,
            patch,
        } => {
            let fine = if patch.grown.is_some() { "" } else { "bad " };
            let patch = patch.spec.to_json();
            format!("{by_hand:?} amends {fine}{content:?}: {patch}")
        }
    }
}

/// A timestamp in seconds after the first one.
#[must_use]
pub fn clock(start: Timestamp, now: Timestamp) -> String {
    let micros = i128::from(now.as_micros()) - i128::from(start.as_micros());
    format!("{micros:+}us")
}

/// A graph and its policy as text.
#[must_use]
pub fn picture(header: &Header) -> Vec<String> {
    let mut lines = vec![format!("{:?}", header.policy)];
    for lane in header.graph.lanes() {
        lines.push(format!("lane {} of {}", lane.name, lane.capacity));
    }
    for (id, task) in header.graph.tasks() {
        let work = match task.work() {
            Work::Milestone => "milestone",
            Work::Action { .. } => "action",
            Work::Question(_) => "question",
        };
        let rules = task.rules();
        let mut line = format!("{id} {work} <- {:?}", header.graph.parents(id));
        // Writing to a `String` cannot fail.
        let _ = write!(
            line,
            " {:?} {:?} {:?} {:?}",
            rules.trigger, rules.effect, rules.on_failure, rules.retry
        );
        let _ = write!(
            line,
            " attempt<={:?} task<={:?} approve={:?} lanes={:?} priority={} hint={:?} budget={}",
            rules.attempt_timeout,
            rules.task_timeout,
            rules.approve.as_ref().map(|approve| approve.fallback),
            rules.lanes,
            rules.priority,
            rules.hint,
            rules.budget
        );
        lines.push(line);
    }
    lines
}
