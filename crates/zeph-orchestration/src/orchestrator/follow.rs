//! `Follower`: follows a run to its end, as updates for a display: events, questions, stop signals.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use zeph_graph::{AskWhy, Fault, Record, RunState, Timestamp};
#[cfg(feature = "planner")]
use zeph_planner::plan::PlanOutput;
use zeph_runtime::{
    Events, QuestionView, RunEvent, RunHandle, RunReport, RunSnapshot, RunView, RuntimeError,
};
use zeph_scheduler::Event;

use super::watch::EventReader;
use super::{Orchestrator, OrchestratorError, RunOutcome};

/// Follows a run for a display, and decides when it asks, waits and suspends.
///
/// A display takes [`next`](Self::next) until it is `None`, shows each event, puts questions to a person,
/// and passes stop signals to [`stop`](Self::stop). Every question is asked at most once; one that is
/// [postponed](Self::postpone) stays open. When only postponed questions are left, the run is suspended,
/// unless one of them has a default: then the follower waits for it. A run that is paused when it is
/// resumed is suspended as well if no question may be asked, since nothing would continue it.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_orchestration::{Orchestrator, Question, Task, TaskGraph, Work};
/// use zeph_orchestration::follow::Update;
/// let mut graph = TaskGraph::new();
/// let question = Work::Question(Box::new(Question::text("Which city?")));
/// graph.add_task(Task::new("city").with_work(question), []);
/// let orchestrator = Orchestrator::builder().build()?;
/// let mut follower = orchestrator.follow(orchestrator.submit(graph).await?);
/// while let Some(update) = follower.next().await? {
///     match update {
///         Update::Ask(ask) => follower.answer(ask.question.id, "Oslo").await?,
///         Update::NotAsked(_, error) => return Err(error.into()),
///         Update::Event(_) | Update::Withdraw(_) | Update::Waiting(_) => {}
///     }
/// }
/// assert!(follower.finish().await?.results().end().is_some());
/// # Ok(())
/// # }
/// ```
pub struct Follower {
    pub(super) orchestrator: Orchestrator,
    handle: RunHandle,
    events: Option<Events>,
    /// The number of the last record that was delivered.
    last_seq: u64,
    /// Updates that are due before the next event.
    due: VecDeque<Update>,
    missed: bool,
    /// What was read of the store since events were missed for the first time.
    stored: Option<Box<(RunView, EventReader)>>,
    /// Interrupted tasks' questions to answer with `retry`.
    retries: VecDeque<u32>,
    reruns_interrupted: bool,
    asking: Option<u32>,
    postponed: BTreeSet<u32>,
    postpones_all: bool,
    delivers_events: bool,
    has_reported_waiting: bool,
    is_stopping: bool,
    /// Whether the run has been paused since before it was followed.
    was_paused: bool,
    stops: u32,
}

/// The next update for a display.
#[derive(Debug)]
pub enum Update {
    /// An event. Every saved record comes once, in order, also those that a slow display missed (these
    /// without error texts).
    Event(Box<RunEvent>),
    /// A question for a person, to be passed to [`Follower::answer`] or [`Follower::postpone`]. No other
    /// question comes before that.
    Ask(Box<Ask>),
    /// A question about a plan that cannot be read, and the reason. It is postponed without being asked:
    /// a person could only approve a plan without having seen it.
    NotAsked(u32, Box<RuntimeError>),
    /// The question that is being asked is closed: it was answered elsewhere, its default counts, or its
    /// task was canceled.
    Withdraw(u32),
    /// Only questions are left, and the first default counts at that time. Comes once.
    Waiting(Timestamp),
}

/// A question for a person.
#[derive(Clone, Debug)]
pub struct Ask {
    /// The question.
    pub question: QuestionView,
    /// The plan that the question is about, if it is about one.
    #[cfg(feature = "planner")]
    pub plan: Option<PlanOutput>,
}

/// The effect of a stop signal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// The first: nothing new starts, and this many running attempts have the grace period to end.
    Suspending {
        /// Attempts in flight.
        running: u32,
    },
    /// The second: running attempts are stopped now.
    EndingGrace,
    /// Any further one: the display ends its process. Saved records remain.
    Kill,
}

impl std::fmt::Debug for Follower {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Follower")
            .field("run", self.handle.id())
            .finish_non_exhaustive()
    }
}

impl Orchestrator {
    /// Follows a run of this orchestrator, with all events since it was submitted or opened.
    #[must_use]
    pub fn follow(&self, run: RunHandle) -> Follower {
        Follower {
            orchestrator: self.clone(),
            events: run.events(),
            was_paused: run.snapshot().state == RunState::Paused,
            handle: run,
            last_seq: 0,
            due: VecDeque::new(),
            missed: false,
            stored: None,
            retries: VecDeque::new(),
            reruns_interrupted: false,
            asking: None,
            postponed: BTreeSet::new(),
            postpones_all: false,
            delivers_events: true,
            has_reported_waiting: false,
            is_stopping: false,
            stops: 0,
        }
    }
}

