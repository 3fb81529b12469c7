//! Run handles: observe an active run, send it requests, and read its results.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use zeph_executor::TaskOutput;
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Budget, Output, RunId, TaskState};
use zeph_memory::RawGraphStore;
use zeph_scheduler::{InputOutcome, Scheduler};

use crate::active_run::ActiveRun;
use crate::actor::Actor;
use crate::error::RuntimeError;
use crate::event::{Events, RunEvent};
use crate::message::{Message, call};
use crate::parents::ParentOutput;
use crate::report::{RunReport, TaskReport};
use crate::request::{AttributedRequest, Request};
use crate::restore::{closest, output};
use crate::snapshot::RunSnapshot;

/// A handle of an active run of an engine. Clones refer to the same run; dropping them does not affect it.
#[derive(Clone)]
pub struct RunHandle {
    pub(crate) run: RunId,
    pub(crate) engine: mpsc::Sender<Message>,
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) snapshot: watch::Receiver<Arc<RunSnapshot>>,
    pub(crate) done: watch::Receiver<Option<Arc<RunReport>>>,
    pub(crate) events: broadcast::WeakSender<RunEvent>,
    /// Set by the first call of `events`. Until then, the progress and logs of attempts are not sent.
    pub(crate) watched: Arc<AtomicBool>,
    /// A subscription since the start of the run, for the first caller of `events`.
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
    /// The run's id.
    #[must_use]
    pub const fn id(&self) -> &RunId {
        &self.run
    }

    /// The state of the run as of its last save. Does not read the store.
    #[must_use]
    pub fn snapshot(&self) -> Arc<RunSnapshot> {
        Arc::clone(&self.snapshot.borrow())
    }

    /// Waits until a snapshot satisfies the predicate or the run is unloaded. Returns the latest snapshot,
    /// which may already be a later one that does not satisfy the predicate.
    pub async fn until(&self, mut wanted: impl FnMut(&RunSnapshot) -> bool) -> Arc<RunSnapshot> {
        let mut snapshot = self.snapshot.clone();
        // An error means that the run was unloaded; its last snapshot remains.
        let _ = snapshot.wait_for(|snapshot| wanted(snapshot)).await;
        Arc::clone(&snapshot.borrow_and_update())
    }

    /// Reads the live state of the run in the engine's task, without the store.
    ///
    /// The state can include decisions that are not saved yet. The closure delays all runs of the
    /// engine, so it must be short.
    ///
    /// # Errors
    /// [`RuntimeError::Gone`] if the run is unloaded; [`RunView`](crate::RunView) reads it then.
    pub async fn inspect<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Scheduler) -> T + Send + 'static,
    ) -> Result<T, RuntimeError> {
        self.inspect_run(|active| read(&active.scheduler)).await
    }

    async fn inspect_run<T: Send + 'static>(
        &self,
        read: impl FnOnce(&ActiveRun) -> T + Send + 'static,
    ) -> Result<T, RuntimeError> {
        let run = self.run.clone();
        let message = |reply: oneshot::Sender<T>| Message::Inspect {
            run,
            read: Box::new(|active| drop(reply.send(read(active)))),
        };
        call(&self.engine, &self.run, message).await
    }

    /// The result of a completed task of the active run; `None` if the task has no result yet, or none at
    /// all.
    ///
    /// It reads the store only for a result that the engine does not hold in memory.
    ///
    /// # Errors
    /// If the run is unloaded, there is no such task, or the store cannot read the result.
    pub async fn live_output(&self, task: &str) -> Result<Option<Arc<TaskOutput>>, RuntimeError> {
        let name = task.to_owned();
        let found = self.inspect_run(move |active| {
            let graph = active.scheduler.graph();
            let Some(task) = graph.find(&name) else {
                return Err((closest(graph, &name), name));
            };
            let state = active.scheduler.task(task).state();
            if let TaskState::Completed { output } = state
                && output != Output::None
            {
                return Ok(active.parent_output(task, output));
            }
            Ok(ParentOutput::None)
        });
        match found.await? {
            Ok(ParentOutput::None) => Ok(None),
            Ok(ParentOutput::InMemory(output)) => Ok(Some(output)),
            Ok(ParentOutput::Stored(id)) => output(&*self.store, &self.run, id).await.map(Some),
            Err((suggestion, task)) => Err(RuntimeError::NoSuchTask {
                run: self.run.clone(),
                task,
                suggestion,
            }),
        }
    }

    /// Waits until the run has ended or is suspended, and returns its report.
    ///
    /// # Errors
    /// [`RuntimeError::Gone`] if the engine's task has ended before the run; the store keeps all that was
    /// saved.
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

    /// The events from now on; `None` if the run is unloaded.
    ///
    /// The first caller also gets the saved events since the start, even if the run is unloaded by now: as
    /// many as [`Limits::observer_buffer`](crate::Limits::observer_buffer) keeps, and `Missed` counts the
    /// others. Progress and logs of attempts are sent only after the first call.
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

    /// Gives an unfinished task its result, which replaces its own; a running attempt is stopped first. The
    /// outcome is `Stale` if the task has ended, is being canceled or was given an end before.
    ///
    /// # Errors
    /// If there is no such task, it is a question that does not accept the value, the value is too large, or the
    /// run is unloaded.
    pub async fn complete(
        &self,
        task: impl Into<String>,
        output: impl Into<Value>,
    ) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Complete {
            task: task.into(),
            output: output.into(),
            reason: None,
        })
        .await
    }

    /// Skips an unfinished task; a running attempt is stopped first. The triggers of its dependants decide
    /// whether they still start. The outcome is `Stale` as for [`complete`](Self::complete).
    ///
    /// # Errors
    /// If there is no such task, or the run is unloaded.
    pub async fn skip(&self, task: impl Into<String>) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Skip {
            task: task.into(),
            reason: None,
        })
        .await
    }

    /// Adds, replaces and removes tasks of the run, all of it or nothing: see
    /// [`Scheduler::amend_by_hand`] and [`wire::revision`](zeph_graph::wire::revision). `after` is the
    /// number of [amendments](Scheduler::amendments) of the run for which the patch was made. The outcome is
    /// `Stale` if the run is ending or only finalizers are left.
    ///
    /// # Errors
    /// If the run has been amended since, the patch is not valid, an executor is missing, or the run is
    /// unloaded.
    pub async fn amend(&self, patch: &GraphSpec, after: u32) -> Result<InputOutcome, RuntimeError> {
        // A patch that was just written can be read.
        let patch = serde_json::from_str(&patch.to_json()).unwrap_or_default();
        self.request(Request::Amend {
            patch,
            after,
            reason: None,
        })
        .await
    }

    /// Cancels a task. The triggers of its dependants decide whether they still start. The outcome is `Stale`
    /// if the task has ended.
    ///
    /// # Errors
    /// If there is no such task, or the run is unloaded.
    pub async fn cancel_task(&self, task: impl Into<String>) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Cancel {
            task: Some(task.into()),
            downstream: false,
        })
        .await
    }

    /// Cancels a task and every unfinished task that depends on it, directly or not.
    ///
    /// # Errors
    /// If there is no such task, or the run is unloaded.
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
    /// If the run is unloaded.
    pub async fn cancel(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Cancel {
            task: None,
            downstream: false,
        })
        .await
    }

    /// Starts no new attempts until [`unpause`](Self::unpause). Running attempts continue.
    ///
    /// # Errors
    /// If the run is unloaded.
    pub async fn pause(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Pause).await
    }

    /// Ends a pause.
    ///
    /// # Errors
    /// If the run is unloaded.
    pub async fn unpause(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Unpause).await
    }

    /// Sets the budget of the whole run. The outcome is `Stale` if that is the budget already.
    ///
    /// # Errors
    /// If the run is unloaded.
    pub async fn set_budget(&self, budget: Budget) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Budget {
            tokens: Some(budget.tokens().unwrap_or(u64::MAX)),
            micro_usd: Some(budget.micro_usd().unwrap_or(u64::MAX)),
        })
        .await
    }

    /// Suspends the run: no new attempts start, and running ones have the grace period to end. A second
    /// call ends the grace period. Any process can resume the run.
    ///
    /// # Errors
    /// If the run is unloaded.
    pub async fn suspend(&self) -> Result<InputOutcome, RuntimeError> {
        self.request(Request::Suspend).await
    }

    /// Sends a request. Returns when its effects are saved.
    ///
    /// # Errors
    /// As the named methods.
    pub async fn request(&self, request: Request) -> Result<InputOutcome, RuntimeError> {
        let run = self.run.clone();
        let request = AttributedRequest {
            request,
            by: Some(Actor::this_process()),
            replaces: None,
        };
        let message = |ack| Message::Request { run, request, ack };
        call(&self.engine, &self.run, message).await?
    }

    /// The result of the task of that name in a report; `None` if there is no such task, or it has no result.
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

    /// The result of a task of a report; `None` if the task has no result.
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
        let TaskState::Completed { output: place } = task.state else {
            return Ok(None);
        };
        let Some(id) = place.content() else {
            return Ok(None);
        };
        output(&*self.store, &self.run, id).await.map(Some)
    }
}
