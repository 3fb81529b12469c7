//! Routing: the choice of the agent for a task, with reasons.
//!
//! An [`AgentRouter`] looks at a [`RouteRequest`] and the host's catalogue and answers with a
//! [`Route`]: the decision and everything that led to it. [`ScoringRouter`] is the one for most
//! hosts; [`NamedRouter`], [`SingleRouter`] and [`router_fn`] are others, and swapping one for
//! another is one line.
//!
//! # Examples
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use zeph_subagent::router::{AgentRouter, RouteRequest, ScoringRouter};
//! use zeph_subagent::{AgentCatalog, SubAgentDef};
//!
//! let mut catalog = AgentCatalog::new();
//! catalog.add(SubAgentDef::new("analyst", "Groups and counts commits", "You count."))?;
//! catalog.add(SubAgentDef::new("writer", "Writes reports for customers", "You write."))?;
//!
//! let router: Box<dyn AgentRouter> = Box::new(ScoringRouter::standard());
//! let request = RouteRequest::new("classify", "Group these commits by area");
//! let route = router.route(&request, &catalog).await;
//! assert_eq!(route.chosen(), Some("analyst"));
//!
//! // After a failure the task goes to another agent, or to none.
//! let again = request.exclude("analyst", "its answer was no JSON");
//! assert_eq!(router.route(&again, &catalog).await.chosen(), None);
//! # Ok(())
//! # }
//! ```

mod request;
mod route;

mod decide;
mod filter;
mod scorer;
mod scoring;
mod simple;
mod terms;

pub mod conformance;

pub use request::{Estimate, Excluded, RouteRequest};
pub use route::{Candidate, Decision, Exclusion, NoMatch, PolicyNote, Route, Score};
pub use scorer::{Lexical, Price, Scorer, TagMatch, scorer_fn};
pub use scoring::ScoringRouter;
pub use simple::{NamedRouter, SingleRouter, router_fn};

use async_trait::async_trait;

use crate::AgentCatalog;

/// Chooses the agent for a task.
///
/// The contract:
///
/// - An agent that the request excludes is never chosen, nor one that is not in the catalogue, nor
///   one that is not allowed a tool that the task needs.
/// - Every agent of the catalogue is in the route once, in the order of names, with the reason for its
///   exclusion, or with its scores if the router scores.
/// - If no agent fits, the decision says what happens to the task.
/// - The same request and catalogue give the same route, unless the router's documentation says that it
///   asks a model.
/// - Routing does not fail. If something that a router depends on fails, it chooses no agent and gives the
///   reason.
///
/// [`conformance::check`] tests these rules on a router.
#[async_trait]
pub trait AgentRouter: Send + Sync {
    /// Chooses the agent for one task.
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route;
}
