//! Confirming: who looks at a plan before it runs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use futures::FutureExt as _;
use futures::future::BoxFuture;
use zeph_graph::RunId;
use zeph_planner::plan::PlanOutput;

/// Who says whether a plan may run.
#[derive(Clone, Default)]
pub enum Confirm {
    /// Nobody: a plan that passed every check runs at once.
    Never,
    /// A person, later: the run comes to rest with the question open. It is answered from any process,
    /// and then goes on.
    #[default]
    Ask,
    /// The host's code, now. See [`Confirm::with`].
    With(Decide),
}

/// The host's code that decides about plans.
pub type Decide = Arc<dyn Fn(Proposed) -> BoxFuture<'static, Verdict> + Send + Sync>;

impl Confirm {
    /// Lets an async closure decide about each plan.
    ///
    /// # Examples
    /// ```
    /// use zeph_orchestration::{Confirm, Verdict};
    /// let confirm = Confirm::with(|proposed| async move {
    ///     match proposed.plan.estimate.tasks {
    ///         0..=5 => Verdict::Approve,
    ///         _ => Verdict::Reject("five tasks at most".to_owned()),
    ///     }
    /// });
    /// # let _ = confirm;
    /// ```
    pub fn with<F, V>(decide: F) -> Self
    where
        F: Fn(Proposed) -> V + Send + Sync + 'static,
        V: Future<Output = Verdict> + Send + 'static,
    {
        Self::With(Arc::new(move |proposed| decide(proposed).boxed()))
    }

    /// Whether a run asks before its plan is adopted.
    pub(super) const fn asks(&self) -> bool {
        match self {
            Self::Never => false,
            Self::Ask | Self::With(_) => true,
        }
    }
}

impl fmt::Debug for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Never => "Never",
            Self::Ask => "Ask",
            Self::With(_) => "With",
        })
    }
}

/// A plan that waits for a word.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Proposed {
    /// The run.
    pub run: RunId,
    /// What the question says; from the second round on also what was wrong with the last answer.
    pub question: String,
    /// The plan, with the file that may be edited.
    pub plan: PlanOutput,
}

/// What is to become of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It runs.
    Approve,
    /// The goal is planned anew, and the model is told why. A round of its own.
    Reject(String),
    /// This plan file runs instead. With problems in it, the question comes again and tells them.
    Edit(String),
    /// Nothing yet: the run comes to rest with the question open.
    Later,
}

impl Verdict {
    /// The verdict as the text that answers the question.
    pub(super) fn text(self) -> Option<String> {
        match self {
            Self::Approve => Some("approve".to_owned()),
            Self::Reject(why) => Some(format!("reject: {why}")),
            Self::Edit(file) => Some(file),
            Self::Later => None,
        }
    }
}
