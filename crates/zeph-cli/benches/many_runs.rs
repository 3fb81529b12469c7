//! A database of 10,000 runs: how long `list`, `status` and completion take, and the space that `prune` gives
//! back. Each figure of a command is the shortest of several calls of the program.

#![allow(clippy::print_stdout)] // Its figures are its result.

use std::error::Error;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use zeph_graph::{ContentId, RunId, Timestamp};
use zeph_memory::{
    Chain, Commit, Content, ContentKind, NewRun, RawGraphStore as _, Row, RunStatus, RunSummary,
};
use zeph_memory_sqlite::SqliteStore;

const RUNS: u64 = 10_000;
/// The runs that are written in one commit.
const AT_ONCE: u64 = 100;
const ROUNDS: usize = 5;
/// The result of each run.
const OUTPUT_BYTES: usize = 3_000;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    let (folder, plan) = (folder.path(), "[tasks.a]\nrun = ['true']\n");
    std::fs::write(folder.join("plan.toml"), plan)?;
    fill(&folder.join("runs.db")).await?;
    zeph(folder, &["run", "plan.toml", "--name", "last"])?;
    println!("a database of {RUNS} runs\n");
    for args in [
        &["list"][..],
        &["list", "--json", "-n", "100"],
        &["list", "--label", "team=core"],
        &["status", "last"],
        &["show", "last"],
        &["--", "zeph", "show", "run-1"],
    ] {
        let took = shortest(|| zeph(folder, args))?;
        println!("{:<28} {took:>8.0?}", args.join(" "));
    }
    let bytes = || std::fs::metadata(folder.join("runs.db")).map(|file| file.len());
    let (before, began) = (bytes()?, Instant::now());
    zeph(folder, &["prune", "--keep", "100"])?;
    let took = began.elapsed();
    let after = bytes()?;
    println!("\nprune --keep 100: {took:.1?}, {before} bytes before, {after} after");
    Ok(())
}

/// Writes ended runs, each with one result.
async fn fill(path: &Path) -> Result<(), Box<dyn Error>> {
    let store = SqliteStore::open(path).await?;
    let fence = store.claim("bench", Timestamp::ZERO).await?;
    let summary = RunSummary {
        total: 1,
        completed: 1,
        ..RunSummary::default()
    };
    let labels = [("team".to_owned(), "web".to_owned())].into();
    let status = RunStatus::ended("completed");
    let status = status.with_summary(&summary).with_labels(&labels);
    let id = ContentId::new(1).ok_or("a content")?;
    for first in (0..RUNS).step_by(AT_ONCE as usize) {
        let mut commit = Commit::default();
        for number in first..first + AT_ONCE {
            let run: RunId = format!("run-{number}").parse()?;
            let at = Timestamp::from_micros(1_000_000 * (number + 1));
            let new = NewRun::new(run, "A goal", at, "{}");
            let output = vec![b'x'; OUTPUT_BYTES];
            let row = Row::new(at, "{}").with(Content::new(id, ContentKind::OUTPUT, output));
            let append = Chain::genesis(&new).seal(vec![row], status.clone());
            commit.appends.push(append.creating(new));
        }
        store.commit(&commit, fence).await?;
    }
    Ok(store.close().await?)
}

fn zeph(folder: &Path, args: &[&str]) -> Result<Output, Box<dyn Error>> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_zeph"));
    let is_completion = args[0] == "--";
    command.args(args).current_dir(folder).stdin(Stdio::null());
    command
        .env("HOME", folder)
        .env("ZEPH_DB", folder.join("runs.db"));
    if is_completion {
        command
            .env("ZEPH_COMPLETE", "bash")
            .env("_CLAP_COMPLETE_INDEX", "2");
    }
    let output = command.output()?;
    if output.status.success() {
        return Ok(output);
    }
    Err(String::from_utf8_lossy(&output.stderr).into())
}

fn shortest(call: impl Fn() -> Result<Output, Box<dyn Error>>) -> Result<Duration, Box<dyn Error>> {
    let mut best = Duration::MAX;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        call()?;
        best = best.min(began.elapsed());
    }
    Ok(best)
}
