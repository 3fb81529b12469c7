//! Growing logs: the log of a running attempt is a draft of its run until it is in the journal.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc;
use zeph_executor::{LogStream, Logs};
use zeph_graph::{Attempt, RunId, TaskId, Timestamp};
use zeph_memory::{Draft, RawGraphStore, StoreError};

use crate::core::Core;
use crate::error::RuntimeError;
use crate::message::{AttemptRef, Message};
use crate::view::RunView;

/// How long after a write the logs are saved.
const SAVE_AFTER: Duration = Duration::from_secs(1);

/// How many bytes of logs are saved in a second, on average: each save writes a log as a whole again.
const BYTES_PER_SECOND: u64 = 4 << 20;

/// The most attempts whose logs are saved at once.
const AT_ONCE: usize = 64;

/// The log of a running attempt.
pub(crate) struct GrowingLog {
    from: AttemptRef,
    logs: Logs,
    /// Whether the engine knows that it has grown since it was saved.
    has_grown: AtomicBool,
    /// Whether it has been saved.
    is_saved: AtomicBool,
    grown: mpsc::UnboundedSender<Arc<Self>>,
}

/// The streams of a log so far.
pub(crate) type SavedLog = (Arc<GrowingLog>, Vec<(LogStream, Bytes)>);

impl GrowingLog {
    pub(crate) fn new(
        from: AttemptRef,
        logs: Logs,
        grown: mpsc::UnboundedSender<Arc<Self>>,
    ) -> Arc<Self> {
        Arc::new(Self {
            from,
            logs,
            has_grown: AtomicBool::new(false),
            is_saved: AtomicBool::new(false),
            grown,
        })
    }

    /// Tells the engine that the log has grown, unless it knows.
    pub(crate) fn grew(self: &Arc<Self>) {
        if !self.has_grown.swap(true, Ordering::AcqRel) {
            // Fails if the engine has ended.
            let _ = self.grown.send(Arc::clone(self));
        }
    }

    /// The drafts that the end of the attempt removes.
    pub(crate) fn removed(&self, run: &RunId, at: Timestamp) -> Vec<Draft> {
        if !self.is_saved.load(Ordering::Relaxed) {
            return Vec::new();
        }
        let removed = |stream| self.draft(run, at, stream, None);
        LogStream::ALL.map(removed).into()
    }

    fn draft(&self, run: &RunId, at: Timestamp, stream: LogStream, bytes: Option<Bytes>) -> Draft {
        let AttemptRef { task, attempt, .. } = self.from;
        Draft {
            run: run.clone(),
            key: format!("{}{attempt}/{}", prefix(task), stream.name()),
            at,
            bytes,
        }
    }
}

/// How long no log is saved after that many bytes of logs.
fn rest_after(bytes: usize) -> Duration {
    let micros = (bytes as u64).saturating_mul(1_000_000) / BYTES_PER_SECOND;
    Duration::from_micros(micros).max(SAVE_AFTER)
}

/// The beginning of the keys of a task's logs.
fn prefix(task: TaskId) -> String {
    format!("log/{}/", task.index())
}

impl Core {
    /// Notes that a log has grown. It is saved a moment later, with those that grow meanwhile.
    pub(crate) fn log_grew(&mut self, log: Arc<GrowingLog>) {
        self.grown_logs.push(log);
        if self.save_logs_at.is_none() && !self.is_rendering_logs {
            let soon = self.config.clock.now().after(SAVE_AFTER);
            self.save_logs_at = Some(soon.max(self.logs_rest_until));
        }
    }

    /// Renders the logs that have grown, if it is time, on a thread of its own.
    pub(crate) fn render_logs(&mut self) {
        if self
            .save_logs_at
            .is_none_or(|at| at > self.config.clock.now())
        {
            return;
        }
        self.save_logs_at = None;
        let many = self.grown_logs.len().min(AT_ONCE);
        let logs: Vec<Arc<GrowingLog>> = self.grown_logs.drain(..many).collect();
        self.is_rendering_logs = true;
        let redact = self.config.redact.clone();
        let engine = self.config.engine.clone();
        tokio::task::spawn_blocking(move || {
            let render = |log: Arc<GrowingLog>| {
                // What is written from here on is saved the next time.
                log.has_grown.store(false, Ordering::Release);
                let streams = log.logs.so_far(redact.as_deref());
                (log, streams)
            };
            let rendered = logs.into_iter().map(render).collect();
            if let Some(engine) = engine.upgrade() {
                // Fails if the engine has ended.
                let _ = engine.blocking_send(Message::LogsRendered(rendered));
            }
        });
    }

