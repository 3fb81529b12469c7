//! Arbitrary texts: nothing panics, and the guarantees hold for every accepted plan.
//!
//! `PROPTEST_CASES` sets the number of cases; `cargo xtask soak` runs many.

use std::collections::BTreeSet;

use proptest::prelude::*;
use zeph_planner::plan::{Plan, PlanRequest, PlannedWork, read_plan};

use crate::support::{cases, request};

/// Checks the guarantees that hold for every plan.
fn hold(plan: &Plan, request: &PlanRequest) {
    let mut before = BTreeSet::new();
    let mut folded = BTreeSet::new();
    for task in &plan.tasks {
        assert!(
            task.needs.iter().all(|need| before.contains(need)),
            "{task:?}"
        );
        assert_eq!(
            task.needs.iter().collect::<BTreeSet<_>>().len(),
            task.needs.len()
        );
        assert!(task.name.len() <= 64, "{}", task.name);
        let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        assert!(task.name.chars().all(plain), "{}", task.name);
        assert!(folded.insert(task.name.to_lowercase()), "{}", task.name);
        before.insert(task.name.clone());
        match &task.work {
            PlannedWork::Agent { agent, tools, .. } => {
                let agent = agent
                    .as_ref()
                    .map(|name| request.catalog.get(name).unwrap());
                let used = match (tools, agent) {
                    (Some(tools), _) => tools.iter().cloned().collect(),
                    (None, Some(agent)) => agent.tools.clone(),
                    (None, None) => request
                        .catalog
                        .iter()
                        .flat_map(|one| one.tools.clone())
                        .collect(),
                };
                assert!(used.is_subset(&request.rights.tools), "{task:?}");
                if let (Some(agent), Some(_)) = (agent, tools) {
                    assert!(used.is_subset(&agent.tools), "{task:?}");
                }
            }
            PlannedWork::Command { command, argv, .. } => {
                let template = request.commands.get(command).unwrap();
                assert!(argv.len() <= 2 + template.args.len() + 1);
                assert!(["git", "./note", "./deploy", "cat"].contains(&argv[0].as_str()));
            }
            PlannedWork::Question { text } => assert!(!text.is_empty()),
        }
    }
    assert!((1..=request.limits.max_tasks).contains(&plan.tasks.len()));
    assert!(plan.estimate.depth <= request.limits.max_depth);
    assert!(plan.estimate.width <= request.limits.max_width);
}

fn check(text: &str) {
    let request = request();
    let reading = read_plan(text, &request);
    match &reading.outcome {
        Ok(plan) => {
            hold(plan, &request);
            let file = plan.to_plan_file();
            let parsed: toml::Table = file.parse().unwrap();
            let tasks = parsed["tasks"].as_table().unwrap();
            assert_eq!(tasks.len(), plan.tasks.len());
            assert_eq!(read_plan(&plan.answer, &request).outcome.as_ref(), Ok(plan));
        }
        Err(problems) => assert!(!problems.is_empty()),
    }
    for shown in reading.repairs.iter().map(ToString::to_string) {
        assert!(!shown.contains(char::is_control), "{shown:?}");
    }
}

/// Every document of the files.
fn documents() -> Vec<String> {
    let files = [
        "shape.txt",
        "graph.txt",
        "host.txt",
        "names.txt",
        "repaired.txt",
        "text.txt",
    ];
    let all = files.iter().flat_map(|file| cases(file));
    all.map(|case| case.text).collect()
}

/// Pieces of valid plans, and pieces that plans must not have.
const PIECES: [&str; 30] = [
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"tasks\":",
    "\"name\":",
    "\"a\"",
    "\"needs\":",
    "[\"a\"]",
    "\"kind\":\"command\"",
    "\"command\":\"git_log\"",
    "\"arguments\":",
    "null",
    "-1e400",
    "NaN",
    "```json\n",
    "<think>",
    "\u{202E}",
    "\u{1b}[31m",
    "\0",
    "\u{FEFF}",
    "${{ x }}",
    "'''",
    "\"agent\":\"editor\"",
    "\"count\":\"3\"",
    "é\u{301}",
];

proptest! {
    #[test]
    fn no_bytes_panic(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        check(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn no_pieces_panic(pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40)) {
        check(&pieces.concat());
    }

    #[test]
    fn no_mutation_of_a_document_panics(
        document in prop::sample::select(documents()),
        edits in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, prop::sample::select(&PIECES[..])), 1..6),
    ) {
        let mut text = document;
        for (place, cut, piece) in edits {
            let start = text.floor_char_boundary(place.index(text.len() + 1));
            let end = text.floor_char_boundary((start + cut).min(text.len()));
            text.replace_range(start..end.max(start), piece);
        }
        check(&text);
    }

    #[test]
    fn no_names_and_needs_panic(
        names in prop::collection::vec("[aAbB1 .\u{e9}-]{0,3}", 1..7),
        needs in prop::collection::vec((0_usize..7, "[aAbB1 .\u{e9}-]{0,3}"), 0..12),
    ) {
        let tasks = names.iter().enumerate().map(|(place, name)| {
            let needs: Vec<&String> = needs.iter().filter(|(of, _)| *of == place).map(|(_, need)| need).collect();
            serde_json::json!({ "name": name, "needs": needs, "agent": "writer", "prompt": "Do it." })
        });
        let tasks: Vec<_> = tasks.collect();
        check(&serde_json::json!({ "reasoning": "", "tasks": tasks }).to_string());
    }
}
