//! The steps of the gate: what each is called, what it runs and what it needs.

use std::io::Write as _;

use crate::finding::Finding;
use crate::tally::Tally;
use crate::tool::Call;
use crate::workspace::Workspace;
use crate::{book, budgets, guarantees, laws, layering, long, setup, source, tidy};

/// One step of the gate.
pub(crate) struct Step {
    pub(crate) name: &'static str,
    /// One line for `--list`.
    pub(crate) about: &'static str,
    /// Whether the quick gate has it.
    pub(crate) quick: bool,
    pub(crate) work: Work,
}

/// How a step does its work.
pub(crate) enum Work {
    /// Reads and compares; cheap, so it runs whatever failed before.
    Look(fn(&Workspace) -> Result<Vec<Finding>, String>),
    /// Calls cargo; the flag asks for the quick form.
    Call(fn(&Workspace, bool) -> Result<Vec<Call>, String>),
    /// Calls cargo to compile; pointless once something did not compile.
    Compile(fn(&Workspace, bool) -> Result<Vec<Call>, String>),
}

/// How a step ended.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) ok: bool,
    /// What to show when it failed.
    pub(crate) text: String,
    pub(crate) tally: Tally,
}

/// All steps, what is cheap first: it fails in seconds, not after the compiler.
pub(crate) const STEPS: [Step; 14] = [
    Step {
        name: "format",
        about: "the stock format of rustfmt",
        quick: true,
        work: Work::Call(|_, _| one("fmt --all --check -- --color never")),
    },
    Step {
        name: "layering",
        about: "arrows between crates point down",
        quick: true,
        work: Work::Look(|workspace| Ok(layering::check(workspace))),
    },
    Step {
        name: "laws",
        about: "no clock, runtime or printing where a storey forbids it",
        quick: true,
        work: Work::Look(check_laws),
    },
    Step {
        name: "tidy",
        about: "first lines, sizes, nothing unfinished, reasons for guests",
        quick: true,
        work: Work::Look(tidy::check),
    },
    Step {
        name: "budgets",
        about: "how many packages come with a crate",
        quick: true,
        work: Work::Look(|workspace| budgets::check(&workspace.root)),
    },
    Step {
        name: "book",
        about: "contents, links, and a test for each guarantee",
        quick: false,
        work: Work::Look(check_book),
    },
    Step {
        name: "deny",
        about: "bans, licences and sources of every dependency",
        quick: false,
        work: Work::Call(deny),
    },
    Step {
        name: "clippy",
        about: "the lints of the workspace, as errors",
        quick: true,
        work: Work::Compile(|_, _| {
            one("clippy --workspace --all-targets --all-features -- -D warnings")
        }),
    },
    Step {
        name: "features",
        about: "the facade without features, with each alone, with all",
        quick: false,
        work: Work::Compile(features),
    },
    Step {
        name: "tests",
        about: "unit and integration tests, examples",
        quick: true,
        work: Work::Compile(tests),
    },
    Step {
        name: "doctests",
        about: "the examples in the documentation",
        quick: false,
        work: Work::Compile(|_, _| one("test --workspace --all-features --doc --no-fail-fast")),
    },
    Step {
        name: "docs",
        about: "documentation without a warning",
        quick: false,
        work: Work::Compile(docs),
    },
    Step {
        name: "simulation",
        about: "seeded runs of the scheduler, short form",
        quick: false,
        work: Work::Compile(|_, _| one("run -p zeph-tests --bin sim -- short")),
    },
    Step {
        name: "crash-loop",
        about: "50 kills of the real binary",
        quick: false,
        work: Work::Compile(|_, _| Ok(long::crash_calls(50))),
    },
];

fn one(line: &str) -> Result<Vec<Call>, String> {
    Ok(vec![Call::cargo(line)])
}

fn check_laws(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let sources = source::all(&workspace.root)?;
    Ok(sources.iter().flat_map(laws::check).collect())
}

