//! The simulator as a command: `sim short|long|find|seed N`.
#![allow(
    clippy::print_stdout,
    reason = "a program that reports to its terminal"
)]

use std::process::ExitCode;
use std::time::Instant;

use zeph_tests::sim::campaign::{
    Failure, check, crash_everywhere, first_violation, run_all, shrink,
};
use zeph_tests::sim::trace::Trace;
use zeph_tests::sim::world::{Options, run};

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    // A panic of the scheduler is caught and reported with its seed.
    std::panic::set_hook(Box::new(|_| {}));
    match words.as_slice() {
        ["short"] => campaign(150_000, 4_000, 1_500),
        ["long"] => campaign(1_000_000, 20_000, 4_000),
        ["long", runs] => campaign(runs.parse().unwrap_or(1_000_000), 20_000, 2_000),
        ["seed", seed] => one(seed, 12),
        ["seed", seed, tasks] => one(seed, tasks.parse().unwrap_or(12)),
        ["find"] => find(20_000),
        ["find", runs] => find(runs.parse().unwrap_or(20_000)),
        _ => {
            println!("usage: sim short | long [RUNS] | find [RUNS] | seed N [TASKS]");
            ExitCode::from(2)
        }
    }
}

fn threads() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Short runs, runs on larger graphs, and runs that crash at every append.
fn campaign(short: u64, large: u64, crashed: u64) -> ExitCode {
    let start = Instant::now();
    let tell = |done: u64| {
        if done.is_multiple_of(50_000) {
            let rate = done as f64 / start.elapsed().as_secs_f64();
            println!("{done} runs, {rate:.0} a second");
        }
    };
    let forty = Options {
        most_tasks: 40,
        ..Options::SHORT
    };
    for (name, runs, options) in [("short", short, Options::SHORT), ("large", large, forty)] {
        let began = Instant::now();
        let totals = run_all(0..runs, options, threads(), &tell);
        if let Some(failure) = totals.failure {
            return fail(failure);
        }
        let seconds = began.elapsed().as_secs_f64();
        println!(
            "{} {name} runs, {} events, {} appends, {} crashes in {seconds:.1} s: {:.0} runs a second",
            totals.runs,
            totals.events,
            totals.appends,
            totals.crashes,
            totals.runs as f64 / seconds
        );
    }
    let mut deaths = 0;
    let began = Instant::now();
    for seed in 0..crashed {
        match crash_everywhere(seed, Options::SHORT) {
            Ok(more) => deaths += more,
            Err(failure) => return fail(*failure),
        }
    }
    println!(
        "{crashed} runs died {deaths} times, before and after every append, in {:.1} s",
        began.elapsed().as_secs_f64()
    );
    ExitCode::SUCCESS
}

fn one(seed: &str, most_tasks: u64) -> ExitCode {
    let Ok(seed) = seed.parse() else {
        println!("{seed:?} is not a seed");
        return ExitCode::from(2);
    };
    let options = Options {
        most_tasks,
        ..Options::SHORT
    };
    let failure = match check(seed, options) {
        Ok(outcome) => {
            let trace = Trace::kept();
            let _ = run(seed, options, &trace);
            for line in trace.lines() {
                println!("{line}");
            }
            println!("{} events, {} crashes", outcome.events, outcome.crashes);
            return ExitCode::SUCCESS;
        }
        Err(failure) => failure,
    };
    show(&failure);
    ExitCode::FAILURE
}

fn fail(failure: Failure) -> ExitCode {
    println!("seed {} fails; looking for a shorter trace", failure.seed);
    let first = (failure.seed, failure.options.most_tasks);
    let failure = shrink(failure, 1_500);
    show(&failure);
    let (seed, tasks) = first;
    println!("first seen: sim seed {seed} {tasks}");
    ExitCode::FAILURE
}

/// Stops at the first violation, without a search for a shorter trace. For `cargo xtask mutants`.
fn find(runs: u64) -> ExitCode {
    match first_violation(runs) {
        Some(failure) => {
            println!("violation at seed {}: {}", failure.seed, failure.broken);
            ExitCode::FAILURE
        }
        None => {
            println!("no violation in {runs} runs");
            ExitCode::SUCCESS
        }
    }
}

fn show(failure: &Failure) {
    for line in failure.trace.lines() {
        println!("{line}");
    }
    println!("{}", failure.broken);
    println!(
        "replay: cargo run -p zeph-tests --bin sim -- seed {} {}{}",
        failure.seed,
        failure.options.most_tasks,
        match failure.options.crash_at {
            Some((append, appended)) =>
                format!("  (dying at append {append}, appended: {appended})"),
            None => String::new(),
        }
    );
}
