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
use crate::context::{AppContext, command};
use crate::exit::{CliError, Exit};
use crate::out::{self, Channel, Tone};
use crate::plan::{self, Params};
use crate::run::{self, FollowOptions};

const PLAN: &str = include_str!("demo.toml");
/// The number of completed tasks after which the crash demo kills itself, while other tasks are running.
const CRASH_AFTER: u32 = 2;

pub(crate) async fn run(cx: &AppContext, args: &DemoArgs) -> Result<Exit, CliError> {
    if args.crash {
        return crash(cx);
    }
    let name = args.crash_half_way.clone().unwrap_or_else(random_name);
    let is_crash = args.crash_half_way.is_some();
    let name = run::name(Some(&name))?;
    let options = FollowOptions {
        on_completed: is_crash.then_some(crash_after as fn(u32)),
        ..FollowOptions::new(cx)
    };
    // The commands use no files, so any existing folder will do.
    let source = PlanSource {
        folder: Some(env::temp_dir()),
        ..PlanSource::text(PLAN, "demo.toml")
    };
    let loaded = plan::from_source(cx, &source, &Params::default())?;
    if !cx.json() && !is_crash {
        out::line(
            "Small tasks: one that runs for each item of a list, where an item fails once and is",
        );
        out::line(
            "retried; one question that answers itself after 2 s; and one failure that skips only",
        );
        out::line("what depends on it.");
        out::line("");
    }
    let naming = name.clone().map(run::Naming::from).unwrap_or_default();
    let exit = run::start(cx, loaded, naming, options, false, Vec::new()).await?;
    // One of the demo's tasks fails on purpose.
    let Exit::Degraded = exit else {
        return Ok(exit);
    };
    if let Some(name) = name.filter(|_| !cx.json()) {
        hints(cx, &name)?;
    }
    Ok(Exit::Completed)
}

fn hints(cx: &AppContext, name: &RunId) -> Result<(), CliError> {
    out::line("");
    let stored = cx.shown_db()?;
    out::line(format!("It is stored in {stored}. Look at it:"));
    let name = name.as_str();
    let commands: [(&[&str], _); 6] = [
        (&["show", name], "every task with its times and attempts"),
        (
            &["logs", name, "download[2]"],
            "what the retried item printed",
        ),
        (&["graph", name], "the graph with its states"),
        (&["why", name, "fix-spelling"], "why a task did not run"),
        (
            &["retry", name, "--dry-run"],
            "what a retry keeps, and what it runs again",
        ),
        (&["demo", "--crash"], "the same, killed half-way"),
    ];
    let commands = commands.map(|(words, effect)| (command(words), effect));
    Channel::default().commands(&commands);
    Ok(())
}

/// Runs the demo in a child process that kills itself.
fn crash(cx: &AppContext) -> Result<Exit, CliError> {
    let failed = |error: std::io::Error| {
        let text = format!("the demo's own process cannot be started: {error}");
        CliError::new(Exit::Internal, text)
    };
    let name = random_name();
    let mut child = Command::new(env::current_exe().map_err(failed)?);
    child.args(["demo", "--crash-half-way", &name]);
    // The child reads the same variables and settings.
    if let Some(path) = &cx.global.db {
        child.arg("--db").arg(path);
    }
    if cx.json() {
        child.arg("--json");
    }
    let status = child.status().map_err(failed)?;
    if status.signal() != Some(Signal::SIGKILL as i32) {
        let text = format!("the demo was to be killed half-way, but ended otherwise: {status}");
        return Err(CliError::new(Exit::Internal, text));
    }
    let resume = command(&["resume", &name]);
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
fn crash_after(completed: u32) {
    if completed >= CRASH_AFTER {
        // The signal cannot be caught.
        let _ = kill(Pid::this(), Signal::SIGKILL);
    }
}

fn random_name() -> String {
    let random = RandomState::new().build_hasher().finish();
    format!("demo-{:04x}", random & 0xffff)
}
