//! `OrchestrationConfig`: every setting, its default, its range, and the effect of extreme values.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use zeph_diagnostics::Diagnostics;
use zeph_graph::OverBudget;

use crate::commands::CommandConfig;
use crate::mcp::McpConfig;
use crate::settings;

/// How graphs are run.
///
/// Code that builds a value checks it with [`validate`](Self::validate); [`Layers`](crate::Layers) returns
/// a checked value.
///
/// # Examples
/// ```
/// use zeph_config::OrchestrationConfig;
/// let config = OrchestrationConfig { max_parallel: 2, ..OrchestrationConfig::default() };
/// assert!(config.validate().is_ok());
/// assert!(OrchestrationConfig { max_parallel: 0, ..config }.validate().is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrchestrationConfig {
    /// Attempts that run at the same time, over all runs of a process. Default 8, from 1 to 65536.
    ///
    /// With 1 tasks run one after the other; far above the number of processors, commands compete for
    /// processors, memory and open files.
    pub max_parallel: u32,
    /// The time-out of an attempt, for tasks that set none. Default none, above zero.
    ///
    /// With too short a time-out slow attempts fail, and so do their retries.
    pub attempt_timeout: Option<Duration>,
    /// The time-out of a task over all its attempts, for tasks that set none. Default none, above zero.
    ///
    /// If it is shorter than the back-off, no retry starts in time.
    pub task_timeout: Option<Duration>,
    /// The time-out of a run, for graphs that set none. Default none, above zero.
    ///
    /// Open questions count, so a run that waits for people needs a time-out of days, or none.
    pub run_timeout: Option<Duration>,
    /// The time a canceled attempt has to stop before it is killed. Default 5 s, up to one day.
    ///
    /// With zero an attempt cannot clean up; a long grace occupies a slot and delays the retry.
    pub cancel_grace: Duration,
    /// The time that running attempts have when the engine stops. Default 5 s, up to one day.
    ///
    /// With zero they are stopped at once. If the grace exceeds the stop time-out of a service manager, the
    /// manager kills the engine.
    pub suspend_grace: Duration,
    /// The default retry policy of plan files, for the keys that a task with retries does not set.
    pub retry: RetryConfig,
    /// The most tasks that a plan may have. Default 100000, from 1 to 10 million.
    ///
    /// A guard against input that exhausts the memory; a task takes some hundred bytes. Plan files have a
    /// limit of 100000 of their own, which this setting does not raise.
    pub max_tasks: u32,
    /// The most bytes of a command's standard output that become its result. Default 1 MiB, from 1 byte to
    /// 1 MiB.
    ///
    /// With a smaller limit, commands that print more fail with `output_too_large`.
    pub max_output_bytes: usize,
    /// The bytes kept of each log stream of an attempt, head and tail. Default 256 KiB, up to 64 MiB.
    ///
    /// With 0 logs are only counted. Each running attempt may hold three times this in memory.
    pub log_bytes: usize,
    /// The environment variables that every command inherits although they hold the keys of services or
    /// secrets. Default none: a task passes them on with a `pass_env` of its own.
    ///
    /// A command can print and send what it is given.
    pub pass_env: Vec<String>,
    /// The database of the runs. Default none: the program that runs the engine chooses a place.
    ///
    /// A relative path in a file is relative to the file's folder. `postgres://USER@HOST/DB` is a database on a server.
    pub db: Option<PathBuf>,
    /// How many events an observer may lag behind before it misses the oldest. Default 1024, from 1 to one
    /// million.
    ///
    /// With a small buffer an observer misses events of bursts, which it can read from the store.
    pub observer_buffer: usize,
    /// The default model for plans, agents and answers.
    pub llm: LlmConfig,
    /// The budget of a run, for graphs that set none.
    pub budget: BudgetConfig,
    /// How large a plan of a model may be.
    pub plan: PlanConfig,
    /// The folder of the agents' definitions, `*.md`. Default none: a built-in assistant runs all tasks
    /// that need an agent.
    ///
    /// A relative path in a file is relative to the file's folder, as with the two below.
    pub agents: Option<PathBuf>,
    /// The folder of prompts that replace the built-in ones, `*.md.j2`. Default none.
    pub prompts: Option<PathBuf>,
    /// The folder of accepted plans, which are reused for the same goal without a call of a model.
    /// Default none: every goal is planned anew.
    ///
    /// A user with write access to the folder controls the plans.
    pub plan_cache: Option<PathBuf>,
    /// The programs that are called for events of runs.
    pub hooks: HooksConfig,
    /// What the tools in the box may do beside reading. Default: nothing.
    pub tools: ToolsConfig,
    /// The commands that plans of models may run, by name. Default none: such plans run no commands.
    ///
    /// A table of the project's file never replaces one of the user's file that has the same name.
    pub commands: BTreeMap<String, CommandConfig>,
    /// The servers of the Model Context Protocol whose tools agents may list, by name. Default none.
    ///
    /// A table of the project's file never replaces one of the user's file that has the same name.
    pub mcp: BTreeMap<String, McpConfig>,
}

