//! The request for a route.

/// A task that needs an agent.
///
/// # Examples
/// ```
/// use zeph_subagent::RouteRequest;
/// let request = RouteRequest::new("classify", "Group these commits by area")
///     .tool("read_file")
///     .tag("analysis")
///     .exclude("writer", "its answer was no JSON");
/// assert_eq!(request.why_excluded("writer"), Some("its answer was no JSON"));
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RouteRequest<'a> {
    /// The task's name.
    pub task: &'a str,
    /// The instruction.
    pub text: &'a str,
    /// The agent that the plan names; then no other agent is chosen.
    pub wanted: Option<&'a str>,
    /// The tools that the task needs; an agent must be allowed all of them.
    pub tools: Vec<&'a str>,
    /// The tags that the task asks for; an agent must have all of them. Case matters.
    pub tags: Vec<&'a str>,
    /// The agents that must not get the task.
    pub excluded: Vec<Excluded<'a>>,
    /// What the task would take of the agents' models; nothing is known of an agent without one.
    pub estimates: Vec<Estimate<'a>>,
}

/// What the first call for a task would take of the model of an agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate<'a> {
    /// The agent.
    pub agent: &'a str,
    /// About how many tokens the request and the longest answer have, if the window of the model cuts nothing.
    pub tokens: u64,
    /// The most tokens of request and answer together that the model takes, if known.
    pub context_tokens: Option<u32>,
    /// About what the call costs at most, in millionths of a US dollar, if the prices are known.
    pub micro_usd: Option<u64>,
}

impl Estimate<'_> {
    /// Whether request and answer fit into the model's context window, as far as it is known.
    #[must_use]
    pub fn fits(&self) -> bool {
        self.context_tokens
            .is_none_or(|most| self.tokens <= most.into())
    }
}

/// An agent that must not get a task.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Excluded<'a> {
    /// Its name.
    pub agent: &'a str,
    /// The reason, for example the error of its attempt.
    pub why: &'a str,
}

impl<'a> RouteRequest<'a> {
    /// A task that any agent may get.
    #[must_use]
    pub fn new(task: &'a str, text: &'a str) -> Self {
        Self {
            task,
            text,
            ..Self::default()
        }
    }

    /// Names the agent; the router chooses no other one.
    #[must_use]
    pub const fn wanted(mut self, agent: &'a str) -> Self {
        self.wanted = Some(agent);
        self
    }

    /// Requires a tool.
    #[must_use]
    pub fn tool(mut self, tool: &'a str) -> Self {
        self.tools.push(tool);
        self
    }

    /// Requires a tag.
    #[must_use]
    pub fn tag(mut self, tag: &'a str) -> Self {
        self.tags.push(tag);
        self
    }

    /// Excludes an agent; if it is excluded twice, the first reason counts.
    #[must_use]
    pub fn exclude(mut self, agent: &'a str, why: &'a str) -> Self {
        self.excluded.push(Excluded { agent, why });
        self
    }

    /// Adds what the task would take of the model of an agent.
    #[must_use]
    pub fn estimate(mut self, estimate: Estimate<'a>) -> Self {
        self.estimates.push(estimate);
        self
    }

    /// What the task would take of the model of an agent; `None` if that is not known.
    #[must_use]
    pub fn estimate_of(&self, agent: &str) -> Option<&Estimate<'a>> {
        self.estimates.iter().find(|one| one.agent == agent)
    }

    /// Why an agent is excluded; `None` if it is not.
    #[must_use]
    pub fn why_excluded(&self, agent: &str) -> Option<&'a str> {
        let found = self.excluded.iter().find(|one| one.agent == agent);
        found.map(|one| one.why)
    }
}
