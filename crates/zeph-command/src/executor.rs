//! The command executor and its builder.

use std::path::PathBuf;
use std::sync::Arc;

use zeph_executor::{Executor, TaskContext, TaskError, TaskInput, TaskOutput, async_trait};

use crate::capture::Capture;
use crate::params::CommandParams;
use crate::spawn::{self, CommandConfig};
use crate::{attempt, outcome};

/// The default limit of standard output that becomes a value, in bytes: 1 MiB.
pub const DEFAULT_MAX_OUTPUT: usize = zeph_executor::MAX_VALUE_BYTES;

/// Runs commands; see the [crate](crate) for the rules.
///
/// One value runs any number of tasks at a time. Needs a tokio runtime with its drivers enabled.
#[derive(Clone, Debug)]
pub struct CommandExecutor {
    config: Arc<CommandConfig>,
}

impl CommandExecutor {
    /// Starts an executor with the defaults.
    pub fn builder() -> CommandExecutorBuilder {
        CommandExecutorBuilder(CommandConfig {
            cwd: None,
            denied: Vec::new(),
            max_output: DEFAULT_MAX_OUTPUT,
        })
    }
}

#[async_trait]
impl Executor for CommandExecutor {
    async fn execute(&self, cx: &TaskContext, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let mut params: CommandParams = input.params_as()?;
        params.check()?;
        if cx.is_cancelled() {
            return Err(TaskError::cancelled(
                "stopped before the command was started",
            ));
        }
        let stdin = params.stdin.take().map(String::into_bytes);
        let (child, group) = spawn::start(&self.config, cx, &params, stdin.is_some())?;
        let mut capture = Capture::new(self.config.max_output);
        let ended = attempt::drive(cx, child, group, stdin, &mut capture).await?;
        outcome::evaluate(&params, &ended, capture)
    }
}

/// Collects what a [`CommandExecutor`] needs.
#[must_use]
#[derive(Debug)]
pub struct CommandExecutorBuilder(CommandConfig);

impl CommandExecutorBuilder {
    /// Sets the directory that commands run in, usually the plan's folder.
    ///
    /// Default: the current directory of this process. If the directory is missing when a command
    /// starts, the attempt fails with `cwd_missing`.
    pub fn cwd(mut self, dir: impl Into<PathBuf>) -> Self {
        self.0.cwd = Some(dir.into());
        self
    }

    /// Excludes variables by exact name, such as the names of secrets.
    ///
    /// Default: none. Several calls add up.
    pub fn deny_env<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        let names: Vec<String> = names.into_iter().map(Into::into).collect();
        self.deny_env_if(move |name| names.iter().any(|denied| denied == name))
    }

    /// Excludes variables by a rule over their names.
    ///
    /// Default: none. Several calls add up. Bytes of a name that are not UTF-8 reach the rule as
    /// replacement characters.
    pub fn deny_env_if(mut self, rule: impl Fn(&str) -> bool + Send + Sync + 'static) -> Self {
        self.0.denied.push(Box::new(rule));
        self
    }

    /// The most bytes of standard output that become a value; more is `output_too_large`.
    ///
    /// Default [`DEFAULT_MAX_OUTPUT`]. With 0 only silent commands complete; above
    /// [`MAX_VALUE_BYTES`](zeph_executor::MAX_VALUE_BYTES) it has no further effect, because the whole
    /// value has that limit.
    pub fn max_output(mut self, bytes: usize) -> Self {
        self.0.max_output = bytes.min(DEFAULT_MAX_OUTPUT);
        self
    }

    /// The executor.
    #[must_use]
    pub fn build(self) -> CommandExecutor {
        CommandExecutor {
            config: Arc::new(self.0),
        }
    }
}
