//! The model side of a run: planner, agents and aggregator as executors of its actions.

use std::sync::Arc;

use zeph_executor::{Executor, Registry};
use zeph_graph::{Policy, TaskGraph};
use zeph_llm::{LlmProvider, Prices, RetryPolicy, Retrying};
use zeph_planfile::Templated;
use zeph_planner::agent::{AgentExecutor, Tools};
use zeph_planner::answer::{Aggregator, AnswerExecutor, LlmAggregator};
use zeph_planner::plan::{
    ADOPT, ANSWER, AdoptExecutor, CachedPlanner, Commands, FallbackPlan, LlmPlanner, PLAN,
    PlanCompiler, PlanExecutor, PlanLimits, PlanRequest, PlanStream, Planner, PriceList,
};
use zeph_planner::prompts::Prompts;
use zeph_planner::replay::Recording;
use zeph_planner::{LlmContext, LlmContextBuilder};
use zeph_sanitizer::{ContentSanitizer, Redactor, Seed, StandardSanitizer};
use zeph_subagent::router::{NoMatch, ScoringRouter};
use zeph_subagent::{AgentCatalog, AgentProgram};

use super::agent_check::edited_plan_problems;
use super::approvals::add_approvals;
use super::compose::{Components, RunParts};
use super::{Confirm, Orchestrator, OrchestratorBuilder, OrchestratorError, PlanFiles};
#[cfg(feature = "command")]
use crate::program;

type MakeSanitizer = Box<dyn Fn(Seed, &Redactor) -> Arc<dyn ContentSanitizer> + Send + Sync>;
type MakePlanner =
    Box<dyn Fn(Arc<dyn LlmProvider>, Arc<dyn ContentSanitizer>) -> Arc<dyn Planner> + Send + Sync>;
type ChangeContext = Box<dyn Fn(LlmContextBuilder) -> LlmContextBuilder + Send + Sync>;
type ChangeRequest = Box<dyn Fn(PlanRequest) -> PlanRequest + Send + Sync>;

/// The components of the model side. Without a provider there are no model actions.
#[derive(Default)]
pub(super) struct ModelSide {
    pub(super) provider: Option<Arc<dyn LlmProvider>>,
    pub(super) named: Vec<(String, Arc<dyn LlmProvider>)>,
    pub(super) agents: AgentCatalog,
    prompts: Option<Prompts>,
    pub(super) tools: Tools,
    pub(super) context: Vec<ChangeContext>,
    planner: Option<MakePlanner>,
    requests: Vec<ChangeRequest>,
    aggregator: Option<Arc<dyn Aggregator>>,
    sanitizer: Option<MakeSanitizer>,
    retry: Option<RetryPolicy>,
    pub(super) fallback: Option<Arc<dyn LlmProvider>>,
    fallback_plan: FallbackPlan,
    max_rounds: Option<u32>,
    max_replans: Option<u32>,
    answer_tokens: Option<u32>,
    pub(super) confirm: Confirm,
}

/// The model side of one run.
pub(super) struct RunModels {
    pub(super) context: Arc<LlmContext>,
    sanitizer: Arc<dyn ContentSanitizer>,
    planner: Arc<dyn Planner>,
    request: PlanRequest,
}

impl OrchestratorBuilder {
    /// The model that plans, works and answers, unless an agent names another. Default: none, and tasks
    /// that ask a model are refused.
    pub fn model(mut self, provider: Arc<dyn LlmProvider>) -> Self {
        self.0.models.provider = Some(provider);
        self
    }

    /// The model that is asked where another one gives no answer, after all of its calls: for plans, tasks and
    /// the answer. Default: none.
    pub fn fallback_model(mut self, provider: Arc<dyn LlmProvider>) -> Self {
        self.0.models.fallback = Some(provider);
        self
    }

    /// A further model, for the agents that name it. Its price is that of its provider.
    pub fn named_model(mut self, name: impl Into<String>, provider: Arc<dyn LlmProvider>) -> Self {
        self.0.models.named.push((name.into(), provider));
        self
    }

    /// The agents. Default: none, and a default agent does every task. A task that names no agent goes
    /// to the best match, else to the first agent.
    pub fn agents(mut self, agents: AgentCatalog) -> Self {
        self.0.models.agents = agents;
        self
    }

    /// The prompts of planner, agents and aggregator. Default: the built-in ones.
    pub fn prompts(mut self, prompts: Prompts) -> Self {
        self.0.models.prompts = Some(prompts);
        self
    }

