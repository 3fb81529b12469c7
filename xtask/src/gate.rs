//! The gate itself: runs the steps, one line each, and tells how many tests ran.

use std::io::Write;
use std::time::{Duration, Instant};

use crate::args::Choice;
use crate::steps::{Outcome, STEPS, Step};
use crate::tally::Tally;
use crate::workspace::Workspace;

/// What the gate knows about the steps it has run.
#[derive(Debug, Default)]
struct Report {
    tally: Tally,
    failed: Vec<&'static str>,
    skipped: Vec<&'static str>,
    /// Something did not compile, so nothing that compiles can tell more.
    broken: bool,
}

/// Prints the steps.
pub(crate) fn list() {
    for step in &STEPS {
        let quick = if step.quick { "quick" } else { "" };
        println!("{:<12} {quick:<6} {}", step.name, step.about);
    }
}

/// Runs the chosen steps; the answer is whether all passed.
pub(crate) fn run(choice: &Choice) -> Result<bool, String> {
    let steps = chosen(choice)?;
    let workspace = Workspace::load()?;
    let start = Instant::now();
    let mut report = Report::default();
    for (index, step) in steps.iter().enumerate() {
        print!("[{:>2}/{}] {:<12}", index + 1, steps.len(), step.name);
        // A long step should be seen while it runs; where that fails, nothing is lost.
        let _ = std::io::stdout().flush();
        if report.broken && step.compiles() {
            report.skipped.push(step.name);
            println!("skipped: something did not compile");
            continue;
        }
        let begin = Instant::now();
        let outcome = step.run(&workspace, choice.quick);
        println!("{}", ending(&outcome, begin.elapsed()));
        report.add(step, &outcome);
    }
    report.close(start.elapsed());
    Ok(report.failed.is_empty())
}

fn chosen(choice: &Choice) -> Result<Vec<&'static Step>, String> {
    for name in &choice.only {
        if !STEPS.iter().any(|step| step.name == name) {
            return Err(format!(
                "no step `{name}`; type: cargo xtask test-all --list"
            ));
        }
    }
    let wanted = |step: &&Step| {
        if choice.only.is_empty() {
            return step.quick || !choice.quick;
        }
        choice.only.iter().any(|name| name == step.name)
    };
    Ok(STEPS.iter().filter(wanted).collect())
}

fn ending(outcome: &Outcome, took: Duration) -> String {
    let word = if outcome.ok { "ok" } else { "FAILED" };
    let seconds = took.as_secs_f64();
    let mut line = format!("{word:<7} {seconds:>6.1}s");
    let tests = outcome.tally.passed + outcome.tally.failed;
    if tests > 0 {
        line.push_str(&format!("  {tests} tests"));
    }
    if !outcome.ok {
        line.push_str(&format!("\n{}\n", outcome.text.trim_end()));
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
        self.broken |= step.compiles() && is_compile_error(&outcome.text);
        if outcome.tally.failed == 0 {
            // A step that fails without a failing test counts as one, so that the last line never
            // says that nothing failed when something did.
            self.tally.failed += 1;
        }
    }

    fn close(&self, took: Duration) {
        println!();
        if !self.skipped.is_empty() {
            println!("skipped: {}", self.skipped.join(", "));
        }
        if !self.failed.is_empty() {
            let again = [self.failed.as_slice(), &self.skipped].concat().join(",");
            println!("FAILED: {}", self.failed.join(", "));
            println!("again: cargo xtask test-all --only {again}");
        }
        println!("{:.0} s in all", took.as_secs_f64());
        println!("{} passed, {} failed", self.tally.passed, self.tally.failed);
    }
}

/// Whether an output tells of code that does not compile, rather than of a lint.
fn is_compile_error(text: &str) -> bool {
    let coded = text.lines().any(|line| line.starts_with("error[E"));
    let linted = text.contains("implied by `-D");
    coded || (text.contains("error: could not compile") && !linted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn step(name: &str) -> &'static Step {
        STEPS.iter().find(|step| step.name == name).unwrap()
    }

    fn outcome(text: &str, passed: u64, failed: u64) -> Outcome {
        Outcome {
            ok: false,
            text: text.to_owned(),
            tally: Tally { passed, failed },
        }
    }

    #[test]
    fn steps_are_chosen_by_name_or_speed() {
        let only = |names: &[&str]| Choice {
            quick: false,
            only: names.iter().map(|name| (*name).to_owned()).collect(),
        };
        let names = |choice: &Choice| -> Vec<&str> {
            chosen(choice)
                .unwrap()
                .iter()
                .map(|step| step.name)
                .collect()
        };
        assert_eq!(names(&only(&["tidy", "format"])), ["format", "tidy"]);
        assert_eq!(names(&Choice::default()).len(), STEPS.len());
        let quick = Choice {
            quick: true,
            only: Vec::new(),
        };
        assert!(names(&quick).contains(&"tests"));
        assert!(!names(&quick).contains(&"crash-loop"));
        assert!(chosen(&only(&["polish"])).is_err());
    }

    #[test]
    fn a_failed_step_is_never_told_as_nothing_failed() {
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
    fn only_what_does_not_compile_breaks_the_rest() {
        let lint = "error: unused\n  = note: `-D unused` implied by `-D warnings`\nerror: could not compile `a`";
        assert!(!is_compile_error(lint));
        assert!(is_compile_error(
            "error: expected `;`\nerror: could not compile `a` (lib)"
        ));
        assert!(is_compile_error("error[E0425]: cannot find value\n"));
        assert!(!is_compile_error("test a ... FAILED\n"));
        let mut report = Report::default();
        report.add(step("tests"), &outcome("error[E0425]: no", 0, 0));
        assert!(report.broken);
    }

    #[test]
    fn a_failure_shows_what_was_said() {
        let line = ending(
            &outcome("$ cargo x\nbad\n", 0, 1),
            Duration::from_millis(1200),
        );
        assert_eq!(line, "FAILED     1.2s  1 tests\n$ cargo x\nbad\n");
        let fine = Outcome {
            ok: true,
            text: "noise".to_owned(),
            ..Outcome::default()
        };
        assert_eq!(ending(&fine, Duration::ZERO), "ok         0.0s");
    }
}
