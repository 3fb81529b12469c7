//! The `Planner` trait: a goal becomes a stream of events that ends with a plan or an error.

use std::future::Future;

use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::stream::{self, BoxStream};

use zeph_diagnostics::{Diagnostic, Diagnostics};

use super::{Plan, PlanError, PlanFailure, PlanRequest, TaskKind};

/// Makes plans.
///
/// The contract:
///
/// - The stream ends after its first [`Done`](PlanEvent::Done) or [`Failed`](PlanEvent::Failed), and
///   always has one of them.
/// - The plan of `Done` has passed [`read_plan`](super::read_plan) for the request. Tasks that were
///   `Proposed` before it are for display only. Those of a plan that was `Ready` before it may be in it or not.
/// - Nothing of a plan is executed.
/// - Dropping the stream stops the work.
///
/// # Examples
/// A planner with a fixed plan:
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use futures::{StreamExt as _, stream};
/// use zeph_planner::plan::{PlanEvent, PlanRequest, PlanStream, Planner, finish, read_plan};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
///
/// struct Fixed(&'static str);
///
/// impl Planner for Fixed {
///     fn plan(&self, request: PlanRequest) -> PlanStream {
///         let plan = read_plan(self.0, &request).outcome.expect("the plan is valid");
///         stream::iter([PlanEvent::Done(Box::new(plan))]).boxed()
///     }
///     fn fingerprint(&self) -> String {
///         self.0.to_owned()
///     }
/// }
///
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let planner = Fixed(r#"{"tasks": [{"name": "write", "agent": "writer", "prompt": "Write it."}]}"#);
/// let plan = finish(planner.plan(PlanRequest::new("A limerick about graphs", catalog))).await?;
/// assert_eq!(plan.tasks[0].name, "write");
/// # Ok(())
/// # }
/// ```
pub trait Planner: Send + Sync {
    /// Makes a plan for a request.
    fn plan(&self, request: PlanRequest) -> PlanStream;

    /// Everything besides the request that the plan depends on, as a text: part of the cache key.
    fn fingerprint(&self) -> String;
}

/// The events of planning.
pub type PlanStream = BoxStream<'static, PlanEvent>;

/// A step of planning.
#[derive(Clone, Debug)]
pub enum PlanEvent {
    /// A model is called.
    Asked {
        /// The provider.
        provider: String,
        /// The number of the call, from 1.
        call: u32,
    },
    /// The answer, which is still being received, contains this task. Untrusted and unchecked.
    Proposed {
        /// Its number in the answer, from 1.
        number: usize,
        /// Its name; printable, at most 80 characters.
        name: String,
        /// Its kind, if the answer states it.
        kind: Option<TaskKind>,
    },
    /// The tasks of the answer so far, which is still being received: they pass all checks by themselves. Only if
    /// the request [starts early](PlanRequest::start_early).
    Ready(Box<Plan>),
    /// A repair was made.
    Repaired(Diagnostic),
    /// The answer was rejected, and the model is asked to correct it.
    Rejected {
        /// The problems.
        diagnostics: Diagnostics,
    },
    /// This way of planning failed, and the next one is tried.
    FellBack {
        /// The reason; printable.
        why: String,
    },
    /// The plan comes from the cache; no model was called.
    Cached,
    /// A problem that does not stop planning, such as an unreadable cache.
    Warned {
        /// The problem; printable.
        what: String,
    },
    /// Planning succeeded.
    Done(Box<Plan>),
    /// Planning failed.
    Failed(Box<PlanError>),
}

/// A stream of the events that some work sends. Dropping the stream drops the work.
pub(super) fn events_of<W: Future<Output = ()> + Send + 'static>(
    work: impl FnOnce(mpsc::UnboundedSender<PlanEvent>) -> W,
) -> PlanStream {
    let (sender, events) = mpsc::unbounded();
    let work = stream::once(work(sender)).filter_map(|()| async { None });
    stream::select(events, work).boxed()
}

/// Reads a stream to its end.
///
/// # Errors
/// The error that it ended with; [`Stopped`](PlanFailure::Stopped) if it ended without one.
pub async fn finish(mut stream: PlanStream) -> Result<Plan, PlanError> {
    while let Some(event) = stream.next().await {
        if let PlanEvent::Done(plan) = event {
            return Ok(*plan);
        } else if let PlanEvent::Failed(error) = event {
            return Err(*error);
        }
    }
    let message = "the planner ended without a plan";
    Err(PlanError::new(PlanFailure::Stopped, message))
}