    /// The tools that agents may list. Default: none.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.0.models.tools = tools;
        self
    }

    /// Changes the [`LlmContext`] of each run, for what this builder does not name, such as
    /// the router and the limits. Several changes are made in the order of the calls.
    ///
    /// # Examples
    /// ```
    /// use std::sync::Arc;
    /// use zeph_orchestration::Orchestrator;
    /// use zeph_orchestration::llm::{LlmError, LlmRequest, provider_fn};
    /// use zeph_orchestration::subagent::router::NamedRouter;
    /// let model = provider_fn("model", |_: LlmRequest| async { Ok::<_, LlmError>("…") });
    /// let orchestrator = Orchestrator::builder()
    ///     .model(Arc::new(model))
    ///     .llm_context(|context| context.router(Arc::new(NamedRouter)))
    ///     .build()?;
    /// # Ok::<(), zeph_orchestration::OrchestratorError>(())
    /// ```
    pub fn llm_context(
        mut self,
        change: impl Fn(LlmContextBuilder) -> LlmContextBuilder + Send + Sync + 'static,
    ) -> Self {
        self.0.models.context.push(Box::new(change));
        self
    }

    /// Makes the planner of each run, from the provider and the run's sanitizer. Default: an
    /// [`LlmPlanner`], which puts the schema into the prompt if a service does not accept it.
    ///
    /// A planner that asks another provider than the given one cannot be replayed.
    pub fn planner(
        mut self,
        make: impl Fn(Arc<dyn LlmProvider>, Arc<dyn ContentSanitizer>) -> Arc<dyn Planner>
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.0.models.planner = Some(Box::new(make));
        self
    }

    /// Changes what plans may use: limits, rights, commands, prices. The request has the agents, and the
    /// limits and command templates of the settings; its `goal`, `feedback` and `wrap` are ignored. Several
    /// changes are made in the order of the calls.
    pub fn plans(
        mut self,
        change: impl Fn(PlanRequest) -> PlanRequest + Send + Sync + 'static,
    ) -> Self {
        self.0.models.requests.push(Box::new(change));
        self
    }

    /// Decides about plans before they run. Default: [`Confirm::Ask`].
    pub fn confirm(mut self, confirm: Confirm) -> Self {
        self.0.models.confirm = confirm;
        self
    }

    /// The aggregator. Default: the model; if that fails, the plain list of results.
    pub fn aggregator(mut self, aggregator: Arc<dyn Aggregator>) -> Self {
        self.0.models.aggregator = Some(aggregator);
        self
    }

    /// Makes the sanitizer of each run, from its seed and its secrets. It must be deterministic for a
    /// run to be replayed. Default: a [`StandardSanitizer`].
    pub fn sanitizer(
        mut self,
        make: impl Fn(Seed, &Redactor) -> Arc<dyn ContentSanitizer> + Send + Sync + 'static,
    ) -> Self {
        self.0.models.sanitizer = Some(Box::new(make));
        self
    }

    /// The retry policy of model calls. Its seed is the run's. Default: as in the settings.
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.0.models.retry = Some(policy);
        self
    }

    /// The most rounds of planning. Default 5; with 1 no plan can be rejected.
    pub fn max_rounds(mut self, rounds: u32) -> Self {
        self.0.models.max_rounds = Some(rounds);
        self
    }

    /// Sets the plan that is used if no model gives one. Default: none, and the run fails with the reasons.
    pub fn fallback_plan(mut self, plan: FallbackPlan) -> Self {
        self.0.models.fallback_plan = plan;
        self
    }

    /// Sets how many times the plan for a goal may be extended after a task that failed. Default: the setting
    /// `plan.max_replans`, 2.
    pub fn max_replans(mut self, times: u32) -> Self {
        self.0.models.max_replans = Some(times);
        self
    }

    /// The most tokens of the answer. Default: the aggregator's own limit.
    pub fn answer_tokens(mut self, tokens: u32) -> Self {
        self.0.models.answer_tokens = Some(tokens);
        self
    }
}

