//! The servers of the checks, on a free port of the loopback interface. Drop stops them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::llm::fetch::Fetch;
use crate::process::Process;

/// The name of the real model in requests.
pub(crate) const MODEL: &str = "smollm2-135m";

/// Time limit for the start; loading the model takes a second on an idle machine.
const START: Duration = Duration::from_secs(120);

/// A listening server.
#[derive(Debug)]
pub(crate) struct Server {
    /// Ends with a slash. For a model server it is the base URL of the OpenAI protocol.
    pub(crate) url: String,
    process: Process,
}

impl Server {
    /// The real model.
    pub(crate) fn model(fetch: &Fetch) -> Result<Self, String> {
        let weights = fetch.weights()?;
        let folder = fetch.engine()?;
        let script = include_str!("../../assets/serve-model.mjs");
        let script = write_script(&folder, "serve-model.mjs", script)?;
        let mut node = Command::new("node");
        node.arg(script).arg(weights).arg(MODEL);
        Self::start(&mut node, fetch, "the model", "serve-model", "listening ")
    }

    /// The server that injects faults and rates its client.
    pub(crate) fn faults(fetch: &Fetch) -> Result<Self, String> {
        let python = fetch.faults()?;
        let folder = python.parent().unwrap_or(Path::new("."));
        let script = include_str!("../../assets/serve-faults.py");
        let script = write_script(folder, "serve-faults.py", script)?;
        let mut command = Command::new(&python);
        command.arg(script).args(["serve", "--host", "127.0.0.1"]);
        command.args(["--port", "0", "--rpm", "120"]);
        // Slow enough that the server notices a client that disconnects during a stream.
        command.args(["--stream-chunk-delay-ms", "20"]);
        let mark = "running on ";
        Self::start(&mut command, fetch, "llmock", "serve-faults", mark)
    }

    /// The server that answers from fixtures.
    pub(crate) fn fixtures(fetch: &Fetch) -> Result<Self, String> {
        let folder = fetch.fixtures()?;
        let script = include_str!("../../assets/serve-fixtures.mjs");
        let script = write_script(&folder, "serve-fixtures.mjs", script)?;
        let mut node = Command::new("node");
        node.arg(script);
        Self::start(&mut node, fetch, "aimock", "serve-fixtures", "listening ")
    }

    /// The model of a goal over MCP servers, whose files are in `docs`.
    pub(crate) fn goal(fetch: &Fetch, docs: &Path) -> Result<Self, String> {
        let script = include_str!("../../assets/serve-goal.mjs");
        let script = write_script(&fetch.empty("mcp-model")?, "serve-goal.mjs", script)?;
        let mut node = Command::new("node");
        node.arg(script).arg(docs);
        Self::start(
            &mut node,
            fetch,
            "the model of the goal",
            "serve-goal",
            "listening ",
        )
    }

    /// An error if the server has ended, because then the result of the check is meaningless.
    pub(crate) fn ensure_running(&mut self) -> Result<(), String> {
        match self.process.ended()? {
            None => Ok(()),
            Some(status) => Err(self.process.failure(&format!("ended early with {status}"))),
        }
    }

    /// Waits until its output has that mark, with a word behind it.
    pub(crate) fn until(&mut self, mark: &str) -> Result<(), String> {
        self.process.address(mark, START).map(drop)
    }

    fn start(
        command: &mut Command,
        fetch: &Fetch,
        about: &str,
        name: &str,
        mark: &str,
    ) -> Result<Self, String> {
        let begin = Instant::now();
        let mut process = Process::start(command, &fetch.log(name)?)?;
        let mut url = process.address(mark, START)?;
        if !url.ends_with('/') {
            url.push('/');
        }
        let seconds = begin.elapsed().as_secs_f64();
        println!("{about} listens at {url} after {seconds:.1} s");
        Ok(Self { url, process })
    }
}

/// Writes a script beside the packages that it imports.
fn write_script(folder: &Path, name: &str, text: &str) -> Result<PathBuf, String> {
    let path = folder.join(name);
    fs::write(&path, text).map_err(|err| format!("{}: {err}", path.display()))?;
    Ok(path)
}
