//! The steps of the gate.

use std::path::Path;

use crate::cargo::Call;
use crate::finding::Finding;
use crate::tally::Tally;
use crate::workspace::Workspace;
use crate::{book, budgets, deny, guarantees, layering, long, mutants, tidy};

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    /// Whether the step is part of the quick gate.
    pub(crate) quick: bool,
    /// Whether the step is skipped after a compile error.
    pub(crate) compiles: bool,
    work: Work,
}

/// The work of a step.
enum Work {
    /// Reads files and compares.
    Check(fn(&Workspace) -> Result<Vec<Finding>, String>),
    /// Calls cargo and the programs that it built; the flag asks for the quick form.
    Cargo(fn(&Workspace, bool) -> Result<Vec<Call>, String>),
    /// Anything else; the text is the step's name.
    Other(fn(&Workspace, &str) -> Result<Outcome, String>),
}

/// The end of a step.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    /// Shown when the step failed.
    pub(crate) output: String,
    pub(crate) tally: Tally,
}

/// All steps. Cheap ones come first, so that a simple mistake fails in seconds.
pub(crate) const STEPS: [Step; 16] = [
    cargo("format", "the stock format of rustfmt", |_, _| {
        one("fmt --all --check -- --color never")
    })
    .quick(),
    check("layering", "dependencies between crates", |workspace| {
        Ok(layering::check(workspace))
    })
    .quick(),
    check(
        "tidy",
        "file sizes, plain words, nothing unfinished, reasons for dependencies",
        tidy::check,
    )
    .quick(),
    check(
        "budgets",
        "the number of packages of a crate",
        |workspace| budgets::check(&workspace.root),
    )
    .quick(),
    check(
        "book",
        "contents, links, a test for each guarantee",
        |workspace| {
            let mut found = book::check(&workspace.root)?;
            found.extend(guarantees::check(&workspace.root)?);
            Ok(found)
        },
    ),
    other(
        "deny",
        "bans, licences and sources of every dependency, from an empty registry cache",
        deny::step,
    ),
    cargo("clippy", "the lints of the workspace, as errors", |_, _| {
        one("clippy --workspace --all-targets --all-features -- -D warnings")
    })
    .quick()
    .compiling(),
    cargo(
        "features",
        "the facade without features and with each one alone",
        features,
    )
    .compiling(),
    cargo("tests", "unit and integration tests, examples", tests)
        .quick()
        .compiling(),
    cargo("doctests", "the examples in the documentation", |_, _| {
        one("test --workspace --all-features --doc --no-fail-fast")
    })
    .compiling(),
    cargo("docs", "documentation without a warning", docs).compiling(),
    cargo(
        "simulation",
        "seeded runs of the scheduler, short form",
        |workspace, _| Ok(long::simulation_calls(&workspace.target)),
    )
    .compiling(),
    other(
        "mutants",
        "bugs in a copy of the scheduler, which the simulator must find",
        mutants::step,
    )
    .compiling(),
    cargo(
        "crash-loop",
        "50 kills of the real binary",
        |workspace, _| Ok(long::crash_calls(&workspace.target, 50)),
    )
    .compiling(),
    cargo(
        "damage",
        "400 damages to databases, each reported or harmless",
        |workspace, _| Ok(long::damage_calls(&workspace.target, 200)),
    )
    .compiling(),
    cargo(
        "trace",
        "40 failing system calls and 400 losses of power",
        |workspace, _| Ok(long::trace_calls(&workspace.target, "40", 200)),
    )
    .compiling(),
];

const fn step(name: &'static str, about: &'static str, work: Work) -> Step {
    Step {
        name,
        about,
        quick: false,
        compiles: false,
        work,
    }
}

const fn check(
    name: &'static str,
    about: &'static str,
    check: fn(&Workspace) -> Result<Vec<Finding>, String>,
) -> Step {
    step(name, about, Work::Check(check))
}

