//! Composition: the registry, the redactor and the engine of one run.

use std::num::NonZeroU32;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;

use zeph_config::Resolved;
#[cfg(feature = "planfile")]
use zeph_executor::TaskError;
use zeph_executor::{Executor, Registry};
use zeph_graph::{Budget, OverBudget, Policy, RunLimits, TaskGraph};
use zeph_memory::RawGraphStore;
#[cfg(feature = "planfile")]
use zeph_planfile::RunValues;
#[cfg(feature = "planner")]
use zeph_planner::check::CheckExecutor;
#[cfg(feature = "planner")]
use zeph_planner::replay::Recording;
#[cfg(feature = "planfile")]
use zeph_runtime::driver::PREPARE;
use zeph_runtime::{Engine, Limits, Owners, QuestionView};
#[cfg(feature = "planfile")]
use zeph_sanitizer::Redactor;

use super::OrchestratorError;
#[cfg(feature = "planner")]
use super::models::ModelSide;
#[cfg(feature = "planfile")]
use super::redact::{RedactSecrets, redactor};

/// The action that runs commands.
#[cfg(any(feature = "command", feature = "planfile"))]
pub(super) const COMMAND: &str = "command";

/// Answers a question in the host's code; `None` leaves it open.
pub(super) type HostAnswer =
    Box<dyn Fn(QuestionView) -> Pin<Box<dyn Future<Output = Option<String>> + Send>> + Send + Sync>;

#[cfg(feature = "command")]
type ConfigureCommand = Box<
    dyn Fn(zeph_command::CommandExecutorBuilder) -> zeph_command::CommandExecutorBuilder
        + Send
        + Sync,
>;

/// The components that are shared by all runs of an orchestrator.
pub(super) struct Components {
    pub(super) settings: Resolved,
    pub(super) store: Arc<dyn RawGraphStore>,
    pub(super) owners: Option<Owners>,
    pub(super) actions: Registry,
    pub(super) questions: Option<HostAnswer>,
    pub(super) policy: Option<Policy>,
    pub(super) budget: Option<Budget>,
    pub(super) over_budget: Option<OverBudget>,
    pub(super) seed: Option<u64>,
    pub(super) limits: Option<Limits>,
    #[cfg(feature = "planfile")]
    pub(super) secrets: Vec<(String, String)>,
    #[cfg(feature = "command")]
    pub(super) command: Option<ConfigureCommand>,
    #[cfg(feature = "command")]
    pub(super) withheld: Vec<String>,
    #[cfg(feature = "planner")]
    pub(super) models: ModelSide,
}

/// The inputs of a run's registry and engine, besides the components.
pub(super) struct RunParts<'a> {
    pub(super) graph: &'a TaskGraph,
    pub(super) policy: &'a Policy,
    /// The current budget of the run; it may differ from the policy's.
    #[cfg_attr(not(feature = "planner"), expect(dead_code))]
    pub(super) budget: Budget,
    #[cfg(feature = "planfile")]
    pub(super) values: RunValues,
}

impl RunParts<'_> {
    /// The folder in which commands and tools work, if the run has one.
    pub(super) fn folder(&self) -> Option<PathBuf> {
        let folder = self.graph.metadata().get(TaskGraph::FOLDER);
        folder.map(PathBuf::from)
    }
}

impl Components {
    /// Checks that the components fit together, before the first run fails.
    pub(super) fn check(&self) -> Result<(), OrchestratorError> {
        let (graph, policy) = (TaskGraph::new(), Policy::default());
        let parts = RunParts {
            graph: &graph,
            policy: &policy,
            budget: Budget::UNLIMITED,
            #[cfg(feature = "planfile")]
            values: RunValues::default(),
        };
        self.registry(&parts).map(drop)
    }

    /// An engine for one run.
    pub(super) async fn engine(&self, run: &RunParts<'_>) -> Result<Engine, OrchestratorError> {
        if let Some(folder) = run.folder().filter(|folder| !folder.is_dir()) {
            return Err(OrchestratorError::NoFolder { folder });
        }
        let mut engine = Engine::builder(Arc::clone(&self.store))
            .registry(self.registry(run)?)
            .limits(self.limits_of(run.policy));
        #[cfg(feature = "planfile")]
        {
            engine = engine.redact(Arc::new(RedactSecrets(self.redactor(&run.values)?)));
        }
        #[cfg(feature = "planner")]
        {
            engine = engine.on_patch(self.models.approvals_of_patches());
        }
        if let Some(owners) = &self.owners {
            engine = engine.owners(owners.clone());
        }
        Ok(engine.start().await?)
    }

    /// The executors of one run.
    #[cfg(not(feature = "planner"))]
    pub(super) fn registry(&self, run: &RunParts<'_>) -> Result<Registry, OrchestratorError> {
        self.host_registry(run, None)
    }

    /// The executors of one run.
    #[cfg(feature = "planner")]
    pub(super) fn registry(&self, run: &RunParts<'_>) -> Result<Registry, OrchestratorError> {
        self.registry_with(run, None)
    }

    /// The executors of one run, with models and tools replayed from a recording.
    #[cfg(feature = "planner")]
    pub(super) fn replay_registry(
        &self,
        run: &RunParts<'_>,
        recording: &Recording,
    ) -> Result<Registry, OrchestratorError> {
        self.registry_with(run, Some(recording))
    }

