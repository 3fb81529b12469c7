//! The engine: where runs are submitted and resumed.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Arc, Mutex};

use tokio::sync::{broadcast, mpsc, oneshot, watch};
use zeph_executor::{Redact, Registry};
use zeph_graph::{ContentId, Entry, Header, RunId, TaskGraph, Work, wire};
use zeph_memory::{Chain, Fence, NewRun, RawGraphStore, RequestId, RunRow, StoreError, StoredRun};
use zeph_scheduler::Scheduler;

use crate::clock::Clock;
use crate::core::Core;
use crate::door::{Ask, Asker};
use crate::error::RuntimeError;
use crate::event::Events;
use crate::handle::{RunHandle, RunSnapshot};
use crate::live::{Ack, Live};
use crate::owner::{OwnerLock, Owners};
use crate::request::Request;
use crate::reserve::Reservation;
use crate::socket::{self, Reply};
use crate::submission::{Limits, Submission};
use crate::view::{read_entries, recover};

/// What the core is told.
pub(crate) enum Message {
    Open {
        live: Box<Live>,
        resume: bool,
        requests: Vec<(RequestId, Request)>,
        ack: Ack,
    },
    /// The run is about to be read back here: nobody else is to do so meanwhile.
    Reserve { run: RunId, ack: Ack },
    /// It is not, after all.
    Release { run: RunId },
    /// Is the run at work here?
    Find { run: RunId, ack: Ack },
    Request {
        run: RunId,
        request: Request,
        ack: Ack,
    },
    /// An attempt wants something of its run's journal.
    Ask { asker: Asker, ask: Ask },
}

/// A run as it is read back: its machine, the end of its journal, and the next content's id. Boxed,
/// since it passes through several futures, and each of them would hold it whole on the stack.
type Restored = Box<(Scheduler, Chain, ContentId)>;

/// Configures an [`Engine`].
#[must_use]
pub struct EngineBuilder {
    store: Arc<dyn RawGraphStore>,
    registry: Registry,
    limits: Limits,
    owners: Option<Owners>,
    redact: Option<Arc<dyn Redact>>,
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

    /// Where the processes that share this store find each other. Default: nobody shares it.
    pub fn owners(mut self, owners: Owners) -> Self {
        self.owners = Some(owners);
        self
    }

    /// Takes secrets out of errors, panic messages, logs and notes before they are kept, and out of
    /// what observers see while an attempt runs. Default: nothing is taken out.
    ///
    /// Results are kept as they are: dependants need them whole.
    pub fn redact(mut self, redact: Arc<dyn Redact>) -> Self {
        self.redact = Some(redact);
        self
    }

    /// Starts the engine on the current tokio runtime.
    ///
    /// # Errors
    /// If the store refuses a writer, or the owner's files cannot be made.
    ///
    /// # Panics
    /// Outside a tokio runtime with time enabled.
    pub async fn start(self) -> Result<Engine, RuntimeError> {
        let clock = Clock::start();
        let name = format!("pid {}", std::process::id());
        let claim = |source| RuntimeError::Claim {
            source: Arc::new(source),
        };
        let fence = self.store.claim(&name, clock.now()).await.map_err(claim)?;
        let (sender, messages) = mpsc::channel(1024);
        let lock = match &self.owners {
            Some(owners) => {
                let lock = owners.acquire(fence, sender.downgrade()).await;
                let failed = |error| claim(StoreError::io("taking the owner's lock", error));
                Some(Arc::new(lock.map_err(failed)?))
            }
            None => None,
        };
        let (closed, is_closed) = watch::channel(None);
        let registry = Arc::new(self.registry);
        let mut core = Core::new(
            Arc::clone(&self.store),
            fence,
            Arc::clone(&registry),
            self.limits,
            clock,
            closed,
            sender.downgrade(),
        );
        core.redact = self.redact;
        let held = lock.clone();
        tokio::spawn(async move {
            core.run(messages).await;
            // The lock is held for as long as the engine works, not for as long as handles live.
            drop(held);
        });
        Ok(Engine {
            messages: sender,
            store: self.store,
            fence,
            registry,
            limits: self.limits,
            clock,
            is_closed,
            owners: self.owners,
            _lock: lock,
        })
    }
}

