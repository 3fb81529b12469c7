//! The engine: starts, submits and resumes runs.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use tokio::runtime::Handle;
use tokio::sync::{broadcast, mpsc, oneshot, watch};
use zeph_executor::{Redact, Registry};
use zeph_graph::{ContentId, Header, RunId, TaskGraph, wire};
use zeph_memory::{Chain, Commit, Fence, NewRun, RawGraphStore, RequestId, RunRow, StoreError};
use zeph_scheduler::{EventLog, Input, InputOutcome, Scheduler};

use crate::active_run::ActiveRun;
use crate::actor::is_in_task_of;
use crate::amend::OnPatch;
use crate::clock::Clock;
use crate::core::{AbortOnDrop, Core};
use crate::core_config::CoreConfig;
use crate::core_thread;
use crate::driver::{self, Contents, LastErrors};
use crate::error::RuntimeError;
use crate::event::Events;
use crate::group::GroupTurn;
use crate::handle::RunHandle;
use crate::inbox::{BadRequest, PostedRequest, read_inbox};
use crate::message::{Message, call};
use crate::named_lock::Locks;
use crate::news;
use crate::owner::{OwnerLock, Owners};
use crate::restore::{Restored, restore};
use crate::run_slot::RunSlot;
use crate::snapshot::RunSnapshot;
use crate::stored_errors::StoredErrors;
use crate::submission::{Limits, Submission, random_run_id};
use crate::take_over::owner_name;

/// Configures an [`Engine`].
#[must_use]
pub struct EngineBuilder {
    store: Arc<dyn RawGraphStore>,
    registry: Registry,
    limits: Limits,
    owners: Option<Owners>,
    redact: Option<Arc<dyn Redact>>,
    pub(crate) on_patch: Option<OnPatch>,
}

impl std::fmt::Debug for EngineBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("EngineBuilder")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl EngineBuilder {
    /// The executors that tasks can name. Default: none, which is enough for milestones and questions.
    pub fn registry(mut self, registry: Registry) -> Self {
        self.registry = registry;
        self
    }

    /// Sets the limits.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.limits = limits;
        self
    }

    /// Sets the folder with the locks and sockets of the processes that share this store. Default: no other
    /// process shares it.
    pub fn owners(mut self, owners: Owners) -> Self {
        self.owners = Some(owners);
        self
    }

    /// Redacts errors, panic messages, logs and notes before they are stored, and events before they are
    /// sent. Default: nothing is redacted.
    ///
    /// Results are stored as they are: dependants need them whole.
    pub fn redact(mut self, redact: Arc<dyn Redact>) -> Self {
        self.redact = Some(redact);
        self
    }

    /// Starts the engine. Executors run on the current tokio runtime; the engine itself has a thread of its
    /// own, so that executors which block their threads delay no time-out and no other run.
    ///
    /// While the clock of the runtime is paused, for tests, the engine runs on that runtime too.
    ///
    /// # Errors
    /// If the store refuses a writer, or the owner's files cannot be made.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub async fn start(self) -> Result<Engine, RuntimeError> {
        let clock = Clock::start();
        let claim = |source| RuntimeError::Claim {
            source: Arc::new(source),
        };
        let fence = self.store.claim(&owner_name(), clock.now()).await;
        let fence = fence.map_err(claim)?;
        let news = self.store.news().await.map_err(claim)?;
        let (sender, messages) = mpsc::channel(1024);
        let (closed, is_closed) = watch::channel(None);
        let registry = Arc::new(self.registry);
        let locks = Locks::new(self.owners.as_ref());
        let core = Core::new(CoreConfig {
            store: Arc::clone(&self.store),
            fence,
            registry: Arc::clone(&registry),
            limits: self.limits,
            clock,
            redact: self.redact,
            on_patch: self.on_patch,
            locks: locks.clone(),
            closed,
            engine: sender.downgrade(),
            bodies: Handle::current(),
        });
        let (started, is_started) = oneshot::channel();
        let (owners, engine) = (self.owners.clone(), sender.downgrade());
        let store = Arc::clone(&self.store);
        let work = async move {
            let news = tokio::spawn(news::forward(news, engine.clone()));
            let _news = AbortOnDrop(news.abort_handle());
            let lock = match owners {
                Some(owners) => owners.acquire(fence, engine).await.map(Arc::new).map(Some),
                None => Ok(None),
            };
            let held = lock.as_ref().ok().cloned();
            let is_open = started.send(lock).is_ok();
            if held.is_some() && is_open {
                core.run(messages).await;
            }
            // The lock is held while runs are active, even if no handle is left.
            drop(held);
            if let Err(error) = store.release(fence).await {
                tracing::warn!(%error, "the lease is not released; it lapses by itself");
            }
        };
        let failed = |error| claim(StoreError::io("starting the engine", error));
        core_thread::spawn(clock, work).map_err(failed)?;
        let lock = is_started.await;
        let lock = lock.unwrap_or_else(|_| Err(std::io::Error::other("its thread has ended")));
        let lock =
            lock.map_err(|error| claim(StoreError::system("taking the owner's lock", error)))?;
        Ok(Engine {
            messages: sender,
            store: self.store,
            fence,
            registry,
            limits: self.limits,
            clock,
            is_closed,
            owners: self.owners,
            locks,
            _lock: lock,
        })
    }
}

