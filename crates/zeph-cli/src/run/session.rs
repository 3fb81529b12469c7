//! Session: a run followed to its end or to rest, with signals, questions and the view.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zeph_executor::TaskErrorRecord;
use zeph_graph::{ContentId, Record, RunState, TaskState};
use zeph_memory::RawGraphStore;
use zeph_runtime::{Events, QuestionView, RunEvent, RunHandle, RunReport, RunSnapshot, RunView};
use zeph_scheduler::{Event, EventKind};

use crate::exit::{CliError, Exit};
use crate::out::Channel;
use crate::run::narrate::Board;
use crate::run::prompt::{Outcome, Prompt};
use crate::run::signals::Signals;
use crate::run::view::{self, View};

/// How a run is followed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Manner {
    /// The run is in a database, so other processes can reach it and it can be resumed.
    pub(crate) is_kept: bool,
    /// A person can be asked at this terminal.
    pub(crate) is_interactive: bool,
    /// Tasks that were interrupted and must not be repeated unasked are repeated.
    pub(crate) reruns_interrupted: bool,
    /// How long running tasks have when the run is suspended.
    pub(crate) grace: Duration,
    /// Where the story is told.
    pub(crate) channel: Channel,
    /// Kill this process after that many completions: for the demonstration of a crash.
    pub(crate) dies_after: Option<u32>,
}

/// What following a run came to.
#[derive(Debug)]
pub(crate) struct Followed {
    pub(crate) report: Arc<RunReport>,
    /// The signal that brought the run to rest.
    pub(crate) signal: Option<Exit>,
    /// What is asked of people still.
    pub(crate) questions: Vec<QuestionView>,
}

/// A run that is being followed.
pub(crate) struct Session {
    pub(super) handle: RunHandle,
    pub(super) store: Arc<dyn RawGraphStore>,
    pub(super) manner: Manner,
    pub(super) view: View,
    pub(super) board: Board,
    pub(super) signals: Signals,
    pub(super) prompt: Option<Prompt>,
    pub(super) put_off: BTreeSet<u32>,
    last_seq: u64,
    completions: u32,
    /// Waits for a default, suspends, or was told to; said once.
    pub(super) has_said_waiting: bool,
    pub(super) is_resting: bool,
    pub(super) killed: bool,
}

impl Session {
    pub(crate) fn new(
        handle: RunHandle,
        store: Arc<dyn RawGraphStore>,
        manner: Manner,
        view: View,
        signals: Signals,
        ended: u32,
    ) -> Self {
        let total = handle.snapshot().counts.total();
        let board = Board::new(handle.id().as_str(), total, ended, manner.is_kept);
        Self {
            handle,
            store,
            manner,
            view,
            board,
            signals,
            prompt: None,
            put_off: BTreeSet::new(),
            last_seq: 0,
            completions: 0,
            has_said_waiting: false,
            is_resting: false,
            killed: false,
        }
    }

    /// Records up to this one were told before.
    pub(crate) const fn told_up_to(mut self, seq: u64) -> Self {
        self.last_seq = seq;
        self.board.is_resumed = seq > 0;
        self
    }

    /// What the commands that it names have at their end.
    pub(crate) fn hinting(mut self, suffix: String) -> Self {
        self.board.suffix = suffix;
        self
    }

    /// Follows the run until it has ended or rests.
    pub(crate) async fn follow(mut self, mut events: Events) -> Result<Followed, CliError> {
        self.after_event().await;
        while !self.killed {
            tokio::select! {
                event = events.next() => match event {
                    Some(event) => {
                        self.event(event).await?;
                        self.after_event().await;
                    }
                    None => break,
                },
                count = self.signals.next() => self.signal(count).await,
                outcome = prompted(&mut self.prompt) => self.prompted(outcome).await,
            }
        }
        let questions = self.handle.snapshot().questions.clone();
        if let Some(prompt) = self.prompt.take() {
            prompt.take_back().await;
        }
        self.view.close();
        if self.killed {
            let exit = self.signals.exit().unwrap_or(Exit::Interrupted);
            let text = format!("run {} was cut off at once", self.handle.id());
            let error = CliError::new(exit, text).code("killed");
            return Err(if self.manner.is_kept {
                let run = self.handle.id();
                error.help(format!(
                    "go on with `zeph resume {run}{}`",
                    self.board.suffix
                ))
            } else {
                error
            });
        }
        let report = self.handle.wait().await?;
        let rests = report.state == RunState::Suspended;
        Ok(Followed {
            signal: self.signals.exit().filter(|_| rests),
            report,
            questions,
        })
    }

