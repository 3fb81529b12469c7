//! Plan files at the terminal: read one, bind its parameters, show its problems.

use std::collections::BTreeMap;
use std::path::Path;

use zeph_orchestration::plan::{LoadedPlan, PlanFileError, PlanFiles, PlanSource};

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::problems;

/// Reads a plan file, or stdin for `-`, and gives its parameters the values of `-p`.
pub(crate) fn load(
    cx: &AppContext,
    path: &Path,
    params: &[String],
) -> Result<LoadedPlan, CliError> {
    let source = if path == Path::new("-") {
        PlanSource::stdin()
    } else {
        PlanSource::file(path)
    };
    from_source(cx, &source?, params)
}

/// As [`load`], for a text in memory.
pub(crate) fn from_source(
    cx: &AppContext,
    source: &PlanSource,
    params: &[String],
) -> Result<LoadedPlan, CliError> {
    Ok(PlanFiles::new(cx.config()).load(source, &given(params)?)?)
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
