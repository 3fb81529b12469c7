//! The router for most hosts: filters exclude agents, scorers rate the others, a policy handles the rest.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use super::decide::{self, Verdict};
use super::filter::{self, exclusion};
use super::scorer::{Lexical, Scorer, TagMatch};
use super::{AgentRouter, Candidate, Exclusion, NoMatch, Route, Score};
use crate::{AgentCatalog, RouteRequest, SubAgentDef};

/// The largest weight of a scorer.
const MAX_WEIGHT: f64 = 1_000.0;

type Rule = dyn Fn(&RouteRequest<'_>, &SubAgentDef) -> Result<(), String> + Send + Sync;

/// Chooses the agent with the highest weighted mean of scores among those that pass the filters.
/// 1. Filters exclude agents, in this order: agents that the request excludes, agents other than the one
///    that the plan names, agents that lack a tool, agents that lack a tag; the host's own rules; agents whose
///    model cannot take the task whole, if that of another one can. The route has the first filter that
///    excludes an agent.
/// 2. Scorers give each remaining agent a score from 0 to 1, or abstain. The total is the weighted mean of
///    the given scores.
/// 3. An agent with a total below [`at_least`](Self::at_least), or without any score, is no match, unless
///    the plan names it.
/// 4. The highest total is chosen; among equal ones the lowest known price, then the first by name. To count the
///    price more than that, add the scorer [`Price`](super::Price).
/// 5. Without a match the policy decides: see [`NoMatch`].
///
/// Deterministic if its scorers are. Scores are rounded to six places, so that rounding errors decide
/// nothing. The cost is that of the scorers, plus time linear in the catalogue.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_subagent::Diagnostics> {
/// use zeph_subagent::router::{AgentRouter, NoMatch, ScoringRouter, scorer_fn};
/// use zeph_subagent::{AgentCatalog, RouteRequest, SubAgentDef};
///
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("analyst", "Groups and counts commits", "You count."))?;
/// catalog.add(SubAgentDef::new("helper", "Does everything else", "You help."))?;
/// let router = ScoringRouter::standard()
///     .scorer(0.2, scorer_fn("has tools", |_, agent| (!agent.tools.is_empty()).then_some(1.0)))
///     .filter("office hours", |_, agent| {
///         if agent.name == "night_owl" { Err("it sleeps".to_owned()) } else { Ok(()) }
///     })
///     .no_match(NoMatch::Default("helper".to_owned()));
///
/// let request = RouteRequest::new("poem", "写一首诗").exclude("analyst", "it timed out");
/// let route = router.route(&request, &catalog).await;
/// assert_eq!(route.chosen(), Some("helper"));
/// assert!(route.no_match.is_some_and(|applied| applied.note.contains("default")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct ScoringRouter {
    rules: Vec<(String, Arc<Rule>)>,
    scorers: Vec<Weighted>,
    at_least: f64,
    no_match: NoMatch,
}

#[derive(Clone)]
struct Weighted {
    weight: f64,
    /// The problem of the given weight; `None` if it was valid.
    note: Option<String>,
    scorer: Arc<dyn Scorer>,
}

impl Default for ScoringRouter {
    fn default() -> Self {
        Self::standard()
    }
}

impl ScoringRouter {
    /// A router without scorers, which chooses no agent unless the plan names one.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            rules: Vec::new(),
            scorers: Vec::new(),
            at_least: 0.05,
            no_match: NoMatch::Fail,
        }
    }

    /// The usual router: [`Lexical`] with weight 1 and [`TagMatch`] with weight 1.
    #[must_use]
    pub fn standard() -> Self {
        Self::new().scorer(1.0, Lexical).scorer(1.0, TagMatch)
    }

    /// Adds a scorer with its weight, from 0 to 1,000.
    ///
    /// Only the proportion of the weights matters; a weight of 0 does not count and is noted in the route.
    /// A weight that is out of range or NaN is clamped, and the route says so.
    #[must_use]
    pub fn scorer(mut self, weight: f64, scorer: impl Scorer + 'static) -> Self {
        let (clamped, note) = clamp(weight, MAX_WEIGHT, "weight");
        self.scorers.push(Weighted {
            weight: clamped,
            note,
            scorer: Arc::new(scorer),
        });
        self
    }

    /// Adds a rule of the host: its error is the reason why an agent cannot get the task.
    ///
    /// It applies to the default agent, too.
    #[must_use]
    pub fn filter<F>(mut self, name: impl Into<String>, rule: F) -> Self
    where
        F: Fn(&RouteRequest<'_>, &SubAgentDef) -> Result<(), String> + Send + Sync + 'static,
    {
        self.rules.push((name.into(), Arc::new(rule)));
        self
    }

    /// Sets the least total that is a match, from 0 to 1. Default: 0.05.
    ///
    /// With 0 an agent that has nothing in common with the task can be chosen; near 1 almost no agent is a
    /// match. A value out of range is clamped; NaN counts as 1.
    #[must_use]
    pub fn at_least(mut self, total: f64) -> Self {
        self.at_least = if total.is_nan() {
            1.0
        } else {
            total.clamp(0.0, 1.0)
        };
        self
    }

    /// Sets what happens to a task that no agent fits. Default: [`NoMatch::Fail`].
    #[must_use]
    pub fn no_match(mut self, policy: NoMatch) -> Self {
        self.no_match = policy;
        self
    }

    /// The first rule of the host that excludes an agent.
    fn ruled_out(&self, request: &RouteRequest<'_>, agent: &SubAgentDef) -> Option<Exclusion> {
        self.rules.iter().find_map(|(name, rule)| {
            let why = rule(request, agent).err()?;
            Some(exclusion(name, why))
        })
    }

    /// Scores the remaining agents, and excludes those with a low total.
    fn score(
        &self,
        request: &RouteRequest<'_>,
        catalog: &AgentCatalog,
        candidates: &mut [Candidate],
    ) {
        let (mut left, agents): (Vec<&mut Candidate>, Vec<&SubAgentDef>) = candidates
            .iter_mut()
            .zip(catalog.iter())
            .filter(|(candidate, _)| candidate.exclusion.is_none())
            .unzip();
        if left.is_empty() {
            return;
        }
        for weighted in &self.scorers {
            let scores = weighted.scorer.scores(request, &agents);
            let scores = scores.into_iter().chain(std::iter::repeat(None));
            for (candidate, score) in left.iter_mut().zip(scores) {
                candidate.scores.push(weighted.score(score));
            }
        }
        for candidate in left {
            candidate.total = mean(&candidate.scores);
            if request.wanted.is_none() {
                candidate.exclusion = self.too_low(candidate.total);
            }
        }
    }

    fn too_low(&self, total: Option<f64>) -> Option<Exclusion> {
        let least = self.at_least;
        match total {
            Some(total) if total >= least => None,
            Some(total) => Some(format!("its total {total} is below {least}")),
            None => Some("every scorer abstained".to_owned()),
        }
        .map(|why| exclusion("at_least", why))
    }

    /// Why the default agent cannot get the task.
    ///
    /// It replaces a named agent that does not exist, and agents that lack a tag or have a low total.
    /// Exclusions, missing tools and the host's rules apply to it as to any agent.
    fn default_refused(
        &self,
        request: &RouteRequest<'_>,
        agent: &SubAgentDef,
    ) -> Option<Exclusion> {
        filter::excluded(request, agent)
            .or_else(|| filter::tools(request, agent))
            .or_else(|| self.ruled_out(request, agent))
    }
}

