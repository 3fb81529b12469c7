//! `Orchestrator` and its builder: settings, store, secrets, commands and models of all its runs.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use zeph_config::Resolved;
use zeph_executor::Registry;
use zeph_graph::{Budget, OverBudget, Policy};
use zeph_memory::{MemoryStore, RawGraphStore};
use zeph_runtime::{Limits, Owners, QuestionView};

use super::OrchestratorError;
use super::compose::{Components, HostAnswer};
#[cfg(feature = "planner")]
use super::models::ModelSide;

/// Runs plan files, goals and graphs: one value that composes settings, store, secrets, commands and
/// models into the registry and the engine of each run.
///
/// - A plan file becomes tasks ([`PlanFiles`](super::PlanFiles), feature `planfile`).
/// - A goal becomes a plan, tasks and an answer, in one run with one journal (feature `planner`).
/// - A [`TaskGraph`](zeph_graph::TaskGraph) runs as it is.
///
/// With a durable store a run survives the process at every point, and [`resume`](Self::resume)
/// continues it. Clones share their components. One orchestrator serves any number of runs, also at the
/// same time; each has an engine of its own.
///
/// # Examples
/// ```
/// # #[cfg(feature = "planner")]
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use zeph_orchestration::llm::{Reply, ScriptedProvider};
/// use zeph_orchestration::{Confirm, Orchestrator, RunOutcome};
///
/// let model = ScriptedProvider::new("script")
///     .then(Reply::text(r#"{"reasoning": "One step.", "tasks": [
///         {"name": "write", "needs": [], "kind": "agent", "prompt": "Write two lines."}]}"#))
///     .then(Reply::text("A graph of two,\na line or so."))
///     .then(Reply::text("Here it is: A graph of two. [write]"));
/// let orchestrator = Orchestrator::builder()
///     .model(Arc::new(model))
///     .confirm(Confirm::Never)
///     .build()?;
/// let RunOutcome::Ended(results) = orchestrator.run("A limerick").await? else {
///     unreachable!("the plan needs no approval");
/// };
/// assert_eq!(results.task("write").map(|task| task.attempts), Some(1));
/// assert!(results.answer.is_some_and(|answer| answer.text.contains("A graph of two")));
/// # Ok(())
/// # }
/// # #[cfg(not(feature = "planner"))]
/// # fn main() {}
/// ```
#[derive(Clone)]
pub struct Orchestrator(pub(super) Arc<Components>);

