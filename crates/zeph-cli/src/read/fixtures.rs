//! Fixtures for tests: runs with scripted inputs and times, in a store in memory.

use std::collections::BTreeMap;

use zeph_executor::{ErrorClass, TaskError, TaskErrorRecord};
use zeph_graph::{
    Attempt, ContentId, Fault, Header, Policy, RunId, TaskGraph, TaskId, Timestamp, wire,
};
use zeph_memory::{
    Chain, Commit, Content, ContentKind, MemoryStore, NewRun, RawGraphStore, Row, RunStatus,
};
use zeph_runtime::RunView;
use zeph_scheduler::{Input, Scheduler};

/// The start time of every scripted run, in seconds.
pub(crate) const BEGIN: u64 = 1_700_000_000;

/// A time of a scripted run.
pub(crate) fn at(millis: u64) -> Timestamp {
    Timestamp::from_micros(BEGIN * 1_000_000 + millis * 1_000)
}

/// A run that is scripted input by input.
pub(crate) struct ScriptedRun {
    header: String,
    scheduler: Scheduler,
    now: Timestamp,
    rows: Vec<Row>,
    next: ContentId,
    contents: BTreeMap<ContentId, Vec<Content>>,
}

impl ScriptedRun {
    /// Begins a run of that graph.
    pub(crate) fn new(graph: TaskGraph, policy: Policy) -> Self {
        let header = Header { graph, policy };
        let mut story = Self {
            header: wire::encode_header(&header),
            scheduler: Scheduler::new(header.graph, policy),
            now: at(0),
            rows: Vec::new(),
            next: ContentId::FIRST,
            contents: BTreeMap::new(),
        };
        story.input(0, Input::Start);
        story
    }

    /// Handles an input, that many milliseconds after the start.
    pub(crate) fn input(&mut self, millis: u64, input: Input) {
        self.now = at(millis);
        self.scheduler.handle(self.now, input);
        while let Some(batch) = self.scheduler.step() {
            for entry in batch.entries() {
                let mut row = Row::new(entry.at, wire::encode(&entry.record));
                for id in entry.record.contents() {
                    for content in self.contents.remove(&id).into_iter().flatten() {
                        row = row.with(content);
                    }
                }
                self.rows.push(row);
            }
            self.scheduler.saved(batch);
        }
    }

    pub(crate) fn id(&self, task: &str) -> TaskId {
        self.scheduler.graph().find(task).unwrap()
    }

    fn attempt(&self, task: TaskId) -> Attempt {
        self.scheduler.task(task).last_attempt().unwrap()
    }

    fn keep(&mut self, kind: &ContentKind, parts: &[(&str, &[u8])]) -> ContentId {
        let id = self.next;
        self.next = id.next();
        let content =
            |(name, bytes): &(&str, &[u8])| Content::named(id, kind.clone(), *name, bytes.to_vec());
        self.contents
            .insert(id, parts.iter().map(content).collect());
        id
    }

    /// An attempt completes with a value, and with something on stdout.
    pub(crate) fn complete(&mut self, millis: u64, task: &str, json: &str, stdout: &[u8]) {
        let task = self.id(task);
        let output = Some(self.keep(&ContentKind::OUTPUT, &[("", json.as_bytes())]));
        let log = Some(self.keep(&ContentKind::LOG, &[("stdout", stdout)]));
        let attempt = self.attempt(task);
        self.input(
            millis,
            Input::Completed {
                task,
                attempt,
                output,
                log,
            },
        );
    }

    /// An attempt fails, or has its task skipped.
    pub(crate) fn fail(&mut self, millis: u64, task: &str, error: &TaskError) {
        let task = self.id(task);
        let is_skip = error.class() == ErrorClass::Skip;
        let fault = if is_skip {
            Fault::Skipped
        } else {
            Fault::Error
        };
        let json = serde_json::to_vec(&TaskErrorRecord::from(error)).unwrap();
        let error = Some(self.keep(&ContentKind::ERROR, &[("", &json)]));
        let attempt = self.attempt(task);
        self.input(
            millis,
            Input::Failed {
                task,
                attempt,
                fault,
                error,
                log: None,
                retry_after: None,
            },
        );
    }

    /// The records so far, as a stored run named `r1`.
    pub(crate) async fn stored(self) -> (MemoryStore, RunView) {
        let store = MemoryStore::new();
        let run: RunId = "r1".parse().unwrap();
        let fence = store.claim("a test", at(0)).await.unwrap();
        let new = NewRun::new(run.clone(), "A story", at(0), self.header);
        let state = self.scheduler.state().word();
        let status = match self.scheduler.end() {
            Some(_) => RunStatus::ended(state),
            None => RunStatus::open(state),
        };
        let append = Chain::genesis(&new).seal(self.rows, status).creating(new);
        store.commit(&Commit::one(append), fence).await.unwrap();
        let view = RunView::load(&store, &run).await.unwrap();
        (store, view)
    }
}