/// The rights of the tools in the box that do more than read the folder of a run. Default: none of them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ToolsConfig {
    /// The folder below which `write_file` and `edit_file` change files.
    pub write: Option<PathBuf>,
    /// The commands of `commands` that `run_command` runs.
    pub run: Vec<String>,
    /// The hosts that `http_get` asks: `api.example.com` or `api.example.com:8443` by https,
    /// `http://build.local:8080` without encryption.
    pub http: Vec<String>,
}

/// The model, its service and its prices. API keys are never part of a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LlmConfig {
    /// The model as `service::model`, such as `ollama::qwen3:8b`. Default none: work that needs a model is
    /// refused.
    pub model: Option<String>,
    /// The model that is asked where another one gives no answer, as `service::model`. Default none.
    pub fallback_model: Option<String>,
    /// The base URL of the service, with or without a query. Default none: its public address.
    ///
    /// The settings from `stream` to `key_in_clear` are about the service of this model.
    pub base_url: Option<String>,
    /// Whether answers are streamed. Default yes.
    ///
    /// Without streams a silent service is noticed only at the time-out of the call.
    pub stream: bool,
    /// Whether the model knows the system role. Default yes, until the service rejects it.
    pub system_role: bool,
    /// The name of the token limit in a request. Default none: by service and model.
    pub max_tokens_field: Option<String>,
    /// The proxy of all services. Default none: the program decides, such as by the environment.
    pub proxy: Option<String>,
    /// Whether the key may travel unencrypted to another machine. Default no.
    ///
    /// If it does, anyone on the way can read and use it.
    pub key_in_clear: bool,
    /// The longest time of one call. Default 5 min, from 1 ms to one day.
    ///
    /// With too short a time-out, long answers are paid for and discarded.
    pub timeout: Duration,
    /// How often one request is sent at most, if the service is busy or fails. Default 4, from 1 to 100.
    ///
    /// With 1 every transient failure of the service fails a task.
    pub calls: u32,
    /// The price of a million input tokens, in millionths of a dollar. Default none: the price is unknown,
    /// so a budget of money allows no call. Written in dollars, at most a million.
    pub input_usd: Option<u64>,
    /// The price of a million output tokens. Both prices are set, or neither.
    pub output_usd: Option<u64>,
    /// As `input_usd`, of the fallback model.
    pub fallback_input_usd: Option<u64>,
    /// As `output_usd`, of the fallback model.
    pub fallback_output_usd: Option<u64>,
}

/// The budget of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BudgetConfig {
    /// Tokens, in and out. Default none: no limit. With 0 no model is called.
    pub tokens: Option<u64>,
    /// Millionths of a dollar; written in dollars, at most a million. Default none: no limit.
    pub usd: Option<u64>,
    /// What happens at the limit. Default: a person is asked.
    pub over: OverBudget,
}

