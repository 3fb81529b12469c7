//! Plan files at the terminal: reading one, giving it parameters, and showing what is wrong with it.

mod picture;

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use zeph_config::OrchestrationConfig;
use zeph_graph::{Retry, Task, TaskGraph};
use zeph_planfile::{BoundPlan, Format, MAX_PLAN_BYTES, Plan, PlanErrors};

use crate::cx::Cx;
use crate::exit::{CliError, Exit};

/// A plan that is ready to run.
#[derive(Debug)]
pub(crate) struct Loaded {
    /// What the source is called in messages.
    pub(crate) name: String,
    pub(crate) bound: BoundPlan,
    pub(crate) graph: TaskGraph,
    /// Where its commands run.
    pub(crate) folder: Option<PathBuf>,
}

/// Reads a plan file, or stdin for `-`, and gives its parameters the values of `-p`.
pub(crate) fn load(cx: &Cx, path: &Path, params: &[String]) -> Result<Loaded, CliError> {
    let (name, bytes) = read(path)?;
    let folder = folder_of(path)?;
    from_bytes(cx, &name, &bytes, params, folder)
}

/// The same for a text that is at hand.
pub(crate) fn from_bytes(
    cx: &Cx,
    name: &str,
    bytes: &[u8],
    params: &[String],
    folder: Option<PathBuf>,
) -> Result<Loaded, CliError> {
    let given = given(params)?;
    let wrong = |errors: PlanErrors| picture::error(&errors);
    let plan = Plan::load_bytes(bytes, format(name, bytes), name).map_err(wrong)?;
    let mut plan = plan.with_retry_defaults(retry(cx.config()));
    if let Some(folder) = &folder {
        plan = plan.in_folder(text_of(folder)?);
    }
    let bound = plan.bind(&given).map_err(wrong)?;
    let graph = with_defaults(cx.config(), bound.graph().map_err(wrong)?)?;
    let name = name.to_owned();
    Ok(Loaded {
        name,
        bound,
        graph,
        folder,
    })
}

/// The retry policy for what a plan does not say.
pub(crate) fn retry(config: &OrchestrationConfig) -> Retry {
    let retry = &config.retry;
    Retry::times(retry.max_retries).backoff(retry.base, retry.cap)
}

/// `NAME=VALUE` pairs; of two values for one name the last counts.
pub(crate) fn given(params: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pairs = params.iter().map(|param| match param.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        Some(_) | None => Err(CliError::new(
            Exit::Usage,
            format!(
                "{:?} is not a parameter",
                zeph_common::escape_terminal(param)
            ),
        )
        .code("bad_param")
        .help("write it as -p NAME=VALUE")),
    });
    pairs.collect()
}

fn read(path: &Path) -> Result<(String, Vec<u8>), CliError> {
    let is_stdin = path == Path::new("-");
    let name = if is_stdin {
        "stdin".to_owned()
    } else {
        path.display().to_string()
    };
    let mut bytes = Vec::new();
    // One byte more than is allowed, so that the reader can tell.
    let limit = MAX_PLAN_BYTES as u64 + 1;
    let read = if is_stdin {
        io::stdin().lock().take(limit).read_to_end(&mut bytes)
    } else {
        File::open(path).and_then(|file| file.take(limit).read_to_end(&mut bytes))
    };
    match read {
        Ok(_) => Ok((name, bytes)),
        Err(error) => Err(CliError::new(
            Exit::Usage,
            format!("the plan {name} cannot be read: {error}"),
        )
        .code("unreadable_plan")
        .help("name a plan file, or - for stdin; `zeph demo` needs none")),
    }
}

/// A file's name tells its format; what comes through a pipe is JSON if it begins like JSON.
fn format(name: &str, bytes: &[u8]) -> Format {
    let first = bytes.iter().find(|byte| !byte.is_ascii_whitespace());
    if name == "stdin" && first == Some(&b'{') {
        return Format::Json;
    }
    Format::of_name(name)
}

/// The folder that a plan lies in, as an absolute path: a run may be resumed from anywhere.
pub(crate) fn folder_of(path: &Path) -> Result<Option<PathBuf>, CliError> {
    let folder = match path.parent() {
        Some(parent) if path != Path::new("-") && !parent.as_os_str().is_empty() => parent,
        Some(_) | None => Path::new("."),
    };
    let folder = std::path::absolute(folder).and_then(|folder| folder.canonicalize());
    folder.map(Some).map_err(|error| {
        CliError::new(
            Exit::Usage,
            format!("the folder of the plan cannot be found: {error}"),
        )
        .code("no_folder")
    })
}

/// The folder is stored with the run as text; one that is no text could not be found again.
pub(crate) fn text_of(folder: &Path) -> Result<&str, CliError> {
    folder.to_str().ok_or_else(|| {
        let text = format!("the name of the folder {} is not UTF-8", folder.display());
        CliError::new(Exit::Usage, text)
            .code("no_folder")
            .help("run the plan from a folder whose name is")
    })
}

/// The graph with the time-outs of the configuration where its tasks say nothing.
pub(crate) fn with_defaults(
    config: &OrchestrationConfig,
    graph: TaskGraph,
) -> Result<TaskGraph, CliError> {
    if graph.len() > config.max_tasks as usize {
        let text = format!(
            "the plan has {} tasks, more than the {} that are allowed",
            graph.len(),
            config.max_tasks
        );
        return Err(CliError::new(Exit::Usage, text)
            .code("too_many_tasks")
            .help("raise max_tasks in zeph.toml, or set ZEPH_MAX_TASKS"));
    }
    if config.attempt_timeout.is_none() && config.task_timeout.is_none() {
        return Ok(graph);
    }
    let mut timed = TaskGraph::new();
    let unfit = |error: zeph_graph::AddError| CliError::new(Exit::Internal, error.to_string());
    for lane in graph.lanes() {
        timed
            .try_add_lane(&*lane.name, lane.capacity)
            .map_err(unfit)?;
    }
    let mut ids = Vec::with_capacity(graph.len());
    for (id, task) in graph.tasks() {
        let parents: Vec<_> = (graph.parents(id).iter())
            .filter_map(|parent| ids.get(parent.index()).copied())
            .collect();
        let mut task: Task = task.clone();
        let rules = task.rules_mut();
        rules.attempt_timeout = rules.attempt_timeout.or(config.attempt_timeout);
        rules.task_timeout = rules.task_timeout.or(config.task_timeout);
        ids.push(timed.try_add_task(task, parents).map_err(unfit)?);
    }
    timed.metadata_mut().extend(graph.metadata().clone());
    Ok(timed)
}
