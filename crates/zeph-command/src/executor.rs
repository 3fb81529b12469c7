//! The command executor and its builder.

use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::Semaphore;
use zeph_executor::{
    Executor, Prepared, TaskContext, TaskError, TaskInput, TaskOutput, async_trait,
};

use crate::cache::Cache;
use crate::capture::Capture;
use crate::named_outputs::{OutputFile, OutputFolder};
use crate::params::{CommandParams, OutputFormat, invalid};
use crate::spawn::{self, CommandConfig};
use crate::{artifacts, attempt, outcome};

/// The default limit of the value of an output as JSON, in bytes: 1 MiB.
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
            passed: Vec::new(),
            env_files: Vec::new(),
            outputs: OutputFolder::default(),
            max_output: DEFAULT_MAX_OUTPUT,
            slots: Semaphore::new(spawn::slots()),
            hashing: Semaphore::new(spawn::HASHING),
        })
    }
}

impl CommandExecutor {
    pub(crate) fn config(&self) -> &CommandConfig {
        &self.config
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
        let patterns = artifacts::patterns("artifacts", &params.artifacts)?;
        let stdin = standard_input(&mut params, &input)?;
        let cache = Cache::read(&self.config, &params, &input, stdin.as_ref())?;
        let key = match &cache {
            Some(cache) => Some(cache.key(&self.config).await?),
            None => None,
        };
        let named = self.config.outputs.file();
        let file = named.as_ref().map(OutputFile::path);
        let started = spawn::start(&self.config, cx, &params, stdin.is_some(), file).await?;
        let mut capture = Capture::new(match params.output {
            OutputFormat::Text | OutputFormat::Json => self.config.max_output,
            OutputFormat::None => 0,
        });
        let (child, group) = (started.child, started.group);
        let ended = attempt::drive(cx, child, group, stdin, &mut capture).await?;
        let mut output =
            outcome::evaluate(&params, &ended, capture, named, self.config.max_output)?;
        if !patterns.is_empty() {
            let folder = spawn::directory(&self.config, &params).unwrap_or_else(|| ".".into());
            let collect = move || artifacts::collect(&folder, &patterns);
            let artifacts = tokio::task::spawn_blocking(collect).await??;
            output = (artifacts.into_iter()).fold(output, TaskOutput::with_artifact);
        }
        // A result of files that changed while the command ran is not that of the files before it.
        if let (Some(cache), Some(key)) = (cache, key)
            && cache
                .key(&self.config)
                .await
                .is_ok_and(|after| after == key)
        {
            output.key = Some(key);
        }
        Ok(output)
    }

    async fn prepare(&self, _: &TaskContext, input: TaskInput) -> Result<Prepared, TaskError> {
        if input.preparation["cache"].is_null() {
            return Ok(Prepared::Run);
        }
        let mut params: CommandParams = input.params_as()?;
        params.check()?;
        let stdin = standard_input(&mut params, &input)?;
        match Cache::read(&self.config, &params, &input, stdin.as_ref())? {
            Some(cache) => Ok(Prepared::Find(cache.key(&self.config).await?)),
            None => Ok(Prepared::Run),
        }
    }
}

/// The bytes for standard input.
fn standard_input(
    params: &mut CommandParams,
    input: &TaskInput,
) -> Result<Option<Bytes>, TaskError> {
    let Some(parent) = &params.stdin_from else {
        return Ok(params.stdin.take().map(Bytes::from));
    };
    let output = (input.parents.get(parent)).and_then(|parent| parent.output.as_deref());
    let bytes = output.and_then(|output| match output.blobs.get("stdout") {
        Some(whole) => Some(whole.clone()),
        None => Some(Bytes::from(output.value["stdout"].as_str()?.to_owned())),
    });
    let missing = || invalid(&format!("no parent {parent:?} has a standard output"));
    bytes.ok_or_else(missing).map(Some)
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

    /// Excludes every variable that is not [basic](crate::is_basic_variable), for programs that others wrote.
    ///
    /// Default: commands inherit all variables that no rule excludes.
    pub fn basic_env(self) -> Self {
        self.deny_env_if(|name| !crate::is_basic_variable(name))
    }

    /// Passes these variables on although a rule excludes them. `pass_env` of a command does so for that
    /// command.
    ///
    /// Default: none. Several calls add up.
    pub fn pass_env<N: Into<String>>(mut self, names: impl IntoIterator<Item = N>) -> Self {
        self.0.passed.extend(names.into_iter().map(Into::into));
        self
    }

    /// Adds the variables of these [env files](zeph_common::env_file) to the inherited ones, read when a
    /// command starts.
    ///
    /// Default: none. Several calls add up; a later file replaces the values of an earlier one. Inherited
    /// variables replace those of files, and excluded ones are excluded there, too. A file that cannot
    /// be read fails the attempt with `bad_env_file`.
    pub fn env_files<P: Into<PathBuf>>(mut self, files: impl IntoIterator<Item = P>) -> Self {
        self.0.env_files.extend(files.into_iter().map(Into::into));
        self
    }

    /// The most bytes of an output's value as JSON. Standard output that does not fit is cut.
    ///
    /// Default [`DEFAULT_MAX_OUTPUT`]. Above [`MAX_VALUE_BYTES`](zeph_executor::MAX_VALUE_BYTES) it has no
    /// further effect.
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
