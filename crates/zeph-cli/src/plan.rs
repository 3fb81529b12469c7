//! Plan files at the terminal: read one, bind its parameters, show its problems.

use std::collections::BTreeMap;
use std::path::Path;

use zeph_graph::{Effect, OnFailure, Task, TaskGraph, Work};
use zeph_orchestration::plan::{
    LoadedPlan, PlanFileError, PlanFiles, PlanSource, agent_problems, needs_model,
};
use zeph_orchestration::planfile::RunValues;

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out;
use crate::problems;

/// Reads a plan file to run it, or stdin for `-`, and gives its parameters the values of `-p` and of the
/// environment.
pub(crate) fn load(
    cx: &AppContext,
    path: &Path,
    params: &[String],
) -> Result<LoadedPlan, CliError> {
    from_source(cx, &source(path)?, params)
}

/// As [`load`], for a plan that does not run: its secrets may be missing.
pub(crate) fn load_to_show(
    cx: &AppContext,
    path: &Path,
    params: &[String],
) -> Result<LoadedPlan, CliError> {
    let files = files(cx).without_secrets();
    Ok(files.load(&source(path)?, &given(params)?)?)
}

fn source(path: &Path) -> Result<PlanSource, PlanFileError> {
    if path == Path::new("-") {
        PlanSource::stdin()
    } else {
        PlanSource::file(path)
    }
}

fn files(cx: &AppContext) -> PlanFiles {
    PlanFiles::new(cx.config()).env(variable)
}

/// The value of an environment variable; an empty one counts as unset.
fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

/// The secrets of `-p`, and for the other secret parameters of a stored run those of the environment.
pub(crate) fn secrets_of(
    graph: &TaskGraph,
    given: &BTreeMap<String, String>,
) -> BTreeMap<String, String> {
    let mut secrets = given.clone();
    // `Orchestrator::open` reports metadata that cannot be read.
    if let Ok(values) = RunValues::of_graph(graph) {
        let missing = values.secret_variables();
        let missing = missing.filter(|(name, _)| !given.contains_key(*name));
        secrets.extend(missing.filter_map(|(name, of)| Some((name.to_owned(), variable(of)?))));
    }
    secrets
}

/// Refuses tasks that name agents, tools or models which do not exist.
pub(crate) fn check_agents(cx: &AppContext, plan: &LoadedPlan) -> Result<(), CliError> {
    if !needs_model(&plan.graph, |_| true) {
        return Ok(());
    }
    let agents = llm::agents(cx.config().agents.as_deref())?;
    let found = agent_problems(&plan.graph, |_| true, &agents, &llm::tools::NAMES);
    let mut found = plan.bound.located(found);
    found.append(llm::model_problems(&agents));
    let found = found.into_result();
    found.map_err(|found| problems::error("the plan", "invalid_plan", &found))
}

/// Refuses a plan that may ask a person if nothing of its run is kept and no person is at the terminal.
pub(crate) fn check_unattended(plan: &LoadedPlan) -> Result<(), CliError> {
    let asking = plan.graph.tasks().filter_map(|(_, task)| {
        let why = why_asks(task)?;
        Some(format!(
            "{} ({why})",
            zeph_common::escape_terminal(task.name())
        ))
    });
    let asking: Vec<String> = asking.collect();
    if asking.is_empty() {
        return Ok(());
    }
    let more = match asking.len().saturating_sub(ASKING_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = asking[..asking.len().min(ASKING_SHOWN)].join(", ");
    let text = format!(
        "the plan may ask a person, and with --no-db the run could not wait for the answer: {shown}{more}"
    );
    Err(CliError::new(Exit::Usage, text)
        .code("may_ask")
        .help("leave out --no-db, run it at a terminal, or give each of them a default with `default` and `after`"))
}

/// The tasks that may ask, of which the error for `--no-db` names so many.
const ASKING_SHOWN: usize = 5;

/// Why a task may ask a person and wait without a limit.
fn why_asks(task: &Task) -> Option<&'static str> {
    let rules = task.rules();
    if let Work::Question(question) = task.work()
        && question.fallback.is_none()
    {
        return Some("ask");
    }
    if rules
        .approve
        .as_ref()
        .is_some_and(|gate| gate.fallback.is_none())
    {
        return Some("approve");
    }
    let has_default = match &rules.on_failure {
        OnFailure::Ask(ask) if ask.fallback.is_none() => return Some("on_failure = \"ask\""),
        OnFailure::Ask(_) => true,
        OnFailure::Abort | OnFailure::Skip | OnFailure::Value(_) => false,
    };
    let is_action = matches!(task.work(), Work::Action { .. });
    (is_action && rules.effect == Effect::AtMostOnce && !has_default)
        .then_some("effect = \"at_most_once\"")
}