/// Runs graphs: many at a time, each step saved before its consequences start.
///
/// Clones are the same engine. Dropping them all lets the runs go on; the engine ends when the last
/// run has left and the last handle is dropped.
#[derive(Clone)]
pub struct Engine {
    messages: mpsc::Sender<Message>,
    store: Arc<dyn RawGraphStore>,
    fence: Fence,
    registry: Arc<Registry>,
    limits: Limits,
    clock: Clock,
    is_closed: watch::Receiver<Option<String>>,
    owners: Option<Owners>,
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
    /// If an executor is not registered, the name is taken, or the store fails.
    pub async fn submit(&self, submission: Submission) -> Result<RunHandle, RuntimeError> {
        let Submission {
            graph,
            policy,
            run,
            title,
        } = submission;
        let run = run.map_or_else(random_run_id, Ok).map_err(Self::unusable)?;
        self.check_executors(&run, &graph)?;
        let title = title
            .or_else(|| graph.metadata().get("goal").cloned())
            .unwrap_or_default();
        let header = Header { graph, policy };
        let text = wire::encode_header(&header);
        let new = NewRun::new(run.clone(), title, self.clock.now(), text);
        let chain = Chain::genesis(&new);
        let scheduler = Scheduler::new(header.graph, header.policy);
        let fresh = Box::new((scheduler, chain, ContentId::FIRST));
        self.open(fresh, Some(new), Vec::new()).await
    }

    /// Goes on with a run that is at rest, or whose process went away.
    ///
    /// Takes it over from an owner that is gone, reads what people asked for meanwhile, and lets the
    /// effect classes decide what becomes of attempts whose end is unknown.
    ///
    /// # Errors
    /// If there is no such run, it has ended, somebody else owns it, its journal is damaged, or an
    /// executor is not registered. Nothing has changed then.
    pub async fn resume(&self, run: &RunId) -> Result<RunHandle, RuntimeError> {
        self.resume_checked(run, None).await
    }

    /// Like [`resume`](Self::resume), for a program that also has the graph: refuses if it is not the
    /// one that the run was started with.
    ///
    /// # Errors
    /// As [`resume`](Self::resume), and [`RuntimeError::GraphChanged`].
    pub async fn resume_same(
        &self,
        run: &RunId,
        graph: &TaskGraph,
    ) -> Result<RunHandle, RuntimeError> {
        self.resume_checked(run, Some(graph)).await
    }

    async fn resume_checked(
        &self,
        run: &RunId,
        expected: Option<&TaskGraph>,
    ) -> Result<RunHandle, RuntimeError> {
        let reserved = Reservation::take(&self.messages, run).await?;
        let row = self.open_row(run).await?;
        if let Some(owner) = self.elsewhere(run, row.epoch).await {
            return Err(RuntimeError::OwnedElsewhere {
                run: run.clone(),
                owner,
            });
        }
        let mut restored = Box::pin(self.restore(run, expected)).await?;
        if row.epoch != self.fence.epoch {
            let adopted = self.store.adopt(run, self.fence).await;
            adopted.map_err(|e| RuntimeError::store(run, e))?;
            // Its former owner may have written once more since we read it; now it cannot.
            if self.open_row(run).await?.last_seq != restored.1.last_seq() {
                restored = Box::pin(self.restore(run, expected)).await?;
            }
        }
        let requests = self.requests_for(run).await?;
        reserved.used();
        self.open(restored, None, requests).await
    }

    /// The run's line in the list, unless it has ended.
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

    /// Reads a run back, and checks that it can go on here.
    async fn restore(
        &self,
        run: &RunId,
        expected: Option<&TaskGraph>,
    ) -> Result<Restored, RuntimeError> {
        let stored = self.store.load(run).await;
        let stored = stored.map_err(|e| RuntimeError::store(run, e))?;
        let header = read_header(&stored)?;
        let differences = expected.map_or_else(Vec::new, |graph| wire::diff(&header.graph, graph));
        if !differences.is_empty() {
            return Err(RuntimeError::GraphChanged {
                run: run.clone(),
                differences,
            });
        }
        let entries = read_entries(&stored)?;
        let next_content = next_content(&entries);
        let (scheduler, _) = recover(&*self.store, run, header, &entries).await?;
        self.check_executors(run, scheduler.graph())?;
        Ok(Box::new((scheduler, stored.chain, next_content)))
    }

