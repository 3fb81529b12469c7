//! Roles: planner, agents and aggregator of a run, as executors of its actions.

use std::fmt::Display;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeph_executor::Registry;
use zeph_llm::{Gate, LlmProvider, RetryPolicy, Retrying};
use zeph_orchestration::Roles as Executors;
use zeph_planfile::RunValues;
use zeph_planner::{
    CachedPlanner, Commands, FolderCache, LlmContext, LlmContextBuilder, LlmPlanner, PlanLimits,
    PlanRequest, PlanRights, Planner, PriceList, Prompts, Tape,
};
use zeph_sanitizer::{ContentSanitizer, Redactor, Seed, StandardSanitizer};
use zeph_subagent::router::{NoMatch, ScoringRouter};
use zeph_subagent::{AgentCatalog, AgentReader};

use super::service::Service;
use super::setup::{Models, Setup};
use super::{Compiler, tools};
use crate::cx::Cx;
use crate::exit::{CliError, Exit};

/// Everything that works with a model, for the runs of one plan.
pub(crate) struct Roles {
    llm_context: Arc<LlmContext>,
    pub(crate) planner: Arc<dyn Planner>,
    /// What plans may use; its goal is another one each time.
    pub(crate) request: PlanRequest,
}

impl Roles {
    pub(crate) fn new(
        cx: &Cx,
        models: &Models,
        service: &Service,
        folder: &Path,
        redactor: &Redactor,
        tape: Option<&Tape>,
    ) -> Result<Self, CliError> {
        let setup = &models.setup;
        if models.counts_money && service.prices.is_none() {
            return Err(no_price(setup));
        }
        let seed = Seed::derive(&models.seed.to_le_bytes());
        let sanitizer = StandardSanitizer::new(seed).redactor(redactor.clone());
        let sanitizer: Arc<dyn ContentSanitizer> = Arc::new(sanitizer);
        let tools = tools::of(folder).map_err(internal)?;
        let agents = agents(setup.agents.as_deref())?;
        let prompts = prompts(setup)?;
        let gate = Gate::new();
        let retry = retry(cx, models.seed, tape.is_some());
        let default = match tape {
            Some(tape) => tape.provider(&*service.default),
            None => Arc::clone(&service.default),
        };
        let mut prices = PriceList {
            default: service.prices,
            ..PriceList::default()
        };
        let mut llm_context = LlmContext::builder(Arc::clone(&service.default))
            .sanitizer(Arc::clone(&sanitizer))
            .prompts(prompts.clone())
            .agents(agents.clone())
            .tools(tools)
            .retry(retry)
            .streaming();
        // A plan that leaves the choice open is told that anybody may do it, so somebody does.
        if let Some(first) = agents.iter().next() {
            let anybody = NoMatch::Default(first.name.clone());
            let router = ScoringRouter::standard().at_least(0.0).no_match(anybody);
            llm_context = llm_context.router(Arc::new(router));
        }
        llm_context = with_models(cx, llm_context, setup, service, &agents, &mut prices)?;
        let llm_context = match tape {
            Some(tape) => llm_context.on_tape(tape),
            None => llm_context,
        };
        let llm_context = llm_context.build().map_err(|errors| {
            CliError::new(Exit::Usage, errors.to_string())
                .code("bad_agents")
                .help("`zeph agents` shows the definitions and what is wrong with them")
        })?;
        let planner = LlmPlanner::new(default, Arc::clone(&sanitizer))
            .prompts(prompts)
            .timeout(cx.config().llm.timeout)
            .schema_in_prompt();
        let planner: Arc<dyn Planner> = match &cx.config().plan_cache {
            Some(folder) if !setup.is_scripted() && tape.is_none() => {
                let cache = Arc::new(FolderCache::new(folder));
                Arc::new(CachedPlanner::new(Arc::new(planner), cache))
            }
            Some(_) | None => Arc::new(planner),
        };
        let around = move |provider: Arc<dyn LlmProvider>| {
            let again = Retrying::new(provider, retry).gate(&gate);
            Arc::new(again) as Arc<dyn LlmProvider>
        };
        let rights = PlanRights::of(&agents);
        let request = PlanRequest::new("", agents)
            .commands(commands(cx)?)
            .limits(plan_limits(cx))
            .rights(rights)
            .prices(prices)
            .around(Arc::new(around));
        Ok(Self {
            llm_context: Arc::new(llm_context),
            planner,
            request,
        })
    }

