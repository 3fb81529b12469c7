//! What a router answers: the decision and all that led to it.

use serde::{Deserialize, Serialize};

/// Who does a task, and why; what is kept of a decision.
///
/// Plain data. Names and reasons come from files and from models: what shows them makes them inert
/// first, except `reason`, which is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// What was decided.
    pub decision: Decision,
    /// Why, in a sentence; inert, on one line.
    pub reason: String,
    /// Every agent of the catalogue, by name in order.
    pub candidates: Vec<Candidate>,
    /// What the policy for tasks without a match did; `None` if there was a match.
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

/// What a router decided.
///
/// Closed: a driver must know what to do in each case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum Decision {
    /// This agent does it.
    Agent {
        /// Its name in the catalogue.
        name: String,
    },
    /// A person is to say who does it; see the candidates for the choice.
    Ask,
    /// No agent can do the task; the attempt fails with the reason.
    NoAgent,
}

/// An agent that was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Candidate {
    /// Its name.
    pub name: String,
    /// Why it could not get the task; `None` if it could.
    pub thrown_out: Option<ThrownOut>,
    /// What each scorer said; empty if it was thrown out before, or if the router has none.
    pub scores: Vec<Score>,
    /// The weighted mean of the scores, from 0 to 1; `None` if no scorer had an opinion.
    pub total: Option<f64>,
}

impl Candidate {
    /// An agent that nothing is said of yet.
    #[must_use]
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            thrown_out: None,
            scores: Vec::new(),
            total: None,
        }
    }

    /// The same, thrown out by a filter.
    #[must_use]
    pub fn thrown_out(mut self, filter: impl Into<String>, why: impl Into<String>) -> Self {
        self.thrown_out = Some(ThrownOut {
            filter: filter.into(),
            why: why.into(),
        });
        self
    }
}

/// The first filter that excluded an agent, and its reason.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ThrownOut {
    /// The filter's name, such as `excluded` or `tools`.
    pub filter: String,
    /// What it says.
    pub why: String,
}

/// What a scorer said of an agent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// The scorer's name.
    pub scorer: String,
    /// How much it counts.
    pub weight: f64,
    /// From 0 to 1; `None` if it abstained.
    pub score: Option<f64>,
    /// What was not as a scorer should be, such as a score out of range.
    pub note: Option<String>,
}

/// What happens to a task that no agent fits.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoMatch {
    /// The attempt fails, and says why.
    #[default]
    Fail,
    /// A person is asked who does it.
    Ask,
    /// The agent of that name does it, unless it may not.
    Default(String),
}

/// How the policy was applied.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyNote {
    /// The policy.
    pub policy: NoMatch,
    /// What it did, and why not more.
    pub note: String,
}
