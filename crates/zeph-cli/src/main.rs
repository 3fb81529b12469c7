//! The terminal tool `zeph`: runs plans and goals, shows runs, and resumes them after a crash.

mod args;
mod exit;
mod explain;
mod out;

mod context;

mod llm;

mod agents;
mod amend;
mod complete;
mod database;
mod demo;
mod doctor;
mod goal;
mod graph;
mod man;
mod mcp;
mod orphans;
mod place;
mod plan;
mod problems;
mod project;
mod read;
mod replay;
mod resume;
mod retry;
mod run;
mod settings;
mod starter;
mod store;
mod store_port;
mod trust;
mod validate;
mod work;

use std::process::ExitCode;

use clap::Parser as _;
use tokio::runtime::Runtime;

use crate::args::{Cli, Command};
use crate::context::AppContext;
use crate::exit::{CliError, Exit};

fn main() -> ExitCode {
    if complete::answer() {
        return ExitCode::SUCCESS;
    }
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            let is_mistake = error.use_stderr();
            if is_mistake && std::env::args_os().any(|arg| arg == "--json") {
                CliError::usage(&error.to_string()).print(true, false);
            } else {
                // If stderr is closed, the error cannot be reported.
                let _ = error.print();
            }
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    out::trace(cli.global.verbose);
    let (json, verbose) = (cli.global.json, cli.global.verbose > 0);
    let ended = runtime().and_then(|runtime| runtime.block_on(Box::pin(dispatch(cli))));
    let exit = ended.unwrap_or_else(|error| {
        error.print(json, verbose);
        error.exit
    });
    match out::failure() {
        Some(error) if exit == Exit::Completed => {
            CliError::new(Exit::Internal, format!("cannot write to stdout: {error}"))
                .print(false, verbose);
            Exit::Internal.into()
        }
        Some(_) | None => exit.into(),
    }
}

/// The threads of the store and of blocking calls, beside the workers of the runtime.
const OTHER_THREADS: usize = 8;

/// The asynchronous runtime. Tokio panics when it cannot start a thread, so the threads are tried before.
fn runtime() -> Result<Runtime, CliError> {
    let failed = |error: std::io::Error| {
        let message = format!("the system allows too few threads: {error}");
        CliError::new(Exit::Internal, message)
            .code("no_threads")
            .help("raise the limit of processes (`ulimit -u`), or end other programs")
    };
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    let (open, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Arc::new(std::sync::Mutex::new(gate));
    let tried: Result<Vec<_>, _> = (0..workers + OTHER_THREADS)
        .map(|_| {
            let gate = std::sync::Arc::clone(&gate);
            // Each waits until all are started.
            std::thread::Builder::new().spawn(move || drop(gate.lock().map(|gate| gate.recv())))
        })
        .collect();
    drop(open);
    for thread in tried.map_err(failed)? {
        let _ = thread.join();
    }
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.enable_all().build().map_err(failed)
}

async fn dispatch(cli: Cli) -> Result<Exit, CliError> {
    let Cli { global, command } = cli;
    run::survive_file_size_limit()?;
    // These commands read no configuration, or not as others do.
    if let Command::Completions(args) = &command {
        return complete::script(args);
    }
    if let Command::Man(args) = &command {
        return man::run(args);
    }
    if let Command::New(args) = &command {
        return starter::new(args, global.json);
    }
    if let Command::Schema = &command {
        return Ok(starter::schema(global.json));
    }
    if let Command::Explain(args) = &command {
        return explain::run(args, global.json);
    }
    if let Command::Trust(args) = &command {
        return trust::run(args, global.json).await;
    }
    let cx = AppContext::new(global, command.overrides(), only_reads(&command))?;
    let mut ended = match command {
        Command::Do(args) => goal::run(&cx, &args).await,
        Command::Plan(args) => goal::plan::run(&cx, &args).await,
        Command::Run(args) => run::run(&cx, &args).await,
        Command::Resume(args) => resume::run(&cx, &args).await,
        Command::Retry(args) => retry::run(&cx, &args).await,
        Command::Fork(args) => retry::fork(&cx, &args).await,
        Command::Diff(args) => read::diff::run(&cx, &args).await,
        Command::Validate(args) => validate::run(&cx, &args).await,
        Command::Graph(args) => graph::run(&cx, &args).await,
        Command::Demo(args) => demo::run(&cx, &args).await,
        Command::List(args) => read::list::run(&cx, &args).await,
        Command::Status(args) => read::status::run(&cx, &args).await,
        Command::Show(args) => read::show::run(&cx, &args).await,
        Command::Logs(args) => read::logs::run(&cx, &args).await,
        Command::Artifact(args) => read::artifact::run(&cx, &args).await,
        Command::Answer(args) => read::request::answer(&cx, &args).await,
        Command::Complete(args) => read::by_hand::complete(&cx, &args).await,
        Command::Amend(args) => amend::run(&cx, &args).await,
        Command::Skip(args) => read::by_hand::skip(&cx, &args).await,
        Command::Cancel(args) => read::request::cancel(&cx, &args).await,
        Command::Junit(args) => run::junit::run(&cx, &args).await,
        Command::Why(args) => read::why::run(&cx, &args).await,
        Command::Verify(args) => read::verify::run(&cx, &args).await,
        Command::Budget(args) => read::budget::run(&cx, &args).await,
        Command::Replay(args) => replay::run(&cx, &args).await,
        Command::Agents(args) => agents::run(&cx, &args),
        Command::Mcp(args) => mcp::run(&cx, &args).await,
        Command::Pause(args) => read::request::pause(&cx, &args).await,
        Command::Unpause(args) => read::request::unpause(&cx, &args).await,
        Command::Watch(args) => run::watch::run(&cx, &args).await,
        Command::Suspend(args) => read::request::suspend(&cx, &args).await,
        Command::Delete(args) => database::delete::run(&cx, &args).await,
        Command::Prune(args) => database::prune::run(&cx, &args).await,
        Command::Backup(args) => database::backup::run(&cx, &args).await,
        Command::Export(args) => database::transfer::export(&cx, &args).await,
        Command::Import(args) => database::transfer::import(&cx, &args).await,
        Command::Config(args) => Ok(settings::run(&cx, &args)),
        Command::Doctor => doctor::run(&cx).await,
        Command::New(_)
        | Command::Schema
        | Command::Completions(_)
        | Command::Explain(_)
        | Command::Man(_)
        | Command::Trust(_) => Ok(Exit::Completed),
    };
    if let Err(error) = &mut ended
        && error.code == "io"
        && error.help.is_none()
        && let Ok(path) = cx.shown_db()
    {
        let path = zeph_common::escape_terminal(&path);
        let help = format!("the database is {path}; --db FILE names another one");
        error.help = Some(help.into());
    }
    // A third signal ends the process at once.
    if !matches!(&ended, Err(error) if error.code == "killed") {
        cx.close_store().await;
    }
    ended
}

/// Whether the command only reads stored runs. Such commands work with mistakes in the settings.
const fn only_reads(command: &Command) -> bool {
    matches!(
        command,
        Command::List(_)
            | Command::Status(_)
            | Command::Show(_)
            | Command::Logs(_)
            | Command::Artifact(_)
            | Command::Watch(_)
            | Command::Junit(_)
            | Command::Diff(_)
            | Command::Why(_)
            | Command::Verify(_)
            | Command::Backup(_)
            | Command::Config(_)
            | Command::Doctor
            | Command::Export(_)
    )
}
