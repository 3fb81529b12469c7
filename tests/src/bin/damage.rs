//! Random damages as a command: `damage [--count N] [--seed S] [--only]`.
#![allow(
    clippy::print_stdout,
    reason = "a program that reports to its terminal"
)]

use std::process::ExitCode;
use std::time::Instant;

use zeph_tests::crash::binary;
use zeph_tests::damage::{self, DamageCounts, Scene};
use zeph_tests::rng::Rng;

const USAGE: &str = "usage: damage [--count N] [--seed S] [--only]
  --count N  how many damages are done to each of two databases (200)
  --seed S   where the random numbers begin (1)
  --only     one damage: that of the seed";

fn main() -> ExitCode {
    let (mut count, mut seed, mut only) = (200, 1, false);
    let mut words = std::env::args().skip(1);
    while let Some(word) = words.next() {
        let mut number = || words.next().and_then(|word| word.parse().ok());
        match (word.as_str(), &mut count, &mut seed) {
            ("--only", ..) => only = true,
            ("--count", place, _) | ("--seed", _, place) => match number() {
                Some(number) => *place = number,
                None => return usage(),
            },
            _ => return usage(),
        }
    }
    match run(count, seed, only) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            println!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn usage() -> ExitCode {
    println!("{USAGE}");
    ExitCode::from(2)
}

fn run(count: u64, seed: u64, only: bool) -> Result<(), String> {
    let start = Instant::now();
    let binary = binary::build()?;
    let folder = tempfile::Builder::new()
        .prefix("zeph-damage-")
        .tempdir()
        .map_err(|error| format!("there is no folder: {error}"))?;
    let path = |name: &str| folder.path().join(name);
    let scenes = [
        Scene::at_rest(&binary, path("rest"))?,
        Scene::with_log(&binary, path("log"))?,
    ];
    let mut silent = 0_u64;
    for scene in &scenes {
        let (mut seeds, mut counts) = (Rng::new(seed), DamageCounts::default());
        for _ in 0..if only { 1 } else { count } {
            let own = if only { seed } else { seeds.bits() };
            if let Err(error) = damage::play(scene, &path("copy"), own, &mut counts) {
                println!("{error}");
                silent += 1;
            }
        }
        let DamageCounts {
            reported,
            harmless,
            none,
        } = counts;
        println!(
            "{}: {reported} reported, {harmless} harmless, {none} not done",
            scene.name
        );
    }
    let seconds = start.elapsed().as_secs_f64();
    if silent == 0 {
        println!("ok: 0 silent in {seconds:.1} s");
        return Ok(());
    }
    Err(format!(
        "{silent} silent damages; replay: cargo run -p zeph-tests --bin damage -- --only --seed SEED"
    ))
}
