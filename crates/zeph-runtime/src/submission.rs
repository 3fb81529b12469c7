//! Submissions and limits: a graph to run, and how much an engine runs at a time.

use zeph_config::OrchestrationConfig;
use zeph_graph::{Group, Policy, RunId, TaskGraph, TaskId};

use crate::content::ContentParts;

/// The limits of an engine, for all its runs together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Attempts in flight at the same time, over all runs. Default: 8. A run's own limit also holds.
    pub max_parallel: u32,
    /// The largest result of a task, as bytes of JSON. Default: 1 MiB.
    pub max_output_bytes: usize,
    /// How much of each log stream of an attempt is kept, head and tail. Default: 256 KiB.
    pub log_bytes: usize,
    /// How many events an observer may lag behind before it misses some. Default: 1024.
    pub observer_buffer: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_parallel: 8,
            max_output_bytes: 1 << 20,
            log_bytes: 256 << 10,
            observer_buffer: 1024,
        }
    }
}

impl From<&OrchestrationConfig> for Limits {
    fn from(config: &OrchestrationConfig) -> Self {
        Self {
            max_parallel: config.max_parallel,
            max_output_bytes: config.max_output_bytes,
            log_bytes: config.log_bytes,
            observer_buffer: config.observer_buffer,
        }
    }
}

/// A graph to run, with the name, the title and the limits of the run.
#[derive(Clone, Debug)]
pub struct Submission {
    pub(crate) graph: TaskGraph,
    pub(crate) policy: Policy,
    pub(crate) run: Option<RunId>,
    pub(crate) title: Option<String>,
    /// Results of an earlier run: parents come before their dependents.
    pub(crate) supplied: Vec<(TaskId, Option<ContentParts>)>,
    /// The lists of an earlier run whose items are the last of the supplied tasks, with their lengths.
    pub(crate) supplied_items: Vec<(TaskId, ContentParts, u32)>,
}

impl Submission {
    /// A run of that graph under the default policy, with a random name.
    #[must_use]
    pub fn new(graph: TaskGraph) -> Self {
        Self {
            graph,
            policy: Policy::default(),
            run: None,
            title: None,
            supplied: Vec::new(),
            supplied_items: Vec::new(),
        }
    }

    /// Sets the limits.
    #[must_use]
    pub fn policy(mut self, policy: Policy) -> Self {
        self.policy = policy;
        self
    }

    /// Names the run. A name that the store already has is refused.
    #[must_use]
    pub fn name(mut self, run: RunId) -> Self {
        self.run = Some(run);
        self
    }

    /// Puts the run into a group, of which one run works at a time. Default: that of the graph, if it has one.
    #[must_use]
    pub fn group(mut self, group: &Group) -> Self {
        group.store(self.graph.metadata_mut());
        self
    }

    /// Sets the title, which is shown in lists. Default: the graph's `goal`, else the empty text.
    #[must_use]
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.title = Some(title.into());
        self
    }
}

/// A random name: 40 bits as eight characters that are easy to read aloud and to type.
pub(crate) fn random_run_id() -> Result<RunId, getrandom::Error> {
    const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    loop {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes)?;
        let text = bytes.map(|b| char::from(ALPHABET[usize::from(b % 32)]));
        if let Ok(run) = String::from_iter(text).parse() {
            return Ok(run);
        }
    }
}