#[async_trait]
impl AgentRouter for ScoringRouter {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        let mut candidates = filter::candidates(request, catalog);
        for (candidate, agent) in candidates.iter_mut().zip(catalog.iter()) {
            if candidate.exclusion.is_none() {
                candidate.exclusion = self.ruled_out(request, agent);
            }
        }
        filter::small_models(request, &mut candidates);
        self.score(request, catalog, &mut candidates);
        if let Some((best, equal, is_cheapest)) = best(request, &candidates) {
            let name = best.name.clone();
            let verdict = match (request.wanted, best.total) {
                (Some(_), _) | (None, None) => Verdict::Named,
                (None, Some(total)) if is_cheapest => Verdict::Cheapest { total, equal },
                (None, Some(total)) => Verdict::Best { total, equal },
            };
            return decide::chosen(request, name, verdict, candidates);
        }
        let refused = |agent: &SubAgentDef| self.default_refused(request, agent);
        decide::no_match(request, catalog, candidates, &self.no_match, refused)
    }
}

impl Weighted {
    fn score(&self, given: Option<f64>) -> Score {
        let clamped = given.map(|score| clamp(score, 1.0, "score"));
        let (score, wrong) = clamped.unzip();
        let notes: Vec<String> = self.note.iter().cloned().chain(wrong.flatten()).collect();
        Score {
            scorer: self.scorer.name().to_owned(),
            weight: self.weight,
            score: score.map(rounded),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
        }
    }
}

/// A number limited to 0 to `most`, with a note if it was out of range.
fn clamp(given: f64, most: f64, what: &str) -> (f64, Option<String>) {
    if (0.0..=most).contains(&given) {
        // Adding zero turns a negative zero into zero.
        return (given + 0.0, None);
    }
    // NaN counts as 0.
    let clamped = if given > 0.0 { most } else { 0.0 };
    let note = format!("the {what} {given} is not between 0 and {most}, and counts as {clamped}");
    (clamped, Some(note))
}

fn mean(scores: &[Score]) -> Option<f64> {
    let known = scores
        .iter()
        .filter_map(|one| Some((one.weight, one.score?)));
    let (sum, weights) = known.fold((0.0, 0.0), |(sum, weights), (weight, score)| {
        (sum + weight * score, weights + weight)
    });
    (weights > 0.0).then(|| rounded(f64::min(sum / weights, 1.0)))
}

fn rounded(score: f64) -> f64 {
    const PLACES: f64 = 1_000_000.0;
    (score * PLACES).round() / PLACES
}

/// The best remaining candidate, the number of candidates with its total, and whether its price decided between
/// them.
fn best<'a>(
    request: &RouteRequest<'_>,
    candidates: &'a [Candidate],
) -> Option<(&'a Candidate, usize, bool)> {
    let left = || candidates.iter().filter(|one| one.exclusion.is_none());
    let total = |one: &Candidate| one.total.unwrap_or(0.0);
    let highest = left().map(total).reduce(f64::max)?;
    let equal = || left().filter(|one| total(one) >= highest);
    // A price that is not known counts as the highest. Of equal ones the first is taken.
    let order = |one: &&Candidate| {
        let estimate = request.estimate_of(&one.name);
        estimate.and_then(|one| one.micro_usd).unwrap_or(u64::MAX)
    };
    let first = equal().min_by_key(order)?;
    let others = || equal().filter(|one| one.name != first.name);
    let decided = others().count() > 0 && others().all(|one| order(&one) > order(&first));
    Some((first, equal().count(), decided))
}

impl fmt::Debug for ScoringRouter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScoringRouter")
            .field("at_least", &self.at_least)
            .field("no_match", &self.no_match)
            .finish_non_exhaustive()
    }
}
