//! Planners: a goal goes in, a stream of what happens on the way to a plan comes out.

use std::future::Future;
use std::sync::Arc;

use futures::StreamExt as _;
use futures::channel::mpsc;
use futures::stream::{self, BoxStream};

use super::{
    Plan, PlanDiagnostic, PlanDocument, PlanError, PlanFailure, PlanRepair, PlanRequest, TaskKind,
    read_plan,
};

/// Makes plans.
///
/// The contract:
///
/// - The stream ends behind its first [`Done`](PlanEvent::Done) or [`Failed`](PlanEvent::Failed), and
///   always has one of them.
/// - The plan of `Done` has passed [`read_plan`] for the request; what was proposed on the way is
///   for eyes only.
/// - Nothing of a plan is executed.
/// - A dropped stream stops the work.
///
/// # Examples
/// A plan made by hand is a planner, and so is a closure:
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_planner::{FixedPlanner, PlanDocument, PlanRequest, Planner, TaskDocument, finish};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let planner = FixedPlanner::by(|request: &PlanRequest| PlanDocument {
///     reasoning: "One step will do.".to_owned(),
///     tasks: vec![TaskDocument {
///         name: "write".to_owned(),
///         prompt: Some(request.goal.clone()),
///         ..TaskDocument::default()
///     }],
/// });
/// let plan = finish(planner.plan(PlanRequest::new("A limerick about graphs", catalog))).await?;
/// assert_eq!(plan.tasks[0].name, "write");
/// # Ok(())
/// # }
/// ```
pub trait Planner: Send + Sync {
    /// Makes a plan for a request.
    fn plan(&self, request: PlanRequest) -> PlanStream;

    /// Everything besides the request that decides what the plan will be, as a text: part of the key
    /// under which a plan is kept.
    fn fingerprint(&self) -> String;
}

impl<P: Planner + ?Sized> Planner for Arc<P> {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        (**self).plan(request)
    }

    fn fingerprint(&self) -> String {
        (**self).fingerprint()
    }
}

/// What happens on the way to a plan.
pub type PlanStream = BoxStream<'static, PlanEvent>;

/// A step on the way to a plan.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum PlanEvent {
    /// A model is asked.
    Asked {
        /// The provider.
        provider: String,
        /// Which call it is, from 1.
        call: u32,
    },
    /// A task was proposed, while the answer is still coming. Untrusted, and nothing is checked yet.
    Proposed {
        /// Its name; inert, at most 80 characters.
        name: String,
        /// Its kind, if it says so.
        kind: Option<TaskKind>,
    },
    /// Something was mended.
    Repaired(PlanRepair),
    /// An answer could not be accepted, and the model is asked again.
    Refused {
        /// Why.
        diagnostics: Vec<PlanDiagnostic>,
    },
    /// The provider gave up, and another way is tried.
    FellBack {
        /// Why; inert.
        why: String,
    },
    /// The plan was kept from an earlier time; no model was asked.
    Kept,
    /// Something that is no failure should be known: a cache that could not be read.
    Warned {
        /// What; inert.
        what: String,
    },
    /// There is a plan.
    Done(Box<Plan>),
    /// There is none.
    Failed(Box<PlanError>),
}

/// The stream of what some work tells. The work is a part of the stream: whoever drops the one drops
/// the other.
pub(super) fn told<W: Future<Output = ()> + Send + 'static>(
    work: impl FnOnce(mpsc::UnboundedSender<PlanEvent>) -> W,
) -> PlanStream {
    let (events, told) = mpsc::unbounded();
    let work = stream::once(work(events)).filter_map(|()| async { None });
    stream::select(told, work).boxed()
}

/// Reads a stream to its end.
///
/// # Errors
/// The error that it ended with; of kind [`Stopped`](PlanFailure::Stopped) if it ended without one.
pub async fn finish(mut stream: PlanStream) -> Result<Plan, PlanError> {
    while let Some(event) = stream.next().await {
        match event {
            PlanEvent::Done(plan) => return Ok(*plan),
            PlanEvent::Failed(error) => return Err(*error),
            PlanEvent::Asked { .. }
            | PlanEvent::Proposed { .. }
            | PlanEvent::Repaired(_)
            | PlanEvent::Refused { .. }
            | PlanEvent::FellBack { .. }
            | PlanEvent::Kept
            | PlanEvent::Warned { .. } => {}
        }
    }
    let message = "the planner ended without a plan";
    Err(PlanError::new(PlanFailure::Stopped, message))
}

/// A planner without a model: a document that the host has, or makes from the request.
///
/// It passes the same checks as a model's.
#[derive(Clone)]
pub struct FixedPlanner(Arc<dyn Fn(&PlanRequest) -> PlanDocument + Send + Sync>);

impl FixedPlanner {
    /// The same plan for every goal.
    #[must_use]
    pub fn new(document: PlanDocument) -> Self {
        Self::by(move |_| document.clone())
    }

    /// The plan that a function makes.
    #[must_use]
    pub fn by(make: impl Fn(&PlanRequest) -> PlanDocument + Send + Sync + 'static) -> Self {
        Self(Arc::new(make))
    }
}

impl std::fmt::Debug for FixedPlanner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FixedPlanner")
    }
}

impl Planner for FixedPlanner {
    fn plan(&self, request: PlanRequest) -> PlanStream {
        let document = (self.0)(&request);
        // A document is plain data whose keys are texts; making JSON of it cannot fail.
        let text = serde_json::to_string(&document).unwrap_or_default();
        let reading = read_plan(&text, &request);
        let mut events: Vec<PlanEvent> = Vec::new();
        events.extend(reading.repairs.into_iter().map(PlanEvent::Repaired));
        events.push(match reading.outcome {
            Ok(plan) => PlanEvent::Done(Box::new(plan)),
            Err(diagnostics) => {
                let message = "the host's own plan cannot be accepted";
                let mut error = PlanError::new(PlanFailure::Defective, message);
                error.tries.push(super::PlanTry {
                    provider: "fixed".to_owned(),
                    diagnostics,
                    ..super::PlanTry::default()
                });
                PlanEvent::Failed(Box::new(error))
            }
        });
        stream::iter(events).boxed()
    }

    fn fingerprint(&self) -> String {
        "fixed".to_owned()
    }
}
