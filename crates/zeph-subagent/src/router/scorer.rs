//! Scorers: rate how well agents suit a task.

use std::collections::{BTreeMap, BTreeSet};

use super::terms;
use crate::{RouteRequest, SubAgentDef};

/// Rates how well each agent suits a task.
///
/// A scorer gets all agents that passed the filters in one call, so that it can compare them. It cannot
/// fail; a scorer without an opinion returns `None`. [`scorer_fn`] makes a scorer from a closure that rates one agent.
pub trait Scorer: Send + Sync {
    /// The name of the scorer in routes.
    fn name(&self) -> &str;

    /// One score for each agent, in their order, from 0 (does not suit at all) to 1 (suits best). `None` is no
    /// opinion and does not change the agent's total.
    ///
    /// Missing scores at the end count as no opinion; scores out of range are clamped, with a note in the route.
    fn scores(&self, request: &RouteRequest<'_>, agents: &[&SubAgentDef]) -> Vec<Option<f64>>;
}

/// Rates agents by the words that their name, description and tags share with the text of the task.
///
/// The cosine of the angle between the two as vectors of terms, each weighted by `1 + ln(count)` and
/// by how rare it is among the agents, `ln((agents + 1) / agents with it)` (Salton and Buckley,
/// "Term-Weighting Approaches in Automatic Text Retrieval", 1988). A term is a word of up to four
/// letters or digits, each four characters in a row of a longer one, or each two in a row in scripts
/// that put no spaces between words, without regard to case: so `commit` and `commits` share terms
/// without a dictionary of the language. Terms that no agent has do not count, so a long text is not at a
/// disadvantage; the scorer abstains if the text has no other terms.
///
/// It works where task and agent are written in the same language; it knows no synonyms and
/// translates nothing. Time is linear in all texts together, times a logarithm.
#[derive(Clone, Copy, Debug, Default)]
pub struct Lexical;

impl Scorer for Lexical {
    fn name(&self) -> &str {
        "lexical"
    }

    fn scores(&self, request: &RouteRequest<'_>, agents: &[&SubAgentDef]) -> Vec<Option<f64>> {
        let agent_terms: Vec<Counts> = agents.iter().map(|agent| counts_of(agent)).collect();
        // For each term of an agent: the number of agents with it, and its count in the task.
        let mut known: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
        for term in agent_terms.iter().flat_map(BTreeMap::keys) {
            known.entry(term).or_default().0 += 1;
        }
        for text in [request.task, request.text] {
            terms::each(text, |term| {
                if let Some((_, count)) = known.get_mut(term) {
                    *count = count.saturating_add(1);
                }
            });
        }
        let all = f64::from(u32::try_from(agents.len()).unwrap_or(u32::MAX)) + 1.0;
        let weight = |(having, count): (u32, u32), own: u32| {
            let rare = (all / f64::from(having.max(1))).ln();
            (log_count(own) * rare, log_count(count) * rare)
        };
        let asked: f64 = known
            .values()
            .map(|&of| weight(of, 0).1)
            .map(|weight| weight * weight)
            .sum();
        if asked == 0.0 {
            return vec![None; agents.len()];
        }
        let cosine = |own: &Counts| {
            let (mut dot, mut length) = (0.0, 0.0);
            for (term, &count) in own {
                let of = known.get(term.as_str()).copied().unwrap_or_default();
                let (here, there) = weight(of, count);
                dot += here * there;
                length += here * here;
            }
            let product: f64 = length * asked;
            if product == 0.0 {
                0.0
            } else {
                dot / product.sqrt()
            }
        };
        // Rounding errors may carry the cosine of equal texts past 1.
        agent_terms
            .iter()
            .map(|own| Some(f64::min(cosine(own), 1.0)))
            .collect()
    }
}

type Counts = BTreeMap<String, u32>;

fn counts_of(agent: &SubAgentDef) -> Counts {
    let mut counts = Counts::new();
    let tags = agent.tags.iter().map(String::as_str);
    for text in [agent.name.as_str(), agent.description.as_str()]
        .into_iter()
        .chain(tags)
    {
        terms::each(text, |term| match counts.get_mut(term) {
            Some(count) => *count += 1,
            None => {
                counts.insert(term.to_owned(), 1);
            }
        });
    }
    counts
}

/// `1 + ln(count)`, so that the weight of a term grows more slowly than its count; 0 for 0.
fn log_count(count: u32) -> f64 {
    if count == 0 {
        0.0
    } else {
        1.0 + f64::from(count).ln()
    }
}

/// Rates agents by how well their tags match the tags that the task requires.
///
/// The tags in both sets, divided by those in either (Jaccard index), so that among the agents with all
/// required tags the most specialised one comes first. It abstains if the task requires none.
#[derive(Clone, Copy, Debug, Default)]
pub struct TagMatch;

impl Scorer for TagMatch {
    fn name(&self) -> &str {
        "tags"
    }

