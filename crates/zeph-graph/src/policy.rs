//! Policy and header: the limits of a run, and the immutable data that it is created with.

use std::num::NonZeroU32;
use std::time::Duration;

use crate::words::words;
use crate::{Budget, TaskGraph};

/// The limits of one run. Part of its header: the same policy, graph and inputs give the same journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Policy {
    /// Attempts that may run at the same time. Default: 8.
    pub max_parallel: NonZeroU32,
    /// The seed of the jitter. Default: 0.
    pub seed: u64,
    /// The run time-out, without time in suspension. Default: no limit.
    pub run_timeout: Option<Duration>,
    /// How long an attempt may take to end after it was asked to stop. Default: 5 s. With zero it is
    /// abandoned at once.
    pub cancel_grace: Duration,
    /// How long running attempts may continue while the run is being suspended. Default: 5 s. With zero they
    /// are stopped at once.
    pub suspend_grace: Duration,
    /// The most that the whole run may cost, until a new budget is set. Default: no limit.
    pub budget: Budget,
    /// What happens to a task that a budget stops. Default: a person is asked.
    pub over_budget: OverBudget,
}

words! {
    /// What happens to a task whose next call a budget does not cover.
    ///
    /// It replaces the task's `on_failure`, so that an exhausted budget never aborts a run and never counts
    /// as a result.
    #[derive(Default)]
    OverBudget {
        /// A person decides: retry (after the budget was raised), skip, use a value, abort. All other
        /// tasks continue.
        #[default]
        Ask = "ask",
        /// The task stays Failed, triggers decide for its dependants, all other tasks continue.
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

/// The graph and the policy of a run. It is created with them and recovered from them and its journal.
#[derive(Clone, Debug)]
pub struct Header {
    /// The graph.
    pub graph: TaskGraph,
    /// The limits.
    pub policy: Policy,
}

/// The limits that a plan sets for its runs; `None` for each that it does not set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunLimits {
    /// How many attempts may run at a time.
    pub max_parallel: Option<NonZeroU32>,
    /// The longest that a run may take.
    pub timeout: Option<Duration>,
    /// The most that a run may cost.
    pub budget: Option<Budget>,
    /// What happens to a task that the budget stops.
    pub over_budget: Option<OverBudget>,
}
