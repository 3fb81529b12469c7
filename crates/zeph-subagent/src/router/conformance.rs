//! The conformance suite of routers: one call runs every case.

use super::{AgentRouter, Decision, Route};
use crate::{AgentCatalog, RouteRequest};
use zeph_executor::conformance::Violations;

/// The name of a tool that no agent has.
const NO_TOOL: &str = "no_agent_has_this_tool";

type Check = Result<(), String>;

/// Runs every case on one router, with the agents and tasks of the caller.
///
/// The router must be deterministic; for a router that asks a model, use scripted replies.
///
/// # Errors
/// All rules of [`AgentRouter`] that the router violates, each with the observed behaviour.
///
/// # Panics
/// If the router panics.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_subagent::router::{ScoringRouter, conformance};
/// use zeph_subagent::{AgentCatalog, RouteRequest, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes letters", "You write."))?;
/// let tasks = [RouteRequest::new("mail", "Write a letter")];
/// conformance::check(&ScoringRouter::standard(), &catalog, &tasks).await?;
/// # Ok(())
/// # }
/// ```
pub async fn check(
    router: &dyn AgentRouter,
    catalog: &AgentCatalog,
    requests: &[RouteRequest<'_>],
) -> Result<(), Violations> {
    let mut results = Vec::new();
    for request in requests {
        let harness = Harness {
            router,
            catalog,
            request,
        };
        let cases = [
            (
                "the same request, the same route",
                harness.same_twice().await,
            ),
            (
                "excluded one after the other",
                harness.one_less_each_time().await,
            ),
            ("all agents excluded", harness.all_excluded().await),
            ("a tool that no agent has", harness.no_tool().await),
            ("no agents", harness.no_agents().await),
        ];
        let in_task = |problem| format!("task {:?}: {problem}", request.task);
        results.extend(cases.map(|(case, result)| (case, result.map_err(in_task))));
    }
    Violations::check(results)
}

struct Harness<'b> {
    router: &'b dyn AgentRouter,
    catalog: &'b AgentCatalog,
    request: &'b RouteRequest<'b>,
}

impl Harness<'_> {
    async fn same_twice(&self) -> Check {
        let one = self.router.route(self.request, self.catalog).await;
        let two = self.router.route(self.request, self.catalog).await;
        check_route(&one, self.request, self.catalog)?;
        if one == two {
            Ok(())
        } else {
            Err(format!("first {one:?}, then {two:?}"))
        }
    }

    /// Excludes each chosen agent until no agent is left.
    async fn one_less_each_time(&self) -> Check {
        let names: Vec<&str> = self.catalog.names().collect();
        let mut request = self.request.clone();
        for _ in 0..=names.len() {
            let route = self.router.route(&request, self.catalog).await;
            check_route(&route, &request, self.catalog)?;
            let chosen = names.iter().find(|name| Some(**name) == route.chosen());
            let Some(chosen) = chosen else {
                return Ok(());
            };
            request = request.exclude(chosen, "it failed");
        }
        Err("it never runs out of agents".to_owned())
    }

    async fn all_excluded(&self) -> Check {
        let request = self.request.clone();
        let names = self.catalog.names();
        let request = names.fold(request, |request, name| request.exclude(name, "it failed"));
        self.no_agent(&request, self.catalog).await
    }

    async fn no_tool(&self) -> Check {
        let request = self.request.clone().tool(NO_TOOL);
        self.no_agent(&request, self.catalog).await
    }

    async fn no_agents(&self) -> Check {
        self.no_agent(self.request, &AgentCatalog::new()).await
    }

    async fn no_agent(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Check {
        let route = self.router.route(request, catalog).await;
        check_route(&route, request, catalog)?;
        match route.chosen() {
            Some(name) => Err(format!("it chose {name:?}")),
            None => Ok(()),
        }
    }
}

/// Checks the rules that hold for every route.
fn check_route(route: &Route, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Check {
    let names = route.candidates.iter().map(|one| one.name.as_str());
    if !names.eq(catalog.names()) {
        return Err("the candidates are not the catalogue's agents in order".to_owned());
    }
    if route.reason.is_empty() || zeph_common::escape_terminal(&route.reason) != route.reason {
        return Err(format!("the reason {:?} is no inert line", route.reason));
    }
    for one in &route.candidates {
        let explained = one.exclusion.is_some() || one.total.is_some();
        if !explained && route.chosen() != Some(&one.name) {
            return Err(format!("nothing says why {:?} was not chosen", one.name));
        }
        let scores = one.scores.iter().filter_map(|one| one.score);
        let wrong = scores
            .chain(one.total)
            .find(|score| !(0.0..=1.0).contains(score));
        if let Some(wrong) = wrong {
            return Err(format!("{:?} has the score {wrong}", one.name));
        }
    }
    match &route.decision {
        Decision::Agent { name } => check_choice(route, name, request, catalog),
        Decision::Ask | Decision::NoAgent if route.no_match.is_none() => {
            Err("no agent was chosen, and no policy decides what follows".to_owned())
        }
        Decision::Ask | Decision::NoAgent => Ok(()),
    }
}

fn check_choice(
    route: &Route,
    name: &str,
    request: &RouteRequest<'_>,
    catalog: &AgentCatalog,
) -> Check {
    let Some(agent) = catalog.get(name) else {
        return Err(format!("it chose {name:?}, which is not in the catalogue"));
    };
    if let Some(why) = request.why_excluded(name) {
        return Err(format!("it chose {name:?}, which is excluded: {why}"));
    }
    if let Some(tool) = request
        .tools
        .iter()
        .find(|tool| !agent.tools.contains(**tool))
    {
        return Err(format!("it chose {name:?}, which is not allowed {tool:?}"));
    }
    let exclusion = route.candidate(name).and_then(|one| one.exclusion.as_ref());
    match exclusion {
        Some(exclusion) if route.no_match.is_none() => {
            let filter = &exclusion.filter;
            Err(format!("it chose {name:?}, which {filter:?} excludes"))
        }
        Some(_) | None => Ok(()),
    }
}