/// Runs graphs: many at a time, each step saved before its consequences start.
///
/// Clones are the same engine. When all are dropped the runs continue; the engine ends when the last run
/// is unloaded and the last handle is dropped.
#[derive(Clone)]
pub struct Engine {
    pub(crate) messages: mpsc::Sender<Message>,
    pub(crate) store: Arc<dyn RawGraphStore>,
    pub(crate) fence: Fence,
    registry: Arc<Registry>,
    limits: Limits,
    pub(crate) clock: Clock,
    is_closed: watch::Receiver<Option<String>>,
    pub(crate) owners: Option<Owners>,
    pub(crate) locks: Locks,
    _lock: Option<Arc<OwnerLock>>,
}

impl std::fmt::Debug for Engine {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Engine")
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

impl Engine {
    /// An engine on that store.
    pub fn builder(store: Arc<dyn RawGraphStore>) -> EngineBuilder {
        let (registry, limits) = (Registry::new(), Limits::default());
        EngineBuilder {
            store,
            registry,
            limits,
            owners: None,
            redact: None,
            on_patch: None,
        }
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn RawGraphStore> {
        &self.store
    }

    /// Starts a run. Returns when it is saved; from then on it survives a crash.
    ///
    /// # Errors
    /// If an executor is not registered, the name is taken, the store fails, or another run of its group works and
    /// the run is not to wait for it.
    pub async fn submit(&self, submission: Submission) -> Result<RunHandle, RuntimeError> {
        let Submission {
            graph,
            policy,
            run,
            title,
            supplied,
            supplied_items,
        } = submission;
        let run = run.map_or_else(random_run_id, Ok);
        let run = run.map_err(|source| RuntimeError::Random { source })?;
        self.check_executors(&run, &graph)?;
        let turn = self.group_turn(&run, &graph).await?;
        let title = title
            .or_else(|| graph.metadata().get("goal").cloned())
            .unwrap_or_default();
        let header = Header { graph, policy };
        let text = wire::encode_header(&header);
        let new = NewRun::new(run.clone(), title, self.clock.now(), text);
        let chain = Chain::genesis(&new);
        let mut scheduler = Scheduler::new(header.graph, header.policy);
        let mut contents = Contents::starting_at(ContentId::FIRST);
        let defined = scheduler.graph().len();
        let (mut first, mut last) = (Vec::new(), Vec::new());
        for (task, parts) in supplied {
            let output = parts.map(|parts| contents.intern(parts));
            let is_item = task.index() >= defined;
            let inputs = if is_item { &mut last } else { &mut first };
            inputs.push(Input::Supply { task, output });
        }
        // Lists come behind the results that they depend on, and before those of their items.
        for (task, list, count) in supplied_items {
            let list = contents.intern(list);
            first.push(Input::SupplyItems { task, list, count });
        }
        for input in first.into_iter().chain(last) {
            let outcome = scheduler.handle(new.created_at, input);
            debug_assert_eq!(outcome, InputOutcome::Accepted, "{input:?}");
        }
        let fresh = Box::new(Restored {
            scheduler,
            chain,
            contents,
            errors: LastErrors::default(),
            stored_errors: StoredErrors::default(),
            interrupted: Default::default(),
            event_log: EventLog::default(),
        });
        self.open(fresh, Some(new), Vec::new(), turn).await
    }

    /// Continues a run that is suspended, or whose process has ended.
    ///
    /// Adopts the run from the owner that has ended, and applies the requests in the inbox of the run. The
    /// effect classes decide about attempts whose end is unknown.
    ///
    /// # Errors
    /// If there is no such run, it has ended, another process owns it, its journal is damaged, or an
    /// executor is not registered. The run is then unchanged.
    pub async fn resume(&self, run: &RunId) -> Result<RunHandle, RuntimeError> {
        self.resume_checked(run, None, true).await
    }

    /// Like [`resume`](Self::resume), and also checks that the run was started with this graph.
    ///
    /// # Errors
    /// As [`resume`](Self::resume), and [`RuntimeError::GraphChanged`].
    pub async fn resume_same(
        &self,
        run: &RunId,
        graph: &TaskGraph,
    ) -> Result<RunHandle, RuntimeError> {
        self.resume_checked(run, Some(graph), true).await
    }

    /// Like [`resume`](Self::resume), also while another run of its group works: for a run that starts nothing.
    pub(crate) async fn resume_to_end(&self, run: &RunId) -> Result<RunHandle, RuntimeError> {
        self.resume_checked(run, None, false).await
    }

    async fn resume_checked(
        &self,
        run: &RunId,
        expected: Option<&TaskGraph>,
        takes_group: bool,
    ) -> Result<RunHandle, RuntimeError> {
        if is_in_task_of(run) {
            return Err(RuntimeError::OwnTask { run: run.clone() });
        }
        let slot = RunSlot::reserve(&self.messages, run).await?;
        let row = self.open_row(run).await?;
        self.check_no_owner(run, row.epoch).await?;
        let mut restored = Box::pin(restore(&*self.store, run, expected)).await?;
        self.check_executors(run, restored.scheduler.graph())?;
        let turn = match takes_group {
            true => self.group_turn(run, restored.scheduler.graph()).await?,
            false => None,
        };
        if row.epoch != self.fence.epoch {
            let adopted = self.store.adopt(run, row.epoch, self.fence).await;
            adopted.map_err(|error| self.adoption_error(run, error))?;
            // The former owner may have written between the load and the adoption; now it cannot.
            if self.open_row(run).await?.last_seq != restored.chain.last_seq() {
                restored = Box::pin(restore(&*self.store, run, expected)).await?;
                self.check_executors(run, restored.scheduler.graph())?;
            }
        }
        let requests = read_inbox(&*self.store, run).await?;
        self.drop_damaged(run, &requests).await?;
        slot.fill();
        self.open(restored, None, requests, turn).await
    }

    /// The run's row in the store.
    ///
    /// # Errors
    /// If the run has ended.
    async fn open_row(&self, run: &RunId) -> Result<RunRow, RuntimeError> {
        let row = self.store.get(run).await;
        let row = row.map_err(|e| RuntimeError::store(run, e))?;
        if row.status.open {
            return Ok(row);
        }
        Err(RuntimeError::AlreadyEnded {
            run: run.clone(),
            state: row.status.state,
        })
    }

    /// Drops the requests of the inbox that are not as they were posted.
    ///
    /// # Errors
    /// If there are such requests: it is not known what a person has asked for.
    async fn drop_damaged(
        &self,
        run: &RunId,
        requests: &[PostedRequest],
    ) -> Result<(), RuntimeError> {
        let damaged = requests
            .iter()
            .filter(|posted| posted.request == Err(BadRequest::Damaged));
        let settled: Vec<RequestId> = damaged.map(|posted| posted.id).collect();
        if settled.is_empty() {
            return Ok(());
        }
        let requests = settled.clone();
        let commit = Commit {
            settled,
            ..Commit::default()
        };
        let dropped = self.store.commit(&commit, self.fence).await;
        dropped.map_err(|error| RuntimeError::store(run, error))?;
        Err(RuntimeError::DamagedRequests {
            run: run.clone(),
            requests,
        })
    }

    async fn open(
        &self,
        restored: Box<Restored>,
        genesis: Option<NewRun>,
        requests: Vec<PostedRequest>,
        turn: Option<GroupTurn>,
    ) -> Result<RunHandle, RuntimeError> {
        let is_resume = genesis.is_none();
        let (handle, mut active) = self.activate(*restored, genesis);
        active.group = turn;
        let message = |ack| Message::Open {
            active,
            is_resume,
            requests,
            ack,
        };
        match call(&self.messages, &handle.run, message).await {
            Ok(opened) => opened.map(|_| handle),
            Err(gone) => Err(match self.is_closed.borrow().clone() {
                Some(reason) => RuntimeError::Closed { reason },
                None => gone,
            }),
        }
    }

    /// The active run and its handle. Not async, since a future would hold both on the stack.
    fn activate(&self, restored: Restored, genesis: Option<NewRun>) -> (RunHandle, Box<ActiveRun>) {
        let Restored {
            scheduler,
            chain,
            contents,
            errors,
            stored_errors,
            interrupted,
            event_log,
        } = restored;
        let run = chain.run().clone();
        let (events, first) = broadcast::channel(self.limits.observer_buffer.max(1));
        let snapshot = Arc::new(RunSnapshot::new(&scheduler, &errors));
        let (snapshot, snapshot_reader) = watch::channel(snapshot);
        let (done, done_reader) = watch::channel(None);
        let watched = Arc::default();
        let handle = RunHandle {
            run: run.clone(),
            engine: self.messages.clone(),
            store: Arc::clone(&self.store),
            snapshot: snapshot_reader,
            done: done_reader,
            events: events.downgrade(),
            watched: Arc::clone(&watched),
            first: Arc::new(Mutex::new(Some(Events::new(first)))),
        };
        let ahead = chain.updated_at().since(self.clock.now());
        let active = Box::new(ActiveRun {
            lanes: crate::shared_lane::RunLane::of(scheduler.graph()),
            scheduler,
            chain,
            genesis,
            contents,
            outputs: HashMap::new(),
            errors,
            stored_errors,
            interrupted,
            ahead,
            watched,
            buffered: Arc::default(),
            acks: Vec::new(),
            settled: Vec::new(),
            drafts: Vec::new(),
            handled: BTreeSet::new(),
            store_error: None,
            group: None,
            attempts: HashMap::new(),
            preparations: HashMap::new(),
            event_log,
            events,
            snapshot,
            done,
        });
        (handle, active)
    }

    /// Checks that every action of the graph has its executor.
    fn check_executors(&self, run: &RunId, graph: &TaskGraph) -> Result<(), RuntimeError> {
        let missing = graph.tasks().filter_map(|(_, task)| {
            let name = driver::needed_action(task)?;
            let found = self.registry.find(task.name(), Some(&name));
            found.is_none().then(|| name.to_string())
        });
        let missing: BTreeSet<String> = missing.collect();
        if missing.is_empty() {
            return Ok(());
        }
        let (run, missing) = (run.clone(), missing.into_iter().collect());
        Err(RuntimeError::MissingExecutors { run, missing })
    }
}
