//! Routers without scores: for the agent that the plan names, for one fixed agent, and from a closure.

use async_trait::async_trait;

use super::decide::{self, Verdict};
use super::{AgentRouter, NoMatch, Route, filter};
use crate::{AgentCatalog, RouteRequest};

/// Chooses the agent that the plan names, and no agent for a task that names none.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_subagent::Diagnostics> {
/// use zeph_subagent::router::{AgentRouter, NamedRouter};
/// use zeph_subagent::{AgentCatalog, RouteRequest, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("analyst", "Counts things", "You count."))?;
/// let request = RouteRequest::new("count", "Count").wanted("analist");
/// let route = NamedRouter.route(&request, &catalog).await;
/// assert!(route.reason.contains(r#"did you mean "analyst"?"#));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct NamedRouter;

#[async_trait]
impl AgentRouter for NamedRouter {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        pick(request, catalog, request.wanted, Verdict::Named)
    }
}

/// Gives every task to one agent, unless the plan names another one or a filter excludes it.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_subagent::Diagnostics> {
/// use zeph_subagent::router::{AgentRouter, SingleRouter};
/// use zeph_subagent::{AgentCatalog, RouteRequest, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("helper", "Does everything", "You help."))?;
/// let router = SingleRouter::new("helper");
/// let route = router.route(&RouteRequest::new("poem", "Write a poem"), &catalog).await;
/// assert_eq!(route.chosen(), Some("helper"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct SingleRouter {
    agent: String,
}

impl SingleRouter {
    /// A router with this agent.
    #[must_use]
    pub fn new(agent: impl Into<String>) -> Self {
        Self {
            agent: agent.into(),
        }
    }
}

#[async_trait]
impl AgentRouter for SingleRouter {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        let why = Verdict::By("the router knows no other".to_owned());
        pick(request, catalog, Some(&self.agent), why)
    }
}

/// A router from a closure that names an agent, or returns `None`.
///
/// The named agent gets the task only if it is in the catalogue, is not excluded, is the one that the plan
/// names if it names one, and has the tools and tags; otherwise no agent is chosen, and the route says why.
/// For an asynchronous choice, implement [`AgentRouter`].
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_subagent::Diagnostics> {
/// use zeph_subagent::router::{AgentRouter, RouteRequest, router_fn};
/// use zeph_subagent::{AgentCatalog, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let router = router_fn(|request: &RouteRequest<'_>, _: &AgentCatalog| {
///     request.text.contains("letter").then(|| "writer".to_owned())
/// });
/// let route = router.route(&RouteRequest::new("mail", "Write a letter"), &catalog).await;
/// assert_eq!(route.chosen(), Some("writer"));
/// # Ok(())
/// # }
/// ```
pub fn router_fn<F>(choose: F) -> impl AgentRouter
where
    F: Fn(&RouteRequest<'_>, &AgentCatalog) -> Option<String> + Send + Sync,
{
    RouterFn(choose)
}

struct RouterFn<F>(F);

#[async_trait]
impl<F> AgentRouter for RouterFn<F>
where
    F: Fn(&RouteRequest<'_>, &AgentCatalog) -> Option<String> + Send + Sync,
{
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        let name = (self.0)(request, catalog);
        let why = Verdict::By("the host's function chose it".to_owned());
        pick(request, catalog, name.as_deref(), why)
    }
}

/// The route to a chosen agent, if it passes the filters.
pub(crate) fn pick(
    request: &RouteRequest<'_>,
    catalog: &AgentCatalog,
    name: Option<&str>,
    why: Verdict,
) -> Route {
    let mut candidates = filter::candidates(request, catalog);
    let mut free = false;
    for candidate in &mut candidates {
        if candidate.exclusion.is_some() {
            continue;
        }
        if Some(candidate.name.as_str()) == name {
            free = true;
        } else {
            let reason = match name {
                Some(name) => format!("the router chose {name:?}"),
                None => "the router chose no agent".to_owned(),
            };
            candidate.exclusion = Some(filter::exclusion("choice", reason));
        }
    }
    match name {
        Some(name) if free => decide::chosen(request, name.to_owned(), why, candidates),
        Some(_) | None => {
            let no_default = |_: &_| None;
            decide::no_match(request, catalog, candidates, &NoMatch::Fail, no_default)
        }
    }
}
