//! Commands of this tool in processes of their own, with JSON output.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::ChildStdout;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;
use zeph_executor::TaskError;
use zeph_orchestration::command::{CommandExecutor, CommandParams, ServiceProcess};

use crate::context::AppContext;
use crate::exit::{CliError, Exit};

/// The most bytes of the output of a command.
const MAX_OUTPUT: u64 = 4 << 20;
/// The longest line of a run's events.
const MAX_LINE: u64 = 4 << 20;
/// How long a run at work may take to be suspended, beside its own grace.
const SUSPEND_WITHIN: Duration = Duration::from_secs(10);

/// Starts commands of this tool, on the database of this command.
#[derive(Debug)]
pub(super) struct Commands {
    executor: CommandExecutor,
    /// This program, and its flags.
    program: Vec<String>,
    grace: Duration,
    at_work: Mutex<JoinSet<()>>,
    /// Becomes true when all runs are to be suspended.
    stop: watch::Sender<bool>,
}

/// What a run at work has printed.
#[derive(Clone, Debug, Default)]
struct Progress {
    /// The name of the run.
    run: Option<String>,
    last: String,
    /// Whether the last line was longer than that.
    is_cut: bool,
    has_ended: bool,
}

impl Commands {
    pub(super) fn new(cx: &AppContext) -> Result<Self, CliError> {
        let internal = |text: String| CliError::new(Exit::Internal, text);
        let program = std::env::current_exe()
            .map_err(|error| internal(format!("the path of this program is not known: {error}")))?;
        let program = program.to_str().map(str::to_owned);
        let program = program.ok_or_else(|| internal("its path is not UTF-8".to_owned()))?;
        let mut program = vec![program, "--json".to_owned()];
        if let Some(db) = &cx.global.db {
            let db = db.to_str().map(|path| format!("--db={path}"));
            program.extend(db);
        }
        Ok(Self {
            executor: CommandExecutor::builder().build(),
            program,
            grace: cx.config().suspend_grace,
            at_work: Mutex::default(),
            stop: watch::Sender::new(false),
        })
    }

    fn params(&self, words: Vec<String>) -> CommandParams {
        CommandParams::program([self.program.clone(), words].concat())
    }

    /// Runs a command to its end, and returns its JSON. Dropping the future kills it.
    pub(super) async fn once(&self, words: Vec<String>) -> Result<String, TaskError> {
        let (mut process, stdin, stdout) = self.executor.start_service(&self.params(words))?;
        drop(stdin);
        let mut text = String::new();
        stdout
            .take(MAX_OUTPUT + 1)
            .read_to_string(&mut text)
            .await?;
        process.wait().await?;
        if text.len() as u64 > MAX_OUTPUT {
            return Err(too_large());
        }
        result(text.trim().to_owned(), &process)
    }

    /// Starts a command that works on a run, and waits for its end, but no longer than that. The run goes on
    /// when this future is dropped.
    pub(super) async fn work(
        &self,
        words: Vec<String>,
        input: Option<String>,
        wait: Duration,
    ) -> Result<String, TaskError> {
        let (process, mut stdin, stdout) = self.executor.start_service(&self.params(words))?;
        let process = Arc::new(tokio::sync::Mutex::new(process));
        let (progress, mut seen) = watch::channel(Progress::default());
        let follow = follow(
            Arc::clone(&process),
            stdout,
            progress,
            self.stop.subscribe(),
            self.grace + SUSPEND_WITHIN,
        );
        {
            let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
            while at_work.try_join_next().is_some() {}
            at_work.spawn(follow);
        }
        if let Some(input) = input {
            stdin.write_all(input.as_bytes()).await.ok();
        }
        drop(stdin);
        let ended = seen.wait_for(|progress| progress.has_ended);
        let is_over = timeout(wait, ended).await.is_ok();
        let now = seen.borrow().clone();
        if is_over {
            let process = process.lock().await;
            if now.is_cut {
                return Err(too_large());
            }
            return result(now.last, &process);
        }
        Ok(json!({ "run": now.run, "state": "running" }).to_string())
    }

    /// Suspends all runs at work, and waits until they are.
    pub(super) async fn suspend(&self) {
        self.stop.send_replace(true);
        let mut at_work = {
            let mut at_work = self.at_work.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *at_work)
        };
        while at_work.join_next().await.is_some() {}
    }
}

