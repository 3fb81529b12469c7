//! Filters: the requirements that an agent must meet before it is scored.

use crate::router::{Candidate, Exclusion};
use crate::{AgentCatalog, RouteRequest, SubAgentDef};

/// Every agent of the catalogue, with the first filter that excludes it; all routers of this crate use
/// these filters.
///
/// In this order: the request excludes it, the plan names another agent, it lacks a tool, it lacks a tag.
pub(crate) fn candidates(request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Vec<Candidate> {
    let candidate = |agent: &SubAgentDef| Candidate {
        exclusion: excluded(request, agent)
            .or_else(|| wanted(request, agent))
            .or_else(|| tools(request, agent))
            .or_else(|| tags(request, agent)),
        ..Candidate::new(&agent.name)
    };
    catalog.iter().map(candidate).collect()
}

/// Excludes agents whose model cannot take the task whole, if that of another one can. If none can, the results
/// that the task gets are cut, whichever agent does it.
pub(crate) fn small_models(request: &RouteRequest<'_>, candidates: &mut [Candidate]) {
    let needs = |one: &Candidate| {
        let estimate = request.estimate_of(&one.name)?;
        let most = estimate.context_tokens.filter(|_| !estimate.fits())?;
        Some(format!(
            "its model takes {most} tokens, and the task needs about {}",
            estimate.tokens
        ))
    };
    let left = |one: &&mut Candidate| one.exclusion.is_none();
    if !candidates
        .iter_mut()
        .filter(left)
        .any(|one| needs(one).is_none())
    {
        return;
    }
    for one in candidates.iter_mut().filter(left) {
        one.exclusion = needs(one).map(|why| exclusion("context", why));
    }
}

pub(crate) fn exclusion(filter: &str, why: impl Into<String>) -> Exclusion {
    Exclusion {
        filter: filter.to_owned(),
        why: why.into(),
    }
}

pub(crate) fn excluded(request: &RouteRequest<'_>, agent: &SubAgentDef) -> Option<Exclusion> {
    let why = request.why_excluded(&agent.name)?;
    Some(exclusion("excluded", why))
}

fn wanted(request: &RouteRequest<'_>, agent: &SubAgentDef) -> Option<Exclusion> {
    let wanted = request.wanted.filter(|wanted| *wanted != agent.name)?;
    Some(exclusion("wanted", format!("the plan names {wanted:?}")))
}

pub(crate) fn tools(request: &RouteRequest<'_>, agent: &SubAgentDef) -> Option<Exclusion> {
    let lacking = request
        .tools
        .iter()
        .filter(|tool| !agent.tools.contains(**tool));
    lacks("tools", "it is not allowed", lacking)
}

fn tags(request: &RouteRequest<'_>, agent: &SubAgentDef) -> Option<Exclusion> {
    let lacking = request
        .tags
        .iter()
        .filter(|tag| !agent.tags.contains(**tag));
    lacks("tags", "it has no tag", lacking)
}

fn lacks<'a>(
    filter: &str,
    what: &str,
    lacking: impl Iterator<Item = &'a &'a str>,
) -> Option<Exclusion> {
    let lacking: Vec<String> = lacking.map(|name| format!("{name:?}")).collect();
    (!lacking.is_empty()).then(|| exclusion(filter, format!("{what} {}", lacking.join(", "))))
}
