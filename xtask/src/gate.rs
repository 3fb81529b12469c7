//! The gate: runs the steps, prints one line for each, and counts the tests.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::args::Selection;
use crate::steps::{Outcome, STEPS, Step};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// The results of the steps so far.
#[derive(Debug, Default)]
struct Report {
    tally: Tally,
    failed: Vec<&'static str>,
    skipped: Vec<&'static str>,
    /// A step found a compile error, so the steps that compile are skipped.
    compile_error: bool,
}

/// Prints the steps.
pub(crate) fn list() {
    for step in &STEPS {
        let quick = if step.quick { "quick" } else { "" };
        println!("{:<12} {quick:<6} {}", step.name, step.about);
    }
}

/// Runs the selected steps; returns whether all passed.
pub(crate) fn run(selection: &Selection) -> Result<bool, String> {
    let steps = selected(selection)?;
    let workspace = Workspace::load()?;
    let start = Instant::now();
    let mut report = Report::default();
    for (index, step) in steps.iter().enumerate() {
        print!("[{:>2}/{}] {:<12}", index + 1, steps.len(), step.name);
        // Shows the name of the step while it runs; a failure to print is harmless.
        let _ = std::io::stdout().flush();
        if report.compile_error && step.compiles {
            report.skipped.push(step.name);
            println!("skipped: something did not compile");
            continue;
        }
        let begin = Instant::now();
        let outcome = step.run(&workspace, selection.quick);
        println!("{}", summary(&outcome, begin.elapsed()));
        report.add(step, &outcome);
    }
    report.print(start.elapsed());
    Ok(report.failed.is_empty())
}

fn selected(selection: &Selection) -> Result<Vec<&'static Step>, String> {
    for name in &selection.only {
        if !STEPS.iter().any(|step| step.name == name) {
            return Err(format!(
                "no step `{name}`; type: cargo xtask test-all --list"
            ));
        }
    }
    let wanted = |step: &&Step| {
        if selection.only.is_empty() {
            return step.quick || !selection.quick;
        }
        selection.only.iter().any(|name| name == step.name)
    };
    Ok(STEPS.iter().filter(wanted).collect())
}

fn summary(outcome: &Outcome, elapsed: Duration) -> String {
    let word = if outcome.ok { "ok" } else { "FAILED" };
    let seconds = elapsed.as_secs_f64();
    let mut line = format!("{word:<7} {seconds:>6.1}s");
    let tests = outcome.tally.passed + outcome.tally.failed;
    if tests > 0 {
        line.push_str(&format!("  {tests} tests"));
    }
    if !outcome.ok {
        line.push_str(&format!("\n{}\n", outcome.output.trim_end()));
    }
    line
}

impl Report {
    fn add(&mut self, step: &Step, outcome: &Outcome) {
        self.tally += outcome.tally;
        if outcome.ok {
            return;
        }
        self.failed.push(step.name);
        self.compile_error |= step.compiles && is_compile_error(&outcome.output);
        if outcome.tally.failed == 0 {
            // A step that fails without a failing test counts as one failure, so that the last line
            // never reports zero failures after a failed step.
            self.tally.failed += 1;
        }
    }

    fn print(&self, elapsed: Duration) {
        println!();
        if !self.skipped.is_empty() {
            println!("skipped: {}", self.skipped.join(", "));
        }
        if !self.failed.is_empty() {
            let again = [self.failed.as_slice(), &self.skipped].concat().join(",");
            println!("FAILED: {}", self.failed.join(", "));
            println!("again: cargo xtask test-all --only {again}");
        }
        println!("{:.0} s in all", elapsed.as_secs_f64());
        println!("{} passed, {} failed", self.tally.passed, self.tally.failed);
    }
}

/// Whether an output of cargo has a compile error, rather than a lint that is an error.
fn is_compile_error(output: &str) -> bool {
    let coded = output.lines().any(|line| line.starts_with("error[E"));
    let linted = output.contains("implied by `-D");
    coded || (output.contains("error: could not compile") && !linted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> &'static Step {
        STEPS.iter().find(|step| step.name == name).unwrap()
    }

    fn outcome(output: &str, passed: u64, failed: u64) -> Outcome {
        Outcome {
            ok: false,
            output: output.to_owned(),
            tally: Tally { passed, failed },
        }
    }

    #[test]
    fn steps_are_selected_by_name_or_speed() {
        let only = |names: &[&str]| Selection {
            quick: false,
            only: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let names = |selection: &Selection| -> Vec<&str> {
            selected(selection)
                .unwrap()
                .iter()
                .map(|step| step.name)
                .collect()
        };
        assert_eq!(names(&only(&["tidy", "format"])), ["format", "tidy"]);
        assert_eq!(names(&Selection::default()).len(), STEPS.len());
        let quick = Selection {
            quick: true,
            only: Vec::new(),
        };
        assert!(names(&quick).contains(&"tests"));
        assert!(!names(&quick).contains(&"crash-loop"));
        assert!(selected(&only(&["unknown"])).is_err());
    }

    #[test]
    fn a_failed_step_counts_as_a_failure() {
        let mut report = Report::default();
        report.add(step("tests"), &outcome("", 5, 2));
        assert_eq!(
            report.tally,
            Tally {
                passed: 5,
                failed: 2
            }
        );
        report.add(step("tidy"), &outcome("a: b", 0, 0));
        assert_eq!(
            report.tally,
            Tally {
                passed: 5,
                failed: 3
            }
        );
        assert_eq!(report.failed, ["tests", "tidy"]);
    }

    #[test]
    fn a_lint_is_not_a_compile_error() {
        let lint = "error: unused\n  = note: `-D unused` implied by `-D warnings`\nerror: could not compile `a`";
        assert!(!is_compile_error(lint));
        assert!(is_compile_error(
            "error: expected `;`\nerror: could not compile `a` (lib)"
        ));
        assert!(is_compile_error("error[E0425]: cannot find value\n"));
        assert!(!is_compile_error("test a ... FAILED\n"));
        let mut report = Report::default();
        report.add(step("tests"), &outcome("error[E0425]: no", 0, 0));
        assert!(report.compile_error);
    }

    #[test]
    fn a_failed_step_shows_its_output() {
        let line = summary(
            &outcome("$ cargo x\nbad\n", 0, 1),
            Duration::from_millis(1200),
        );
        assert_eq!(line, "FAILED     1.2s  1 tests\n$ cargo x\nbad\n");
        let fine = Outcome {
            ok: true,
            output: "noise".to_owned(),
            ..Outcome::default()
        };
        assert_eq!(summary(&fine, Duration::ZERO), "ok         0.0s");
    }
}
