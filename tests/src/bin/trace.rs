//! Failing system calls and losses of power as a command: `trace [--faults N|all] [--power N] [--seed S]`.
#![allow(
    clippy::print_stdout,
    reason = "a program that reports to its terminal"
)]

use std::process::ExitCode;

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
fn main() -> ExitCode {
    traced::main()
}

#[cfg(not(all(target_os = "linux", target_arch = "x86_64")))]
fn main() -> ExitCode {
    println!("not on this system: system calls are traced on Linux on x86_64 only");
    ExitCode::SUCCESS
}

#[cfg(all(target_os = "linux", target_arch = "x86_64"))]
mod traced {
    use std::path::Path;
    use std::process::ExitCode;
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::thread;
    use std::time::Instant;

    use zeph_tests::crash::binary;
    use zeph_tests::trace::fault::Fault;
    use zeph_tests::trace::faults::{FaultCounts, Trial};
    use zeph_tests::trace::power::{Honesty, Recording};

    const USAGE: &str =
        "usage: trace [--faults N|all] [--power N] [--seed S] [--fault NAME] [--log-lies]
  --faults N    how many random faults, or all (0)
  --power N     how many losses of power in each of two sessions (0)
  --seed S      where the random numbers begin (1)
  --fault NAME  one fault, such as run/write/3/EIO/once
  --log-lies    the disk ignores the syncs of the log, so the trial must fail";

    #[derive(Default)]
    struct Wanted {
        /// `None` is all.
        faults: Option<u64>,
        power: u64,
        seed: u64,
        fault: Option<Fault>,
        log_lies: bool,
    }

    pub(super) fn main() -> ExitCode {
        let Some(wanted) = wanted(std::env::args().skip(1)) else {
            println!("{USAGE}");
            return ExitCode::from(2);
        };
        match run(&wanted) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                println!("{error}");
                ExitCode::FAILURE
            }
        }
    }

    fn wanted(mut words: impl Iterator<Item = String>) -> Option<Wanted> {
        let mut wanted = Wanted {
            faults: Some(0),
            seed: 1,
            ..Wanted::default()
        };
        while let Some(word) = words.next() {
            match word.as_str() {
                "--faults" => {
                    let count = words.next()?;
                    wanted.faults = match count.as_str() {
                        "all" => None,
                        count => Some(count.parse().ok()?),
                    };
                }
                "--power" => wanted.power = words.next()?.parse().ok()?,
                "--seed" => wanted.seed = words.next()?.parse().ok()?,
                "--fault" => wanted.fault = Some(words.next()?.parse().ok()?),
                "--log-lies" => wanted.log_lies = true,
                _ => return None,
            }
        }
        Some(wanted)
    }

    fn run(wanted: &Wanted) -> Result<(), String> {
        let binary = binary::build()?;
        let folder = tempfile::Builder::new()
            .prefix("zeph-trace-")
            .tempdir()
            .map_err(|error| format!("there is no folder: {error}"))?;
        let mut violations = 0;
        if wanted.power > 0 {
            violations += power(wanted, &binary, folder.path())?;
        }
        if wanted.faults != Some(0) || wanted.fault.is_some() {
            violations += faults(wanted, &binary, folder.path())?;
        }
        if violations == 0 {
            println!("ok: 0 violations");
            return Ok(());
        }
        Err(format!("{violations} violations"))
    }

    fn power(wanted: &Wanted, binary: &Path, folder: &Path) -> Result<u64, String> {
        let honesty = if wanted.log_lies {
            Honesty::IgnoresSyncsOf("-wal")
        } else {
            Honesty::Honest
        };
        let recordings = [
            Recording::of_many_commands(binary, &folder.join("many"))?,
            Recording::of_large_contents(binary, &folder.join("large"))?,
        ];
        let mut all = 0;
        for recording in &recordings {
            println!("{}", recording.describe());
            let (start, looked_up) = (Instant::now(), AtomicU64::new(0));
            let violations = in_parallel(wanted.power, folder, |number, folder| {
                let found = recording.play(number, wanted.seed, honesty, folder)?;
                looked_up.fetch_add(found as u64, Ordering::Relaxed);
                Ok(())
            });
            println!(
                "  {} states, {} acknowledgements looked up, {violations} violations in {:.1} s",
                wanted.power,
                looked_up.load(Ordering::Relaxed),
                start.elapsed().as_secs_f64()
            );
            if wanted.power > 0 && looked_up.into_inner() == 0 {
                return Err("no acknowledgement was looked up".to_owned());
            }
            all += violations;
        }
        Ok(all)
    }

    fn faults(wanted: &Wanted, binary: &Path, folder: &Path) -> Result<u64, String> {
        let trial = Trial::stage(binary, &folder.join("faults"))?;
        let faults = match wanted.fault {
            Some(fault) => vec![fault],
            None => trial.draw(wanted.faults, wanted.seed),
        };
        println!("{} of {} faults", faults.len(), trial.faults.len());
        let (start, counts) = (Instant::now(), Mutex::new(FaultCounts::default()));
        let violations = in_parallel(faults.len() as u64, folder, |number, folder| {
            let fault = faults[usize::try_from(number).unwrap_or_default()];
            let mut own = FaultCounts::default();
            let played = trial.play(fault, folder, &mut own);
            if let Ok(mut counts) = counts.lock() {
                *counts += own;
            }
            played
        });
        let counts = counts.into_inner().unwrap_or_default();
        println!(
            "  {} faults: {} survived, refused by exit code {:?}, {} not reached, {violations} violations in {:.1} s",
            counts.done(),
            counts.survived,
            counts.refused,
            counts.not_reached,
            start.elapsed().as_secs_f64()
        );
        if !faults.is_empty() && counts.done() == 0 && violations == 0 {
            return Err("no fault was reached".to_owned());
        }
        Ok(violations)
    }

    /// Does some work on every processor, each with a folder of its own. Returns the number of failures,
    /// which are printed.
    fn in_parallel(
        count: u64,
        folder: &Path,
        work: impl Fn(u64, &Path) -> Result<(), String> + Sync,
    ) -> u64 {
        let (next, failed) = (AtomicU64::new(0), AtomicU64::new(0));
        let threads = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            for at in 0..threads {
                let own = folder.join(format!("worker-{at}"));
                let (next, failed, work) = (&next, &failed, &work);
                scope.spawn(move || {
                    loop {
                        let number = next.fetch_add(1, Ordering::Relaxed);
                        if number >= count {
                            break;
                        }
                        if let Err(error) = work(number, &own) {
                            println!("VIOLATION {error}");
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                });
            }
        });
        failed.into_inner()
    }
}
