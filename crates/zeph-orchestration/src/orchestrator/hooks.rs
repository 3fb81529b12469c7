//! Hooks: programs of the settings that get what happened to a run as JSON on standard input.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeph_command::CommandExecutor;
use zeph_common::format_duration;
use zeph_config::HooksConfig;
use zeph_executor::{Attempt, Executor as _, TaskContext, TaskId, TaskInput};
use zeph_graph::RunId;

/// What a hook is called for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hook {
    /// A run failed or exceeded its time-out.
    Failed,
    /// A run asks a person.
    Question,
    /// A run ended, in whatever way.
    Ended,
}

impl Hook {
    /// The word for it in the settings.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Question => "question",
            Self::Ended => "ended",
        }
    }
}

/// A hook that did not do its work. The run is not affected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HookFailure {
    /// The hook.
    pub hook: Hook,
    /// The reason.
    pub message: String,
}

impl fmt::Display for HookFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the hook {:?}: {}", self.hook.word(), self.message)
    }
}

/// Calls the hooks of the settings beside a run. Clones share the calls.
///
/// A hook runs in a session of its own, with the environment of this process and the name of the run in
/// `ZEPH_RUN`. It never delays or fails a run; one that exceeds its time-out is killed.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use zeph_config::HooksConfig;
/// use zeph_orchestration::{Hook, Hooks};
///
/// let config = HooksConfig { ended: vec!["cat".into()], ..HooksConfig::default() };
/// let hooks = Hooks::new(&config);
/// hooks.call(Hook::Ended, &"nightly".parse()?, &serde_json::json!({ "state": "completed" }));
/// assert!(hooks.finish().await.is_empty());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct Hooks {
    config: Arc<HooksConfig>,
    executor: CommandExecutor,
    calls: Arc<Mutex<JoinSet<Option<HookFailure>>>>,
}

impl Hooks {
    /// The hooks of these settings.
    #[must_use]
    pub fn new(config: &HooksConfig) -> Self {
        Self {
            config: Arc::new(config.clone()),
            executor: CommandExecutor::builder().build(),
            calls: Arc::default(),
        }
    }

    /// Whether the settings have this hook.
    #[must_use]
    pub fn has(&self, hook: Hook) -> bool {
        !self.program(hook).is_empty()
    }

    /// Starts a hook, if the settings have it, with `message` and the word of the hook as `hook` on its standard
    /// input. Needs a tokio runtime.
    pub fn call(&self, hook: Hook, run: &RunId, message: &Value) {
        if !self.has(hook) {
            return;
        }
        let mut message = message.clone();
        if let Some(fields) = message.as_object_mut() {
            fields.insert("hook".to_owned(), hook.word().into());
        }
        let name = format!("hook {}", hook.word());
        let cx = TaskContext::builder(run.clone(), TaskId::from_index(0), name, Attempt::FIRST);
        let cx = cx.build();
        let input = TaskInput::new(json!({
            "argv": self.program(hook),
            "stdin": format!("{message}\n"),
            "output": "none",
        }));
        let (executor, limit) = (self.executor.clone(), self.config.timeout);
        let failed = move |message| Some(HookFailure { hook, message });
        let call = async move {
            match timeout(limit, executor.execute(&cx, input)).await {
                Ok(Ok(_)) => None,
                Ok(Err(error)) => failed(error.to_string()),
                Err(_) => {
                    let limit = format_duration(limit);
                    failed(format!(
                        "it took longer than {limit} (hooks.timeout), and was killed"
                    ))
                }
            }
        };
        let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
        calls.spawn(call);
    }

    /// Waits for the calls, and returns the failed ones. It takes the time-out of a hook at most.
    pub async fn finish(&self) -> Vec<HookFailure> {
        let mut calls = {
            let mut calls = self.calls.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *calls)
        };
        let mut failures = Vec::new();
        while let Some(ended) = calls.join_next().await {
            failures.extend(ended.ok().flatten());
        }
        failures
    }

    fn program(&self, hook: Hook) -> &[String] {
        match hook {
            Hook::Failed => &self.config.failed,
            Hook::Question => &self.config.question,
            Hook::Ended => &self.config.ended,
        }
    }
}
