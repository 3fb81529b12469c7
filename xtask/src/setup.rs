//! Setup: what the gate needs and cargo does not bring along.

use std::path::Path;

use crate::tool::Call;
use crate::workspace::Workspace;

/// The version of cargo-deny that `deny.toml` is written for.
const DENY: &str = "0.20.2";

/// Installs what is missing or has another version; the answer is whether all is there.
pub(crate) fn run() -> Result<bool, String> {
    let root = Workspace::load()?.root;
    if missing(&root).is_none() {
        println!("cargo-deny {DENY} is installed; nothing to do");
        return Ok(true);
    }
    let call = install();
    println!(
        "installing cargo-deny {DENY}, about a minute on two cores:\n  {}",
        call.line()
    );
    call.shown(&root)
}

/// What to do when cargo-deny is not there in its version; `None` when it is.
pub(crate) fn missing(root: &Path) -> Option<String> {
    let found = match Call::cargo("deny --version").answer(root) {
        Ok(said) => said,
        Err(_) => "none".to_owned(),
    };
    advice(found.trim())
}

fn advice(found: &str) -> Option<String> {
    if found == format!("cargo-deny {DENY}") {
        return None;
    }
    Some(format!(
        "cargo-deny {DENY} is needed, found: {found}\ntype: cargo xtask setup"
    ))
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
        assert_eq!(advice("cargo-deny 0.20.2"), None);
        assert!(advice("cargo-deny 0.19.0").is_some());
        let told = advice("none").unwrap();
        assert!(told.ends_with("type: cargo xtask setup"), "{told}");
    }

    #[test]
    fn the_pinned_version_is_what_is_installed() {
        assert!(install().line().contains("--version 0.20.2"));
    }
}
