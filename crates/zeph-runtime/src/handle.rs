//! Handles: how a program follows a run, steers it, and gets its results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use zeph_executor::TaskOutput;
use zeph_graph::{Budget, RunEnd, RunId, RunState, Seq, Spent, TaskId, TaskState};
use zeph_memory::RawGraphStore;
use zeph_scheduler::{Counts, InputOutcome, Scheduler, Tally};

use crate::answer::{self, QuestionView, content_of};
use crate::content::read_output;
use crate::engine::Message;
use crate::error::RuntimeError;
use crate::event::{Events, RunEvent};
use crate::request::Request;

/// A run at a glance, as of its last save.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSnapshot {
    /// Where it stands.
    pub state: RunState,
    /// How many tasks stand in each state.
    pub counts: Counts,
    /// What it has spent.
    pub spent: Spent,
    /// The number of its next record.
    pub next_seq: Seq,
    /// The open questions, oldest first.
    pub questions: Vec<QuestionView>,
}

impl RunSnapshot {
    pub(crate) fn of(scheduler: &Scheduler) -> Self {
        let questions = scheduler
            .questions()
            .map(|open| answer::view(scheduler, &open));
        Self::of_known(scheduler, questions.collect())
    }

    /// The same, when the questions are known.
    pub(crate) fn of_known(scheduler: &Scheduler, questions: Vec<QuestionView>) -> Self {
        Self {
            state: scheduler.state(),
            counts: scheduler.counts(),
            spent: scheduler.spent(),
            next_seq: scheduler.next_seq(),
            questions,
        }
    }
}

/// How a run stands when it leaves the engine: at its end, at rest, or cut off from its store.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RunReport {
    /// The run.
    pub run: RunId,
    /// Where it stands.
    pub state: RunState,
    /// How many tasks stand in each state.
    pub counts: Counts,
    /// What it has spent.
    pub spent: Spent,
    /// Every task, in the order of the graph. Empty if the journal could not be written: read what was
    /// saved with [`RunView`](crate::RunView).
    pub tasks: Vec<TaskReport>,
    /// Why the journal could not be written, if it could not.
    pub error: Option<String>,
}

impl RunReport {
    /// How the run ended, if it has.
    #[must_use]
    pub const fn end(&self) -> Option<RunEnd> {
        match self.state {
            RunState::Ended(end) => Some(end),
            RunState::Running
            | RunState::Paused
            | RunState::Waiting
            | RunState::Suspending
            | RunState::Suspended => None,
        }
    }

    /// The task of that name.
    #[must_use]
    pub fn task(&self, name: &str) -> Option<&TaskReport> {
        self.tasks.iter().find(|task| &*task.name == name)
    }

    /// A run that was cut off from its store: only what was saved counts.
    pub(crate) fn lost(run: &RunId, saved: &RunSnapshot, error: String) -> Self {
        Self {
            run: run.clone(),
            state: saved.state,
            counts: saved.counts,
            spent: saved.spent,
            tasks: Vec::new(),
            error: Some(error),
        }
    }

    pub(crate) fn of(run: &RunId, scheduler: &Scheduler) -> Self {
        let tasks = scheduler.graph().tasks().map(|(id, task)| {
            let view = scheduler.task(id);
            TaskReport {
                id,
                name: task.name().into(),
                state: view.state(),
                attempts: view.last_attempt().map_or(0, zeph_graph::Attempt::get),
                tally: view.tally(),
                defined: answer::defined_output(scheduler, id),
            }
        });
        Self {
            run: run.clone(),
            state: scheduler.state(),
            counts: scheduler.counts(),
            spent: scheduler.spent(),
            tasks: tasks.collect(),
            error: None,
        }
    }
}

/// How a task stands when its run leaves the engine.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TaskReport {
    /// Its id.
    pub id: TaskId,
    /// Its name.
    pub name: Arc<str>,
    /// Where it stands.
    pub state: TaskState,
    /// How many attempts were started.
    pub attempts: u32,
    /// What went wrong on the way.
    pub tally: Tally,
    /// The result, when it is part of the definition: a substitute or a default answer.
    pub defined: Option<Value>,
}

/// A run in an engine. Clones are the same run; dropping them changes nothing.
#[derive(Clone)]
pub struct RunHandle {
    pub(crate) run: RunId,
    pub(crate) engine: mpsc::Sender<Message>,
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) snapshot: watch::Receiver<Arc<RunSnapshot>>,
    pub(crate) done: watch::Receiver<Option<Arc<RunReport>>>,
    pub(crate) events: broadcast::WeakSender<RunEvent>,
    /// Set by the first caller of `events`.
    pub(crate) watched: Arc<AtomicBool>,
    /// Subscribed before the run's first record, for the first caller of `events`.
    pub(crate) first: Arc<std::sync::Mutex<Option<Events>>>,
}

impl std::fmt::Debug for RunHandle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RunHandle")
            .field("run", &self.run)
            .finish_non_exhaustive()
    }
}

