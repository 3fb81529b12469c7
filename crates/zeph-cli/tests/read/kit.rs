//! A test folder with a database, an engine of this process on it, and `zeph` processes.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::runtime::Runtime;
use zeph_executor::{LogStream, Registry, TaskError, TaskOutput, closure};
use zeph_graph::{Params, RunId, Task, TaskGraph};
use zeph_memory_sqlite::SqliteStore;
use zeph_runtime::{Engine, Owners, RunHandle, RunSnapshot, Submission};

pub(crate) struct Home {
    folder: TempDir,
}

/// A process that has ended, with its output.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) bytes: Vec<u8>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ended {
    /// Its output, parsed as one JSON value.
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running engine in this process; dropping it simulates a crash.
pub(crate) struct Alive {
    runtime: Runtime,
    store: SqliteStore,
    handle: RunHandle,
}

impl Alive {
    /// Waits until the condition holds.
    pub(crate) fn until(&self, wanted: impl FnMut(&RunSnapshot) -> bool) {
        self.runtime.block_on(self.handle.until(wanted));
    }

    /// Closes the database, which writes its log back into the file.
    fn close(self) {
        self.runtime.block_on(self.store.close()).unwrap();
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join(".local/state/zeph")).unwrap();
        Self { folder }
    }

    pub(crate) fn db(&self) -> PathBuf {
        self.folder.path().join(".local/state/zeph/runs.db")
    }

    /// A file in the folder where the commands run.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A line of a shell, as a person pastes it, in which `zeph` is this program.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        let zeph = std::path::Path::new(env!("CARGO_BIN_EXE_zeph"));
        let others = std::env::var("PATH").unwrap();
        let path = format!("{}:{others}", zeph.parent().unwrap().display());
        let mut shell = Command::new("sh");
        shell.args(["-c", line]).env_clear().env("PATH", path);
        self.ended(self.here(&mut shell))
    }

    /// A `zeph` command on this database without the settings of the user who runs the tests.
    pub(crate) fn zeph(&self, args: &[&str]) -> Ended {
        self.ended(&mut self.command(args))
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_zeph"));
        self.here(command.args(args).env_clear());
        command
    }

    fn here<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        command
            .current_dir(self.folder.path())
            .env("HOME", self.folder.path())
            .env("TZ", "UTC")
            .stdin(Stdio::null())
    }

    fn ended(&self, command: &mut Command) -> Ended {
        let output = command.output().unwrap();
        Ended {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
            bytes: output.stdout,
        }
    }

    /// The same with `--json`, with the expected exit code.
    pub(crate) fn json(&self, code: i32, args: &[&str]) -> Value {
        let ended = self.zeph(&[args, &["--json"]].concat());
        assert_eq!(ended.code, code, "{args:?}: {ended:?}");
        ended.json()
    }

    /// Starts a run of that name here.
    pub(crate) fn start(&self, run: &str, goal: &str, graph: TaskGraph) -> Alive {
        let runtime = Runtime::new().unwrap();
        let (store, handle) = runtime.block_on(async {
            let store = SqliteStore::open(self.db()).await.unwrap();
            let engine = engine(store.clone(), Owners::beside(&self.db())).await;
            let submission = Submission::new(graph)
                .title(goal)
                .name(run.parse().unwrap());
            (store, engine.submit(submission).await.unwrap())
        });
        Alive {
            runtime,
            store,
            handle,
        }
    }

    /// Runs a graph to its end, or until only questions are left.
    pub(crate) fn run(&self, run: &str, goal: &str, graph: TaskGraph) {
        let alive = self.start(run, goal, graph);
        alive.until(|snapshot| {
            let counts = snapshot.counts;
            counts.in_flight() + counts.ready + counts.backing_off == 0
        });
        alive.close();
    }

    /// Continues a run to its end, or until only questions are left.
    pub(crate) fn resume(&self, run: &str) {
        let runtime = Runtime::new().unwrap();
        runtime.block_on(async {
            let store = SqliteStore::open(self.db()).await.unwrap();
            let engine = engine(store, Owners::beside(&self.db())).await;
            let handle = engine.resume(&run.parse::<RunId>().unwrap()).await.unwrap();
            handle.wait().await.unwrap();
        });
    }
}

/// An engine with one action, whose parameters say what an attempt does.
async fn engine(store: SqliteStore, owners: Owners) -> Engine {
    let mut registry = Registry::new();
    let body = closure::from_fn(|cx, input| async move {
        let text = |name: &str| input.params[name].as_str().map(str::to_owned);
        for stream in [LogStream::Stdout, LogStream::Stderr] {
            if let Some(text) = text(stream.name()) {
                cx.log(stream, text);
            }
        }
        if input.params["bytes"].is_array() {
            let bytes: Vec<u8> = serde_json::from_value(input.params["bytes"].clone()).unwrap();
            cx.log(LogStream::Stdout, bytes);
        }
        if input.params["hang"] == true {
            cx.cancelled().await;
            return Err(TaskError::cancelled("stopped on request"));
        }
        match text("fail") {
            Some(message) => Err(TaskError::permanent(message)
                .with_code("broken")
                .with_source("a deeper cause")),
            None => Ok(TaskOutput::from(input.params["value"].clone())),
        }
    });
    registry.register("do", body).unwrap();
    let engine = Engine::builder(Arc::new(store))
        .registry(registry)
        .owners(owners);
    engine.start().await.unwrap()
}

/// A task whose parameters say what its attempts do.
pub(crate) fn doing(name: &str, params: &Value) -> Task {
    let text = params.to_string();
    Task::new(name.to_owned()).action_with("do", Params::from_json_text(text))
}

/// A graph of one task that completes with that value, and logs it on a line of its own.
pub(crate) fn simple(value: &str) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let params = json!({ "value": value, "stdout": format!("it is {value}\n") });
    graph.add_task(doing("only", &params), []);
    graph
}

/// A graph whose second task waits for approval.
pub(crate) fn asking() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let build = graph.add_task(doing("build", &json!({ "value": "built" })), []);
    graph.add_task(
        doing("publish", &json!({ "value": "done" })).approve("Publish this?"),
        [build],
    );
    graph
}