    /// Who works on a run that belongs to that epoch, unless it is us or nobody.
    async fn elsewhere(&self, run: &RunId, epoch: u64) -> Option<String> {
        let owners = self.owners.as_ref().filter(|_| epoch != self.fence.epoch)?;
        match socket::reach(owners, epoch, run, None).await {
            // An owner may live on after the run has come to rest there.
            Ok(Reply::NotHere) => None,
            Ok(Reply::Accepted | Reply::Stale | Reply::Refused(_)) => {
                Some(owners.holder(epoch).unwrap_or_default())
            }
            Err(owner) => owner,
        }
    }

    /// What people asked of this run while nobody owned it, oldest first.
    async fn requests_for(&self, run: &RunId) -> Result<Vec<(RequestId, Request)>, RuntimeError> {
        let inbox = self
            .store
            .inbox()
            .await
            .map_err(|e| RuntimeError::store(run, e))?;
        let ours = inbox.into_iter().filter(|request| request.run == *run);
        let read = ours.filter_map(|request| match serde_json::from_str(&request.body) {
            Ok(read) => Some((request.id, read)),
            Err(error) => {
                tracing::warn!(%run, id = %request.id, %error, "a request in the inbox cannot be read");
                None
            }
        });
        Ok(read.collect())
    }

    async fn open(
        &self,
        restored: Restored,
        genesis: Option<NewRun>,
        requests: Vec<(RequestId, Request)>,
    ) -> Result<RunHandle, RuntimeError> {
        let resume = genesis.is_none();
        let (handle, live) = self.prepare(restored, genesis);
        let run = handle.run.clone();
        let (ack, opened) = oneshot::channel();
        let message = Message::Open {
            live,
            resume,
            requests,
            ack,
        };
        let gone = || match self.is_closed.borrow().clone() {
            Some(reason) => RuntimeError::Closed { reason },
            None => RuntimeError::Gone { run: run.clone() },
        };
        self.messages.send(message).await.map_err(|_| gone())?;
        opened.await.map_err(|_| gone())??;
        Ok(handle)
    }

    /// What the core gets of a run, and its handle. No future: it would hold all of it twice.
    fn prepare(&self, restored: Restored, genesis: Option<NewRun>) -> (RunHandle, Box<Live>) {
        let (scheduler, chain, next_content) = *restored;
        let run = chain.run().clone();
        let (events, first) = broadcast::channel(self.limits.observer_buffer.max(1));
        let (snapshot, snapshot_reader) = watch::channel(Arc::new(RunSnapshot::of(&scheduler)));
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
        let live = Box::new(Live {
            scheduler,
            chain,
            genesis,
            next_content,
            contents: BTreeMap::new(),
            outputs: HashMap::new(),
            ahead,
            watched,
            acks: Vec::new(),
            settled: Vec::new(),
            attempts: HashMap::new(),
            events,
            snapshot,
            done,
        });
        (handle, live)
    }

    /// Every action of the graph has its executor, or nothing begins.
    fn check_executors(&self, run: &RunId, graph: &TaskGraph) -> Result<(), RuntimeError> {
        let mut missing = BTreeSet::new();
        for (_, task) in graph.tasks() {
            if let Work::Action { name, .. } = task.work()
                && self.registry.find(task.name(), Some(name)).is_none()
            {
                missing.insert(name.to_string());
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let missing = missing.into_iter().collect();
        Err(RuntimeError::MissingExecutors {
            run: run.clone(),
            missing,
        })
    }

    fn unusable(error: getrandom::Error) -> RuntimeError {
        let source = zeph_memory::StoreError::io("drawing a name for the run", error.to_string());
        RuntimeError::Claim {
            source: Arc::new(source),
        }
    }
}

pub(crate) fn read_header(stored: &StoredRun) -> Result<Header, RuntimeError> {
    let text = String::from_utf8_lossy(&stored.new.header);
    wire::decode_header(&text).map_err(|source| RuntimeError::Header {
        run: stored.new.run.clone(),
        source: Arc::new(source),
    })
}

/// The number after the last one that the journal refers to. What is behind it was never referred to.
fn next_content(entries: &[Entry]) -> ContentId {
    let ids = entries.iter().flat_map(|entry| entry.record.contents());
    ids.max().map_or(ContentId::FIRST, ContentId::next)
}

/// Eight characters that are easy to read out and to type: 40 random bits.
fn random_run_id() -> Result<RunId, getrandom::Error> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    loop {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes)?;
        let text: String = bytes
            .iter()
            .map(|b| char::from(ALPHABET[usize::from(b % 32)]))
            .collect();
        if let Ok(run) = text.parse() {
            return Ok(run);
        }
    }
}