impl Orchestrator {
    /// Asks the model for a plan and runs nothing. `feedback` is a person's criticism of earlier plans.
    ///
    /// The calls are repeated as the retry policy says. They take from no budget, since there is no run.
    ///
    /// # Errors
    /// If there is no model, or its price is unknown and money is limited.
    pub fn plan(
        &self,
        goal: impl Into<String>,
        feedback: Vec<String>,
    ) -> Result<PlanStream, OrchestratorError> {
        let (graph, policy) = (TaskGraph::new(), self.0.policy_of(&Default::default())?);
        let run = RunParts {
            graph: &graph,
            budget: policy.budget,
            policy: &policy,
            values: Default::default(),
        };
        let models = self.0.models.assemble(&self.0, &run, None)?;
        let models = models.ok_or(OrchestratorError::NoModel)?;
        self.0.models.check_prices(&run, |_| true)?;
        let (retry, gate) = (models.context.retry(), models.context.gate().clone());
        let around = move |provider: Arc<dyn LlmProvider>| {
            Arc::new(Retrying::new(provider, retry).gate(&gate)) as Arc<dyn LlmProvider>
        };
        let feedback = feedback.into_iter().map(|text| self.0.redacted(&text));
        let request = PlanRequest {
            goal: self.0.redacted(&goal.into())?,
            feedback: feedback.collect::<Result<_, _>>()?,
            wrap: Some(Arc::new(around)),
            ..models.request
        };
        Ok(models.planner.plan(request))
    }
}

impl ModelSide {
    /// The model side of one run; `None` without a model. With a recording, models and tools are
    /// replayed from it.
    pub(super) fn assemble(
        &self,
        components: &Components,
        run: &RunParts<'_>,
        recording: Option<&Recording>,
    ) -> Result<Option<RunModels>, OrchestratorError> {
        let Some(provider) = &self.provider else {
            return Ok(None);
        };
        let sanitizer = self.sanitizer_of(run.policy, &components.redactor(&run.values)?);
        let prompts = self.prompts.clone().unwrap_or_else(Prompts::built_in);
        let context = self.context_of(components, run, provider, Arc::clone(&sanitizer));
        let context = match recording {
            Some(recording) => context.replaying(recording),
            None => context,
        };
        let context = Arc::new(context.build().map_err(OrchestratorError::LlmContext)?);
        let planning = |provider: &Arc<dyn LlmProvider>| match recording {
            Some(recording) => recording.provider(&**provider),
            None => Arc::clone(provider),
        };
        let config = &components.settings.config;
        let planner: Arc<dyn Planner> = match &self.planner {
            Some(make) => make(planning(provider), Arc::clone(&sanitizer)),
            None => {
                let planner = LlmPlanner::new(planning(provider), Arc::clone(&sanitizer))
                    .prompts(prompts)
                    .fallback_plan(self.fallback_plan.clone())
                    .timeout(config.llm.timeout);
                match &self.fallback {
                    Some(fallback) => Arc::new(planner.fallback(planning(fallback))),
                    None => Arc::new(planner),
                }
            }
        };
        let planner = match &config.plan_cache {
            Some(folder) if recording.is_none() => Arc::new(CachedPlanner::new(planner, folder)),
            Some(_) | None => planner,
        };
        let request = self.request(components, &context, provider)?;
        Ok(Some(RunModels {
            context,
            sanitizer,
            planner,
            request,
        }))
    }

    /// Registers the actions `agent`, `answer`, `plan` and `adopt`. The sanitizer cleans values of other tasks
    /// before an expression of a plan puts them into a prompt.
    pub(super) fn register(
        &self,
        components: &Components,
        run: &RunParts<'_>,
        models: RunModels,
        checker: Arc<dyn Executor>,
        registry: &mut Registry,
    ) -> Result<(), OrchestratorError> {
        let context = models.context;
        let agent = AgentExecutor::new(Arc::clone(&context));
        let agent = Templated::new(agent, run.values.clone())
            .sanitized(models.sanitizer)
            .checked(checker);
        let answers = match &self.aggregator {
            Some(aggregator) => AnswerExecutor::new(Arc::clone(aggregator)),
            None => {
                let aggregator = LlmAggregator::new(Arc::clone(&context));
                AnswerExecutor::new(Arc::new(aggregator))
            }
        };
        let files = PlanFiles::new(&components.settings.config);
        let (agents, tools) = (self.agents.clone(), self.tools.clone());
        let compile: PlanCompiler = Arc::new(move |file: &str| {
            let mut spec = files.compile(file)?;
            let names: Vec<&str> = tools.names().collect();
            edited_plan_problems(&spec, &agents, &names).into_result()?;
            add_approvals(&mut spec, &agents, &tools);
            Ok(spec)
        });
        let config = &components.settings.config.plan;
        let mut adopt = AdoptExecutor::new(Arc::clone(&compile))
            .max_replans(self.max_replans.unwrap_or(config.max_replans));
        if let Some(rounds) = self.max_rounds {
            adopt = adopt.max_rounds(rounds);
        }
        if let Some(tokens) = self.answer_tokens {
            adopt = adopt.answer_tokens(tokens);
        }
        let mut plan = PlanExecutor::new(models.planner, models.request)
            .retry(context.retry())
            .gate(context.gate());
        if config.start_early {
            plan = plan.start_early(compile);
        }
        registry.register(AgentExecutor::ACTION, Arc::new(agent))?;
        registry.register(ANSWER, Arc::new(answers))?;
        registry.register(PLAN, Arc::new(plan))?;
        registry.register(ADOPT, Arc::new(adopt))?;
        Ok(())
    }