    #[cfg(feature = "planner")]
    fn registry_with(
        &self,
        run: &RunParts<'_>,
        recording: Option<&Recording>,
    ) -> Result<Registry, OrchestratorError> {
        let models = self.models.assemble(self, run, recording)?;
        let context = models.as_ref().map(|models| Arc::clone(&models.context));
        let checker: Arc<dyn Executor> = Arc::new(CheckExecutor::new(context));
        let mut registry = self.host_registry(run, Some(&checker))?;
        if let Some(models) = models {
            self.models
                .register(self, run, models, checker, &mut registry)?;
        }
        Ok(registry)
    }

    /// The host's own executors, and commands. The checker decides about results by a schema or a model.
    fn host_registry(
        &self,
        run: &RunParts<'_>,
        #[cfg_attr(not(feature = "command"), expect(unused_variables))] checker: Option<
            &Arc<dyn Executor>,
        >,
    ) -> Result<Registry, OrchestratorError> {
        let registry = self.actions.clone();
        #[cfg(not(any(feature = "command", feature = "planfile")))]
        let _ = run;
        #[cfg(any(feature = "command", feature = "planfile"))]
        let mut registry = registry;
        #[cfg(feature = "command")]
        if let Some(configure) = &self.command {
            let mut command = zeph_command::CommandExecutor::builder()
                .max_output(self.settings.config.max_output_bytes);
            if let Some(folder) = run.folder() {
                command = command.cwd(folder);
            }
            #[cfg_attr(not(feature = "planfile"), expect(unused_mut))]
            let mut command = configure(command)
                .deny_env(self.withheld.iter())
                .pass_env(self.settings.config.pass_env.iter());
            #[cfg(feature = "planfile")]
            {
                // A command gets the variable of a secret only if the plan passes it on.
                let variables = run.values.secret_variables();
                command = command.deny_env(variables.map(|(_, variable)| variable));
                command = command.env_files(run.values.env_files());
            }
            let command = command.build();
            // Without plan files no task has a check.
            #[cfg(not(feature = "planfile"))]
            let _ = checker;
            #[cfg(feature = "planfile")]
            let command = zeph_planfile::Templated::new(command, run.values.clone());
            #[cfg(feature = "planfile")]
            let command = match checker {
                Some(checker) => command.checked(Arc::clone(checker)),
                None => command,
            };
            registry.register(COMMAND, Arc::new(command))?;
        }
        #[cfg(feature = "planfile")]
        {
            // Questions and milestones have conditions, but no attempt.
            let none = zeph_executor::closure::from_fn(|_, _| async {
                Err(TaskError::permanent("the task has no attempt"))
            });
            let conditions = zeph_planfile::Templated::new(none, run.values.clone());
            registry.register(PREPARE, Arc::new(conditions))?;
        }
        Ok(registry)
    }

    /// The redactor of one run: the host's secrets and those of its plan.
    #[cfg(feature = "planfile")]
    pub(super) fn redactor(&self, values: &RunValues) -> Result<Redactor, OrchestratorError> {
        Ok(redactor(self.secrets().chain(values.given_secrets()))?)
    }

    /// A text without the host's secrets.
    #[cfg(feature = "planfile")]
    pub(super) fn redacted(&self, text: &str) -> Result<String, OrchestratorError> {
        let redactor = self.redactor(&RunValues::default())?;
        Ok(redactor.redact(text).into_owned())
    }

    /// The host's secrets: names and values.
    #[cfg(feature = "planfile")]
    pub(super) fn secrets(&self) -> impl Iterator<Item = (&str, &str)> + Clone {
        let secrets = self.secrets.iter();
        secrets.map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The limits of the engine of one run. A flag or a variable overrides what the run was stored with.
    fn limits_of(&self, policy: &Policy) -> Limits {
        self.limits.unwrap_or_else(|| {
            let limits = Limits::from(&self.settings.config);
            if self.settings.is_explicit("max_parallel") {
                return limits;
            }
            Limits {
                max_parallel: policy.max_parallel.get(),
                ..limits
            }
        })
    }

    /// The policy of a new run: the host's own, else the settings and the limits of its plan. A flag or a
    /// variable overrides the plan.
    pub(super) fn policy_of(&self, plan: &RunLimits) -> Result<Policy, OrchestratorError> {
        let mut policy = self.policy.unwrap_or_else(|| self.configured_policy(plan));
        policy.budget = self.budget.unwrap_or(policy.budget);
        policy.over_budget = self.over_budget.unwrap_or(policy.over_budget);
        policy.seed = match self.seed {
            Some(seed) => seed,
            None => getrandom::u64().map_err(|_| OrchestratorError::NoRandomness)?,
        };
        Ok(policy)
    }

    fn configured_policy(&self, plan: &RunLimits) -> Policy {
        let config = &self.settings.config;
        let is_planned = |key| !self.settings.is_explicit(key);
        let parallel = plan.max_parallel.filter(|_| is_planned("max_parallel"));
        let over_budget = plan.over_budget.filter(|_| is_planned("budget.over"));
        // Each limit by itself: a plan may set one and a flag the other.
        let planned = plan.budget.unwrap_or(Budget::UNLIMITED);
        let tokens = planned.tokens().filter(|_| is_planned("budget.tokens"));
        let micro_usd = planned.micro_usd().filter(|_| is_planned("budget.usd"));
        Policy {
            max_parallel: parallel
                .or(NonZeroU32::new(config.max_parallel))
                .unwrap_or(NonZeroU32::MIN),
            seed: 0,
            run_timeout: plan.timeout.or(config.run_timeout),
            cancel_grace: zeph_runtime::cancel_grace_for(config.cancel_grace),
            suspend_grace: config.suspend_grace,
            budget: Budget::new(
                tokens.or(config.budget.tokens),
                micro_usd.or(config.budget.usd),
            ),
            over_budget: over_budget.unwrap_or(config.budget.over),
        }
    }
}
