//! Support: an attempt under observation, and pipes that report the end of their writers.

use std::io::Read;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use zeph_command::CommandExecutor;
use zeph_executor::double::JournalDouble;
use zeph_executor::{
    Attempt, Executor, LogStream, Logs, Progress, Stop, TaskContext, TaskError, TaskId, TaskInput,
    TaskOutput,
};

/// How long a test waits for an expected event before it fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) type Outcome = Result<TaskOutput, TaskError>;

/// An attempt that a test can watch and stop.
pub(crate) struct Watched {
    pub(crate) stop: Stop,
    pub(crate) logs: Logs,
    pub(crate) journal: Arc<JournalDouble>,
    seen: Arc<Seen>,
    grace: Duration,
}

struct Seen(watch::Sender<String>);

impl Progress for Seen {
    fn log(&self, stream: LogStream, bytes: &[u8]) {
        if stream == LogStream::Stdout {
            self.0
                .send_modify(|text| text.push_str(&String::from_utf8_lossy(bytes)));
        }
    }
}

impl Watched {
    pub(crate) fn new(grace: Duration) -> Self {
        let seen = Arc::new(Seen(watch::Sender::new(String::new())));
        Self {
            stop: Stop::new(),
            logs: Logs::default(),
            journal: Arc::default(),
            seen,
            grace,
        }
    }

    pub(crate) fn context(&self) -> TaskContext {
        TaskContext::builder(
            "run1".parse().unwrap(),
            TaskId::from_index(0),
            "the task",
            Attempt::FIRST,
        )
        .stop(&self.stop)
        .logs(&self.logs)
        .grace(self.grace)
        .journal(Arc::<JournalDouble>::clone(&self.journal))
        .progress(Arc::clone(&self.seen) as Arc<dyn Progress>)
        .build()
    }

    /// Starts a shell script as a task of the runtime.
    pub(crate) fn start(&self, script: &str) -> JoinHandle<Outcome> {
        let (cx, input) = (self.context(), shell(script));
        tokio::spawn(async move { CommandExecutor::builder().build().execute(&cx, input).await })
    }

    /// Waits until the command has printed this.
    pub(crate) async fn printed(&self, wanted: &str) {
        let mut text = self.seen.0.subscribe();
        let arrival = text.wait_for(|text| text.contains(wanted));
        timeout(PATIENCE, arrival)
            .await
            .expect("the command prints it")
            .unwrap();
    }

    /// The log of one stream.
    pub(crate) fn log(&self, stream: LogStream) -> String {
        let taken = self
            .logs
            .take()
            .into_iter()
            .find(|(kind, _)| *kind == stream);
        taken
            .map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned())
            .unwrap_or_default()
    }
}

pub(crate) fn shell(script: &str) -> TaskInput {
    TaskInput::new(serde_json::json!({ "shell": script }))
}

/// Runs one input with an executor of the defaults.
pub(crate) async fn run(input: serde_json::Value) -> Outcome {
    run_with(&CommandExecutor::builder().build(), input).await
}

pub(crate) async fn run_with(executor: &CommandExecutor, input: serde_json::Value) -> Outcome {
    execute(executor, TaskInput::new(input)).await
}

pub(crate) async fn run_input(input: TaskInput) -> Outcome {
    execute(&CommandExecutor::builder().build(), input).await
}

async fn execute(executor: &CommandExecutor, input: TaskInput) -> Outcome {
    let cx = Watched::new(Duration::from_secs(5)).context();
    timeout(PATIENCE, executor.execute(&cx, input))
        .await
        .expect("the command ends")
}

/// Waits for the end of a started command.
pub(crate) async fn end(work: JoinHandle<Outcome>) -> Outcome {
    timeout(PATIENCE, work)
        .await
        .expect("the command ends")
        .unwrap()
}

/// A named pipe in a folder of its own.
pub(crate) struct Fifo {
    folder: tempfile::TempDir,
    pub(crate) path: PathBuf,
}

impl Fifo {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fifo");
        let mut command = std::process::Command::new("mkfifo");
        let made = command
            .arg(&path)
            .arg(folder.path().join("silent"))
            .status();
        assert!(made.unwrap().success());
        Self { folder, path }
    }

    /// A command that waits for ever, even after the readers of its output have closed it.
    pub(crate) fn hang(&self) -> String {
        // Open for writing too, the pipe never ends.
        format!("cat <> '{}'", self.folder.path().join("silent").display())
    }

    /// Reads until every process that has the pipe open for writing has ended.
    pub(crate) fn until_writers_are_gone(&self) -> oneshot::Receiver<String> {
        let path = self.path.clone();
        let (done, gone) = oneshot::channel();
        // In its own thread, so that a blocked reader does not block the runtime.
        std::thread::spawn(move || {
            let mut text = String::new();
            std::fs::File::open(path)
                .unwrap()
                .read_to_string(&mut text)
                .unwrap();
            done.send(text).ok();
        });
        gone
    }
}

/// Waits for the reader of [`Fifo::until_writers_are_gone`].
pub(crate) async fn gone(reader: oneshot::Receiver<String>) -> String {
    timeout(PATIENCE, reader)
        .await
        .expect("all writers are gone")
        .unwrap()
}
