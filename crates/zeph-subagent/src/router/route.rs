//! Routes: the decision of a router, with its reasons.

use serde::{Deserialize, Serialize};

/// The decision of a router and its reasons, as the journal stores them.
///
/// Plain data. Names and reasons come from files and models, so a display must escape them, except for
/// `reason`, which is escaped.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// The decision.
    pub decision: Decision,
    /// The reason: one sentence on one line, escaped.
    pub reason: String,
    /// Every agent of the catalogue, by name in order.
    pub candidates: Vec<Candidate>,
    /// How the policy for tasks without a match was applied; `None` if there was a match.
    pub no_match: Option<PolicyNote>,
}

impl Route {
    /// The agent that was chosen.
    #[must_use]
    pub fn chosen(&self) -> Option<&str> {
        match &self.decision {
            Decision::Agent { name } => Some(name),
            Decision::Ask | Decision::NoAgent => None,
        }
    }

    /// The candidate of that name.
    #[must_use]
    pub fn candidate(&self, name: &str) -> Option<&Candidate> {
        self.candidates.iter().find(|one| one.name == name)
    }
}

/// The decision of a router.
///
/// Closed, because a driver must handle each case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Decision {
    /// This agent gets the task.
    Agent {
        /// Its name in the catalogue.
        name: String,
    },
    /// A person must choose the agent among the candidates.
    Ask,
    /// No agent can do the task; the attempt fails with the reason.
    NoAgent,
}

/// An agent of the catalogue, as the router judged it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Why it cannot get the task; `None` if it can.
    pub exclusion: Option<Exclusion>,
    /// The score of each scorer; empty if the agent was excluded before scoring, or if the router has no
    /// scorers.
    pub scores: Vec<Score>,
    /// The weighted mean of the scores, from 0 to 1; `None` if every scorer abstained.
    pub total: Option<f64>,
}

impl Candidate {
    /// An agent without exclusion and scores.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            exclusion: None,
            scores: Vec::new(),
            total: None,
        }
    }
}

/// The first filter that excluded an agent, and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The filter's name, such as `excluded` or `tools`.
    pub filter: String,
    /// The reason.
    pub why: String,
}

/// The score that one scorer gave an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The scorer's name.
    pub scorer: String,
    /// The weight.
    pub weight: f64,
    /// From 0 to 1; `None` if it abstained.
    pub score: Option<f64>,
    /// A problem of score or weight, such as a value out of range; `None` if there is none.
    pub note: Option<String>,
}

/// What happens to a task that no agent fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMatch {
    /// The attempt fails with the reason.
    #[default]
    Fail,
    /// A person is asked to choose.
    Ask,
    /// This agent gets it, unless a filter excludes it.
    Default(String),
}

/// How the policy was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNote {
    /// The policy.
    pub policy: NoMatch,
    /// The effect of the policy, in a sentence.
    pub note: String,
}
