//! Plan files at the terminal: read one, bind its parameters, show its problems.

use std::collections::BTreeMap;
use std::path::Path;

use zeph_common::escape_terminal;
use zeph_diagnostics::{quote, suggest};
use zeph_graph::{Budget, Effect, OnFailure, OverBudget, Policy, Task, TaskGraph, Work};
use zeph_orchestration::plan::{
    LoadedPlan, PlanFileError, PlanFiles, PlanSource, agent_problems, needs_model,
};
use zeph_orchestration::planfile::RunValues;

use crate::args::ParamArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::out;
use crate::place;
use crate::problems;
use crate::run::prompt;

/// Reads a plan file to run it, or stdin for `-`, and gives its parameters the values of `-p` and of the
/// environment.
pub(crate) fn load(cx: &AppContext, path: &Path, params: &Params) -> Result<LoadedPlan, CliError> {
    from_source(cx, &source(path)?, params)
}

/// As [`load_to_show`], for a new run of an earlier one: parameters that are not given have its values.
pub(crate) fn load_to_retry(
    cx: &AppContext,
    path: &Path,
    params: &Params,
    earlier: RunValues,
) -> Result<LoadedPlan, CliError> {
    let files = files(cx).without_secrets().earlier(earlier);
    Ok(files.load(&source(path)?, &params.values)?)
}

/// As [`load`], for a plan that does not run: its secrets may be missing.
pub(crate) fn load_to_show(
    cx: &AppContext,
    path: &Path,
    params: &Params,
) -> Result<LoadedPlan, CliError> {
    let files = files(cx).without_secrets();
    Ok(files.load(&source(path)?, &params.values)?)
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
) -> Result<BTreeMap<String, String>, CliError> {
    // `Orchestrator::open` reports metadata that cannot be read.
    let Ok(values) = RunValues::of_graph(graph) else {
        return Ok(given.clone());
    };
    for (name, value) in given {
        let shown = quote(name);
        if !values.missing_secrets().any(|known| known == name) {
            let near = suggest(name, values.missing_secrets());
            let help = near.map_or_else(
                || "the values of other parameters are stored with the run".to_owned(),
                |near| format!("did you mean {near:?}?"),
            );
            let text = format!("the plan of the run has no secret parameter {shown}");
            return Err(CliError::new(Exit::Usage, text)
                .code("unknown_param")
                .help(help));
        }
        if value.is_empty() {
            let text = format!("the secret {shown} is empty");
            return Err(CliError::new(Exit::Usage, text).code("bad_param"));
        }
    }
    let mut secrets = given.clone();
    let missing = values.secret_variables();
    let missing = missing.filter(|(name, _)| !given.contains_key(*name));
    let in_files = values.env_file_variables();
    let value = |of: &str| variable(of).or_else(|| in_files.get(of).cloned());
    secrets.extend(missing.filter_map(|(name, of)| Some((name.to_owned(), value(of)?))));
    Ok(secrets)
}

/// Refuses tasks that name agents, tools or models which do not exist.
pub(crate) fn check_agents(
    cx: &AppContext,
    agents: Option<&Path>,
    plan: &LoadedPlan,
) -> Result<(), CliError> {
    if !needs_model(&plan.graph, |_| true) {
        return Ok(());
    }
    let agents = llm::agents(cx, agents)?;
    let found = agent_problems(
        &plan.graph,
        |_| true,
        &agents,
        &llm::names_of_tools(cx, &agents),
    );
    let mut found = plan.bound.located(found);
    found.append(llm::model_problems(&agents));
    let found = found.into_result();
    found.map_err(|found| problems::error("the plan", "invalid_plan", &found))
}

