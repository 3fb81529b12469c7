//! Building: everything that goals are worked on with, in one value.

use std::fmt;
use std::sync::Arc;

use zeph_executor::Registry;
use zeph_graph::{Budget, OverBudget, Policy};
use zeph_llm::{LlmProvider, RetryPolicy};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_planner::{Aggregator, LlmContextBuilder, LlmPlanner, PlanCompiler, PlanRequest, Planner};
use zeph_runtime::{Limits, Owners, QuestionView};
use zeph_sanitizer::{ContentSanitizer, Redactor, Seed, StandardSanitizer};
use zeph_subagent::AgentCatalog;

use futures::FutureExt as _;
use futures::future::BoxFuture;

use super::{Confirm, OrchestratorError, PlanFiles};

/// Goal, plan, run and answer in one value.
///
/// [`run`](Self::run) asks a model for a plan, has it confirmed, runs its tasks, and puts the results
/// together. All of that is one run with one journal: with a durable store it survives the process at
/// every point, and [`resume`](Self::resume) goes on with it.
///
/// Clones are the same orchestrator. One serves any number of runs, also at the same time; each has an
/// engine of its own.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_orchestration::llm::{Reply, ScriptedProvider};
/// use zeph_orchestration::{Confirm, Orchestrator};
///
/// let model = ScriptedProvider::new("script")
///     .then(Reply::text(r#"{"reasoning": "One step.", "tasks": [
///         {"name": "write", "needs": [], "kind": "agent", "prompt": "Write two lines."}]}"#))
///     .then(Reply::text("A graph of two,\na line or so."))
///     .then(Reply::text("Here it is: A graph of two. [write]"));
/// let orchestrator = Orchestrator::builder(Arc::new(model))
///     .confirm(Confirm::Never)
///     .build()?;
/// let report = orchestrator.run("A limerick").await?;
/// assert_eq!(report.task("write").map(|task| task.attempts), Some(1));
/// assert!(report.answer.is_some_and(|answer| answer.text.contains("A graph of two")));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Orchestrator(pub(super) Arc<Settings>);

pub(super) struct Settings {
    pub(super) provider: Arc<dyn LlmProvider>,
    pub(super) store: Arc<dyn RawGraphStore>,
    pub(super) owners: Option<Owners>,
    pub(super) secrets: Redactor,
    pub(super) sanitizer: Sanitize,
    pub(super) llm_context: Vec<ChangeLlmContext>,
    pub(super) planner: MakePlanner,
    pub(super) host: Vec<ChangeHost>,
    pub(super) compiler: Arc<dyn PlanCompiler>,
    pub(super) aggregator: Option<Arc<dyn Aggregator>>,
    pub(super) actions: Registry,
    pub(super) confirm: Confirm,
    pub(super) questions: Option<Answering>,
    pub(super) policy: Policy,
    pub(super) seed: Option<u64>,
    pub(super) limits: Limits,
    pub(super) retry: RetryPolicy,
    pub(super) max_rounds: Option<u32>,
    pub(super) answer_tokens: Option<u32>,
    #[cfg(feature = "command")]
    pub(super) command: Option<zeph_command::CommandExecutor>,
}

type Sanitize = Box<dyn Fn(Seed, &Redactor) -> Arc<dyn ContentSanitizer> + Send + Sync>;
type ChangeLlmContext = Box<dyn Fn(LlmContextBuilder) -> LlmContextBuilder + Send + Sync>;
type MakePlanner =
    Box<dyn Fn(Arc<dyn LlmProvider>, Arc<dyn ContentSanitizer>) -> Arc<dyn Planner> + Send + Sync>;
type ChangeHost = Box<dyn Fn(PlanRequest) -> PlanRequest + Send + Sync>;
type Answering = Box<dyn Fn(QuestionView) -> BoxFuture<'static, Option<String>> + Send + Sync>;