    fn scores(&self, request: &RouteRequest<'_>, agents: &[&SubAgentDef]) -> Vec<Option<f64>> {
        let asked: BTreeSet<&str> = request.tags.iter().copied().collect();
        let score = |agent: &&SubAgentDef| {
            let both = asked
                .iter()
                .filter(|tag| agent.tags.contains(**tag))
                .count();
            let either = asked.len() + agent.tags.len() - both;
            (!asked.is_empty()).then(|| share(both, either))
        };
        agents.iter().map(score).collect()
    }
}

/// Rates agents by what the first call for the task costs with their models: the lowest known cost divided by that
/// of the agent.
///
/// It abstains where the cost is not known. It is not a part of the standard router, where the price decides only
/// between equal totals.
///
/// # Examples
/// ```
/// use zeph_subagent::router::{Price, ScoringRouter};
/// // The price counts a quarter as much as the words of the task.
/// let router = ScoringRouter::standard().scorer(0.25, Price);
/// ```
#[derive(Clone, Copy, Debug, Default)]
pub struct Price;

impl Scorer for Price {
    fn name(&self) -> &str {
        "price"
    }

    fn scores(&self, request: &RouteRequest<'_>, agents: &[&SubAgentDef]) -> Vec<Option<f64>> {
        let cost = |agent: &&SubAgentDef| {
            let micro_usd = request.estimate_of(&agent.name)?.micro_usd?;
            // Exact up to 4,294 dollars.
            Some(f64::from(u32::try_from(micro_usd).unwrap_or(u32::MAX)))
        };
        let lowest = agents.iter().filter_map(cost).reduce(f64::min);
        let score = |agent: &&SubAgentDef| match (lowest, cost(agent)?) {
            (_, 0.0) => Some(1.0),
            (Some(lowest), cost) => Some(lowest / cost),
            (None, _) => None,
        };
        agents.iter().map(score).collect()
    }
}

fn share(part: usize, whole: usize) -> f64 {
    let number = |count: usize| f64::from(u32::try_from(count).unwrap_or(u32::MAX));
    if whole == 0 {
        0.0
    } else {
        number(part) / number(whole)
    }
}

/// Makes a scorer from a closure that rates one agent at a time.
///
/// # Examples
/// ```
/// use zeph_subagent::router::{ScoringRouter, scorer_fn};
/// let local = scorer_fn("local", |_, agent| {
///     Some(if agent.model.as_deref()?.starts_with("ollama::") { 1.0 } else { 0.0 })
/// });
/// let router = ScoringRouter::standard().scorer(0.5, local);
/// ```
pub fn scorer_fn<F>(name: impl Into<String>, score: F) -> impl Scorer
where
    F: Fn(&RouteRequest<'_>, &SubAgentDef) -> Option<f64> + Send + Sync,
{
    ScorerFn {
        name: name.into(),
        score,
    }
}

struct ScorerFn<F> {
    name: String,
    score: F,
}

impl<F> Scorer for ScorerFn<F>
where
    F: Fn(&RouteRequest<'_>, &SubAgentDef) -> Option<f64> + Send + Sync,
{
    fn name(&self) -> &str {
        &self.name
    }

    fn scores(&self, request: &RouteRequest<'_>, agents: &[&SubAgentDef]) -> Vec<Option<f64>> {
        let one = |agent: &&SubAgentDef| (self.score)(request, agent);
        agents.iter().map(one).collect()
    }
}
