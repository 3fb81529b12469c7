//! A scripted router for tests, which records its requests.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, PoisonError};

use async_trait::async_trait;

use super::decide::Verdict;
use super::simple::pick;
use super::{AgentRouter, Route};
use crate::{AgentCatalog, RouteRequest};

/// Answers each task with the next agent of its script.
///
/// Stricter than most routers: it chooses no agent for a task without a script or with a script that is
/// used up, and none if a filter excludes the scripted agent.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_subagent::Diagnostics> {
/// use zeph_subagent::router::{AgentRouter, ScriptedRouter};
/// use zeph_subagent::{AgentCatalog, RouteRequest, SubAgentDef};
/// let mut catalog = AgentCatalog::new();
/// catalog.add(SubAgentDef::new("writer", "Writes", "You write."))?;
/// let router = ScriptedRouter::new().answer("mail", "writer");
/// let mail = RouteRequest::new("mail", "Write a letter");
/// assert_eq!(router.route(&mail, &catalog).await.chosen(), Some("writer"));
/// assert_eq!(router.route(&mail, &catalog).await.chosen(), None);
/// assert_eq!(router.asked().len(), 2);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Default)]
pub struct ScriptedRouter {
    script: Mutex<BTreeMap<String, VecDeque<String>>>,
    asked: Mutex<Vec<Asked>>,
}

/// A request that a [`ScriptedRouter`] got.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Asked {
    /// The task's name.
    pub task: String,
    /// The instruction.
    pub text: String,
    /// The agent that the plan names.
    pub wanted: Option<String>,
    /// The excluded agents, with the reasons.
    pub excluded: Vec<(String, String)>,
}

impl ScriptedRouter {
    /// A router without a script.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Scripts the next answer for a task.
    #[must_use]
    pub fn answer(self, task: impl Into<String>, agent: impl Into<String>) -> Self {
        lock(&self.script)
            .entry(task.into())
            .or_default()
            .push_back(agent.into());
        self
    }

    /// The requests so far, in order.
    #[must_use]
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }
}

#[async_trait]
impl AgentRouter for ScriptedRouter {
    async fn route(&self, request: &RouteRequest<'_>, catalog: &AgentCatalog) -> Route {
        let excluded = request.excluded.iter();
        lock(&self.asked).push(Asked {
            task: request.task.to_owned(),
            text: request.text.to_owned(),
            wanted: request.wanted.map(str::to_owned),
            excluded: excluded
                .map(|one| (one.agent.to_owned(), one.why.to_owned()))
                .collect(),
        });
        let next = lock(&self.script)
            .get_mut(request.task)
            .and_then(VecDeque::pop_front);
        let why = Verdict::By("the script says so".to_owned());
        pick(request, catalog, next.as_deref(), why)
    }
}

/// A panic in another thread leaves script and requests consistent.
fn lock<T>(of: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
