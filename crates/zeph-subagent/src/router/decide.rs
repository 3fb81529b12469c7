//! The decision: from judged candidates to a route with its reason.

use std::collections::BTreeMap;

use super::{Candidate, Decision, Exclusion, NoMatch, PolicyNote, Route};
use crate::{AgentCatalog, RouteRequest, SubAgentDef};
use zeph_common::Boundary;
use zeph_diagnostics::quote;

/// The reason for a choice.
pub(crate) enum Verdict {
    /// The plan names it.
    Named,
    /// Its total is the highest; `equal` candidates have this total.
    Best { total: f64, equal: usize },
    /// Its total is the highest, and its price the lowest that is known of the `equal` candidates with this total.
    Cheapest { total: f64, equal: usize },
    /// Another rule of the router chose it, in words.
    By(String),
}

pub(crate) fn chosen(
    request: &RouteRequest<'_>,
    name: String,
    verdict: Verdict,
    candidates: Vec<Candidate>,
) -> Route {
    let task = quote(request.task);
    let agent = quote(&name);
    let left = candidates.iter().filter(|one| one.exclusion.is_none());
    let reason = match verdict {
        Verdict::Named => format!("{agent} does {task}: the plan names it"),
        Verdict::Best { total, equal: 1 } => {
            let left = left.count();
            format!("{agent} does {task}: its total {total} is the highest of {left}")
        }
        Verdict::Best { total, equal } => {
            format!(
                "{agent} does {task}: it is the first by name of {equal} with the total {total}"
            )
        }
        Verdict::Cheapest { total, equal } => format!(
            "{agent} does {task}: it has the lowest known price of {equal} with the total {total}"
        ),
        Verdict::By(what) => format!("{agent} does {task}: {what}"),
    };
    Route {
        decision: Decision::Agent { name },
        reason: sentence(&reason),
        candidates,
        no_match: None,
    }
}

/// The route of a task that no candidate fits; `refused` says why the default agent cannot get it.
pub(crate) fn no_match(
    request: &RouteRequest<'_>,
    catalog: &AgentCatalog,
    candidates: Vec<Candidate>,
    policy: &NoMatch,
    refused: impl Fn(&SubAgentDef) -> Option<Exclusion>,
) -> Route {
    let why = why_no_agent_fits(request, catalog, &candidates);
    let (decision, note) = match policy {
        NoMatch::Fail => (Decision::NoAgent, "the attempt fails".to_owned()),
        NoMatch::Ask => (Decision::Ask, "a person is asked".to_owned()),
        NoMatch::Default(name) => match catalog.get(name).map(refused) {
            Some(None) => (
                Decision::Agent { name: name.clone() },
                format!("the default agent {} gets it", quote(name)),
            ),
            Some(Some(refused)) => (
                Decision::NoAgent,
                format!(
                    "the attempt fails: the default agent {} is excluded by {}: {}",
                    quote(name),
                    quote(&refused.filter),
                    brief(&refused.why)
                ),
            ),
            None => (
                Decision::NoAgent,
                format!(
                    "the attempt fails: there is no agent {}, the default",
                    quote(name)
                ),
            ),
        },
    };
    Route {
        decision,
        reason: sentence(&format!("{why}; {note}")),
        candidates,
        no_match: Some(PolicyNote {
            policy: policy.clone(),
            note: sentence(&note),
        }),
    }
}

/// The reason why no agent fits, as a sentence.
fn why_no_agent_fits(
    request: &RouteRequest<'_>,
    catalog: &AgentCatalog,
    candidates: &[Candidate],
) -> String {
    let task = quote(request.task);
    if catalog.is_empty() {
        return format!("no agent fits {task}: the catalogue is empty");
    }
    if let Some(wanted) = request.wanted {
        if catalog.get(wanted).is_none() {
            let near = catalog.suggest(wanted);
            let hint = near.map(|near| format!(", did you mean {}?", quote(near)));
            let hint = hint.unwrap_or_default();
            return format!(
                "the plan names {} for {task}, and there is no such agent{hint}",
                quote(wanted)
            );
        }
        let exclusion = candidates.iter().find(|one| one.name == wanted);
        if let Some(exclusion) = exclusion.and_then(|one| one.exclusion.as_ref()) {
            return format!(
                "the plan names {} for {task}, and it is excluded by {}: {}",
                quote(wanted),
                quote(&exclusion.filter),
                brief(&exclusion.why)
            );
        }
    }
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for exclusion in candidates.iter().filter_map(|one| one.exclusion.as_ref()) {
        *counts.entry(&exclusion.filter).or_default() += 1;
    }
    let counts = counts.into_iter();
    let excluded: Vec<String> = counts
        .map(|(filter, count)| format!("{} by {}", count, quote(filter)))
        .collect();
    format!("no agent fits {task}: excluded are {}", excluded.join(", "))
}

/// A reason, truncated to fit into a sentence.
fn brief(why: &str) -> String {
    const SHOWN_BYTES: usize = 200;
    zeph_common::truncate(why, SHOWN_BYTES, Boundary::Char).to_string()
}

/// A sentence with quoted text of others, escaped to one line.
fn sentence(text: &str) -> String {
    zeph_common::escape_terminal(text).into_owned()
}