impl Orchestrator {
    /// An orchestrator whose models are that provider, unless agents name others.
    pub fn builder(provider: Arc<dyn LlmProvider>) -> OrchestratorBuilder {
        OrchestratorBuilder(Settings {
            provider,
            store: Arc::new(MemoryStore::new()),
            owners: None,
            secrets: Redactor::default(),
            sanitizer: Box::new(|seed, secrets| {
                Arc::new(StandardSanitizer::new(seed).redactor(secrets.clone()))
            }),
            llm_context: Vec::new(),
            planner: Box::new(|provider, sanitizer| {
                Arc::new(LlmPlanner::new(provider, sanitizer).schema_in_prompt())
            }),
            host: Vec::new(),
            compiler: Arc::new(PlanFiles::new()),
            aggregator: None,
            actions: Registry::new(),
            confirm: Confirm::default(),
            questions: None,
            policy: Policy::default(),
            seed: None,
            limits: Limits::default(),
            retry: RetryPolicy::default(),
            max_rounds: None,
            answer_tokens: None,
            #[cfg(feature = "command")]
            command: None,
        })
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn RawGraphStore> {
        &self.0.store
    }
}

impl fmt::Debug for Orchestrator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Orchestrator")
            .field("provider", &self.0.provider.name())
            .field("confirm", &self.0.confirm)
            .field("policy", &self.0.policy)
            .finish_non_exhaustive()
    }
}

/// Collects what an [`Orchestrator`] needs. Everything but the provider has a safe default.
#[must_use]
pub struct OrchestratorBuilder(Settings);

impl OrchestratorBuilder {
    /// Where runs are kept. Default: in memory, for as long as the orchestrator lives.
    pub fn store(mut self, store: Arc<dyn RawGraphStore>) -> Self {
        self.0.store = store;
        self
    }

    /// Where the processes that share the store find each other. Default: nobody shares it.
    pub fn owners(mut self, owners: Owners) -> Self {
        self.0.owners = Some(owners);
        self
    }

    /// The agents. Default: none, so that every task is done by the llm_context's default agent.
    pub fn agents(self, agents: AgentCatalog) -> Self {
        self.llm_context(move |llm_context| llm_context.agents(agents.clone()))
    }

    /// Changes the llm_context: router, tools, prompts, further models, limits. Asked for each run, whose
    /// provider and sanitizer the llm_context has already; several calls are done in order.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zeph_orchestration::subagent::router::NamedRouter;
    /// use zeph_orchestration::{LlmError, LlmRequest, Orchestrator, provider_fn};
    /// let model = provider_fn("model", |_: LlmRequest| async { Ok::<_, LlmError>("…") });
    /// let orchestrator = Orchestrator::builder(Arc::new(model))
    ///     .llm_context(|llm_context| llm_context.router(Arc::new(NamedRouter)))
    ///     .build()?;
    /// # Ok::<(), zeph_orchestration::OrchestratorError>(())
    /// ```
    pub fn llm_context(
        mut self,
        change: impl Fn(LlmContextBuilder) -> LlmContextBuilder + Send + Sync + 'static,
    ) -> Self {
        self.0.llm_context.push(Box::new(change));
        self
    }

    /// Who makes plans. Asked for each run, with the provider and the run's sanitizer. Default: an
    /// [`LlmPlanner`] that puts the schema into the prompt where a service does not take it.
    ///
    /// A planner that asks another provider than the one it is given cannot be replayed.
    pub fn planner(
        mut self,
        make: impl Fn(Arc<dyn LlmProvider>, Arc<dyn ContentSanitizer>) -> Arc<dyn Planner>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.0.planner = Box::new(make);
        self
    }

    /// Changes what plans may use: limits, rights, commands, prices. The request has the llm_context's agents
    /// already; its goal, and what it puts around providers, do not matter. Several calls are done in
    /// order.
    pub fn plans(
        mut self,
        change: impl Fn(PlanRequest) -> PlanRequest + Send + Sync + 'static,
    ) -> Self {
        self.0.host.push(Box::new(change));
        self
    }

    /// What makes graphs of plan files. Default: [`PlanFiles::new`].
    pub fn compiler(mut self, compiler: Arc<dyn PlanCompiler>) -> Self {
        self.0.compiler = compiler;
        self
    }

