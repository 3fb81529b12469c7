//! Plan files with the settings' retries and time-outs: loaded for a run of their own, or compiled into
//! tasks of a run that exists.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use zeph_config::OrchestrationConfig;
use zeph_graph::{Retry, TaskGraph};
use zeph_planfile::{BoundPlan, Diagnostics, Format, MAX_PLAN_BYTES, ParamKind, Plan, RunValues};
#[cfg(feature = "planner")]
use {
    zeph_diagnostics::{Code, Diagnostic},
    zeph_graph::wire::GraphSpec,
};

/// Reads plan files, with the settings for values that a plan does not set.
///
/// # Examples
/// ```
/// use std::collections::BTreeMap;
/// use zeph_orchestration::plan::{PlanFiles, PlanSource};
/// let source = PlanSource::text("[tasks.list]\nrun = ['ls']", "list.toml");
/// let plan = PlanFiles::default().load(&source, &BTreeMap::new())?;
/// assert_eq!(plan.graph.len(), 1);
/// # Ok::<(), zeph_orchestration::plan::PlanFileError>(())
/// ```
#[derive(Clone, Debug)]
pub struct PlanFiles {
    retry: Retry,
    attempt_timeout: Option<Duration>,
    task_timeout: Option<Duration>,
    max_tasks: usize,
    variable: fn(&str) -> Option<String>,
    needs_secrets: bool,
    earlier: RunValues,
}

/// A plan file as bytes, with its name and its folder.
#[derive(Clone, Debug)]
pub struct PlanSource {
    /// The name in messages. Its ending decides the format.
    pub name: String,
    /// The text. At most [`MAX_PLAN_BYTES`].
    pub bytes: Vec<u8>,
    /// The folder in which the plan's commands run, absolute; `None`: that of the process.
    pub folder: Option<PathBuf>,
}

/// A plan file that is ready to run.
#[derive(Clone, Debug)]
pub struct LoadedPlan {
    /// The name of the source.
    pub name: String,
    /// The plan with the values of its parameters.
    pub bound: BoundPlan,
    /// Its tasks.
    pub graph: TaskGraph,
}

/// The error of loading a plan file.
#[derive(Debug, thiserror::Error)]
pub enum PlanFileError {
    /// The file cannot be read.
    #[error("the plan {name} cannot be read: {source}")]
    Read {
        /// The file.
        name: String,
        /// The error of the operating system.
        #[source]
        source: io::Error,
    },
    /// The folder of the file cannot be found.
    #[error("the folder of the plan cannot be found: {0}")]
    Folder(#[source] io::Error),
    /// The folder is stored with the run as text, and its name is not UTF-8.
    #[error("the name of the folder {} is not UTF-8", .0.display())]
    FolderName(PathBuf),
    /// The plan is wrong.
    #[error(transparent)]
    Plan(#[from] Diagnostics),
    /// The plan has more tasks than the settings allow.
    #[error("the plan has {tasks} tasks, more than the {limit} that are allowed")]
    TooManyTasks {
        /// The tasks of the plan.
        tasks: usize,
        /// `max_tasks` of the settings.
        limit: usize,
    },
}

impl PlanSource {
    /// A text in memory, without a folder.
    pub fn text(text: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            bytes: text.into().into_bytes(),
            folder: None,
        }
    }

    /// Reads a file. Its commands run in the folder of the file.
    ///
    /// # Errors
    /// If the file cannot be read or its folder cannot be found.
    pub fn file(path: impl AsRef<Path>) -> Result<Self, PlanFileError> {
        let path = path.as_ref();
        let folder = path.parent().unwrap_or(Path::new(""));
        Self::read(path.display().to_string(), File::open(path), folder)
    }

    /// Reads the standard input. Commands run in the current folder.
    ///
    /// # Errors
    /// As [`file`](Self::file).
    pub fn stdin() -> Result<Self, PlanFileError> {
        Self::read("stdin".to_owned(), Ok(io::stdin()), Path::new(""))
    }

    /// Reads at most one byte more than is allowed: the parser refuses those.
    fn read(
        name: String,
        from: io::Result<impl Read>,
        folder: &Path,
    ) -> Result<Self, PlanFileError> {
        let mut bytes = Vec::new();
        let limit = MAX_PLAN_BYTES as u64 + 1;
        let read = from.and_then(|from| from.take(limit).read_to_end(&mut bytes));
        if let Err(source) = read {
            return Err(PlanFileError::Read { name, source });
        }
        // Absolute: a run may be resumed from another folder.
        let folder = Path::new(".").join(folder).canonicalize();
        Ok(Self {
            name,
            bytes,
            folder: Some(folder.map_err(PlanFileError::Folder)?),
        })
    }

    /// The ending of the name decides the format; that of stdin its first line.
    fn format(&self) -> Format {
        if self.name == "stdin" {
            return Format::of_text(&String::from_utf8_lossy(&self.bytes));
        }
        Format::of_name(&self.name)
    }
}

impl Default for PlanFiles {
    fn default() -> Self {
        Self::new(&OrchestrationConfig::default())
    }
}

impl PlanFiles {
    /// Plans get the retries and time-outs of these settings where they set none.
    #[must_use]
    pub fn new(config: &OrchestrationConfig) -> Self {
        let retry = &config.retry;
        Self {
            retry: Retry::times(retry.max_retries).backoff(retry.base, retry.cap),
            attempt_timeout: config.attempt_timeout,
            task_timeout: config.task_timeout,
            max_tasks: config.max_tasks as usize,
            variable: |_| None,
            needs_secrets: true,
            earlier: RunValues::default(),
        }
    }

