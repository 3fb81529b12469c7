//! Mutants: bugs in a copy of the scheduler, which the simulator must find.

mod schema;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::cargo::Call;
use crate::finding::Finding;
use crate::process::Process;
use crate::steps::Outcome;
use crate::tally::Tally;
use crate::tree;
use crate::workspace::Workspace;
use schema::Mutant;

/// Simulated runs for each mutant, unless the first violation comes earlier.
pub(crate) const RUNS: u64 = 20_000;

/// Runs of the copy without a mutant, to see that the copy itself is sound.
const RUNS_WITHOUT: u64 = 1_000;

/// A mutant that takes longer hangs, and so counts as found.
const TIMEOUT: Duration = Duration::from_secs(300);

/// The result of the simulator's search for one mutant.
enum Search {
    /// A violation, in the words of the simulator.
    Found(String),
    NotFound,
}

/// Mutants whose text is not in the sources; cheap, so that a change of the scheduler notices at once.
pub(crate) fn check(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mutants = schema::read(&tree::read(&workspace.root, schema::TABLE)?)?;
    let error = mutated_files(&workspace.root, &mutants).err();
    let lines = error.iter().flat_map(|error| error.lines());
    Ok(lines
        .map(|line| Finding::new(schema::TABLE, line))
        .collect())
}

/// The gate's step: all mutants.
pub(crate) fn step(workspace: &Workspace, _name: &str) -> Result<Outcome, String> {
    let mutants = schema::read(&tree::read(&workspace.root, schema::TABLE)?)?;
    let report = search_all(workspace, &mutants, RUNS, &|_| {})?;
    let failed = report.failures.len();
    Ok(Outcome {
        ok: failed == 0,
        output: report.failures.join("\n"),
        tally: Tally {
            passed: (mutants.len() - failed) as u64,
            failed: failed as u64,
        },
    })
}

/// The command: the mutants with these numbers, or all; returns whether the simulator found what it must.
pub(crate) fn run(runs: u64, numbers: &[u32]) -> Result<bool, String> {
    let workspace = Workspace::load()?;
    let mut mutants = schema::read(&tree::read(&workspace.root, schema::TABLE)?)?;
    let known = |number: &u32| mutants.iter().any(|mutant| mutant.number == *number);
    if let Some(unknown) = numbers.iter().find(|number| !known(number)) {
        return Err(format!("no mutant {unknown} in {}", schema::TABLE));
    }
    mutants.retain(|mutant| numbers.is_empty() || numbers.contains(&mutant.number));
    let report = search_all(&workspace, &mutants, runs, &|line| println!("{line}"))?;
    for failure in &report.failures {
        println!("FAILED: {failure}");
    }
    println!("{} of {} mutants found", report.found, mutants.len());
    Ok(report.failures.is_empty())
}

#[derive(Default)]
struct Report {
    found: usize,
    failures: Vec<String>,
}

/// Builds the copy, then searches for each mutant, as many at a time as there are cores.
fn search_all(
    workspace: &Workspace,
    mutants: &[Mutant],
    runs: u64,
    print: &(dyn Fn(&str) + Sync),
) -> Result<Report, String> {
    let folder = workspace.target.join("mutants");
    let simulator = build(&workspace.root, &folder, mutants)?;
    if let Search::Found(violation) = search(&simulator, &folder, 0, RUNS_WITHOUT)? {
        return Err(format!("a violation without a mutant: {violation}"));
    }
    let queue = Mutex::new(mutants.iter());
    let report = Mutex::new(Ok(Report::default()));
    let next = || queue.lock().ok()?.next();
    let work = || {
        while let Some(mutant) = next() {
            let begin = Instant::now();
            let result = search(&simulator, &folder, mutant.number, runs);
            let Ok(mut report) = report.lock() else {
                return;
            };
            match (result, report.as_mut()) {
                (Ok(result), Ok(report)) => {
                    print(&report.add(mutant, &result, begin.elapsed(), runs));
                }
                (Err(error), _) => *report = Err(error),
                (Ok(_), Err(_)) => {}
            }
        }
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(work);
        }
    });
    report.into_inner().map_err(|err| err.to_string())?
}

impl Report {
    /// Adds a result and returns its line.
    fn add(&mut self, mutant: &Mutant, result: &Search, elapsed: Duration, runs: u64) -> String {
        let Mutant { number, breaks, .. } = mutant;
        let result = match (result, &mutant.survives) {
            (Search::Found(violation), None) => {
                self.found += 1;
                format!("found: {violation:.100}")
            }
            (Search::NotFound, Some(reason)) => format!("not found, as expected: {reason}"),
            (Search::Found(_), Some(_)) => {
                let failure = format!("mutant {number} ({breaks}) is found: remove `survives`");
                self.failures.push(failure);
                "found, unexpectedly".to_owned()
            }
            (Search::NotFound, None) => {
                let failure = format!("mutant {number} ({breaks}) is not found in {runs} runs");
                self.failures.push(failure);
                "NOT FOUND".to_owned()
            }
        };
        let seconds = elapsed.as_secs_f64();
        format!("{number:>3} {breaks}: {seconds:.1} s, {result}")
    }
}