    /// Makes drafts of the logs of attempts that are still in flight.
    pub(crate) fn save_logs(&mut self, rendered: Vec<SavedLog>) {
        self.is_rendering_logs = false;
        let now = self.config.clock.now();
        let streams = rendered.iter().flat_map(|(_, streams)| streams);
        self.logs_rest_until = now.after(rest_after(streams.map(|(_, bytes)| bytes.len()).sum()));
        if !self.grown_logs.is_empty() {
            self.save_logs_at = Some(self.logs_rest_until);
        }
        for (log, streams) in rendered {
            let AttemptRef { key, task, attempt } = log.from;
            let Some(active) = self.runs.get_mut(&key) else {
                continue;
            };
            let handle = active.attempts.get(&task);
            if streams.is_empty() || handle.is_none_or(|handle| handle.attempt != attempt) {
                continue;
            }
            log.is_saved.store(true, Ordering::Relaxed);
            let run = active.chain.run().clone();
            let drafts = streams.into_iter();
            let drafts = drafts.map(|(stream, bytes)| log.draft(&run, now, stream, Some(bytes)));
            active.put_drafts(drafts.collect());
            self.dirty.insert(key);
        }
    }
}

/// What an attempt logged, as far as it was saved before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogDraft {
    /// The task.
    pub task: TaskId,
    /// The attempt.
    pub attempt: Attempt,
    /// The name of the stream.
    pub stream: String,
    /// When it was saved.
    pub at: Timestamp,
    /// The bytes, head and tail. Untrusted.
    pub bytes: Bytes,
}

impl RunView {
    /// The logs of attempts whose ends are not in the journal with their logs: of running ones, and of those
    /// whose process ended first. Of one task, or of all, by task and attempt.
    ///
    /// # Errors
    /// If the store cannot read them, or one is not as it was saved.
    pub async fn log_drafts(
        &self,
        store: &dyn RawGraphStore,
        task: Option<TaskId>,
    ) -> Result<Vec<LogDraft>, RuntimeError> {
        let prefix = task.map_or_else(|| "log/".to_owned(), prefix);
        let drafts = store.drafts(&self.run, &prefix).await;
        let drafts = drafts.map_err(|error| RuntimeError::store(&self.run, error))?;
        let mut logs = Vec::with_capacity(drafts.len());
        for draft in drafts {
            let damaged = || {
                let what = format!("draft {:?} is not as it was saved", draft.key);
                RuntimeError::store(&self.run, StoreError::damaged(&self.run, None, what))
            };
            let (task, attempt, stream) = self.parse_key(&draft.key).ok_or_else(damaged)?;
            logs.push(LogDraft {
                task,
                attempt,
                stream: stream.to_owned(),
                at: draft.at,
                bytes: draft.bytes.clone().ok_or_else(damaged)?,
            });
        }
        logs.sort_by_key(|log| (log.task, log.attempt));
        Ok(logs)
    }

    fn parse_key<'a>(&self, key: &'a str) -> Option<(TaskId, Attempt, &'a str)> {
        let mut parts = key.strip_prefix("log/")?.split('/');
        let task: usize = parts.next()?.parse().ok()?;
        let attempt: u32 = parts.next()?.parse().ok()?;
        let task = self.graph().ids().nth(task)?;
        Some((task, Attempt::new(attempt)?, parts.next()?))
    }
}

#[cfg(test)]
mod tests {
    use super::{Duration, SAVE_AFTER, rest_after};

    #[test]
    fn large_logs_are_saved_less_often() {
        assert_eq!(rest_after(0), SAVE_AFTER);
        assert_eq!(rest_after(256 << 10), SAVE_AFTER);
        assert_eq!(rest_after(64 << 20), Duration::from_secs(16));
    }
}