impl Follower {
    /// Leaves out the records up to this one, which the display knows already.
    #[must_use]
    pub const fn after(mut self, seq: u64) -> Self {
        self.last_seq = seq;
        self
    }

    /// Asks no questions: all of them are postponed.
    #[must_use]
    pub const fn without_questions(mut self) -> Self {
        self.postpones_all = true;
        self
    }

    /// Delivers no events: only questions and waiting. Missed events are then not read again.
    #[must_use]
    pub const fn without_events(mut self) -> Self {
        self.delivers_events = false;
        self
    }

    /// Retries interrupted tasks whose effect class requires a person's consent.
    #[must_use]
    pub fn rerun_interrupted(mut self) -> Self {
        self.reruns_interrupted = true;
        let open = self.handle.snapshot();
        let interrupted = open
            .questions
            .iter()
            .filter(|open| is_interrupted(open.about));
        self.retries.extend(interrupted.map(|open| open.id));
        self
    }

    /// The run.
    #[must_use]
    pub const fn handle(&self) -> &RunHandle {
        &self.handle
    }

    /// The next update; `None` when the run has ended or is suspended. Dropping the future loses
    /// nothing.
    ///
    /// # Errors
    /// If missed events cannot be read from the store.
    pub async fn next(&mut self) -> Result<Option<Update>, RuntimeError> {
        loop {
            if self.missed {
                self.reload().await?;
                self.missed = false;
            }
            if let Some(update) = self.due.pop_front() {
                return Ok(Some(update));
            }
            while let Some(question) = self.retries.front().copied() {
                // It may have been answered elsewhere meanwhile.
                let _ = self.handle.answer(question, "retry").await;
                self.retries.pop_front();
            }
            // Events that are there come before the decisions that follow from them. Later the number of the
            // last record shows whether some are missing.
            if let Some(events) = self.events.as_mut().filter(|_| self.last_seq == 0) {
                let event = tokio::select! {
                    biased;
                    event = events.next() => event,
                    () = std::future::ready(()) => None,
                };
                if let Some(event) = event {
                    self.take(event);
                    continue;
                }
            }
            if let Some(update) = self.decide().await {
                return Ok(Some(update));
            }
            let event = match &mut self.events {
                Some(events) => events.next().await,
                None => None,
            };
            let Some(event) = event else {
                return Ok(None);
            };
            self.take(event);
        }
    }

    /// Queues the updates for an event.
    fn take(&mut self, event: RunEvent) {
        match &event {
            RunEvent::Saved { event, .. } => {
                if event.seq.get() <= self.last_seq {
                    return;
                }
                self.last_seq = event.seq.get();
                let event = event.clone();
                self.note_question(&event);
            }
            RunEvent::Missed(_) => {
                self.missed = self.delivers_events;
                return;
            }
            RunEvent::Progress { .. }
            | RunEvent::Log { .. }
            | RunEvent::Waits { .. }
            | RunEvent::Dropped { .. } => {}
        }
        if self.delivers_events {
            self.due.push_back(Update::Event(Box::new(event)));
        }
    }

    fn note_question(&mut self, event: &Event) {
        if let Record::Asked { question, why, .. } = event.record
            && self.reruns_interrupted
            && is_interrupted(why)
        {
            self.retries.push_back(question.get());
        }
    }

    /// Reads the records of missed events from the store.
    async fn reload(&mut self) -> Result<(), RuntimeError> {
        let store = self.orchestrator.store();
        let stored = match &mut self.stored {
            Some(stored) => {
                stored.0.refresh(&**store).await?;
                stored
            }
            none @ None => {
                let view = RunView::load(&**store, self.handle.id()).await?;
                none.insert(Box::new((view, EventReader::default())))
            }
        };
        let (view, reader) = &mut **stored;
        let events = reader.read(view);
        // Those that were delivered are skipped.
        for event in events {
            self.take(RunEvent::Saved {
                event,
                error: None,
                question: None,
                from: None,
                change: None,
            });
        }
        Ok(())
    }