    /// Takes over the actions that ask a model.
    pub(crate) fn register(
        self,
        cx: &Cx,
        registry: &mut Registry,
        values: &RunValues,
    ) -> Result<(), CliError> {
        Executors::new(self.llm_context)
            .values(values.clone())
            .planner(self.planner, self.request)
            .compiler(Arc::new(Compiler(cx.config().clone())))
            .register(registry)
            .map_err(internal)
    }
}

/// The llm_context with a provider for each model that an agent names, and their prices.
fn with_models(
    cx: &Cx,
    mut llm_context: LlmContextBuilder,
    setup: &Setup,
    service: &Service,
    agents: &AgentCatalog,
    prices: &mut PriceList,
) -> Result<LlmContextBuilder, CliError> {
    for (agent, name) in agents
        .iter()
        .filter_map(|one| Some((one, one.model.as_ref()?)))
    {
        let named = if setup.is_scripted() || *name == setup.model {
            Ok((Arc::clone(&service.default), service.prices))
        } else {
            setup.named(cx, name)
        };
        let (provider, price) = named.map_err(|error| CliError {
            message: format!(
                "the agent {:?} asks for a model: {}",
                agent.name, error.message
            ),
            ..error
        })?;
        prices
            .models
            .extend(price.map(|price| (name.clone(), price)));
        llm_context = llm_context.model(name, provider);
    }
    Ok(llm_context)
}

/// The built-in prompts, or what a folder has in their place.
fn prompts(setup: &Setup) -> Result<Prompts, CliError> {
    // The played model knows the built-in ones only.
    let replaced = setup.prompts.as_ref().filter(|_| !setup.is_scripted());
    let Some(folder) = replaced else {
        return Ok(Prompts::built_in());
    };
    Prompts::from_folder(folder).map_err(|defects| {
        CliError::new(Exit::Usage, defects.to_string())
            .code("bad_prompts")
            .help("mend the files, or take them out of the folder")
    })
}

/// The definitions of a folder; none without one.
pub(crate) fn agents(folder: Option<&Path>) -> Result<AgentCatalog, CliError> {
    let Some(folder) = folder else {
        return Ok(AgentCatalog::new());
    };
    let reader = AgentReader::new().known_tools(tools::NAMES);
    reader.read_dir(folder).map_err(|defects| {
        let mut error = CliError::new(Exit::Usage, defects.to_string())
            .code("bad_agents")
            .help("mend the definitions; `zeph agents check` tells when they are right");
        error.diagnostics = defects
            .as_slice()
            .iter()
            .map(|one| {
                serde_json::json!({
                    "code": one.code.word(),
                    "source": one.source,
                    "key": one.key,
                    "message": one.message,
                    "line": one.at.as_ref().map(|at| at.line),
                    "column": one.at.as_ref().map(|at| at.column),
                    "help": one.help,
                })
            })
            .collect();
        error
    })
}

/// The commands that plans may run.
pub(crate) fn commands(cx: &Cx) -> Result<Commands, CliError> {
    super::commands::of(cx.config())
}

/// How large a plan may be, and what it may be estimated to cost: no more than the budget.
fn plan_limits(cx: &Cx) -> PlanLimits {
    let config = cx.config();
    PlanLimits {
        max_tasks: config.plan.max_tasks as usize,
        max_depth: config.plan.max_depth as usize,
        max_width: config.plan.max_width as usize,
        max_tokens: config.budget.tokens,
        max_micro_usd: config.budget.usd,
        ..PlanLimits::default()
    }
}

/// How often a request is sent; what is on a tape needs no waiting.
fn retry(cx: &Cx, seed: u64, replayed: bool) -> RetryPolicy {
    let llm = &cx.config().llm;
    let usual = RetryPolicy {
        max_calls: llm.calls,
        call_timeout: Some(llm.timeout),
        seed,
        ..RetryPolicy::default()
    };
    if !replayed {
        return usual;
    }
    RetryPolicy {
        base: Duration::ZERO,
        cap: Duration::ZERO,
        ..usual
    }
}

fn no_price(setup: &Setup) -> CliError {
    let text = format!(
        "there is a budget of money, and nobody knows what {} costs",
        zeph_common::escape_terminal(&setup.model)
    );
    CliError::new(Exit::Usage, text)
        .code("unknown_price")
        .help("set llm.input_usd and llm.output_usd in zeph.toml, dollars for a million tokens; or give a budget of tokens")
}

fn internal(error: impl Display) -> CliError {
    CliError::new(Exit::Internal, error.to_string())
}
