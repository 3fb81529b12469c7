//! The parameters of a command.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use zeph_executor::TaskError;

/// The parameters of a command in a task's definition.
///
/// Exactly one of `argv` and `shell` is given. Unknown fields are refused.
///
/// # Examples
/// ```
/// use zeph_command::CommandParams;
/// let params: CommandParams = serde_json::from_str(r#"{ "argv": ["make", "-j2"], "cwd": "src" }"#)?;
/// assert_eq!(params.ok_codes, [0]);
/// assert!(serde_json::from_str::<CommandParams>(r#"{ "argv": ["ls"], "cmd": 1 }"#).is_err());
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandParams {
    /// The program and its arguments, passed as they are, without expansion or splitting.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub argv: Option<Vec<String>>,
    /// A script for `sh -c`. Text that is inserted into it is executed as code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shell: Option<String>,
    /// The text for standard input. Default: empty.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin: Option<String>,
    /// The parent whose whole standard output, byte for byte, is standard input; not beside `stdin`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stdin_from: Option<String>,
    /// Variables in addition to the inherited ones; can set excluded ones.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub env: BTreeMap<String, String>,
    /// Variables that are inherited although the executor excludes them, such as the key of a service. One
    /// that is not set is an error.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub pass_env: Vec<String>,
    /// The directory to run in, relative to the executor's. Default: the executor's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cwd: Option<String>,
    /// Folders that are searched for programs before those of `PATH`, relative to the executor's directory.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub path: Vec<String>,
    /// Patterns of the files that are kept when the command succeeds, relative to its directory; see
    /// [`FilePattern`](zeph_common::FilePattern).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub artifacts: Vec<String>,
    /// How standard output is read. Default `text`.
    #[serde(default)]
    pub output: OutputFormat,
    /// The exit codes that mean success. Default `[0]`.
    #[serde(default = "zero")]
    pub ok_codes: Vec<i32>,
    /// The exit codes that mean that there is nothing to do: the task is skipped. Default: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub skip_codes: Vec<i32>,
    /// The exit codes after which another attempt may succeed. Default: every other code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_codes: Option<Vec<i32>>,
}

/// How standard output becomes a value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum OutputFormat {
    /// As text in `stdout`.
    #[default]
    Text,
    /// As text in `stdout`, and parsed in `json`.
    Json,
    /// Not at all. It is in the log only.
    None,
}

fn zero() -> Vec<i32> {
    vec![0]
}

impl CommandParams {
    /// A program with its arguments, and the defaults for everything else.
    #[must_use]
    pub fn program(argv: Vec<String>) -> Self {
        Self {
            argv: Some(argv),
            shell: None,
            stdin: None,
            stdin_from: None,
            env: BTreeMap::new(),
            pass_env: Vec::new(),
            cwd: None,
            path: Vec::new(),
            artifacts: Vec::new(),
            output: OutputFormat::Text,
            ok_codes: zero(),
            skip_codes: Vec::new(),
            retry_codes: None,
        }
    }

    /// The arguments to run: `argv`, or the shell with its script.
    pub(crate) fn command_line(&self) -> Result<Vec<&str>, TaskError> {
        match (&self.argv, &self.shell) {
            (Some(argv), None) if argv.first().is_some_and(|program| !program.is_empty()) => {
                Ok(argv.iter().map(String::as_str).collect())
            }
            (None, Some(script)) => Ok(vec!["sh", "-c", script]),
            (Some(_), None) => Err(invalid(
                "`argv` has no program; write its name as the first element",
            )),
            (Some(_), Some(_)) => Err(invalid(
                "`argv` and `shell` are both given; keep one of them",
            )),
            (None, None) => Err(invalid(
                "neither `argv` nor `shell` is given; add one of them",
            )),
        }
    }

    /// Refuses text that the operating system does not accept, with its place.
    pub(crate) fn check(&self) -> Result<(), TaskError> {
        if self.stdin.is_some() && self.stdin_from.is_some() {
            return Err(invalid(
                "`stdin` and `stdin_from` are both given; keep one of them",
            ));
        }
        let argv = self.argv.iter().flatten().enumerate();
        let places = argv
            .map(|(index, text)| (format!("argv[{index}]"), text))
            .chain(self.shell.iter().map(|text| ("shell".to_owned(), text)))
            .chain(self.cwd.iter().map(|text| ("cwd".to_owned(), text)))
            .chain(self.path.iter().map(|text| ("path".to_owned(), text)))
            .chain(
                self.env
                    .iter()
                    .map(|(name, text)| (format!("env.{name:?}"), text)),
            );
        for (place, text) in places {
            if text.contains('\0') {
                return Err(invalid(&format!(
                    "`{place}` has a NUL character, which the system does not accept; pass it on stdin"
                )));
            }
        }
        match self
            .env
            .keys()
            .find(|name| name.is_empty() || name.contains(['=', '\0']))
        {
            Some(name) => Err(invalid(&format!(
                "{name:?} in `env` cannot name a variable; use a name without '=' and NUL"
            ))),
            None => Ok(()),
        }
    }
}

pub(crate) fn invalid(message: &str) -> TaskError {
    TaskError::permanent(message).with_code("invalid_params")
}

#[cfg(test)]
mod tests {
    use super::CommandParams;

    #[test]
    fn every_impossible_command_says_why() -> Result<(), serde_json::Error> {
        let table = [
            (r#"{}"#, "neither `argv` nor `shell`"),
            (r#"{"argv":["a"],"shell":"b"}"#, "both given"),
            (r#"{"argv":[]}"#, "no program"),
            (
                r#"{"argv":["a"],"stdin":"","stdin_from":"b"}"#,
                "`stdin` and `stdin_from` are both given",
            ),
            (r#"{"argv":[""]}"#, "no program"),
            (r#"{"argv":["a","b\u0000"]}"#, "`argv[1]` has a NUL"),
            (r#"{"shell":"\u0000"}"#, "`shell` has a NUL"),
            (r#"{"shell":"a","cwd":"\u0000"}"#, "`cwd` has a NUL"),
            (
                r#"{"shell":"a","env":{"A":"\u0000"}}"#,
                "`env.\"A\"` has a NUL",
            ),
            (
                r#"{"shell":"a","env":{"A=B":""}}"#,
                "cannot name a variable",
            ),
            (r#"{"shell":"a","env":{"":""}}"#, "cannot name a variable"),
        ];
        for (json, wanted) in table {
            let params: CommandParams = serde_json::from_str(json)?;
            let error = params
                .check()
                .and_then(|()| params.command_line().map(drop))
                .err();
            let seen = error.map(|error| (error.code().to_owned(), error.to_string()));
            assert!(
                seen.as_ref()
                    .is_some_and(|(code, text)| code == "invalid_params" && text.contains(wanted)),
                "{json}: {seen:?}"
            );
        }
        Ok(())
    }
}