/// Copies the workspace with the mutants in it, and builds the simulator. Unchanged files keep their
/// times, so the next build is incremental.
fn build(root: &Path, folder: &Path, mutants: &[Mutant]) -> Result<PathBuf, String> {
    let copy = folder.join("workspace");
    let mut mutated = mutated_files(root, mutants)?;
    let files = tree::files(root)?;
    for path in &files {
        let text = match mutated.remove(path) {
            Some(text) => text.into_bytes(),
            None => fs::read(root.join(path)).map_err(|err| format!("{path}: {err}"))?,
        };
        write_if_changed(&copy.join(path), &text)?;
    }
    for path in tree::files(&copy)?
        .iter()
        .filter(|path| !files.contains(path))
    {
        fs::remove_file(copy.join(path)).map_err(|err| format!("{path}: {err}"))?;
    }
    let target = folder.join("target");
    let log = folder.join("build.log");
    let target_text = target.to_string_lossy();
    let call = Call::cargo("build --locked -p zeph-tests --bin sim")
        .env("CARGO_TARGET_DIR", &target_text)
        .env("RUSTFLAGS", "--cap-lints allow");
    let captured = call.run_captured(&copy, &log)?;
    if !captured.ok {
        let copy = copy.display();
        return Err(format!(
            "the mutants in {copy} do not compile:\n{}",
            captured.text
        ));
    }
    Ok(target.join("debug/sim"))
}

/// The mutated files, by their path from the root. The crate's root is always one of them.
fn mutated_files(root: &Path, mutants: &[Mutant]) -> Result<BTreeMap<String, String>, String> {
    let lib = "lib.rs".to_owned();
    let mut by_file: BTreeMap<&String, Vec<&Mutant>> = BTreeMap::from([(&lib, Vec::new())]);
    for mutant in mutants {
        by_file.entry(&mutant.file).or_default().push(mutant);
    }
    let mut files = BTreeMap::new();
    let mut errors = Vec::new();
    for (file, mutants) in by_file {
        let path = format!("{}/{file}", schema::SOURCES);
        let applied = tree::read(root, &path).and_then(|text| schema::apply(&text, &mutants));
        match applied {
            Ok(mut text) => {
                if *file == lib {
                    text.push_str(&schema::selector());
                }
                files.insert(path, text);
            }
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() {
        return Ok(files);
    }
    Err(errors.join("\n"))
}

fn write_if_changed(path: &Path, content: &[u8]) -> Result<(), String> {
    let error = |err: std::io::Error| format!("{}: {err}", path.display());
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(error)?;
    }
    fs::write(path, content).map_err(error)
}

/// Runs the simulator with one mutant selected; exit code 1 is a violation, 0 is none.
fn search(simulator: &Path, folder: &Path, mutant: u32, runs: u64) -> Result<Search, String> {
    let mut command = Command::new(simulator);
    command.args(["find", &runs.to_string()]);
    command.env(schema::VARIABLE, mutant.to_string());
    let log = folder.join(format!("mutant-{mutant}.log"));
    let mut process = Process::start(&mut command, &log)?;
    let begin = Instant::now();
    let status = match process.wait(TIMEOUT) {
        Err(_) if begin.elapsed() >= TIMEOUT => return Ok(Search::Found("it hangs".to_owned())),
        other => other?,
    };
    match status.code() {
        Some(0) => Ok(Search::NotFound),
        Some(1) => Ok(Search::Found(process.output().trim().to_owned())),
        _ => Err(process.failure(&format!("ended with {status} for mutant {mutant}"))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mutant(survives: Option<&str>) -> Mutant {
        Mutant {
            number: 7,
            breaks: "a rule".to_owned(),
            file: String::new(),
            find: String::new(),
            replace: String::new(),
            survives: survives.map(str::to_owned),
        }
    }

    #[test]
    fn every_mutant_is_found_or_has_a_reason() {
        let mut report = Report::default();
        let mut add = |survives, result| {
            report.add(&mutant(survives), &result, Duration::ZERO, 5);
        };
        add(None, Search::Found("x".to_owned()));
        add(Some("equivalent"), Search::NotFound);
        add(None, Search::NotFound);
        add(Some("equivalent"), Search::Found("x".to_owned()));
        assert_eq!(report.found, 1);
        assert_eq!(
            report.failures,
            [
                "mutant 7 (a rule) is not found in 5 runs",
                "mutant 7 (a rule) is found: remove `survives`"
            ]
        );
    }
}
