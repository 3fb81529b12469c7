//! Errors of the engine: which run, what failed, and what to do next.

use std::sync::Arc;

use zeph_graph::wire::{BadHeader, BadRecord, BadSpec};
use zeph_graph::{ContentId, RunId, Seq};
use zeph_memory::{RequestId, StoreError};
use zeph_scheduler::Corrupt;

use crate::driver::AnswerError;

/// Why a run cannot be started, resumed, reached or read.
#[derive(Clone, Debug, thiserror::Error)]
pub enum RuntimeError {
    /// The store failed, or refused the call.
    #[error("run {run}: {source}")]
    Store {
        /// The run.
        run: RunId,
        /// The store's error.
        source: Arc<StoreError>,
    },
    /// The store could not be opened for writing.
    #[error("cannot become the owner of runs: {source}")]
    Claim {
        /// The store's error.
        source: Arc<StoreError>,
    },
    /// The operating system has no random bytes for a run's name.
    #[error("no random name can be made for the run: {source}; give the run a name")]
    Random {
        /// The operating system's error.
        source: getrandom::Error,
    },
    /// The journal could not be written, so this engine starts nothing new.
    #[error(
        "the journal cannot be written ({reason}); everything saved before is kept: repair the store, then resume the runs"
    )]
    Closed {
        /// The store's error.
        reason: String,
    },
    /// Tasks name executors that are not registered.
    #[error("run {run}: no executor is registered for {}; register them and resume the run", .missing.join(", "))]
    MissingExecutors {
        /// The run.
        run: RunId,
        /// The names, each once.
        missing: Vec<String>,
    },
    /// The run has not ended, so it is resumed and not retried.
    #[error("run {run} has not ended; resume it, or cancel it first")]
    NotEnded {
        /// The run.
        run: RunId,
    },
    /// A task that added others to the graph of the run would run again in a retry, and add them twice.
    #[error(
        "task {task:?} added tasks to run {run} and would run again, which a retry cannot do; start a new run"
    )]
    Proposer {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
    },
    /// A task cannot run alone or have a given result in a retry, because another task in front of it has none.
    #[error("task {task:?} needs {parent:?}, which has no result to take over from run {run}")]
    NoResult {
        /// The earlier run.
        run: RunId,
        /// The task.
        task: String,
        /// The task that it depends on.
        parent: String,
    },
    /// The journal of the run has no record of that number.
    #[error("run {run} has no record {record}: its records are 1 to {last}")]
    NoSuchRecord {
        /// The run.
        run: RunId,
        /// The number that was given.
        record: Seq,
        /// The number of its last record.
        last: Seq,
    },
    /// The run is owned by a process that is alive.
    #[error("run {run} is active in another process ({owner})")]
    OwnedElsewhere {
        /// The run.
        run: RunId,
        /// The process.
        owner: String,
    },
    /// The run is active in this engine already.
    #[error("run {run} is active in this process already")]
    AlreadyHere {
        /// The run.
        run: RunId,
    },
    /// The run has ended.
    #[error("run {run} has ended ({state}); start a new one")]
    AlreadyEnded {
        /// The run.
        run: RunId,
        /// Its end.
        state: String,
    },
    /// Another run of its group works, and the run is not to wait for it.
    #[error(
        "{} of group {group} is at work", .holder.as_ref().map_or_else(|| "another run".to_owned(), |run| format!("run {run}"))
    )]
    GroupBusy {
        /// The group.
        group: String,
        /// The run that works, if it is known.
        holder: Option<RunId>,
    },
    /// The lock of a group cannot be used.
    #[error("run {run}: the lock of group {group} cannot be used: {source}")]
    GroupLock {
        /// The run.
        run: RunId,
        /// The group.
        group: String,
        /// The operating system's error.
        source: Arc<std::io::Error>,
    },
    /// The graph is not the one that the run was started with.
    #[error("run {run} was started with another graph: {}", .differences.join("; "))]
    GraphChanged {
        /// The run.
        run: RunId,
        /// The differences.
        differences: Vec<String>,
    },
    /// The run's header cannot be read.
    #[error("run {run}: its header cannot be read: {source}")]
    Header {
        /// The run.
        run: RunId,
        /// The reason.
        source: Arc<BadHeader>,
    },
    /// A record cannot be read.
    #[error("run {run}: record {seq} cannot be read: {source}")]
    Record {
        /// The run.
        run: RunId,
        /// Its number.
        seq: zeph_graph::Seq,
        /// The reason.
        source: Arc<BadRecord>,
    },
    /// A patch of the graph cannot be read.
    #[error("run {run}: the patch {content} of its graph cannot be read: {source}")]
    Patch {
        /// The run.
        run: RunId,
        /// The content that holds it.
        content: ContentId,
        /// The reason.
        source: Arc<BadSpec>,
    },
    /// The journal contradicts itself.
    #[error("run {run}: {source}")]
    Corrupt {
        /// The run.
        run: RunId,
        /// The contradiction.
        source: Corrupt,
    },
    /// There is no such task.
    #[error("run {run} has no task {task:?}{}", .suggestion.as_ref().map(|s| format!("; did you mean {s:?}?")).unwrap_or_default())]
    NoSuchTask {
        /// The run.
        run: RunId,
        /// The name that was given.
        task: String,
        /// The closest name.
        suggestion: Option<String>,
    },
    /// The question is closed, or was never asked.
    #[error("run {run} has no open question {question}")]
    NoSuchQuestion {
        /// The run.
        run: RunId,
        /// The number that was given.
        question: u32,
    },
    /// The question has an answer already.
    #[error(
        "question {question} of run {run} was already answered: {answer:?}{}", if .posted.is_some() { "; the answer counts when the run is resumed" } else { "" }
    )]
    AlreadyAnswered {
        /// The run.
        run: RunId,
        /// The question.
        question: u32,
        /// The answer. Untrusted text.
        answer: String,
        /// The request in the inbox with that answer; `None` if the answer has been applied.
        posted: Option<RequestId>,
    },
    /// The inbox has another end for the task.
    #[error(
        "run {run} has a request for that task already: {request}; it counts when the run is resumed"
    )]
    AlreadyGiven {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// The request in the inbox, in words. Untrusted text.
        request: String,
    },
    /// The inbox has another amendment.
    #[error(
        "run {run} has tasks to add in its inbox already; they are added when the run is resumed"
    )]
    AlreadyPosted {
        /// The run.
        run: RunId,
    },
    /// The graph of the run cannot be changed so.
    #[error("run {run}: {reason}")]
    BadPatch {
        /// The run.
        run: RunId,
        /// The reason.
        reason: String,
    },
    /// The patch was made for an earlier graph of the run.
    #[error("run {run} has {}, and the changes were made for the run with {after}", match amendments {
        1 => "1 amendment".to_owned(),
        many => format!("{many} amendments"),
    })]
    Outdated {
        /// The run.
        run: RunId,
        /// The number of amendments for which the patch was made.
        after: u32,
        /// The number of amendments of the run.
        amendments: u32,
    },
    /// The task cannot be given that result.
    #[error("run {run}, task {task:?}: {reason}")]
    BadResult {
        /// The run.
        run: RunId,
        /// The task.
        task: String,
        /// The reason.
        reason: String,
    },
    /// The text does not answer the question.
    #[error("run {run}, question {question}: {reason}")]
    BadAnswer {
        /// The run.
        run: RunId,
        /// The question.
        question: u32,
        /// The reason.
        reason: String,
    },
    /// A content of the run has a form that this version cannot read.
    #[error("run {run}: {reason}; use the version of zeph that wrote it")]
    Unreadable {
        /// The run.
        run: RunId,
        /// The reason.
        reason: String,
    },
    /// The owner of the run is alive and has not replied within 10 s.
    #[error(
        "run {run} is active in another process ({owner}), which does not reply; if that process goes on, a request may still take effect; try again, or end that process"
    )]
    Unreachable {
        /// The run.
        run: RunId,
        /// The process.
        owner: String,
    },
    /// The request comes from a task of the run itself.
    #[error(
        "run {run}: a task of the run cannot decide in place of a person; answer, complete, skip, amend, resume, unpause and set the budget from a shell that no task has started, without ZEPH_RUN={run} in its environment"
    )]
    OwnTask {
        /// The run.
        run: RunId,
    },
    /// The owner of the run refused the request.
    #[error("{reason}")]
    Refused {
        /// The run.
        run: RunId,
        /// The owner's reason, which names the run.
        reason: String,
    },
    /// Requests to the run are not as they were posted. They are dropped.
    #[error(
        "run {run}: {} in its inbox was damaged and is dropped: an answer, a cancel or another request of a person; ask for it again, then resume the run", requests.iter().map(|id| format!("request {id}")).collect::<Vec<_>>().join(", ")
    )]
    DamagedRequests {
        /// The run.
        run: RunId,
        /// The requests.
        requests: Vec<RequestId>,
    },
    /// The run has ended or was suspended before the request was handled.
    #[error("run {run} is no longer active in this process")]
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

    pub(crate) fn answer(run: RunId, question: u32, error: AnswerError) -> Self {
        match error {
            AnswerError::NotOpen => Self::NoSuchQuestion { run, question },
            AnswerError::NotAccepted(reason) => Self::BadAnswer {
                run,
                question,
                reason,
            },
        }
    }

    pub(crate) fn store(run: &RunId, source: StoreError) -> Self {
        Self::Store {
            run: run.clone(),
            source: Arc::new(source),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::RuntimeError;

    #[test]
    fn a_failing_random_source_is_not_an_ownership_failure() {
        let source = getrandom::Error::UNSUPPORTED;
        let text = RuntimeError::Random { source }.to_string();
        assert!(text.contains("give the run a name"), "{text}");
        assert!(!text.contains("owner"), "{text}");
    }
}
