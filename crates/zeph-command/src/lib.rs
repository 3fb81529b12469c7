//! The command executor: runs programs in sessions of their own, with bounded output.
//!
//! [`CommandExecutor`] runs the program of a task's [`CommandParams`] in its own session and process
//! group. A command has no terminal: a program that opens one to ask for a password fails at once.
//!
//! **Environment.** The environment of this process, without the variables of
//! [`deny_env`](CommandExecutorBuilder::deny_env), with `ZEPH_RUN`, `ZEPH_TASK`, `ZEPH_ATTEMPT` and
//! `ZEPH_IDEMPOTENCY_KEY`, and with the variables of the parameters. Standard input is empty unless the
//! parameters have text for it.
//!
//! **Output.** The value is `{"stdout": text, "stderr": text, "exit": 0}`, with `"json"` when the
//! parameters ask for JSON. One line break at the end of stdout is not part of the value. Stdout that
//! is not UTF-8 is there with replacement characters and `"stdout_utf8": false`, and its bytes are the
//! blob `stdout`. Stdout that exceeds the limit of a value is there with its head and tail,
//! `"stdout_truncated": true` and its size as `"stdout_bytes"`; up to 8 MiB, all of it is the blob
//! `stdout`. `"json_inexact": true` says that a whole number in `"json"` has more than 64 bits and lost
//! digits. Stderr in the value keeps its head and tail within 64 KiB.
//!
//! **Stopping.** A cancelled attempt sends SIGTERM to the whole group and after the grace SIGKILL; a
//! killed one sends SIGKILL at once. Dropping the attempt's future kills the group. When the command
//! itself has ended, other processes of the group have one second to finish their output (within the
//! grace period when the attempt was cancelled); then the rest of the group is killed. A process that
//! must outlive its task leaves the group with `setsid`, and redirects its output. A command that did
//! not exit by itself after the request, but was ended by a signal, is `Interrupted`.
//!
//! If this process is killed with SIGKILL, its commands continue to run: a parent-death signal would
//! need unsafe code in the child, and fires when a thread of the parent ends. The attempt then counts
//! as interrupted, and the task's effect class decides. A note of an attempt that runs for more than
//! 100 ms keeps its [`ProcessGroup`], which tells whether it is still alive.
//!
//! **Exhaustion.** No more commands run at the same time than the limit of descriptors allows. A command
//! that the system has no process, descriptor or memory for waits until it has.
//!
//! **Errors.** `invalid_params`, `command_not_found`, `not_executable`, `cwd_missing`,
//! `arguments_too_long`, `bad_json`, `output_too_large` (with `"output": "json"` only) are permanent;
//! `exit_code` (a code that is not in `ok_codes`, or a signal) and `spawn_failed` are retryable. A signal
//! that comes from outside, such as SIGKILL, makes the error `Interrupted`.
//!
//! # Examples
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use zeph_command::CommandExecutor;
//! use zeph_executor::{Attempt, Executor, TaskContext, TaskId, TaskInput};
//!
//! let command = CommandExecutor::builder().deny_env(["API_KEY"]).build();
//! let cx = TaskContext::builder("r1".parse()?, TaskId::from_index(0), "count", Attempt::FIRST).build();
//! let input = TaskInput::new(serde_json::json!({ "argv": ["wc", "-c"], "stdin": "four" }));
//! let output = command.execute(&cx, input).await.map_err(|error| error.to_string())?;
//! assert_eq!(output.value["stdout"].as_str().map(str::trim), Some("4"));
//! # Ok(())
//! # }
//! ```

mod attempt;
mod capture;
mod executor;
mod group;
mod json_output;
mod outcome;
mod params;
mod spawn;

pub use executor::{CommandExecutor, CommandExecutorBuilder, DEFAULT_MAX_OUTPUT};
pub use group::ProcessGroup;
pub use params::{CommandParams, OutputFormat};
