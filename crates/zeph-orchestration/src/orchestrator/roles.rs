//! Roles: who does the actions of a run for a goal, registered in one place.

use std::fmt;
use std::sync::Arc;

use zeph_executor::{AlreadyRegistered, Executor, Registry};
use zeph_graph::Policy;
use zeph_planfile::{RunValues, Templated};
use zeph_planner::{
    ADOPT, ANSWER, AdoptExecutor, AgentExecutor, AnswerExecutor, LlmAggregator, LlmContext, PLAN,
    PlanCompiler, PlanExecutor, PlanRequest, Planner,
};
use zeph_sanitizer::{Content, ContentSanitizer, Sanitized, Seed};

use super::PlanFiles;

/// The seed of a run's sanitizer: derived from the seed in the run's header, so that a resumed run
/// and a replay wrap texts alike.
///
/// Give each run a policy with a random seed: delimiters that an author of contents can foretell are
/// worth less.
///
/// # Examples
/// ```
/// use zeph_orchestration::{Policy, StandardSanitizer, run_seed};
/// let policy = Policy { seed: 7, ..Policy::default() };
/// let sanitizer = StandardSanitizer::new(run_seed(&policy));
/// # let _ = sanitizer;
/// ```
#[must_use]
pub fn run_seed(policy: &Policy) -> Seed {
    Seed::derive(&policy.seed.to_le_bytes())
}

/// The executors of the actions `agent`, `answer`, `plan`, `adopt` and `command`, for the runs of one
/// plan or goal.
///
/// `agent` and `answer` are always there; [`planner`](Self::planner) adds `plan` and `adopt`,
/// [`command`](Self::command) adds `command`. Planner and agents repeat calls as the llm_context says, and
/// wait at the same gate. What an expression of a plan takes from another task
/// passes the llm_context's sanitizer before it enters a prompt.
///
/// # Examples
/// ```
/// use std::sync::Arc;
/// use zeph_orchestration::planner::PlanRequest;
/// use zeph_orchestration::{
///     LlmContext, LlmError, LlmPlanner, LlmRequest, Policy, Registry, Roles, StandardSanitizer,
///     provider_fn, run_seed,
/// };
/// let model = provider_fn("model", |_: LlmRequest| async { Ok::<_, LlmError>("…") });
/// let (model, policy) = (Arc::new(model), Policy { seed: 7, ..Policy::default() });
/// let sanitizer = Arc::new(StandardSanitizer::new(run_seed(&policy)));
/// let llm_context = LlmContext::builder(model.clone()).sanitizer(sanitizer.clone()).build()?;
/// let host = PlanRequest::new("", llm_context.agents().clone());
/// let mut registry = Registry::new();
/// Roles::new(Arc::new(llm_context))
///     .planner(Arc::new(LlmPlanner::new(model, sanitizer)), host)
///     .register(&mut registry)?;
/// assert_eq!(registry.names().collect::<Vec<_>>(), ["adopt", "agent", "answer", "plan"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[must_use]
pub struct Roles {
    llm_context: Arc<LlmContext>,
    values: RunValues,
    planner: Option<(Arc<dyn Planner>, PlanRequest)>,
    compiler: Arc<dyn PlanCompiler>,
    answers: AnswerExecutor,
    max_rounds: Option<u32>,
    answer_tokens: Option<u32>,
    #[cfg(feature = "command")]
    command: Option<zeph_command::CommandExecutor>,
}

impl Roles {
    /// `agent` and `answer` for that llm_context. Plans are not made, and commands do not run.
    pub fn new(llm_context: Arc<LlmContext>) -> Self {
        Self {
            answers: AnswerExecutor::with(LlmAggregator::new(Arc::clone(&llm_context))),
            llm_context,
            values: RunValues::default(),
            planner: None,
            compiler: Arc::new(PlanFiles::new()),
            max_rounds: None,
            answer_tokens: None,
            #[cfg(feature = "command")]
            command: None,
        }
    }

    /// What expressions of the plan can use besides the outputs of tasks. Default: nothing.
    pub fn values(mut self, values: RunValues) -> Self {
        self.values = values;
        self
    }

    /// Who makes plans, and what plans may use: all of a request but its goal. Default: nobody, and
    /// the actions `plan` and `adopt` are not registered.
    pub fn planner(mut self, planner: Arc<dyn Planner>, host: PlanRequest) -> Self {
        self.planner = Some((planner, host));
        self
    }

    /// What makes graphs of plan files. Default: [`PlanFiles::new`].
    pub fn compiler(mut self, compiler: Arc<dyn PlanCompiler>) -> Self {
        self.compiler = compiler;
        self
    }

    /// Who puts results together. Default: the llm_context's default model, without it where that fails.
    pub fn answers(mut self, answers: AnswerExecutor) -> Self {
        self.answers = answers;
        self
    }

    /// The most rounds of planning. Default 5; with 1 nothing can be rejected.
    pub const fn max_rounds(mut self, rounds: u32) -> Self {
        self.max_rounds = Some(rounds);
        self
    }

    /// The most tokens of the final answer. Default: the aggregator's own limit.
    pub const fn answer_tokens(mut self, tokens: u32) -> Self {
        self.answer_tokens = Some(tokens);
        self
    }

    /// What runs commands. Default: nothing, and the action `command` is not registered.
    #[cfg(feature = "command")]
    pub fn command(mut self, command: zeph_command::CommandExecutor) -> Self {
        self.command = Some(command);
        self
    }

    /// Registers all of them.
    ///
    /// # Errors
    /// If a name is taken; those before it are registered then.
    pub fn register(self, registry: &mut Registry) -> Result<(), AlreadyRegistered> {
        let sanitizer = Arc::new(SharedSanitizer(Arc::clone(&self.llm_context)));
        let (retry, gate) = (self.llm_context.retry(), self.llm_context.gate().clone());
        let agent = Templated::new(AgentExecutor::new(self.llm_context), self.values.clone());
        let agent: Arc<dyn Executor> = Arc::new(agent.sanitized(sanitizer));
        registry.register(AgentExecutor::ACTION, agent)?;
        registry.register(ANSWER, Arc::new(self.answers))?;
        if let Some((planner, host)) = self.planner {
            let mut adopt = AdoptExecutor::new(self.compiler);
            if let Some(rounds) = self.max_rounds {
                adopt = adopt.max_rounds(rounds);
            }
            if let Some(tokens) = self.answer_tokens {
                adopt = adopt.answer_tokens(tokens);
            }
            let plan = PlanExecutor::new(planner, host).retry(retry).gate(&gate);
            registry.register(PLAN, Arc::new(plan))?;
            registry.register(ADOPT, Arc::new(adopt))?;
        }
        #[cfg(feature = "command")]
        if let Some(command) = self.command {
            registry.register("command", Arc::new(Templated::new(command, self.values)))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Roles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Roles")
            .field("llm_context", &self.llm_context)
            .field("values", &self.values)
            .field("plans", &self.planner.is_some())
            .finish_non_exhaustive()
    }
}

/// The llm_context's sanitizer, for what wants to own one.
struct SharedSanitizer(Arc<LlmContext>);

impl ContentSanitizer for SharedSanitizer {
    fn sanitize(&self, content: &Content<'_>) -> Sanitized {
        self.0.sanitizer().sanitize(content)
    }

    fn preamble(&self) -> &str {
        self.0.sanitizer().preamble()
    }
}
