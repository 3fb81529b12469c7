//! The `deny` step: licences, bans and sources of every dependency, checked with an empty registry cache.
//!
//! `cargo deny --offline` reads the sources of all packages in `Cargo.lock`, also of those that no
//! build on this machine has downloaded. The step fetches them first, into a cargo home of its own, so
//! that it passes on a new machine if it passes anywhere.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::cargo::Call;
use crate::steps::{self, Outcome};
use crate::workspace::Workspace;

/// The version of cargo-deny that `deny.toml` is written for.
const VERSION: &str = "0.20.2";

/// Parts of the user's cargo home that the empty one shares: settings, keys and installed tools.
const SHARED: [&str; 5] = [
    "bin",
    "config",
    "config.toml",
    "credentials",
    "credentials.toml",
];

/// Installs cargo-deny if it is missing or has another version; `false` if the installation failed.
pub(crate) fn setup() -> Result<bool, String> {
    let root = Workspace::load()?.root;
    let Some(call) = missing(&root) else {
        println!("cargo-deny {VERSION} is installed");
        return Ok(true);
    };
    println!("{}:\n  {}", announcement(), call.line());
    call.run_visible(&root)
}

/// Runs the step. It installs cargo-deny where it is missing, so that a new machine needs no other
/// command, and it needs a network.
pub(crate) fn step(workspace: &Workspace, name: &str) -> Result<Outcome, String> {
    let install = missing(&workspace.root);
    if install.is_some() {
        // The announcement ends the line of the step; the outcome follows on a line of its own.
        print!("{}\n{:20}", announcement(), "");
        let _ = std::io::stdout().flush();
    }
    let home = CargoHome::empty(&workspace.target)?;
    let calls: Vec<Call> = install.into_iter().chain(home.calls()?).collect();
    steps::call_all(workspace, name, &calls)
}

/// The call that installs cargo-deny; `None` if the right version is there.
fn missing(root: &Path) -> Option<Call> {
    let version = Call::cargo("deny --version").output(root);
    let installed = version.is_ok_and(|text| is_pinned(&text));
    (!installed).then(install)
}

fn announcement() -> String {
    format!("installing cargo-deny {VERSION}, about a minute on two cores")
}

fn is_pinned(version: &str) -> bool {
    version.trim() == format!("cargo-deny {VERSION}")
}

/// Built without optimisation: it runs for a second, and an optimised build takes minutes.
fn install() -> Call {
    let line =
        format!("install cargo-deny --locked --force --version {VERSION} --no-default-features");
    Call::cargo(&line)
        .env("CARGO_PROFILE_RELEASE_OPT_LEVEL", "0")
        .env("CARGO_PROFILE_RELEASE_LTO", "off")
        .env("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16")
}

/// A cargo home with an empty registry cache, removed when dropped.
#[derive(Debug)]
struct CargoHome {
    folder: PathBuf,
}

impl CargoHome {
    fn empty(target: &Path) -> Result<Self, String> {
        let home = Self {
            folder: target.join("gate").join("cargo-home"),
        };
        home.remove()?;
        let folder = &home.folder;
        let error = |err: std::io::Error| format!("{}: {err}", folder.display());
        fs::create_dir_all(folder).map_err(error)?;
        for name in SHARED {
            let original = user_home().map(|user| user.join(name));
            if let Some(original) = original.filter(|path| path.exists()) {
                symlink(original, folder.join(name)).map_err(error)?;
            }
        }
        Ok(home)
    }

    /// Fetches what `Cargo.lock` names, then checks it without a network.
    fn calls(&self) -> Result<[Call; 2], String> {
        let folder = self.folder.to_str();
        let folder = folder.ok_or_else(|| format!("{}: not UTF-8", self.folder.display()))?;
        let lines = [
            "fetch --locked",
            "deny --offline check bans licenses sources",
        ];
        Ok(lines.map(|line| Call::cargo(line).env("CARGO_HOME", folder)))
    }

    fn remove(&self) -> Result<(), String> {
        match fs::remove_dir_all(&self.folder) {
            Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("{}: {err}", self.folder.display()))
            }
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

impl Drop for CargoHome {
    fn drop(&mut self) {
        // Half a gigabyte; if it cannot be removed now, the next run of the step tries again.
        let _ = self.remove();
    }
}

/// The folder of cargo's settings and tools on this machine.
fn user_home() -> Option<PathBuf> {
    let set = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    set.or_else(|| Some(std::env::home_dir()?.join(".cargo")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pinned_version_is_accepted_and_installed() {
        assert!(is_pinned("cargo-deny 0.20.2\n"));
        assert!(!is_pinned("cargo-deny 0.19.0\n"));
        assert!(!is_pinned(""));
        assert!(install().line().contains("--version 0.20.2"));
        assert!(announcement().contains("0.20.2"));
    }

    #[test]
    fn packages_are_fetched_into_an_empty_cache_before_the_offline_check() {
        let target = std::env::temp_dir().join(format!("xtask-deny-{}", std::process::id()));
        let old = target.join("gate/cargo-home/registry/cache");
        fs::create_dir_all(&old).unwrap();
        let home = CargoHome::empty(&target).unwrap();
        assert!(!old.exists(), "the cache of an earlier run is removed");
        let folder = home.folder.to_str().unwrap().to_owned();
        let lines = home.calls().unwrap().map(|call| call.line());
        assert_eq!(
            lines,
            [
                format!("CARGO_HOME={folder} cargo fetch --locked"),
                format!("CARGO_HOME={folder} cargo deny --offline check bans licenses sources"),
            ]
        );
        drop(home);
        assert!(!Path::new(&folder).exists());
        fs::remove_dir_all(&target).unwrap();
    }

    #[test]
    fn ci_runs_the_test_command_of_the_readme_and_no_other() {
        let readme = include_str!("../../README.md");
        let ci = include_str!("../../.ci/run");
        let xtask = |line: &&str| line.starts_with("cargo xtask");
        assert!(readme.lines().any(|line| line == "cargo xtask test-all"));
        let calls: Vec<&str> = ci.lines().map(str::trim).filter(xtask).collect();
        assert_eq!(calls, ["cargo xtask test-all"]);
    }
}
