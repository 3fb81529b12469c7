//! Tools: how cargo and its kin are called, with or without their output on the terminal.

use std::env;
use std::fs::File;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// One call of cargo.
#[derive(Debug)]
pub(crate) struct Call {
    words: Vec<String>,
    vars: Vec<(String, String)>,
}

/// What a call left behind when its output was kept from the terminal.
#[derive(Debug)]
pub(crate) struct Heard {
    pub(crate) ok: bool,
    /// Both streams in the order in which they were written.
    pub(crate) text: String,
}

impl Call {
    /// `cargo` with the words of a line; no word may contain a space.
    pub(crate) fn cargo(line: &str) -> Self {
        Self {
            words: line.split_whitespace().map(str::to_owned).collect(),
            vars: Vec::new(),
        }
    }

    /// The same call with an environment variable set.
    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.vars.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The call as one would type it.
    pub(crate) fn line(&self) -> String {
        let vars = self.vars.iter().map(|(name, value)| {
            let quote = if value.contains(' ') { "\"" } else { "" };
            format!("{name}={quote}{value}{quote} ")
        });
        format!("{}cargo {}", vars.collect::<String>(), self.words.join(" "))
    }

    /// Runs it with both streams going to a file, and reads the file.
    ///
    /// A file rather than a pipe: a process that outlives its parent and holds the stream open
    /// must not keep the gate waiting.
    pub(crate) fn heard(&self, root: &Path, log: &Path) -> Result<Heard, String> {
        let told = |err: std::io::Error| format!("{}: {err}", log.display());
        let out = File::create(log).map_err(told)?;
        let err = out.try_clone().map_err(told)?;
        let status = self.start(root, |command| command.stdout(out).stderr(err))?;
        let bytes = std::fs::read(log).map_err(told)?;
        Ok(Heard {
            ok: status.success(),
            text: String::from_utf8_lossy(&bytes).into_owned(),
        })
    }

    /// Runs it with its output on the terminal; the answer is whether it succeeded.
    pub(crate) fn shown(&self, root: &Path) -> Result<bool, String> {
        Ok(self.start(root, |command| command)?.success())
    }

    /// Runs it for its standard output; when it fails the error carries what it said.
    pub(crate) fn answer(&self, root: &Path) -> Result<String, String> {
        let output = self.command(root).output();
        let output = output.map_err(|err| format!("`{}`: {err}", self.line()))?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        let said = String::from_utf8_lossy(&output.stderr);
        Err(format!("`{}` failed:\n{}", self.line(), said.trim_end()))
    }

    fn start(
        &self,
        root: &Path,
        shape: impl FnOnce(&mut Command) -> &mut Command,
    ) -> Result<ExitStatus, String> {
        let mut command = self.command(root);
        shape(&mut command)
            .status()
            .map_err(|err| format!("`{}`: {err}", self.line()))
    }

    fn command(&self, root: &Path) -> Command {
        let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
        let mut command = Command::new(cargo);
        command
            .current_dir(root)
            .args(&self.words)
            .stdin(Stdio::null())
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never");
        // Cargo tells a program that it runs about its package. Build scripts that watch these
        // variables would take them for a change and build everything again.
        for (name, _) in env::vars_os() {
            if name.to_str().is_some_and(is_about_a_package) {
                command.env_remove(name);
            }
        }
        command.envs(self.vars.iter().map(|(name, value)| (name, value)));
        command
    }
}

fn is_about_a_package(name: &str) -> bool {
    name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_told_as_one_would_type_it() {
        let call = Call::cargo("doc --no-deps").with("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(
            call.line(),
            "RUSTDOCFLAGS=\"-D warnings\" cargo doc --no-deps"
        );
    }

    #[test]
    fn only_what_speaks_of_a_package_is_taken_away() {
        assert!(is_about_a_package("CARGO_PKG_NAME"));
        assert!(is_about_a_package("CARGO_MANIFEST_DIR"));
        assert!(!is_about_a_package("CARGO_TARGET_DIR"));
    }
}