fn check_book(workspace: &Workspace) -> Result<Vec<Finding>, String> {
    let mut found = book::check(&workspace.root)?;
    found.extend(guarantees::check(&workspace.root)?);
    Ok(found)
}

/// The one tool that cargo does not bring along is installed first where it is missing, so that a
/// fresh machine needs no other command.
fn deny(workspace: &Workspace, _quick: bool) -> Result<Vec<Call>, String> {
    let install = setup::missing(&workspace.root);
    if install.is_some() {
        // Ends the line of the step; its outcome then stands below, in its column.
        print!("{}\n{:20}", setup::announcement(), "");
        let _ = std::io::stdout().flush();
    }
    let check = Call::cargo("deny --offline check bans licenses sources");
    Ok(install.into_iter().chain([check]).collect())
}

fn features(workspace: &Workspace, _quick: bool) -> Result<Vec<Call>, String> {
    let facade = workspace.find("zeph-orchestration")?;
    let bare = "check -p zeph-orchestration --no-default-features";
    let mut calls = vec![Call::cargo(bare)];
    for name in facade.features.iter().filter(|name| *name != "default") {
        calls.push(Call::cargo(&format!("{bare} --features {name}")));
    }
    Ok(calls)
}

fn tests(_workspace: &Workspace, quick: bool) -> Result<Vec<Call>, String> {
    let targets = if quick {
        "--lib --tests"
    } else {
        "--lib --bins --tests --examples"
    };
    one(&format!(
        "test --workspace --all-features --no-fail-fast {targets}"
    ))
}

fn docs(_workspace: &Workspace, _quick: bool) -> Result<Vec<Call>, String> {
    let call = Call::cargo("doc --workspace --no-deps --all-features");
    Ok(vec![call.with("RUSTDOCFLAGS", "-D warnings")])
}

impl Step {
    /// Does the step; what it has to say is in the outcome.
    pub(crate) fn run(&self, workspace: &Workspace, quick: bool) -> Outcome {
        let result = match self.work {
            Work::Look(look) => look(workspace).map(|found| found_outcome(&found)),
            Work::Call(calls) | Work::Compile(calls) => {
                calls(workspace, quick).and_then(|calls| self.call(workspace, &calls))
            }
        };
        result.unwrap_or_else(|text| Outcome {
            text,
            ..Outcome::default()
        })
    }

    /// Whether the step compiles.
    pub(crate) fn compiles(&self) -> bool {
        matches!(self.work, Work::Compile(_))
    }

    fn call(&self, workspace: &Workspace, calls: &[Call]) -> Result<Outcome, String> {
        let folder = workspace.target.join("gate");
        std::fs::create_dir_all(&folder).map_err(|err| format!("{}: {err}", folder.display()))?;
        let log = folder.join(format!("{}.log", self.name));
        let mut sum = Outcome {
            ok: true,
            ..Outcome::default()
        };
        for call in calls {
            let heard = call.heard(&workspace.root, &log)?;
            sum.tally += Tally::read(&heard.text);
            if !heard.ok {
                sum.ok = false;
                sum.text = format!("$ {}\n{}", call.line(), heard.text);
                break;
            }
        }
        Ok(sum)
    }
}

fn found_outcome(found: &[Finding]) -> Outcome {
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    Outcome {
        ok: found.is_empty(),
        text: lines.join("\n"),
        ..Outcome::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_step_has_its_own_name() {
        let names: BTreeSet<&str> = STEPS.iter().map(|step| step.name).collect();
        assert_eq!(names.len(), STEPS.len());
    }

    #[test]
    fn findings_are_a_failure_and_none_are_not() {
        assert!(found_outcome(&[]).ok);
        let outcome = found_outcome(&[Finding::of("a", "b"), Finding::at("c", 2, "d")]);
        assert!(!outcome.ok);
        assert_eq!(outcome.text, "a: b\nc:2: d");
    }
}