    /// Who puts results together. Default: the provider, and nobody but the results themselves where
    /// that fails.
    pub fn aggregator(mut self, aggregator: Arc<dyn Aggregator>) -> Self {
        self.0.aggregator = Some(aggregator);
        self
    }

    /// Further actions, for edited plans and graphs of the host. Default: none.
    pub fn actions(mut self, actions: Registry) -> Self {
        self.0.actions = actions;
        self
    }

    /// What runs commands. Default: nothing, and a plan with commands is not taken in.
    ///
    /// Which commands a model may plan is said by [`plans`](Self::plans); a person who edits a plan
    /// may write any.
    #[cfg(feature = "command")]
    pub fn command(mut self, command: zeph_command::CommandExecutor) -> Self {
        self.0.command = Some(command);
        self
    }

    /// Who looks at a plan before it runs. Default: [`Confirm::Ask`].
    pub fn confirm(mut self, confirm: Confirm) -> Self {
        self.0.confirm = confirm;
        self
    }

    /// Answers questions other than those about plans: of tasks that ask, of failures, of budgets at
    /// their limit. `None` leaves one open. Default: they are all left open.
    pub fn questions<F, A>(mut self, answer: F) -> Self
    where
        F: Fn(QuestionView) -> A + Send + Sync + 'static,
        A: Future<Output = Option<String>> + Send + 'static,
    {
        self.0.questions = Some(Box::new(move |question| answer(question).boxed()));
        self
    }

    /// The most that a run may cost, planning and answer included. Default: no limit.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.0.policy.budget = budget;
        self
    }

    /// What becomes of a task that the budget stops. Default: a person is asked.
    ///
    /// With [`OverBudget::Partial`] the run goes on without it, and the answer tells what is missing.
    pub fn over_budget(mut self, over: OverBudget) -> Self {
        self.0.policy.over_budget = over;
        self
    }

    /// The limits of each run. Replaces the budget; its seed does not count, see [`seed`](Self::seed).
    pub fn policy(mut self, policy: Policy) -> Self {
        self.0.policy = policy;
        self
    }

    /// The seed of every run. Default: a random one for each.
    ///
    /// For tests: whoever knows it can foretell delimiters.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = Some(seed);
        self
    }

    /// How much runs at a time, and how large results may be.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = limits;
        self
    }

    /// How often and how patiently models are asked again. Default: see [`RetryPolicy`].
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.0.retry = policy;
        self
    }

    /// The secrets that are taken out of prompts and of all that is kept. Default: none.
    pub fn secrets(mut self, secrets: Redactor) -> Self {
        self.0.secrets = secrets;
        self
    }

    /// What makes text of strangers fit for a prompt, of the run's seed and the secrets. Default: a
    /// [`StandardSanitizer`]. It must be deterministic for a run to be replayed.
    pub fn sanitizer(
        mut self,
        make: impl Fn(Seed, &Redactor) -> Arc<dyn ContentSanitizer> + Send + Sync + 'static,
    ) -> Self {
        self.0.sanitizer = Box::new(make);
        self
    }

    /// The most rounds of planning. Default 5; with 1 no plan can be rejected.
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.0.max_rounds = Some(rounds);
        self
    }

    /// The most tokens of the answer. Default: the aggregator's own limit.
    pub fn answer_tokens(mut self, tokens: u32) -> Self {
        self.0.answer_tokens = Some(tokens);
        self
    }

    /// The orchestrator.
    ///
    /// # Errors
    /// If agents, models, tools and actions do not fit together.
    pub fn build(self) -> Result<Orchestrator, OrchestratorError> {
        let orchestrator = Orchestrator(Arc::new(self.0));
        // What does not fit is told now and not by the first run.
        orchestrator
            .0
            .registry(&Policy::default(), Default::default(), None)?;
        Ok(orchestrator)
    }
}

impl fmt::Debug for OrchestratorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestratorBuilder")
            .field("provider", &self.0.provider.name())
            .finish_non_exhaustive()
    }
}
