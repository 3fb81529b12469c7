//! The command executor: runs programs in sessions of their own, with bounded output.
//!
//! [`CommandExecutor`] runs the program of a task's [`CommandParams`] in its own session and process
//! group. A command has no terminal: a program that opens one to ask for a password fails at once.
//!
//! **Environment.** A command gets the environment of this process, without the variables of
//! [`deny_env`](CommandExecutorBuilder::deny_env), with `ZEPH_RUN`, `ZEPH_TASK`, `ZEPH_ATTEMPT`,
//! `ZEPH_IDEMPOTENCY_KEY` and `ZEPH_OUTPUT`, and with the variables of the parameters. Standard input is empty unless the
//! parameters have text for it.
//!
//! **Output.** The value is `{"stdout": text, "stderr": text, "exit": 0}`, with the parsed
//! stdout as `"json"` if the parameters ask for it. One line break at the end of stdout is removed. If
//! stdout is not UTF-8, the value has replacement characters and `"stdout_utf8": false`, and the blob
//! `stdout` has the bytes. Of stdout that exceeds the limit of a value, the value has the head and the
//! tail, `"stdout_truncated": true` and the size as `"stdout_bytes"`; up to 8 MiB, the blob `stdout` has
//! all of it. `"json_inexact": true` means that a whole number in `"json"` has more than 64 bits and lost
//! digits. Of a stderr longer than 64 KiB, the value has the head and the tail.
//!
//! **Named outputs.** `ZEPH_OUTPUT` names a file of the attempt that does not exist yet. Its lines
//! `name=value`, or one JSON object, become the object `"outputs"` of the value when the command succeeds. It
//! may have up to a quarter of the limit of a value; then, or if it is neither, the error is `bad_outputs`.
//! Without a folder for temporary files the variable is not set.
//!
//! **Artifacts.** The files below the directory of the command that match the patterns of `artifacts` become
//! [artifacts](zeph_executor::Artifact) of the output when the command succeeds. The error is `artifact_missing`
//! for a pattern without a file, `artifact_too_large` before anything is read that exceeds a limit, and
//! `bad_artifact` for a link out of the directory, a name that is no name of an artifact, and a file that cannot
//! be read. An attempt holds its artifacts in memory until they are stored.
//!
//! **Cache.** With `{"cache": {"inputs": [patterns]}}` as the preparation, the result of an equal command counts:
//! the key is the BLAKE3 hash of the parameters, the directory, the standard input, and the names, contents and
//! executable bits of the files below the directory that match. It is computed before the task starts, and again
//! before and after the attempt: if a file changed while the command ran, its result gets no key. Inherited
//! variables are not a part of it. The error is `cache_input_missing` for a pattern without a file, and
//! `bad_cache_input` for a link out of the directory and a file that cannot be read.
//!
//! **Stopping.** When an attempt is canceled, the executor sends SIGTERM to the whole group, and
//! SIGKILL after the grace period; when it is killed, SIGKILL at once. Dropping the attempt's future
//! kills the group. When the command itself has ended, other processes of the group have one second to
//! finish their output (within the grace period when the attempt was canceled); then the executor
//! kills them. A process that must outlive its task leaves the group with `setsid`, and redirects its
//! output. A command that did not exit by itself after the request, but was ended by a signal, is
//! `Interrupted`.
//!
//! If this process is killed with SIGKILL, its commands continue to run: a parent-death signal would
//! need unsafe code in the child, and fires when a thread of the parent ends. The attempt then counts
//! as interrupted, and the task's effect class decides whether it is repeated. A note of an attempt
//! that runs for more than 100 ms keeps its [`ProcessGroup`], which says whether it is still alive.
//!
//! **Exhaustion.** At most as many commands run at the same time as the limit of descriptors allows. If the
//! system has no process, descriptor or memory for a command, the command waits until it has.
//!
//! **Errors.** `invalid_params`, `command_not_found`, `not_executable`, `cwd_missing`,
//! `arguments_too_long`, `bad_json`, `bad_outputs`, `artifact_missing`, `artifact_too_large`, `bad_artifact`, `bad_cache_input`, `cache_input_missing`, `bad_env_file`, `missing_variable`, `output_too_large` (with `"output": "json"` only) are permanent;
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

mod artifacts;
mod attempt;
mod cache;
mod capture;
mod environment;
mod executor;
mod find_files;
mod group;
mod json_output;
mod named_outputs;
mod outcome;
mod params;
mod service;
mod spawn;

pub use environment::is_basic_variable;
pub use executor::{CommandExecutor, CommandExecutorBuilder, DEFAULT_MAX_OUTPUT};
pub use group::ProcessGroup;
pub use params::{CommandParams, OutputFormat};
pub use service::{ProgramEnd, ServiceProcess};
