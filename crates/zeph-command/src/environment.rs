//! The environment of a command: inherited variables, those of files, its own, and the folders of programs.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use tokio::process::Command;
use zeph_executor::{TaskContext, TaskError};

use crate::params::{CommandParams, invalid};
use crate::spawn::CommandConfig;

/// The variables of the env files that are not inherited anyway.
pub(crate) fn of_files(
    config: &CommandConfig,
    params: &CommandParams,
) -> Result<BTreeMap<String, String>, TaskError> {
    let mut variables = BTreeMap::new();
    for file in &config.env_files {
        match zeph_common::read_env_file(file) {
            Ok(read) => variables.extend(read),
            Err(error) => {
                let error = TaskError::permanent(error.to_string());
                return Err(error.with_code("bad_env_file"));
            }
        }
    }
    variables
        .retain(|name, _| std::env::var_os(name).is_none() && is_inherited(config, params, name));
    Ok(variables)
}

/// Refuses a variable in `pass_env` that has no value.
pub(crate) fn check_passed(
    params: &CommandParams,
    files: &BTreeMap<String, String>,
) -> Result<(), TaskError> {
    let mut passed = params.pass_env.iter();
    let is_missing =
        |name: &&String| std::env::var_os(name).is_none() && !files.contains_key(*name);
    match passed.find(is_missing) {
        Some(name) => {
            let message = format!(
                "the variable {name:?} in `pass_env` is not set; set it, or remove it from the list"
            );
            Err(TaskError::permanent(message).with_code("missing_variable"))
        }
        None => Ok(()),
    }
}

/// The variables that a program needs to find programs, files and the language of its user. None holds a secret.
const BASIC: [&str; 24] = [
    "HOME",
    "LANG",
    "LANGUAGE",
    "LOGNAME",
    "NO_COLOR",
    "PATH",
    "PWD",
    "SHELL",
    "SSL_CERT_DIR",
    "SSL_CERT_FILE",
    "TEMP",
    "TERM",
    "TMP",
    "TMPDIR",
    "TZ",
    "USER",
    "XDG_CACHE_HOME",
    "XDG_CONFIG_DIRS",
    "XDG_CONFIG_HOME",
    "XDG_DATA_DIRS",
    "XDG_DATA_HOME",
    "XDG_RUNTIME_DIR",
    "XDG_STATE_HOME",
    "__CF_USER_TEXT_ENCODING",
];

/// Whether a variable is one of those that [`basic_env`](crate::CommandExecutorBuilder::basic_env) leaves: `PATH`,
/// `HOME`, `USER`, `SHELL`, `TERM`, `TZ`, `TMPDIR`, `LANG`, those that begin with `LC_`, the folders of the XDG
/// specification, and the like.
#[must_use]
pub fn is_basic_variable(name: &str) -> bool {
    name.starts_with("LC_") || BASIC.contains(&name)
}

/// Whether a command inherits the variable: no rule excludes it, or it is passed on by name.
fn is_inherited(config: &CommandConfig, params: &CommandParams, name: &str) -> bool {
    let mut passed = config.passed.iter().chain(&params.pass_env);
    passed.any(|passed| passed == name) || !config.denied.iter().any(|rule| rule(name))
}

/// Sets the variables of a command; those of an attempt only if it belongs to one.
pub(crate) fn set(
    command: &mut Command,
    config: &CommandConfig,
    cx: Option<&TaskContext>,
    params: &CommandParams,
    files: BTreeMap<String, String>,
) {
    for (name, _) in std::env::vars_os() {
        if !is_inherited(config, params, &name.to_string_lossy()) {
            command.env_remove(&name);
        }
    }
    command.envs(files).env_remove("ZEPH_OUTCOME");
    if let Some(cx) = cx {
        command
            .env("ZEPH_RUN", cx.run().as_str())
            .env("ZEPH_TASK", cx.name())
            .env("ZEPH_ATTEMPT", cx.attempt().to_string())
            .env("ZEPH_IDEMPOTENCY_KEY", cx.idempotency_key())
            .envs(cx.outcome().map(|outcome| ("ZEPH_OUTCOME", outcome.word())));
    }
    command.envs(&params.env);
}

/// The `PATH` of a command with folders of its own: those, then the ones that it has anyway.
pub(crate) fn search_path(
    config: &CommandConfig,
    params: &CommandParams,
) -> Result<Option<OsString>, TaskError> {
    if params.path.is_empty() {
        return Ok(None);
    }
    let base = match &config.cwd {
        Some(base) => base.clone(),
        None => std::env::current_dir().unwrap_or_default(),
    };
    let own = params
        .path
        .iter()
        .map(|folder| base.join(Path::new(folder)));
    let rest = match params.env.get("PATH") {
        Some(path) => Some(OsString::from(path)),
        None => std::env::var_os("PATH"),
    };
    let rest: Vec<PathBuf> = rest.iter().flat_map(std::env::split_paths).collect();
    match std::env::join_paths(own.chain(rest)) {
        Ok(path) => Ok(Some(path)),
        Err(_) => Err(invalid("a folder in `path` has a colon")),
    }
}
