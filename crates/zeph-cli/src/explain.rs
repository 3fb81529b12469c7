//! `zeph explain`: what a code, a state, an event or an exit code means.

use serde_json::{Value, json};
use zeph_diagnostics::suggest;

use crate::args::ExplainArgs;
use crate::context::command;
use crate::exit::{CliError, Exit};
use crate::out::{self, Tone};
use crate::read::page::Page;

/// The page of the book: a heading for each kind, a line for each code.
const PAGE: &str = include_str!("../../../docs/src/codes.md");

/// A line of the page.
struct Entry {
    kind: &'static str,
    code: &'static str,
    text: &'static str,
}

pub(crate) fn run(args: &ExplainArgs, is_json: bool) -> Result<Exit, CliError> {
    let Some(wanted) = &args.code else {
        list(is_json);
        return Ok(Exit::Completed);
    };
    let found: Vec<Entry> = entries().filter(|entry| entry.code == wanted).collect();
    if found.is_empty() {
        return Err(unknown(wanted));
    }
    if is_json {
        let entries = found.iter().map(Entry::to_json);
        out::json(&json!({ "code": wanted, "entries": entries.collect::<Vec<_>>() }));
        return Ok(Exit::Completed);
    }
    let mut page = Page::new();
    for entry in found {
        page.painted_line(&[
            (Tone::Heading, entry.code),
            (Tone::Quiet, ": "),
            (Tone::Quiet, entry.kind),
        ]);
        page.block(2, entry.text);
    }
    page.print();
    Ok(Exit::Completed)
}

/// Lists all codes, by kind.
fn list(is_json: bool) {
    if is_json {
        out::json(&entries().map(|entry| entry.to_json()).collect());
        return;
    }
    let mut page = Page::new();
    let mut kind = "";
    for entry in entries() {
        if entry.kind != kind {
            kind = entry.kind;
            page.heading(kind);
        }
        page.painted_line(&[
            (Tone::Question, &format!("  {:24} ", entry.code)),
            (Tone::Plain, entry.text),
        ]);
    }
    page.print();
}

fn unknown(wanted: &str) -> CliError {
    let shown = zeph_common::escape_terminal(wanted);
    let text = format!("there is no code {shown:?}");
    let near = suggest(wanted, entries().map(|entry| entry.code));
    let list = command(&["explain"]);
    let help = match near {
        Some(near) => format!("did you mean {near:?}? `{list}` lists all codes"),
        None => format!("`{list}` lists all codes"),
    };
    CliError::new(Exit::Usage, text)
        .code("unknown_code")
        .help(help)
}

fn entries() -> impl Iterator<Item = Entry> {
    let mut kind = "";
    PAGE.lines().filter_map(move |line| {
        if let Some(heading) = line.strip_prefix("## ") {
            kind = heading;
        }
        let (code, text) = line.strip_prefix("- `")?.split_once("`: ")?;
        Some(Entry { kind, code, text })
    })
}