const fn cargo(
    name: &'static str,
    about: &'static str,
    calls: fn(&Workspace, bool) -> Result<Vec<Call>, String>,
) -> Step {
    step(name, about, Work::Cargo(calls))
}

const fn other(
    name: &'static str,
    about: &'static str,
    run: fn(&Workspace, &str) -> Result<Outcome, String>,
) -> Step {
    step(name, about, Work::Other(run))
}

fn one(line: &str) -> Result<Vec<Call>, String> {
    Ok(vec![Call::cargo(line)])
}

fn features(workspace: &Workspace, _quick: bool) -> Result<Vec<Call>, String> {
    let facade = workspace.find("zeph-orchestration")?;
    let bare = "check -p zeph-orchestration --no-default-features";
    let mut calls = vec![Call::cargo(bare)];
    // `full` is the set of all others, which clippy and the tests use.
    let sets = ["default", "full"];
    for name in facade
        .features
        .iter()
        .filter(|name| !sets.contains(&name.as_str()))
    {
        calls.push(Call::cargo(&format!("{bare} --features {name}")));
    }
    Ok(calls)
}

fn tests(workspace: &Workspace, quick: bool) -> Result<Vec<Call>, String> {
    let targets = if quick {
        "--lib --tests"
    } else {
        "--lib --bins --tests --examples"
    };
    let line = format!("test --workspace --all-features --no-fail-fast {targets}");
    Ok(vec![long::with_binary(
        Call::cargo(&line),
        &workspace.target,
    )])
}

fn docs(_workspace: &Workspace, _quick: bool) -> Result<Vec<Call>, String> {
    let call = Call::cargo("doc --workspace --no-deps --all-features");
    Ok(vec![call.env("RUSTDOCFLAGS", "-D warnings")])
}

impl Step {
    const fn quick(mut self) -> Self {
        self.quick = true;
        self
    }

    const fn compiling(mut self) -> Self {
        self.compiles = true;
        self
    }

    /// Runs the step. A step that cannot run at all has failed, with the reason as its output.
    pub(crate) fn run(&self, workspace: &Workspace, quick: bool) -> Outcome {
        let result = match self.work {
            Work::Check(check) => check(workspace).map(|found| from_findings(&found)),
            Work::Cargo(calls) => {
                calls(workspace, quick).and_then(|calls| call_all(workspace, self.name, &calls))
            }
            Work::Other(run) => run(workspace, self.name),
        };
        result.unwrap_or_else(|output| Outcome {
            output,
            ..Outcome::default()
        })
    }
}

/// Runs calls one after the other until one fails; counts the tests in their output.
pub(crate) fn call_all(
    workspace: &Workspace,
    step: &str,
    calls: &[Call],
) -> Result<Outcome, String> {
    let log = log_folder(&workspace.target)?.join(format!("{step}.log"));
    let mut sum = Outcome {
        ok: true,
        ..Outcome::default()
    };
    for call in calls {
        let captured = call.run_captured(&workspace.root, &log)?;
        sum.tally += Tally::read(&captured.text);
        if !captured.ok {
            sum.ok = false;
            sum.output = format!("$ {}\n{}", call.line(), captured.text);
            break;
        }
    }
    Ok(sum)
}

fn log_folder(target: &Path) -> Result<std::path::PathBuf, String> {
    let folder = target.join("gate");
    std::fs::create_dir_all(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
    Ok(folder)
}

fn from_findings(found: &[Finding]) -> Outcome {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    Outcome {
        ok: found.is_empty(),
        output: lines.join("\n"),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn step_names_are_unique() {
        let names: BTreeSet<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn a_step_with_findings_has_failed() {
        assert!(from_findings(&[]).ok);
        let outcome = from_findings(&[Finding::new("a", "b"), Finding::at("c", 2, "d")]);
        assert!(!outcome.ok);
        assert_eq!(outcome.output, "a: b\nc:2: d");
    }
}
