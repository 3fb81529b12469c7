//! The binary under test: built by cargo, and located in cargo's target folder.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// Builds `zeph` in this program's profile and target folder, and returns its path.
///
/// With `TEST_ZEPH_BINARY` in the environment it returns that path and builds nothing: the gate has built
/// the binary with the features of all tests, and another choice of features would compile most
/// dependencies again.
///
/// # Errors
/// If cargo cannot be started, or the binary does not compile; the output of cargo is on stderr.
pub fn build() -> Result<PathBuf, String> {
    if let Some(path) = std::env::var_os("TEST_ZEPH_BINARY") {
        return Ok(PathBuf::from(path));
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo
        .args(["build", "--quiet", "-p", "zeph-cli", "--bin", "zeph"])
        .args(["--message-format", "json-render-diagnostics"])
        .current_dir(workspace())
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    let output = cargo
        .output()
        .map_err(|error| format!("cargo does not start: {error}"))?;
    if !output.status.success() {
        return Err("the binary `zeph` does not compile".to_owned());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let messages = text
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let mut executables = messages
        .filter(|message| message["target"]["name"] == "zeph")
        .filter_map(|message| message["executable"].as_str().map(PathBuf::from));
    executables
        .next_back()
        .ok_or_else(|| "cargo names no binary `zeph`".to_owned())
}

/// The root of this repository.
#[must_use]
pub fn workspace() -> PathBuf {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.parent().unwrap_or(own).to_owned()
}