    /// Reads the variables of parameters with an `env` with this function. Default: none is set.
    #[must_use]
    pub fn env(mut self, variable: fn(&str) -> Option<String>) -> Self {
        self.variable = variable;
        self
    }

    /// Parameters that are not given have the values of an earlier run, before those of the environment.
    #[must_use]
    pub fn earlier(mut self, values: RunValues) -> Self {
        self.earlier = values;
        self
    }

    /// Secrets may be missing: for plans that are shown and do not run.
    #[must_use]
    pub fn without_secrets(mut self) -> Self {
        self.needs_secrets = false;
        self
    }

    /// Parses a plan and gives its parameters these values.
    ///
    /// # Errors
    /// All problems of the plan at once, or that it is too large.
    pub fn load(
        &self,
        source: &PlanSource,
        params: &BTreeMap<String, String>,
    ) -> Result<LoadedPlan, PlanFileError> {
        let (bytes, format, name) = (&source.bytes, source.format(), &source.name);
        let plan = match &source.folder {
            Some(folder) => {
                let text = folder.to_str();
                let text = text.ok_or_else(|| PlanFileError::FolderName(folder.clone()))?;
                Plan::load_bytes_in(bytes, format, name, text)?
            }
            None => Plan::load_bytes(bytes, format, name)?,
        };
        let bound = self.bind(plan, params)?;
        let graph = bound.graph()?;
        if graph.len() > self.max_tasks {
            return Err(PlanFileError::TooManyTasks {
                tasks: graph.len(),
                limit: self.max_tasks,
            });
        }
        Ok(LoadedPlan {
            name: source.name.clone(),
            bound,
            graph,
        })
    }

    fn bind(
        &self,
        plan: Plan,
        params: &BTreeMap<String, String>,
    ) -> Result<BoundPlan, Diagnostics> {
        let plan = plan.with_retry_defaults(self.retry);
        let params = plan.with_earlier(params, &self.earlier);
        // The variables of the environment precede those of files.
        let files = plan.env_file_variables(self.needs_secrets)?;
        let in_files = |name: &str| files.get(name).filter(|value| !value.is_empty()).cloned();
        let variable = |name: &str| (self.variable)(name).or_else(|| in_files(name));
        let params = in_current_folder(&plan, plan.with_variables(&params, variable));
        let bound = if self.needs_secrets {
            plan.bind(&params)?
        } else {
            plan.bind_without_secrets(&params)?
        };
        Ok(bound.with_default_timeouts(self.attempt_timeout, self.task_timeout))
    }
}

/// The values with absolute paths for files: a person gives them relative to the current folder, and a plan
/// relative to its own.
fn in_current_folder(
    plan: &Plan,
    mut params: BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    for param in plan.params().filter(|one| one.kind == ParamKind::File) {
        if let Some(path) = params.get_mut(&param.name)
            && let Ok(absolute) = std::path::absolute(&*path)
        {
            *path = absolute.display().to_string();
        }
    }
    params
}

#[cfg(feature = "planner")]
impl PlanFiles {
    /// Compiles the tasks of a plan that a model made or a person edited.
    ///
    /// A text that begins with `{` is JSON, any other is TOML. Commands become the action `command`,
    /// prompts the action `agent`, questions stay questions. The tasks may need those of the run that `earlier` names.
    ///
    /// # Errors
    /// The problems of the file. What belongs to a whole run (`params`, `env_file`, `budget`,
    /// `over_budget`, `timeout`, `max_parallel`) has the code `belongs_to_run`: the run that the tasks are added to has
    /// its own.
    pub fn compile(&self, plan_file: &str) -> Result<GraphSpec, Diagnostics> {
        let format = if plan_file.trim_start().starts_with('{') {
            Format::Json
        } else {
            Format::Toml
        };
        let plan = Plan::load(plan_file, format, "plan")?;
        misplaced(&plan).into_result()?;
        // Problems that are only visible in the whole graph are found as well.
        let spec = self.bind(plan, &BTreeMap::new())?.added_tasks()?;
        if spec.tasks.len() > self.max_tasks {
            let (tasks, limit) = (spec.tasks.len(), self.max_tasks);
            let message = PlanFileError::TooManyTasks { tasks, limit }.to_string();
            return Err(Diagnostic::new(Code::new("too_many_tasks"), message).into());
        }
        Ok(spec)
    }
}

/// The keys that only a run of the plan itself can use.
#[cfg(feature = "planner")]
fn misplaced(plan: &Plan) -> Diagnostics {
    let limits = plan.limits();
    let there = [
        ("params", plan.params().next().is_some()),
        ("env_file", !plan.env_files().is_empty()),
        ("budget", limits.budget.is_some()),
        ("over_budget", limits.over_budget.is_some()),
        ("timeout", limits.timeout.is_some()),
        ("max_parallel", limits.max_parallel.is_some()),
    ];
    let there = there.into_iter().filter(|(_, there)| *there);
    let problem = |(key, _): (&str, bool)| {
        let message =
            format!("`{key}` belongs to a run, and this plan is added to an existing run");
        Diagnostic::new(Code::new("belongs_to_run"), message).help(format!("remove `{key}`"))
    };
    there.map(problem).collect()
}

#[cfg(all(test, feature = "planner"))]
mod tests {
    use std::time::Duration;