impl Entry {
    fn to_json(&self) -> Value {
        json!({ "code": self.code, "kind": self.kind, "text": self.text })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::{Path, PathBuf};

    use zeph_graph::{CutHow, Fault, RunEnd};

    use super::entries;

    type Codes = BTreeSet<String>;

    /// The codes of the page below a heading.
    fn of(kind: &str) -> Codes {
        let entries = entries().filter(|entry| entry.kind == kind);
        let codes: Codes = entries.map(|entry| entry.code.to_owned()).collect();
        assert!(!codes.is_empty(), "the page has no section {kind:?}");
        codes
    }

    /// The source files below a path of this workspace, without tests and comments.
    fn source(path: &str) -> String {
        let crates = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
        let mut open = vec![crates.join(path)];
        let mut all = String::new();
        while let Some(path) = open.pop() {
            if path.is_dir() {
                let below = std::fs::read_dir(&path).unwrap().flatten();
                open.extend(
                    below
                        .map(|entry| entry.path())
                        .filter(|path: &PathBuf| is_product(path)),
                );
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = text
                .lines()
                .filter(|line| !line.trim_start().starts_with("//"));
            all.extend(lines.flat_map(|line| [line, "\n"]));
        }
        all
    }

    fn is_product(path: &Path) -> bool {
        path.is_dir() && !path.ends_with("tests")
            || path.extension().is_some_and(|kind| kind == "rs") && !path.ends_with("tests.rs")
    }

    /// The texts in quotes that follow a pattern, which ends with the first quote.
    fn after(source: &str, pattern: &str) -> Codes {
        let found = source.split(pattern).skip(1);
        let codes = found.filter_map(|rest| rest.split('"').next());
        codes.map(str::to_owned).collect()
    }

    fn assert_explained(kind: &str, codes: &Codes) {
        let known = of(kind);
        let missing: Vec<&String> = codes.difference(&known).collect();
        assert!(
            missing.is_empty(),
            "docs/src/codes.md, {kind}: no line for {missing:?}"
        );
    }

    #[test]
    fn every_code_of_a_problem_is_explained() {
        let source = source("");
        let blocks = source.split("codes! {").skip(1);
        let blocks = blocks.filter_map(|rest| rest.split('}').next());
        let mut codes: Codes = blocks.flat_map(|block| after(block, " = \"")).collect();
        codes.extend(after(&source, "Code::new(\""));
        assert!(codes.len() > 100, "{codes:?}");
        let repairs = of("Repairs and warnings of model plans");
        let problems = codes.difference(&repairs).cloned().collect();
        assert_explained("Problems of files, settings and plans", &problems);
    }

    #[test]
    fn every_error_of_a_command_is_explained() {
        let tool = source("zeph-cli/src");
        let mut codes = Codes::new();
        for pattern in [".code(\"", "usage(\"", "store(\""] {
            codes.extend(after(&tool, pattern));
        }
        codes.extend(after(&source("zeph-memory/src/error.rs"), "=> \""));
        let exits = source("zeph-cli/src/exit.rs");
        let words = exits
            .split("fn word")
            .nth(1)
            .and_then(|rest| rest.split("\n}").next());
        codes.extend(after(words.unwrap(), "=> \""));
        codes.extend(["invalid_plan", "bad_configuration"].map(str::to_owned));
        assert!(codes.len() > 60, "{codes:?}");
        assert_explained("Errors of commands", &codes);
    }

    #[test]
    fn every_error_of_an_attempt_is_explained() {
        let mut codes = after(&source(""), "with_code(\"");
        codes.extend(after(&source("zeph-executor/src/error.rs"), "=> \""));
        codes.extend(after(&source("zeph-llm/src/error.rs"), "=> \""));
        let plans = after(&source("zeph-planner/src/plan/failure.rs"), "=> \"");
        codes.extend(plans.into_iter().filter(|code| code.starts_with("plan_")));
        assert!(codes.len() > 60, "{codes:?}");
        assert_explained("Errors of attempts", &codes);
    }

    #[test]
    fn every_state_fault_event_and_exit_code_is_explained() {
        let words = |words: &[&str]| {
            words
                .iter()
                .map(|word| (*word).to_owned())
                .collect::<Codes>()
        };
        assert_eq!(of("Faults: why a task failed"), words(Fault::WORDS));
        assert_eq!(
            of("Ends of an attempt without a result"),
            words(CutHow::WORDS)
        );
        let states = source("zeph-graph/src/state.rs");
        let mut sections = states.split("pub const fn word(self)").skip(1);
        let mut next = || {
            after(
                sections.next().unwrap().split("\n}").next().unwrap(),
                "=> \"",
            )
        };
        let (first, second) = (next(), next());
        let (tasks, mut runs) = if first.contains("pending") {
            (first, second)
        } else {
            (second, first)
        };
        assert_eq!(of("States of a task"), tasks);
        runs.extend(words(RunEnd::WORDS));
        runs.insert("interrupted".to_owned());
        assert_eq!(of("States of a run"), runs);
        let events = source("zeph-scheduler/src/event.rs");
        assert_eq!(of("Events"), after(&events, "=> \""));
        let exits = source("zeph-cli/src/exit.rs");
        let numbers = exits
            .lines()
            .filter_map(|line| line.trim().strip_suffix(',')?.split_once(" = "));
        let numbers = numbers.filter(|(_, number)| number.parse::<u8>().is_ok());
        let numbers: Codes = numbers.map(|(_, number)| number.to_owned()).collect();
        assert_eq!(of("Exit codes"), numbers);
    }
}