impl RunHandle {
    /// The run's name.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.run
    }

    /// The run at a glance, as of its last save.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RunSnapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Waits until the glance satisfies `wanted`, or the run leaves the engine. Returns the last one.
    pub async fn until(&self, mut wanted: impl FnMut(&RunSnapshot) -> bool) -> Arc<RunSnapshot> {
        let mut snapshot = self.snapshot.clone();
        // An error means that the run has left the engine; its last glance stays.
        let _ = snapshot.wait_for(|snapshot| wanted(snapshot)).await;
        Arc::clone(&snapshot.borrow_and_update())
    }

    /// Waits until the run has ended or is at rest, and tells how it stands.
    ///
    /// # Errors
    /// [`RuntimeError::Gone`] if the engine went away under the run; what was saved is kept.
    pub async fn wait(&self) -> Result<Arc<RunReport>, RuntimeError> {
        let mut done = self.done.clone();
        let report = done
            .wait_for(Option::is_some)
            .await
            .map(|report| report.clone());
        report.ok().flatten().ok_or_else(|| RuntimeError::Gone {
            run: self.run.clone(),
        })
    }

    /// What happens from here on. The first caller also gets the records since the start, as far as
    /// [`Limits::observer_buffer`](crate::Limits::observer_buffer) reaches back; `Missed` tells of more.
    #[must_use]
    pub fn events(&self) -> Option<Events> {
        self.watched.store(true, Ordering::Relaxed);
        let first = self.first.lock().ok().and_then(|mut first| first.take());
        first.or_else(|| {
            self.events
                .upgrade()
                .map(|events| Events::new(events.subscribe()))
        })
    }

    /// Answers a question with a person's text. Returns when the answer is saved.
    ///
    /// # Errors
    /// If the question is not open, or the text does not answer it; it stays open then.
    pub async fn answer(&self, question: u32, text: impl Into<String>) -> Result<(), RuntimeError> {
        let text = text.into();
        match self.request(Request::Answer { question, text }).await? {
            InputOutcome::Accepted => Ok(()),
            InputOutcome::Stale | InputOutcome::Rejected => Err(RuntimeError::NoSuchQuestion {
                run: self.run.clone(),
                question,
            }),
        }
    }

    /// Cancels a task; triggers decide for its dependants. Stale if it has ended.
    ///
    /// # Errors
    /// If there is no such task, or the run is gone.
    pub async fn cancel_task(&self, task: impl Into<String>) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Cancel {
            task: Some(task.into()),
            downstream: false,
        })
        .await
    }

    /// Cancels a task and every unfinished task that depends on it.
    ///
    /// # Errors
    /// If there is no such task, or the run is gone.
    pub async fn cancel_downstream(
        &self,
        task: impl Into<String>,
    ) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Cancel {
            task: Some(task.into()),
            downstream: true,
        })
        .await
    }

    /// Cancels the run.
    ///
    /// # Errors
    /// If the run is gone.
    pub async fn cancel(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Cancel {
            task: None,
            downstream: false,
        })
        .await
    }

    /// Nothing new starts until [`unpause`](Self::unpause); running work goes on.
    ///
    /// # Errors
    /// If the run is gone.
    pub async fn pause(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Pause).await
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// If the run is gone.
    pub async fn unpause(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Unpause).await
    }

    /// Sets what the run may cost from here on, in all. Stale if that is what it may cost already.
    ///
    /// # Errors
    /// If the run is gone.
    pub async fn set_budget(&self, budget: Budget) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Budget {
            tokens: Some(budget.tokens),
            micro_usd: Some(budget.micro_usd),
        })
        .await
    }

    /// Brings the run to rest: nothing new starts, running work has its grace. The second call ends
    /// the grace. Resumable by any process.
    ///
    /// # Errors
    /// If the run is gone.
    pub async fn suspend(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Suspend).await
    }

    /// Sends any request. Returns when what it led to is saved.
    ///
    /// # Errors
    /// As the named methods.
    pub async fn request(&self, request: Request) -> Result<InputOutcome, RuntimeError> {
        let (ack, answer) = oneshot::channel();
        let gone = || RuntimeError::Gone {
            run: self.run.clone(),
        };
        let message = Message::Request {
            run: self.run.clone(),
            request,
            ack,
        };
        self.engine.send(message).await.map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// The result of a completed task of this run; `None` if it has none.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub async fn output(
        &self,
        report: &RunReport,
        task: &str,
    ) -> Result<Option<Arc<TaskOutput>>, RuntimeError> {
        match report.task(task) {
            Some(task) => self.output_of(task).await,
            None => Ok(None),
        }
    }

    /// The result of a task of this run; `None` if it has none.
    ///
    /// # Errors
    /// If the store cannot read it.
    pub async fn output_of(
        &self,
        task: &TaskReport,
    ) -> Result<Option<Arc<TaskOutput>>, RuntimeError> {
        if let Some(value) = &task.defined {
            return Ok(Some(Arc::new(TaskOutput::from(value.clone()))));
        }
        let TaskState::Completed { output } = task.state else {
            return Ok(None);
        };
        let Some(id) = content_of(output) else {
            return Ok(None);
        };
        let parts = self.store.contents(&self.run, &[id]).await;
        let parts = parts.map_err(|error| RuntimeError::store(&self.run, error))?;
        read_output(&parts)
            .map(Some)
            .map_err(|error| RuntimeError::unreadable(&self.run, &error))
    }
}
