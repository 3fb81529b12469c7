//! `zeph demo`: a small run, and the same with a crash in the middle.

use std::env;
use std::hash::{BuildHasher as _, Hasher as _, RandomState};
use std::os::unix::process::ExitStatusExt as _;
use std::process::Command;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use zeph_graph::RunId;
use zeph_orchestration::plan::PlanSource;

use crate::args::DemoArgs;
use crate::context::AppContext;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::plan;
use crate::run::{self, FollowOptions};

const PLAN: &str = include_str!("demo.toml");
/// The number of completed tasks after which the crash demo kills itself, while other tasks are running.
const DIES_AFTER: u32 = 2;

pub(crate) async fn run(cx: &AppContext, args: &DemoArgs) -> Result<Exit, CliError> {
    if args.crash {
        return crash(cx);
    }
    let name = match &args.die {
        Some(name) => name.clone(),
        None => random_name(),
    };
    let name: RunId = name
        .parse()
        .map_err(|error: zeph_graph::BadRunId| CliError::new(Exit::Usage, error.to_string()))?;
    let options = FollowOptions {
        is_kept: true,
        is_interactive: !cx.json() && out::is_interactive(),
        grace: cx.config().suspend_grace,
        on_completed: args.die.as_ref().map(|_| die_after as fn(u32)),
        ..FollowOptions::default()
    };
    // The commands use no files, so any existing folder will do.
    let source = PlanSource {
        folder: Some(env::temp_dir()),
        ..PlanSource::text(PLAN, "demo.toml")
    };
    let loaded = plan::from_source(cx, &source, &[])?;
    if !cx.json() && args.die.is_none() {
        out::line(
            "Nine small tasks: some in parallel, one that fails once and is retried, one question",
        );
        out::line(
            "that answers itself after 2 s, and one failure that skips only what depends on it.",
        );
        out::line("");
    }
    let exit = run::start(cx, loaded, Some(name.clone()), options, false).await?;
    if !cx.json() && exit == Exit::Degraded {
        hints(cx, &name)?;
    }
    // One of the demo's tasks fails on purpose.
    Ok(if exit == Exit::Degraded {
        Exit::Completed
    } else {
        exit
    })
}

fn hints(cx: &AppContext, name: &RunId) -> Result<(), CliError> {
    let db = cx.suffix();
    out::line("");
    out::line(format!(
        "It is stored in {}. Look at it:",
        cx.db()?.display()
    ));
    for (command, what) in [
        (
            format!("zeph show {name}{db}"),
            "every task with its times and attempts",
        ),
        (
            format!("zeph logs {name} download-c{db}"),
            "what the retried task printed",
        ),
        (
            format!("zeph graph {name}{db}"),
            "the graph with its states",
        ),
        (
            format!("zeph why {name} fix-spelling{db}"),
            "why a task did not run",
        ),
        (
            format!("zeph demo --crash{db}"),
            "the same, killed half-way",
        ),
    ] {
        out::line(format!(
            "  {} {what}",
            Tone::Question.paint(format!("{command:<34}"))
        ));
    }
    Ok(())
}

/// Runs the demo in a child process that kills itself.
fn crash(cx: &AppContext) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| {
        CliError::new(
            Exit::Internal,
            format!("the demo's own process cannot be started: {error}"),
        )
    };
    let name = random_name();
    let mut child = Command::new(env::current_exe().map_err(failed)?);
    child.arg("demo").arg("--die").arg(&name);
    // The child prints commands for the person, so it gets the database as this process got it.
    match &cx.global.db {
        Some(path) => child.arg("--db").arg(path),
        None => child.env("ZEPH_DB", cx.db()?),
    };
    if cx.json() {
        child.arg("--json");
    }
    let status = child.status().map_err(failed)?;
    if status.signal() != Some(Signal::SIGKILL as i32) {
        let text = format!("the demo was to be killed half-way, but ended otherwise: {status}");
        return Err(CliError::new(Exit::Internal, text));
    }
    let resume = format!("zeph resume {name}{}", cx.suffix());
    if cx.json() {
        out::json(&serde_json::json!({ "event": "killed", "run": name, "next": [resume] }));
        return Ok(Exit::Completed);
    }
    out::line("");
    out::line(format!(
        "{} The process that ran {name} was just killed with -9, in the middle of its work.",
        Tone::Bad.paint("Killed.")
    ));
    out::line("Tasks with `ok` are on disk and will not run again. Now type:");
    out::line(format!("  {}", Tone::Question.paint(resume)));
    Ok(Exit::Completed)
}

/// Kills this process with SIGKILL after that many completed tasks, as a power cut would end it.
fn die_after(completed: u32) {
    if completed == DIES_AFTER {
        // The signal cannot be caught.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

fn random_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("demo-{:04x}", random & 0xffff)
}
