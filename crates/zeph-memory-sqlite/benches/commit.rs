//! The cost of a commit, against a floor in the same process: the same bytes appended to a file and
//! synced. Figures are medians; compare the ratio, since disks and other load differ.

#![allow(clippy::print_stdout)] // Its figures are its result.

use std::error::Error;
use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

use zeph_graph::{RunId, Timestamp};
use zeph_memory::{Chain, Commit, NewRun, RawGraphStore, Row, RunStatus};
use zeph_memory_sqlite::SqliteStore;

const BATCHES: [usize; 4] = [1, 10, 100, 1_000];
const ROUNDS: usize = 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    // Beside the build, so that both are on the disk and not in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR"))?;
    println!("a commit of so many rows, and the same bytes written and synced (medians)\n");
    println!(
        "{:>6} {:>12} {:>12} {:>7} {:>14}",
        "rows", "commit", "floor", "ratio", "commit per row"
    );
    for rows in BATCHES {
        let commit = commits(&folder.path().join(format!("{rows}.db")), rows).await?;
        let floor = appends(&folder.path().join(format!("{rows}.log")), rows)?;
        let ratio = commit.as_secs_f64() / floor.as_secs_f64();
        let each = commit / u32::try_from(rows)?;
        println!("{rows:>6} {commit:>12.0?} {floor:>12.0?} {ratio:>7.1} {each:>14.1?}");
    }
    Ok(())
}

fn payload(i: usize) -> String {
    format!(r#"{{"type":"started","task":{i},"attempt":1}}"#)
}

async fn commits(path: &Path, rows: usize) -> Result<Duration, Box<dyn Error>> {
    let store = SqliteStore::open(path).await?;
    let fence = store.claim("bench", Timestamp::ZERO).await?;
    let run: RunId = "bench".parse()?;
    let new = NewRun::new(run, "bench", Timestamp::ZERO, "{}");
    let mut chain = Chain::genesis(&new);
    let first = chain
        .seal(Vec::new(), RunStatus::open("running"))
        .creating(new);
    store.commit(&Commit::one(first), fence).await?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let rows = (0..rows)
            .map(|i| Row::new(Timestamp::ZERO, payload(i)))
            .collect();
        let start = Instant::now();
        let append = chain.seal(rows, RunStatus::open("running"));
        store.commit(&Commit::one(append), fence).await?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}

fn appends(path: &Path, rows: usize) -> Result<Duration, Box<dyn Error>> {
    let mut file: File = OpenOptions::new().create(true).append(true).open(path)?;
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        let start = Instant::now();
        let text: String = (0..rows).map(payload).collect();
        file.write_all(text.as_bytes())?;
        file.sync_data()?;
        times.push(start.elapsed());
    }
    Ok(median(times))
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}
