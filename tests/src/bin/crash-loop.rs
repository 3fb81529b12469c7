//! The crash loop as a command: `crash-loop [--kills N] [--seed S] [--zeph PATH] [--only]`.
#![allow(
    clippy::print_stdout,
    reason = "a program that reports to its terminal"
)]

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use zeph_tests::crash::binary;
use zeph_tests::crash::trial::{self, TrialCounts};
use zeph_tests::rng::Rng;

const USAGE: &str = "usage: crash-loop [--kills N] [--seed S] [--zeph PATH] [--only]
  --kills N    how many processes are killed (50)
  --seed S     where the random numbers begin (the time)
  --zeph PATH  the binary (built and found by cargo)
  --only       one run: the trial of that seed";

/// The options of the command line.
struct Wanted {
    kills: u64,
    seed: Option<u64>,
    binary: Option<PathBuf>,
    only: bool,
}

fn main() -> ExitCode {
    let Some(wanted) = wanted(std::env::args().skip(1)) else {
        println!("{USAGE}");
        return ExitCode::from(2);
    };
    match run(wanted) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn wanted(mut words: impl Iterator<Item = String>) -> Option<Wanted> {
    let mut wanted = Wanted {
        kills: 50,
        seed: None,
        binary: None,
        only: false,
    };
    while let Some(word) = words.next() {
        match word.as_str() {
            "--kills" => wanted.kills = words.next()?.parse().ok()?,
            "--seed" => wanted.seed = Some(words.next()?.parse().ok()?),
            "--zeph" => wanted.binary = Some(words.next()?.into()),
            "--only" => wanted.only = true,
            _ => return None,
        }
    }
    Some(wanted)
}

fn run(wanted: Wanted) -> Result<(), String> {
    let binary = match wanted.binary {
        Some(path) => path,
        None => binary::build()?,
    };
    let seed = wanted.seed.unwrap_or_else(|| {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| u64::from(since.subsec_nanos()))
    });
    let folder = tempfile::Builder::new()
        .prefix("zeph-crash-")
        .tempdir()
        .map_err(|error| format!("there is no place for the runs: {error}"))?;
    println!(
        "killing {} {} times, seed {seed}",
        binary.display(),
        wanted.kills
    );
    let start = Instant::now();
    let mut seeds = Rng::new(seed);
    let mut sum = TrialCounts::default();
    while sum.kills < wanted.kills {
        let own = if wanted.only { seed } else { seeds.bits() };
        let place = folder.path().join(format!("run-{own}"));
        let before = sum.kills;
        match trial::play(&binary, place.clone(), own, wanted.kills - sum.kills) {
            Ok(trial_counts) => sum += trial_counts,
            Err(error) => {
                let kept = folder.keep().join(format!("run-{own}"));
                return Err(format!(
                    "{error}\nFAILED after {} kills; kept: {}\nreplay: cargo run -p zeph-tests --bin crash-loop -- --only --kills {} --seed {own}",
                    sum.kills,
                    kept.display(),
                    wanted.kills - before,
                ));
            }
        }
        // A file that cannot be removed now is removed with the whole temporary folder.
        let _ = std::fs::remove_dir_all(place);
        if before / 10 != sum.kills / 10 {
            println!("{}", line(&sum, start));
        }
        if wanted.only {
            break;
        }
    }
    println!("ok: {}", line(&sum, start));
    Ok(())
}

fn line(sum: &TrialCounts, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64();
    format!(
        "{} kills, {} resumes, {} runs, {} tasks, {} attempts interrupted, {} run again, {} requests in {seconds:.1} s",
        sum.kills, sum.resumes, sum.runs, sum.tasks, sum.interrupted, sum.reruns, sum.requests
    )
}