    fn context_of(
        &self,
        components: &Components,
        run: &RunParts<'_>,
        provider: &Arc<dyn LlmProvider>,
        sanitizer: Arc<dyn ContentSanitizer>,
    ) -> LlmContextBuilder {
        let llm = &components.settings.config.llm;
        let retry = self.retry.unwrap_or(RetryPolicy {
            max_calls: llm.calls,
            call_timeout: Some(llm.timeout),
            ..RetryPolicy::default()
        });
        let mut context = LlmContext::builder(Arc::clone(provider))
            .sanitizer(sanitizer)
            .agents(self.agents.clone())
            .tools(self.tools.clone())
            .retry(RetryPolicy {
                seed: run.policy.seed,
                ..retry
            })
            .streaming();
        if let Some(prompts) = &self.prompts {
            context = context.prompts(prompts.clone());
        }
        // The planner's prompt allows tasks without an agent, so some agent must get them.
        if let Some(first) = self.agents.iter().next() {
            let router = ScoringRouter::standard()
                .at_least(0.0)
                .no_match(NoMatch::Default(first.name.clone()));
            context = context.router(Arc::new(router));
        }
        if let Some(fallback) = &self.fallback {
            context = context.fallback_model(Arc::clone(fallback));
        }
        for (name, provider) in &self.named {
            context = context.model(name, Arc::clone(provider));
        }
        #[cfg(feature = "command")]
        for (name, provider) in program::providers(&self.agents, run.folder()) {
            context = context.model(name, Arc::new(provider));
        }
        self.context
            .iter()
            .fold(context, |context, change| change(context))
    }

    /// The seed of a run's sanitizer is derived from the run's, so that a resumed run and a replay
    /// delimit texts alike.
    fn sanitizer_of(&self, policy: &Policy, secrets: &Redactor) -> Arc<dyn ContentSanitizer> {
        let seed = Seed::derive(&policy.seed.to_le_bytes());
        match &self.sanitizer {
            Some(make) => make(seed, secrets),
            None => Arc::new(StandardSanitizer::new(seed).redactor(secrets.clone())),
        }
    }

    /// The request for plans, without goal and feedback.
    fn request(
        &self,
        components: &Components,
        context: &LlmContext,
        provider: &Arc<dyn LlmProvider>,
    ) -> Result<PlanRequest, OrchestratorError> {
        let config = &components.settings.config;
        let named = self.named.iter();
        let programs = self.agents.iter().filter_map(|agent| {
            let per_call = agent.program.as_ref()?.price_per_call?;
            let prices = Prices {
                per_call,
                ..Prices::FREE
            };
            Some((AgentProgram::model_name(&agent.name), prices))
        });
        let prices = PriceList {
            default: provider.capabilities().prices,
            models: named
                .filter_map(|(name, provider)| {
                    Some((name.clone(), provider.capabilities().prices?))
                })
                .chain(programs)
                .collect(),
        };
        let limits = PlanLimits {
            max_tasks: config.plan.max_tasks as usize,
            max_depth: config.plan.max_depth as usize,
            max_width: config.plan.max_width as usize,
            max_tokens: config.budget.tokens,
            max_micro_usd: config.budget.usd,
            ..PlanLimits::default()
        };
        let commands = Commands::new(config.commands.clone());
        let request = PlanRequest {
            commands: Arc::new(commands.map_err(OrchestratorError::CommandTemplates)?),
            limits,
            prices,
            ..PlanRequest::new("", context.agents().clone())
        };
        Ok(self
            .requests
            .iter()
            .fold(request, |request, change| change(request)))
    }
}