/// As [`load`], for a text in memory.
pub(crate) fn from_source(
    cx: &AppContext,
    source: &PlanSource,
    params: &[String],
) -> Result<LoadedPlan, CliError> {
    Ok(files(cx).load(source, &given(params)?)?)
}

impl From<PlanFileError> for CliError {
    fn from(error: PlanFileError) -> Self {
        let usage = |code| Self::new(Exit::Usage, error.to_string()).code(code);
        match &error {
            PlanFileError::Plan(errors) => problems::error("the plan", "invalid_plan", errors),
            PlanFileError::Read { .. } => usage("unreadable_plan")
                .help("name a plan file, or - for stdin; `zeph demo` needs none"),
            PlanFileError::Folder(_) => usage("no_folder"),
            PlanFileError::FolderName(_) => {
                usage("no_folder").help("run the plan from a folder whose name is UTF-8")
            }
            PlanFileError::TooManyTasks { .. } => {
                usage("too_many_tasks").help("raise max_tasks in zeph.toml, or set ZEPH_MAX_TASKS")
            }
        }
    }
}

/// `NAME=VALUE` pairs; if a name occurs twice, its last value counts.
///
/// So that no secret has to be on the command line, which others can read, a value may come from a file
/// (`@FILE`), from stdin (`@-`), from the environment (`@env:NAME`), or, for a name alone, from a hidden
/// prompt. A value that begins with `@` has two of them.
pub(crate) fn given(params: &[String]) -> Result<BTreeMap<String, String>, CliError> {
    let pairs = params.iter().map(|param| match param.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value_of(name, value)?)),
        None if out::is_interactive() && !param.is_empty() => Ok((param.clone(), prompted(param)?)),
        Some(_) | None => Err(bad_param(&format!(
            "{:?} is not a parameter",
            zeph_common::escape_terminal(param)
        ))),
    });
    pairs.collect()
}

/// The value that a text names.
fn value_of(name: &str, text: &str) -> Result<String, CliError> {
    let Some(place) = text.strip_prefix('@') else {
        return Ok(text.to_owned());
    };
    if place.starts_with('@') {
        return Ok(place.to_owned());
    }
    if let Some(variable) = place.strip_prefix("env:") {
        let value = std::env::var(variable);
        return value.map_err(|error| unreadable(name, variable, &error));
    }
    let read = if place == "-" {
        std::io::read_to_string(std::io::stdin())
    } else {
        std::fs::read_to_string(place)
    };
    let value = read.map_err(|error| unreadable(name, place, &error))?;
    let line = value.strip_suffix('\n').unwrap_or(&value);
    Ok(line.strip_suffix('\r').unwrap_or(line).to_owned())
}

/// The value that the person at the terminal types, unseen.
fn prompted(name: &str) -> Result<String, CliError> {
    let label = format!("{}:", zeph_common::escape_terminal(name));
    let prompt = inquire::Password::new(&label).without_confirmation();
    prompt
        .prompt()
        .map_err(|error| unreadable(name, "the terminal", &error))
}

fn unreadable(name: &str, place: &str, error: &dyn std::error::Error) -> CliError {
    bad_param(&format!(
        "the value of {} cannot be read from {}: {error}",
        zeph_common::escape_terminal(name),
        zeph_common::escape_terminal(place)
    ))
}

fn bad_param(message: &str) -> CliError {
    CliError::new(Exit::Usage, message)
        .code("bad_param")
        .help("write it as -p NAME=VALUE")
}

#[cfg(test)]
mod tests {
    use super::given;

    #[test]
    fn a_secret_comes_from_a_file_or_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\r\n").expect("written");
        let from_file = format!("a=@{}", path.display());
        let params = [&*from_file, "b=@env:CARGO_PKG_NAME", "c=@@x", "d=a@b", "e="];
        let values = given(&params.map(str::to_owned)).expect("all readable");
        let values: Vec<&str> = values.values().map(String::as_str).collect();
        assert_eq!(values, ["hunter2", "zeph-cli", "@x", "a@b", ""]);
        for wrong in ["a=@/no/such/file", "a=@env:ZEPH_NO_SUCH_VARIABLE", "=x"] {
            assert!(given(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }
}