    /// Withdraws the question that is asked if it is closed, by an answer or with its task. Otherwise
    /// asks the oldest question that is neither asked nor postponed; suspends the run when nothing but
    /// postponed questions is left.
    async fn decide(&mut self) -> Option<Update> {
        let snapshot = self.handle.snapshot();
        let is_open = |id: u32| snapshot.questions.iter().any(|open| open.id == id);
        if let Some(id) = self.asking.take_if(|asking| !is_open(*asking)) {
            return Some(Update::Withdraw(id));
        }
        if self.is_stopping || self.asking.is_some() || self.is_behind(&snapshot) {
            return None;
        }
        let mut open = snapshot.questions.iter();
        let next = open.find(|open| !self.postpones_all && !self.postponed.contains(&open.id));
        if let Some(question) = next {
            let update = match self.ask(question).await {
                Ok(ask) => {
                    self.asking = Some(question.id);
                    Update::Ask(Box::new(ask))
                }
                Err(error) => {
                    self.postpone(question.id);
                    Update::NotAsked(question.id, Box::new(error))
                }
            };
            return Some(update);
        }
        self.was_paused &= snapshot.state == RunState::Paused;
        if self.was_paused && self.postpones_all && snapshot.counts.in_flight() == 0 {
            // No process is there to continue it.
            self.suspend().await;
            return None;
        }
        if snapshot.state != RunState::Waiting {
            return None;
        }
        let defaults = snapshot.questions.iter().filter_map(|open| open.default_at);
        match defaults.min() {
            Some(_) if self.has_reported_waiting => None,
            Some(at) => {
                self.has_reported_waiting = true;
                Some(Update::Waiting(at))
            }
            None => {
                self.suspend().await;
                None
            }
        }
    }

    /// Whether the snapshot follows from events that are still to come: a question comes after its event.
    fn is_behind(&self, snapshot: &RunSnapshot) -> bool {
        let has_begun = self.last_seq > 0 && self.delivers_events && self.events.is_some();
        has_begun && snapshot.next_seq.get() > self.last_seq + 1
    }

    /// The plan that a question is about, if it is about one.
    ///
    /// # Errors
    /// If the question is about a plan, and that plan cannot be read.
    #[cfg(feature = "planner")]
    pub async fn plan(&self, question: &QuestionView) -> Result<Option<PlanOutput>, RuntimeError> {
        let store = &**self.orchestrator.store();
        super::confirm::plan_in_question(store, &self.handle, question).await
    }

    async fn ask(&self, question: &QuestionView) -> Result<Ask, RuntimeError> {
        Ok(Ask {
            question: question.clone(),
            #[cfg(feature = "planner")]
            plan: self.plan(question).await?,
        })
    }

    /// Answers a question. An answer that does not fit leaves it open; it is asked again.
    ///
    /// # Errors
    /// If the text does not answer the question; [`RuntimeError::NoSuchQuestion`] or
    /// [`RuntimeError::Gone`] if the question was closed meanwhile, so that the answer has no effect.
    pub async fn answer(
        &mut self,
        question: u32,
        text: impl Into<String>,
    ) -> Result<(), RuntimeError> {
        self.asking.take_if(|asking| *asking == question);
        self.handle.answer(question, text).await
    }

    /// Leaves a question open.
    pub fn postpone(&mut self, question: u32) {
        self.asking.take_if(|asking| *asking == question);
        self.postponed.insert(question);
    }

    /// Handles a stop signal: the first suspends the run, the second ends the grace period, the third
    /// tells the display to end its process.
    pub async fn stop(&mut self) -> Stop {
        self.stops += 1;
        let running = self.handle.snapshot().counts.in_flight();
        let stop = match self.stops {
            1 => Stop::Suspending { running },
            2 => Stop::EndingGrace,
            _ => return Stop::Kill,
        };
        self.asking = None;
        self.suspend().await;
        stop
    }

    async fn suspend(&mut self) {
        self.is_stopping = true;
        // If the run is unloaded, its last event has reported that.
        let _ = self.handle.suspend().await;
    }

    /// Waits until the run has ended or is suspended, and reads its results.
    ///
    /// # Errors
    /// [`OrchestratorError::Lost`] if the journal could not be written; [`OrchestratorError::NoPlan`] if a
    /// run for a goal ended without a plan; otherwise the error of reading the run.
    pub async fn finish(self) -> Result<RunOutcome, OrchestratorError> {
        let report = self.handle.wait().await?;
        if let Some(reason) = &report.error {
            return Err(OrchestratorError::Lost {
                run: report.run.clone(),
                reason: reason.clone(),
            });
        }
        let results = self.orchestrator.results(&report.run).await?;
        results.into_outcome().await
    }

    /// Waits for the report of the engine, which does not read the store.
    ///
    /// # Errors
    /// If the engine ended before the run.
    pub async fn wait(&self) -> Result<Arc<RunReport>, RuntimeError> {
        self.handle.wait().await
    }
}

fn is_interrupted(why: AskWhy) -> bool {
    why == AskWhy::Failure(Fault::Interrupted)
}
