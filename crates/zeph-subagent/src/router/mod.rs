//! Routing: which agent does a task, and why.
//!
//! An [`AgentRouter`] looks at a [`RouteRequest`] and the host's catalogue and answers with a
//! [`Route`]: the decision and everything that led to it.

mod request;
mod route;

pub use request::{Excluded, RouteRequest};
pub use route::{Candidate, Decision, NoMatch, PolicyNote, Route, Score, ThrownOut};

use std::sync::Arc;

use async_trait::async_trait;

use crate::AgentCatalog;

/// Chooses who does a task.
///
/// The contract:
///
/// - An agent that the request excludes is never chosen, nor one that is not in the catalogue.
/// - Every agent of the catalogue is in the route once, by name in order, with why it was thrown
///   out, or with its scores if the router scores.
/// - Nobody is chosen silently: if no agent fits, the decision says what follows.
/// - The same request and catalogue give the same route, unless the router's documentation says
///   that it asks a model.
/// - Routing does not fail. A router that depends on something that failed decides for nobody and
///   says so.
#[async_trait]
pub trait AgentRouter: Send + Sync {
    /// Decides for one task.
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route;
}

#[async_trait]
impl<R: AgentRouter + ?Sized> AgentRouter for Arc<R> {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        (**self).route(request, catalog).await
    }
}

#[async_trait]
impl<R: AgentRouter + ?Sized> AgentRouter for Box<R> {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        (**self).route(request, catalog).await
    }
}
