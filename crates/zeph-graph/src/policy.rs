//! Policy and header: what a run is decided by, besides its graph.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::words::words;
use crate::{Budget, TaskGraph};

/// The limits of one run. Part of its header: the same policy, graph and inputs give the same journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts that may run at the same time. Default: 8.
    pub max_parallel: NonZeroU32,
    /// Where jitter is drawn from. Default: 0.
    pub seed: u64,
    /// The longest that the run may take, time in suspension apart. Default: no limit.
    pub run_timeout: Option<Duration>,
    /// How long an attempt may take to end once it was told to. Default: 5 s. Zero gives it up at once.
    pub cancel_grace: Duration,
    /// How long running work may go on once the run is being suspended. Default: 5 s. Zero stops it at once.
    pub suspend_grace: Duration,
    /// The most that the whole run may cost, until somebody sets it anew. Default: no limit.
    pub budget: Budget,
    /// What becomes of a task that a budget stops. Default: a person is asked.
    pub over_budget: OverBudget,
}

words! {
    /// What happens to a task whose next call a budget does not cover.
    ///
    /// It replaces the task's `on_failure`, so that an exhausted budget never aborts a run and never counts
    /// as a result.
    #[derive(Default)]
    OverBudget {
        /// A person decides: retry (after the budget was raised), skip, use a value, abort. Everything
        /// else goes on.
        #[default]
        Ask = "ask",
        /// The task stays Failed, triggers decide for its dependants, everything else goes on.
        Partial = "partial",
    }
}

impl Default for Policy {
    fn default() -> Self {
        const EIGHT: NonZeroU32 = NonZeroU32::new(8).expect("not zero");
        Self {
            max_parallel: EIGHT,
            seed: 0,
            run_timeout: None,
            cancel_grace: Duration::from_secs(5),
            suspend_grace: Duration::from_secs(5),
            budget: Budget::UNLIMITED,
            over_budget: OverBudget::Ask,
        }
    }
}

/// What a run is created with and recovered from, together with its journal.
#[derive(Clone, Debug)]
pub struct Header {
    /// The graph.
    pub graph: TaskGraph,
    /// The limits.
    pub policy: Policy,
}