    async fn event(&mut self, event: RunEvent) -> Result<(), CliError> {
        match event {
            RunEvent::Saved { event, .. } => self.saved(event).await,
            RunEvent::Progress { task, text, .. } => self.view.says(&task, &text),
            RunEvent::Log { task, bytes, .. } => {
                self.view.says(&task, &String::from_utf8_lossy(&bytes));
            }
            RunEvent::Missed(_) => {
                let view = RunView::load(&*self.store, self.handle.id()).await?;
                for event in view::missed(&view, self.last_seq) {
                    self.saved(event).await;
                }
            }
        }
        Ok(())
    }

    /// Tells of a record, once.
    async fn saved(&mut self, event: Event) {
        if event.seq.get() <= self.last_seq {
            return;
        }
        self.last_seq = event.seq.get();
        self.view.event(self.handle.id().as_str(), &event);
        if let Record::AttemptFailed {
            task, error, fault, ..
        } = event.record
        {
            let said = match error {
                Some(id) => self.said(id).await,
                None => None,
            };
            let kind = || fault.to_string();
            self.board.fault(task, &said.unwrap_or_else(kind));
        }
        if let Record::Started { task, .. } = event.record {
            self.view
                .started(task, event.task_name.as_deref().unwrap_or("?"));
        }
        if let Some(end) = event.record.attempt_end() {
            self.view.ended(end.task);
        }
        self.question_events(&event).await;
        let snapshot = self.handle.snapshot();
        self.board.total(snapshot.counts.total());
        let questions = self.questions(&event, &snapshot).await;
        if let Some(line) = self.board.line(&event, &questions) {
            self.view.line(&line);
        }
        if let EventKind::TaskCompleted { .. } = event.kind() {
            self.completions += 1;
            if self.manner.dies_after == Some(self.completions) {
                crate::demo::die();
            }
        }
    }

    /// What an executor said; without its words the failure is told by its kind.
    async fn said(&self, id: ContentId) -> Option<String> {
        let parts = self.store.contents(self.handle.id(), &[id]).await.ok()?;
        let said: TaskErrorRecord = serde_json::from_slice(&parts.first()?.bytes).ok()?;
        Some(said.message)
    }

    /// Looks at where the run stands: what to show, whom to ask, whether to wait.
    pub(super) async fn after_event(&mut self) {
        let snapshot = self.handle.snapshot();
        self.view.status(status(&snapshot, &self.board));
        if self.manner.is_interactive && self.prompt.is_none() && !self.is_resting {
            self.ask_next(&snapshot).await;
        }
        if snapshot.state == RunState::Waiting && self.prompt.is_none() && !self.is_resting {
            self.wait_or_rest(&snapshot).await;
        }
    }
}

/// What the person at the prompt decided; pending for ever without a prompt.
async fn prompted(prompt: &mut Option<Prompt>) -> Outcome {
    match prompt {
        Some(prompt) => prompt.outcome().await,
        None => std::future::pending().await,
    }
}

fn status(snapshot: &RunSnapshot, board: &Board) -> String {
    let counts = &snapshot.counts;
    let mut text = board.place();
    if snapshot.state != RunState::Running {
        text.push(' ');
        text.push_str(snapshot.state.word());
    }
    for (count, what) in [
        (counts.in_flight(), "running"),
        (counts.ready, "ready"),
        (counts.backing_off, "backing off"),
        (counts.asking, "asking"),
    ] {
        if count > 0 {
            text.push_str(&format!(" · {count} {what}"));
        }
    }
    text
}

/// The tasks of a report that failed.
pub(crate) fn failed(report: &RunReport) -> impl Iterator<Item = &zeph_runtime::TaskReport> {
    let has_failed = |state| matches!(state, TaskState::Failed { .. });
    report
        .tasks
        .iter()
        .filter(move |task| has_failed(task.state))
}
