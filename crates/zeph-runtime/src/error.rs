//! Errors of the driver: who, what, where, and what to do next.

use std::sync::Arc;

use zeph_graph::wire::BadSpec;
use zeph_graph::wire::{BadHeader, BadRecord};
use zeph_graph::{ContentId, RunId};
use zeph_memory::StoreError;
use zeph_scheduler::Corrupt;

/// Why a run cannot be started, resumed, reached or read.
#[derive(Clone, Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RuntimeError {
    /// The store said no.
    #[error("run {run}: {source}")]
    Store {
        /// The run.
        run: RunId,
        /// What the store said.
        source: Arc<StoreError>,
    },
    /// The store could not be opened for writing.
    #[error("cannot become the owner of runs: {source}")]
    Claim {
        /// What the store said.
        source: Arc<StoreError>,
    },
    /// The journal could not be written, so nothing new starts here any more.
    #[error(
        "the journal cannot be written ({reason}); what was saved is kept: mend the store, then resume the runs"
    )]
    Closed {
        /// What the store said.
        reason: String,
    },
    /// Tasks name executors that nobody registered.
    #[error("run {run}: no executor is registered for {}; register them and resume the run", .missing.join(", "))]
    MissingExecutors {
        /// The run.
        run: RunId,
        /// The names, each once.
        missing: Vec<String>,
    },
    /// The run is owned by a process that is alive.
    #[error("run {run} is at work elsewhere ({owner}); cancel or suspend it there first")]
    OwnedElsewhere {
        /// The run.
        run: RunId,
        /// Who holds it.
        owner: String,
    },
    /// This process runs it already.
    #[error("run {run} is at work here already")]
    AlreadyHere {
        /// The run.
        run: RunId,
    },
    /// The run has ended.
    #[error("run {run} has ended ({state}); start a new one")]
    AlreadyEnded {
        /// The run.
        run: RunId,
        /// How.
        state: String,
    },
    /// The graph is not the one that the run was started with.
    #[error("run {run} was started with another graph: {}", .differences.join("; "))]
    GraphChanged {
        /// The run.
        run: RunId,
        /// What differs.
        differences: Vec<String>,
    },
    /// The run's header cannot be read.
    #[error("run {run}: its header cannot be read: {source}")]
    Header {
        /// The run.
        run: RunId,
        /// Why.
        source: Arc<BadHeader>,
    },
    /// A record cannot be read.
    #[error("run {run}: record {seq} cannot be read: {source}")]
    Record {
        /// The run.
        run: RunId,
        /// Its place.
        seq: zeph_graph::Seq,
        /// Why.
        source: Arc<BadRecord>,
    },
    /// What the graph has grown by cannot be read.
    #[error("run {run}: the patch {content} of its graph cannot be read: {source}")]
    Patch {
        /// The run.
        run: RunId,
        /// The content that holds it.
        content: ContentId,
        /// Why.
        source: Arc<BadSpec>,
    },
    /// The journal contradicts itself.
    #[error("run {run}: {source}")]
    Corrupt {
        /// The run.
        run: RunId,
        /// How.
        source: Corrupt,
    },
    /// There is no such task.
    #[error("run {run} has no task {task:?}{}", .suggestion.as_ref().map(|s| format!("; did you mean {s:?}?")).unwrap_or_default())]
    NoSuchTask {
        /// The run.
        run: RunId,
        /// What was asked for.
        task: String,
        /// The closest name.
        suggestion: Option<String>,
    },
    /// The question is closed, or never was.
    #[error(
        "run {run} has no open question {question}; `zeph status {run}` lists those that are open"
    )]
    NoSuchQuestion {
        /// The run.
        run: RunId,
        /// What was asked for.
        question: u32,
    },
    /// The text does not answer the question.
    #[error("run {run}, question {question}: {reason}")]
    BadAnswer {
        /// The run.
        run: RunId,
        /// The question.
        question: u32,
        /// What is accepted.
        reason: String,
    },
    /// A content of the run is whole, but not in a form that this version knows.
    #[error("run {run}: {reason}; the version that wrote it can read it")]
    Unreadable {
        /// The run.
        run: RunId,
        /// What is wrong with it.
        reason: String,
    },
    /// The owner of the run is alive and does not reply.
    #[error(
        "run {run} is at work in another process ({owner}), which does not reply; try again, or end that process"
    )]
    Unreachable {
        /// The run.
        run: RunId,
        /// Who holds it.
        owner: String,
    },
    /// The owner of the run refused the request.
    #[error("run {run}: {reason}")]
    Refused {
        /// The run.
        run: RunId,
        /// What the owner said.
        reason: String,
    },
    /// The run came to its end, or to rest, before the request was looked at.
    #[error("run {run} is not at work here any more")]
    Gone {
        /// The run.
        run: RunId,
    },
}

impl RuntimeError {
    pub(crate) fn unreadable(run: &RunId, error: &zeph_executor::TaskError) -> Self {
        Self::Unreadable {
            run: run.clone(),
            reason: error.message().to_owned(),
        }
    }

    pub(crate) fn store(run: &RunId, source: StoreError) -> Self {
        Self::Store {
            run: run.clone(),
            source: Arc::new(source),
        }
    }
}
