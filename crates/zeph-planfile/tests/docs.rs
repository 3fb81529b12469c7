//! The reference of plan files: its examples load, and it has every key and code.

#![allow(
    clippy::unwrap_used,
    reason = "the helpers of a test may take its short way"
)]

use std::path::Path;

use zeph_graph::wire;
use zeph_planfile::{Format, Plan, code};

fn page() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/src/plan-file.md");
    std::fs::read_to_string(path).unwrap()
}

/// The folder with the files that examples name.
fn folder() -> String {
    concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/plans").to_owned()
}

/// The blocks of a language, each with the line that it begins on.
fn blocks(page: &str, language: &str) -> Vec<(usize, String)> {
    let mut blocks = Vec::new();
    let mut open: Option<(usize, String)> = None;
    for (number, line) in page.lines().enumerate() {
        match &mut open {
            None if line == format!("```{language}") => open = Some((number + 1, String::new())),
            None => {}
            Some(_) if line == "```" => blocks.extend(open.take()),
            Some((_, text)) => {
                text.push_str(line);
                text.push('\n');
            }
        }
    }
    blocks
}

#[test]
fn every_example_is_a_plan() {
    let page = page();
    for (language, format, least) in [
        ("toml", Format::Toml, 9),
        ("json", Format::Json, 1),
        ("yaml", Format::Yaml, 1),
    ] {
        let blocks = blocks(&page, language);
        assert!(
            blocks.len() >= least,
            "{} {language} examples",
            blocks.len()
        );
        for (line, text) in blocks {
            match Plan::load_bytes_in(text.as_bytes(), format, "example", &folder()) {
                Ok(plan) => assert!(plan.warnings().is_empty(), "{line}: {}", plan.warnings()),
                Err(errors) => panic!("the example on line {line}: {errors}"),
            }
        }
    }
}

#[test]
fn every_code_is_explained() {
    let page = page();
    let all = [code::ALL, wire::code::ALL, zeph_diagnostics::code::ALL].concat();
    for code in all {
        assert!(
            page.contains(&format!("`{code}`")),
            "{code} is not explained"
        );
    }
}

/// The keys in the first columns of the tables, against those that plans accept.
#[test]
fn every_key_of_the_tables_is_one_that_plans_know() {
    let page = page();
    let tables = page.split("## Error codes").next().unwrap();
    let mut keys = 0;
    for line in tables.lines() {
        let Some(key) = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split('`').next())
        else {
            continue;
        };
        if key.chars().all(|c| c.is_ascii_lowercase() || c == '_') {
            // The code distinguishes a key that is known on other tasks from an unknown key.
            let known = [
                "",
                "[params.p]",
                "[tasks.a]",
                "[tasks.a]\nask.text = 'x'\n[tasks.a.ask]",
            ]
            .iter()
            .any(|table| {
                let text = format!("{table}\n{key} = 1\n");
                let errors = Plan::load(&text, Format::Toml, "key").err();
                errors.is_none_or(|errors| errors.iter().all(|one| one.code != code::UNKNOWN_KEY))
            });
            assert!(known, "no plan knows {key}");
            keys += 1;
        }
    }
    assert!(keys >= 35, "only {keys} keys are listed");
}

#[test]
fn the_plans_of_the_docs_have_no_warnings() {
    let plans = std::fs::read_dir(folder()).unwrap().flatten();
    let mut count = 0;
    for path in plans.map(|entry| entry.path()) {
        if path.extension().is_some_and(|ending| ending == "toml") {
            let text = std::fs::read_to_string(&path).unwrap();
            let plan = Plan::load_bytes_in(text.as_bytes(), Format::Toml, "plan", &folder());
            let plan = plan.unwrap_or_else(|errors| panic!("{path:?}: {errors}"));
            assert!(plan.warnings().is_empty(), "{path:?}: {}", plan.warnings());
            count += 1;
        }
    }
    assert!(count >= 4, "{count}");
}
