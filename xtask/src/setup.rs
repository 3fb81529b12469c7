//! Setup: what the gate needs and cargo does not bring along.

use std::path::Path;

use crate::tool::Call;
use crate::workspace::Workspace;

/// The version of cargo-deny that `deny.toml` is written for.
const DENY: &str = "0.20.2";

/// Installs what is missing or has another version; the answer is whether all is there.
pub(crate) fn run() -> Result<bool, String> {
    let root = Workspace::load()?.root;
    let Some(call) = missing(&root) else {
        println!("cargo-deny {DENY} is installed; nothing to do");
        return Ok(true);
    };
    println!("{}:\n  {}", announcement(), call.line());
    call.shown(&root)
}

/// The call that installs cargo-deny when it is not there in its version; `None` when it is.
pub(crate) fn missing(root: &Path) -> Option<Call> {
    let found = Call::cargo("deny --version").answer(root);
    let is_there = found.is_ok_and(|said| will_do(&said));
    (!is_there).then(install)
}

/// What to say before the call of [`missing`], which takes its time.
pub(crate) fn announcement() -> String {
    format!("installing cargo-deny {DENY}, about a minute on two cores")
}

fn will_do(said: &str) -> bool {
    said.trim() == format!("cargo-deny {DENY}")
}

/// It checks for a second and builds for minutes when optimised, so it is not.
fn install() -> Call {
    let line =
        format!("install cargo-deny --locked --force --version {DENY} --no-default-features");
    Call::cargo(&line)
        .with("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .with("CARGO_PROFILE_RELEASE_LTO", "off")
        .with("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_will_do() {
        assert!(will_do("cargo-deny 0.20.2\n"));
        assert!(!will_do("cargo-deny 0.19.0\n"));
        assert!(!will_do(""));
    }

    #[test]
    fn the_pinned_version_is_what_is_installed() {
        assert!(install().line().contains("--version 0.20.2"));
        assert!(announcement().contains("0.20.2"));
    }
}