/// Reads the events of a run to its end. When all runs are to stop, the run is asked to suspend itself.
async fn follow(
    process: Arc<tokio::sync::Mutex<ServiceProcess>>,
    stdout: ChildStdout,
    progress: watch::Sender<Progress>,
    mut stop: watch::Receiver<bool>,
    grace: Duration,
) {
    let mut process = process.lock().await;
    let mut lines = BufReader::new(stdout);
    let reading = async {
        let mut line = Vec::new();
        let mut is_cut = false;
        while let Ok(1..) = (&mut lines)
            .take(MAX_LINE)
            .read_until(b'\n', &mut line)
            .await
        {
            let text = String::from_utf8_lossy(&line).trim().to_owned();
            // The rest of a line that was cut is no line.
            let is_rest = std::mem::replace(&mut is_cut, !line.ends_with(b"\n"));
            line.clear();
            progress.send_modify(|progress| {
                if progress.run.is_none() {
                    let event: Value = serde_json::from_str(&text).unwrap_or_default();
                    progress.run = event["run"].as_str().map(str::to_owned);
                }
                if is_rest {
                    progress.is_cut = true;
                } else if !text.is_empty() {
                    progress.is_cut = false;
                    progress.last = text;
                }
            });
        }
    };
    let mut reading = std::pin::pin!(reading);
    tokio::select! {
        () = &mut reading => {}
        () = stopped(&mut stop) => {
            process.terminate();
            timeout(grace, &mut reading).await.ok();
        }
    }
    timeout(SUSPEND_WITHIN, process.wait()).await.ok();
    progress.send_modify(|progress| progress.has_ended = true);
}

/// Resolves when all runs are to stop.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    stop.wait_for(|stop| *stop).await.ok();
}

/// The error of an output that is not passed on, because a part of it is no JSON.
fn too_large() -> TaskError {
    let text =
        "the output is larger than 4 MiB; ask for a part of it, such as one task with `show`";
    TaskError::permanent(text).with_code("output_too_large")
}

/// The JSON of a command that has ended; an error if it is one.
fn result(text: String, process: &ServiceProcess) -> Result<String, TaskError> {
    if text.is_empty() {
        let said = process.stderr_tail();
        let error = TaskError::permanent(format!("the command printed nothing: {said}"));
        return Err(error.with_code("no_output"));
    }
    let value: Value = serde_json::from_str(&text).unwrap_or_default();
    match value.get("error") {
        // An event of a failed task has a text there.
        Some(error) if error.is_object() => {
            Err(TaskError::permanent(text).with_code("command_failed"))
        }
        _ => Ok(text),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::time::Duration;

    use tokio::sync::watch;
    use zeph_orchestration::command::CommandExecutor;

    use super::{Commands, MAX_OUTPUT};

    /// Commands of a script in place of this program.
    fn of_script(script: &str) -> Commands {
        Commands {
            executor: CommandExecutor::builder().build(),
            program: ["sh", "-c", script].map(str::to_owned).to_vec(),
            grace: Duration::ZERO,
            at_work: Mutex::default(),
            stop: watch::Sender::new(false),
        }
    }

    /// Prints a JSON text of so many bytes.
    fn prints(bytes: u64) -> String {
        let inner = bytes - 2;
        format!("printf '\"'; head -c {inner} /dev/zero | tr '\\0' x; printf '\"'")
    }

    #[tokio::test]
    async fn an_output_that_is_too_large_is_an_error_and_no_cut_text() {
        let whole = of_script(&prints(MAX_OUTPUT)).once(Vec::new()).await;
        assert_eq!(whole.unwrap().len() as u64, MAX_OUTPUT);
        let error = of_script(&prints(MAX_OUTPUT + 1)).once(Vec::new()).await;
        assert_eq!(error.unwrap_err().code(), "output_too_large");
    }

    #[tokio::test]
    async fn a_line_of_a_run_that_is_too_large_counts_only_if_it_is_the_last() {
        let wait = Duration::from_secs(60);
        let long = prints(MAX_OUTPUT + 10);
        let first = "printf '{\"run\": \"r\"}\\n'";
        let last = "printf '\\n{\"state\": \"completed\"}\\n'";
        let work =
            |script: String| async move { of_script(&script).work(Vec::new(), None, wait).await };
        let ended = work(format!("{first}; {long}; {last}")).await;
        assert_eq!(ended.unwrap(), "{\"state\": \"completed\"}");
        let error = work(format!("{first}; {long}")).await.unwrap_err();
        assert_eq!(error.code(), "output_too_large");
    }
}
