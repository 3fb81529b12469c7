//! Plan files at the terminal: read one, bind its parameters, show its problems.

use std::collections::BTreeMap;
use std::path::Path;

use zeph_orchestration::plan::{LoadedPlan, PlanFileError, PlanFiles, PlanSource};

use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out;
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