/// Refuses a run that may ask a person if nothing of it is kept and no person is at the terminal: a run of a
/// plan, or of a goal, whose tasks are not known yet.
pub(crate) fn check_unattended(cx: &AppContext, plan: Option<&LoadedPlan>) -> Result<(), CliError> {
    let graph = plan.map(|plan| &plan.graph);
    let tasks = graph.into_iter().flat_map(TaskGraph::tasks);
    let asking = tasks.filter_map(|(_, task)| {
        let why = why_asks(task)?;
        Some(format!("{} ({why})", escape_terminal(task.name())))
    });
    let mut asking: Vec<String> = asking.collect();
    let policy = llm::base_builder(cx).build()?.policy_for(plan)?;
    let budget_asks = may_exceed(&policy, graph);
    if budget_asks {
        asking.insert(0, "at the limit of the budget".to_owned());
    }
    if asking.is_empty() {
        return Ok(());
    }
    let more = match asking.len().saturating_sub(ASKING_SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let shown = asking[..asking.len().min(ASKING_SHOWN)].join(", ");
    let text = format!(
        "the run may ask a person, and with --no-db it could not wait for the answer: {shown}{more}"
    );
    let mut help = "leave out --no-db, or run it at a terminal".to_owned();
    if budget_asks {
        help.push_str("; at the limit of the budget `--over-budget partial` asks no person");
    }
    if asking.len() > usize::from(budget_asks) {
        help.push_str("; `default` and `after` give each of them a default");
    }
    Err(CliError::new(Exit::Usage, text).code("may_ask").help(help))
}

/// Whether a budget may be exceeded and a person is asked then.
fn may_exceed(policy: &Policy, graph: Option<&TaskGraph>) -> bool {
    let is_limited = |budget: Budget| budget != Budget::UNLIMITED;
    let is_costly = graph.is_none_or(|graph| needs_model(graph, |_| true));
    let mut tasks = graph.into_iter().flat_map(TaskGraph::tasks);
    policy.over_budget == OverBudget::Ask
        && is_costly
        && (is_limited(policy.budget) || tasks.any(|(_, task)| is_limited(task.rules().budget)))
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
        .is_some_and(|gate| gate.default_answer().is_none())
    {
        return Some("approve");
    }
    let has_default = match &rules.on_failure {
        OnFailure::Ask(ask) if ask.fallback.is_none() => return Some("on_failure = \"ask\""),
        OnFailure::Ask(_) => true,
        OnFailure::Abort | OnFailure::Skip | OnFailure::Value(_) | OnFailure::Fallback(_) => false,
    };
    let is_action = matches!(task.work(), Work::Action { .. });
    (is_action && rules.effect == Effect::AtMostOnce && !has_default)
        .then_some("effect = \"at_most_once\"")
}

/// As [`load`], for a text in memory.
pub(crate) fn from_source(
    cx: &AppContext,
    source: &PlanSource,
    params: &Params,
) -> Result<LoadedPlan, CliError> {
    Ok(files(cx).load(source, &params.values)?)
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

/// The values of `-p`.
#[derive(Debug, Default)]
pub(crate) struct Params {
    pub(crate) values: BTreeMap<String, String>,
    /// The variables that values were read from, by the names of the parameters.
    variables: BTreeMap<String, String>,
}

impl Params {
    /// Reads `NAME=VALUE` pairs; if a name occurs twice, its last value counts.
    ///
    /// So that no secret has to be on the command line, which others can read, a value may [name its
    /// place](place::read), and a name alone is asked for at the terminal, unseen.
    pub(crate) async fn read(params: &ParamArgs) -> Result<Self, CliError> {
        let mut read = Self::default();
        for param in &params.param {
            let (name, value) = match param.split_once('=') {
                Some((name, text)) if !name.is_empty() => {
                    (name, place::read(&format!("the value of {name}"), text)?)
                }
                None if out::is_interactive() && !param.is_empty() => {
                    (&**param, prompted(param).await?)
                }
                Some(_) | None => {
                    let text = format!("{:?} is not a parameter", escape_terminal(param));
                    return Err(CliError::new(Exit::Usage, text).code("bad_param").help(
                        "write it as -p NAME=VALUE, NAME=@FILE, NAME=@-, NAME=@env:VARIABLE, or at a terminal NAME",
                    ));
                }
            };
            read.values.insert(name.to_owned(), value.text);
            read.variables.remove(name);
            let variable = value.variable.map(|variable| (name.to_owned(), variable));
            read.variables.extend(variable);
        }
        Ok(read)
    }

    /// The variables that these secrets were read from, which no command inherits.
    pub(crate) fn variables_of<'a>(
        &'a self,
        secrets: impl Iterator<Item = &'a str>,
    ) -> Vec<String> {
        let variables = secrets.filter_map(|name| self.variables.get(name));
        variables.cloned().collect()
    }
}

/// The value that the person at the terminal types, unseen.
async fn prompted(name: &str) -> Result<place::Value, CliError> {
    let typed = prompt::hidden_value(format!("{}?", escape_terminal(name))).await?;
    let text = typed.ok_or_else(|| {
        let what = format!("the value of {name}");
        place::unreadable(&what, "the terminal", &"none was given")
    })?;
    Ok(place::Value {
        text,
        variable: None,
    })
}

#[cfg(test)]
mod tests {
    use super::{ParamArgs, Params};

    #[tokio::test]
    async fn a_secret_comes_from_a_file_or_the_environment() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("token");
        std::fs::write(&path, "hunter2\r\n").expect("written");
        let from_file = format!("a=@{}", path.display());
        let params = [&*from_file, "b=@env:CARGO_PKG_NAME", "c=@@x", "d=a@b", "e="];
        let params_of = |texts: &[&str]| ParamArgs {
            param: texts.iter().map(|&text| text.to_owned()).collect(),
        };
        let read = Params::read(&params_of(&params))
            .await
            .expect("all readable");
        let values: Vec<&str> = read.values.values().map(String::as_str).collect();
        assert_eq!(values, ["hunter2", "zeph-cli", "@x", "a@b", ""]);
        let secrets = ["a", "b", "z"].into_iter();
        assert_eq!(read.variables_of(secrets), ["CARGO_PKG_NAME"]);
        for wrong in ["a=@/no/such/file", "a=@env:ZEPH_NO_SUCH_VARIABLE", "=x"] {
            assert!(Params::read(&params_of(&[wrong])).await.is_err(), "{wrong}");
        }
    }
}