/// The programs that are called for events of runs. Default none. Each gets JSON on standard input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HooksConfig {
    /// For a run that failed or exceeded its time-out: the program and its arguments.
    pub failed: Vec<String>,
    /// For a question to a person.
    pub question: Vec<String>,
    /// For a run that ended, in whatever way.
    pub ended: Vec<String>,
    /// The time after which a call is killed. Default 30 s, from 1 ms to one hour.
    ///
    /// A program that runs a plan waits so long for its hooks at its end.
    pub timeout: Duration,
}

/// The largest plan of a model that is accepted. A larger plan is refused, never truncated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanConfig {
    /// Tasks. Default 20, from 1 to 1000. Plans of models become poor well below 100 tasks.
    pub max_tasks: u32,
    /// Tasks on the longest path. Default 10, from 1 to 1000.
    pub max_depth: u32,
    /// Tasks at one depth. Default 10, from 1 to 1000.
    pub max_width: u32,
    /// How many times a plan of a model may be extended after a task that failed. Default 2, from 0 to 10.
    pub max_replans: u32,
    /// Whether tasks of a plan that no person confirms start while the rest of it is still being received. Default true.
    pub start_early: bool,
}

/// When a failed attempt is repeated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RetryConfig {
    /// Further attempts after the first, for tasks that enable retries without a number. Default 3. With 0
    /// there are none; the most is `u32::MAX`.
    pub max_retries: u32,
    /// The shortest delay; the upper bound of the delay doubles with every retry. Default 1 s, from 1 ms to
    /// one day and not above `cap`.
    ///
    /// Very short delays overload a service that is down.
    pub base: Duration,
    /// The longest delay. Default 1 min, from 1 ms to 30 days.
    pub cap: Duration,
}

impl Default for OrchestrationConfig {
    fn default() -> Self {
        Self {
            max_parallel: 8,
            attempt_timeout: None,
            task_timeout: None,
            run_timeout: None,
            cancel_grace: Duration::from_secs(5),
            suspend_grace: Duration::from_secs(5),
            retry: RetryConfig::default(),
            max_tasks: 100_000,
            max_output_bytes: 1 << 20,
            log_bytes: 256 << 10,
            pass_env: Vec::new(),
            db: None,
            observer_buffer: 1024,
            llm: LlmConfig::default(),
            budget: BudgetConfig::default(),
            plan: PlanConfig::default(),
            agents: None,
            prompts: None,
            plan_cache: None,
            hooks: HooksConfig::default(),
            tools: ToolsConfig::default(),
            commands: BTreeMap::new(),
            mcp: BTreeMap::new(),
        }
    }
}

impl Default for LlmConfig {
    fn default() -> Self {
        Self {
            model: None,
            fallback_model: None,
            base_url: None,
            stream: true,
            system_role: true,
            max_tokens_field: None,
            proxy: None,
            key_in_clear: false,
            timeout: Duration::from_secs(300),
            calls: 4,
            input_usd: None,
            fallback_input_usd: None,
            fallback_output_usd: None,
            output_usd: None,
        }
    }
}

impl Default for HooksConfig {
    fn default() -> Self {
        Self {
            failed: Vec::new(),
            question: Vec::new(),
            ended: Vec::new(),
            timeout: Duration::from_secs(30),
        }
    }
}

impl Default for PlanConfig {
    fn default() -> Self {
        Self {
            max_tasks: 20,
            max_depth: 10,
            max_width: 10,
            max_replans: 2,
            start_early: true,
        }
    }
}

impl Default for RetryConfig {
    fn default() -> Self {
        Self {
            max_retries: 3,
            base: Duration::from_secs(1),
            cap: Duration::from_secs(60),
        }
    }
}

impl OrchestrationConfig {
    /// Checks every field against its range, `retry.base` against `retry.cap`, and that both prices are set
    /// or neither. Does not check `commands` and `mcp`.
    ///
    /// # Errors
    /// A diagnostic for each field that is wrong; its path is the name of the setting.
    pub fn validate(&self) -> Result<(), Diagnostics> {
        Diagnostics::from_iter(settings::problems(self)).into_result()
    }
}