    use super::{OrchestrationConfig, PlanFiles};
    use zeph_graph::wire::WorkSpec;

    #[test]
    fn each_kind_of_task_becomes_its_work() {
        let graph = PlanFiles::default()
            .compile(
                "[tasks.log]\nrun = ['git', 'log']\n[tasks.group]\nneeds = ['log']\nprompt = 'Group ${{ tasks.log.stdout }}'\n[tasks.ok]\nneeds = ['group']\nask = 'Good?'",
            )
            .expect("the plan is in order");
        let works = graph.tasks.iter().map(|task| match &task.work {
            WorkSpec::Action { name, .. } => name.clone(),
            WorkSpec::Question(_) => "ask".to_owned(),
            WorkSpec::Milestone {} => "milestone".to_owned(),
        });
        assert_eq!(works.collect::<Vec<_>>(), ["command", "agent", "ask"]);
    }

    #[test]
    fn what_belongs_to_a_run_is_reported_and_not_dropped() {
        let plan = "budget = 100\ntimeout = '1m'\n[params]\nx = 'y'\n[tasks.a]\nprompt = 'x'";
        let problems = PlanFiles::default()
            .compile(plan)
            .expect_err("it has three");
        let shown: Vec<String> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(problems.len(), 3, "{shown:?}");
        assert!(
            problems
                .iter()
                .all(|one| one.code.text() == "belongs_to_run")
        );
    }

    #[test]
    fn tasks_get_the_time_outs_of_the_settings() {
        let config = OrchestrationConfig {
            attempt_timeout: Some(Duration::from_secs(90)),
            ..OrchestrationConfig::default()
        };
        let plan = "[tasks.a]\nprompt = 'x'\n[tasks.b]\nprompt = 'y'\ntimeout = '5s'\n";
        let spec = PlanFiles::new(&config).compile(plan).unwrap();
        let graph = zeph_graph::TaskGraph::try_from(spec).unwrap();
        let timeouts = graph.tasks().map(|(_, task)| task.rules().attempt_timeout);
        let timeouts: Vec<_> = timeouts.map(|one| one.unwrap().as_secs()).collect();
        assert_eq!(timeouts, [90, 5]);
        let few = OrchestrationConfig {
            max_tasks: 1,
            ..OrchestrationConfig::default()
        };
        let problems = PlanFiles::new(&few).compile(plan).unwrap_err();
        assert_eq!(problems.as_slice()[0].code.text(), "too_many_tasks");
    }

    #[test]
    fn problems_of_json_have_pointers() {
        let json = r#"{"tasks": {"a": {"prompt": "x", "nedds": []}}}"#;
        let problems = PlanFiles::default()
            .compile(json)
            .expect_err("a key is wrong");
        assert_eq!(
            problems.as_slice()[0].path.as_deref(),
            Some("/tasks/a/nedds")
        );
    }
}