impl Orchestrator {
    /// Collects the components. Each has a safe default: settings as
    /// [`OrchestrationConfig::default`](zeph_config::OrchestrationConfig), a store in memory, no
    /// secrets, no commands, no model.
    pub fn builder() -> OrchestratorBuilder {
        OrchestratorBuilder(Components {
            settings: Resolved::from(zeph_config::OrchestrationConfig::default()),
            store: Arc::new(MemoryStore::new()),
            owners: None,
            actions: Registry::new(),
            questions: None,
            policy: None,
            budget: None,
            over_budget: None,
            seed: None,
            limits: None,
            #[cfg(feature = "planfile")]
            secrets: Vec::new(),
            #[cfg(feature = "command")]
            command: None,
            #[cfg(feature = "command")]
            withheld: Vec::new(),
            #[cfg(feature = "planner")]
            models: ModelSide::default(),
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
        f.debug_struct("Orchestrator").finish_non_exhaustive()
    }
}

/// Collects the components of an [`Orchestrator`]. The order of the calls does not matter.
#[must_use]
pub struct OrchestratorBuilder(pub(super) Components);

impl OrchestratorBuilder {
    /// Limits, time-outs, retries, budget and command templates. A plan file overrides what comes from
    /// a settings file; a flag or a variable overrides the plan.
    ///
    /// The builder reads no file that the settings name, such as `agents`.
    pub fn settings(mut self, settings: impl Into<Resolved>) -> Self {
        self.0.settings = settings.into();
        self
    }

    /// The store of runs. Default: in memory, for as long as the orchestrator lives.
    pub fn store(mut self, store: Arc<dyn RawGraphStore>) -> Self {
        self.0.store = store;
        self
    }

    /// The owner locks of the processes that share the store. Default: the store is not shared.
    pub fn owners(mut self, owners: Owners) -> Self {
        self.0.owners = Some(owners);
        self
    }

    /// Stores runs in that database, which other processes may share: [`store`](Self::store) and
    /// [`owners`](Self::owners) in one call.
    #[cfg(feature = "sqlite")]
    pub fn database(self, store: zeph_memory_sqlite::SqliteStore) -> Self {
        let owners = Owners::beside(store.path());
        self.owners(owners).store(Arc::new(store))
    }

    /// Further executors, for graphs and plans of the host. Default: none.
    pub fn actions(mut self, actions: Registry) -> Self {
        self.0.actions = actions;
        self
    }

    /// Answers questions of tasks, of failures and of exhausted budgets; `None` leaves one open.
    /// Default: they stay open. Plans are decided about by [`Confirm`](super::Confirm).
    pub fn questions<F, A>(mut self, answer: F) -> Self
    where
        F: Fn(QuestionView) -> A + Send + Sync + 'static,
        A: Future<Output = Option<String>> + Send + 'static,
    {
        let answer: HostAnswer = Box::new(move |question| Box::pin(answer(question)));
        self.0.questions = Some(answer);
        self
    }

    /// The limits of each run, in place of those of the settings and of a plan file. Its seed is
    /// ignored, see [`seed`](Self::seed); [`budget`](Self::budget) and
    /// [`over_budget`](Self::over_budget) override its budget.
    pub fn policy(mut self, policy: Policy) -> Self {
        self.0.policy = Some(policy);
        self
    }

    /// The most that a run may cost, planning and answer included. Default: as in the settings.
    pub fn budget(mut self, budget: Budget) -> Self {
        self.0.budget = Some(budget);
        self
    }

    /// What happens to a task that the budget stops. Default: as in the settings.
    ///
    /// With [`OverBudget::Partial`] the run continues without it, and the answer lists what is missing.
    pub fn over_budget(mut self, over: OverBudget) -> Self {
        self.0.over_budget = Some(over);
        self
    }

    /// The seed of every run. Default: a random one for each.
    ///
    /// For tests: an author of untrusted text who knows the seed can predict delimiters in prompts.
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = Some(seed);
        self
    }

    /// The limits of each engine. Default: as the settings say, with the run's own parallelism.
    pub fn limits(mut self, limits: Limits) -> Self {
        self.0.limits = Some(limits);
        self
    }

    /// A secret to redact from prompts, logs, errors and notes. White space around it is ignored.
    ///
    /// Secret parameters of a plan file are redacted without this call. A value that is shorter than
    /// [`MIN_SECRET_BYTES`](zeph_sanitizer::MIN_SECRET_BYTES) is not redacted, see
    /// [`unredacted_secrets`](Orchestrator::unredacted_secrets); any other value that cannot be
    /// redacted is an error of the run.
    #[cfg(feature = "planfile")]
    pub fn secret(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.0.secrets.push((name.into(), value.into()));
        self
    }

    /// Registers the action `command`, so that tasks can run programs. `configure` changes the
    /// executor's builder, which has the output limit of the settings and the run's folder already.
    /// Default: no commands, and a plan with commands is refused.
    ///
    /// Which commands a model may plan is decided by the templates of the settings; a person who edits
    /// a plan may write any.
    #[cfg(feature = "command")]
    pub fn commands(
        mut self,
        configure: impl Fn(zeph_command::CommandExecutorBuilder) -> zeph_command::CommandExecutorBuilder
        + Send
        + Sync
        + 'static,
    ) -> Self {
        self.0.command = Some(Box::new(configure));
        self
    }

    /// Variables of the environment that no command inherits unless its plan or the settings pass it on,
    /// such as those with keys. Several calls add up. Default: those that a plan names for its secrets.
    #[cfg(feature = "command")]
    pub fn withhold<N: Into<String>>(mut self, variables: impl IntoIterator<Item = N>) -> Self {
        let variables = variables.into_iter().map(Into::into);
        self.0.withheld.extend(variables);
        self
    }

    /// Checks the components and builds the orchestrator.
    ///
    /// # Errors
    /// If agents, models, tools, command templates and actions do not fit together.
    pub fn build(self) -> Result<Orchestrator, OrchestratorError> {
        self.0.check()?;
        Ok(Orchestrator(Arc::new(self.0)))
    }
}

impl fmt::Debug for OrchestratorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrchestratorBuilder")
            .finish_non_exhaustive()
    }
}
