//! Calls of cargo and of the programs that it builds, with or without their output on the terminal.

use std::env;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};

/// One call of a program.
#[derive(Debug)]
pub(crate) struct Call {
    /// `None` is cargo.
    program: Option<PathBuf>,
    args: Vec<String>,
    vars: Vec<(String, String)>,
}

/// The result of a call whose output went to a file.
#[derive(Debug)]
pub(crate) struct Captured {
    pub(crate) ok: bool,
    /// Both streams in the order in which they were written.
    pub(crate) text: String,
}

impl Call {
    /// `cargo` with the arguments of a line; no argument may contain a space.
    pub(crate) fn cargo(line: &str) -> Self {
        Self {
            program: None,
            args: line.split_whitespace().map(str::to_owned).collect(),
            vars: Vec::new(),
        }
    }

    /// A program that cargo has built, with the arguments of a line.
    pub(crate) fn program(path: PathBuf, line: &str) -> Self {
        Self {
            program: Some(path),
            ..Self::cargo(line)
        }
    }

    /// The same call with an environment variable set.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The call as a shell line.
    pub(crate) fn line(&self) -> String {
        let vars = self.vars.iter().map(|(name, value)| {
            let quote = if value.contains(' ') { "\"" } else { "" };
            format!("{name}={quote}{value}{quote} ")
        });
        let program = self.program.as_deref().unwrap_or(Path::new("cargo"));
        let program = program.display();
        format!(
            "{}{program} {}",
            vars.collect::<String>(),
            self.args.join(" ")
        )
    }

    /// Runs the call with both streams going to `log`, and reads that file.
    ///
    /// A file rather than a pipe: a process that outlives its parent and holds the stream open
    /// must not block the gate.
    pub(crate) fn run_captured(&self, root: &Path, log: &Path) -> Result<Captured, String> {
        let error = |err: std::io::Error| format!("{}: {err}", log.display());
        let stdout = File::create(log).map_err(error)?;
        let stderr = stdout.try_clone().map_err(error)?;
        let status = self.status(root, |command| command.stdout(stdout).stderr(stderr))?;
        let bytes = std::fs::read(log).map_err(error)?;
        Ok(Captured {
            ok: status.success(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Runs the call with its output on the terminal; returns whether it succeeded.
    pub(crate) fn run_visible(&self, root: &Path) -> Result<bool, String> {
        Ok(self.status(root, |command| command)?.success())
    }

    /// Runs the call and returns its standard output; the error of a failure has its standard error.
    pub(crate) fn output(&self, root: &Path) -> Result<String, String> {
        let output = self.command(root).output();
        let output = output.map_err(|err| format!("`{}`: {err}", self.line()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let stderr = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}` failed:\n{}", self.line(), stderr.trim_end()))
    }

    fn status(
        &self,
        root: &Path,
        streams: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<ExitStatus, String> {
        let mut command = self.command(root);
        streams(&mut command)
            .status()
            .map_err(|err| format!("`{}`: {err}", self.line()))
    }

    fn command(&self, root: &Path) -> Command {
        let cargo = || env::var_os("CARGO").map_or_else(|| "cargo".into(), PathBuf::from);
        let mut command = Command::new(self.program.clone().unwrap_or_else(cargo));
        command
            .current_dir(root)
            .args(&self.args)
            .stdin(Stdio::null())
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never");
        // `cargo run` sets variables about the package that it runs. Build scripts that watch these
        // variables would see a change and build everything again.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_package_variable) {
                command.env_remove(name);
            }
        }
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn is_package_variable(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_shown_as_a_shell_line() {
        let call = Call::cargo("doc --no-deps").env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            call.line(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps"
        );
    }

    #[test]
    fn only_variables_about_a_package_are_removed() {
        assert!(is_package_variable("CARGO_PKG_NAME"));
        assert!(is_package_variable("CARGO_MANIFEST_DIR"));
        assert!(!is_package_variable("CARGO_TARGET_DIR"));
    }
}
