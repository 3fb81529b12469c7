//! The page of the book about JSON: each command prints the keys that the page lists, and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::support::{Ended, Scene, code};

const PAGE: &str = include_str!("../../../../docs/src/json.md");

const PLAN: &str = r#"
    goal = "A goal"
    [tasks.a]
    shell = "echo out; echo err >&2"
    [tasks.q]
    needs = ["a"]
    ask = "Where?"
    [tasks.f]
    on_failure = "skip"
    shell = "exit 3"
    [tasks.g]
    needs = ["f"]
    run = ["true"]
"#;

/// The events that are not saved records.
const OF_THE_TOOL: [&str; 6] = [
    "resuming", "retrying", "dropped", "waiting", "watching", "summary",
];

/// The keys of each section, and whether each may be left out.
fn sections() -> BTreeMap<&'static str, BTreeMap<&'static str, bool>> {
    let mut sections: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    let mut heading = "";
    for line in PAGE.lines() {
        if let Some(text) = line.strip_prefix("### ") {
            heading = text;
        }
        if let Some((key, text)) = line
            .strip_prefix("- `")
            .and_then(|line| line.split_once("`: "))
        {
            let is_optional = text.ends_with("*(optional)*");
            sections
                .entry(heading)
                .or_default()
                .insert(key, is_optional);
        }
    }
    sections
}

/// What was compared, and what did not agree.
#[derive(Default)]
struct Compared {
    seen: BTreeSet<String>,
    problems: BTreeSet<String>,
}

impl Compared {
    fn check(&mut self, heading: &str, value: &Value) {
        let sections = sections();
        let section = sections.get(heading).cloned().unwrap_or_default();
        let keys: BTreeSet<&str> = match value.as_object() {
            Some(object) => object.keys().map(String::as_str).collect(),
            None => BTreeSet::new(),
        };
        let unknown = keys.iter().filter(|key| !section.contains_key(*key));
        let unknown = unknown.map(|key| format!("{heading}: the page lacks {key}"));
        let required = section.iter().filter(|(_, is_optional)| !**is_optional);
        let missing = required.filter(|(key, _)| !keys.contains(*key));
        let missing = missing.map(|(key, _)| format!("{heading}: there is no {key}"));
        let problems: Vec<String> = unknown.chain(missing).collect();
        self.problems.extend(problems);
        self.seen.insert(heading.to_owned());
    }

    /// The first object that a command prints.
    fn first(&mut self, scene: &Scene, heading: &str, args: &[&str]) {
        let printed = lines(&scene.zeph(&[args, &["--json"]].concat()));
        let first = printed.first().unwrap_or(&Value::Null);
        self.check(heading, first.as_array().map_or(first, |items| &items[0]));
    }

    /// All events that a command prints.
    fn events(&mut self, scene: &Scene, args: &[&str]) -> Vec<Value> {
        let printed = lines(&scene.zeph(&[args, &["--json"]].concat()));
        self.check_events(&printed);
        printed
    }

    fn check_events(&mut self, printed: &[Value]) {
        for line in printed {
            let event = line["event"].as_str().unwrap_or_default();
            let is_of_the_tool = OF_THE_TOOL.contains(&event);
            match is_of_the_tool {
                true => self.check(&format!("event: `{event}`"), line),
                false => self.check("event: a saved record", line),
            }
        }
    }

    /// The events of a run that waits for another one of its group.
    fn wait(&mut self, scene: &Scene) {
        let held = "group = 'g'\n[tasks.held]\nshell = 'read line < gate-1'";
        scene.file("held.toml", held);
        scene.gates(1);
        let held = scene.start(&["run", "held.toml"]);
        let gate = scene.open_gate(1);
        let args = ["run", "plan.toml", "--group", "g", "--json"];
        let mut waits = scene.start(&args);
        waits.until(r#""event":"waiting""#);
        waits.signal("INT");
        self.check_events(&lines(&waits.wait()));
        scene.write(gate);
        held.wait();
    }
}

fn lines(ended: &Ended) -> Vec<Value> {
    let lines = ended
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap());
    lines.collect()
}

#[test]
fn every_command_prints_what_the_page_lists() {
    let scene = Scene::new(PLAN);
    let mut compared = Compared::default();
    let run = ["run", "plan.toml", "--name", "r", "--label", "a=b"];
    let run = compared.events(&scene, &run);
    let of = |event: &str| run.iter().find(|line| line["event"] == event).unwrap();
    let error = "the shell script exited with code 3";
    assert_eq!(of("attempt_failed")["error"], error);
    assert_eq!(of("question_asked")["question"]["text"], "Where?");
    let requests = "`zeph answer`, `complete`, `skip`, `cancel`, `pause`, `unpause`, `suspend`";
    for (heading, args) in [
        ("`zeph list`", &["list"][..]),
        ("`zeph status`", &["status", "r"]),
        ("`zeph why`", &["why", "r", "g"]),
        (requests, &["suspend", "r"]),
        (requests, &["pause", "r"]),
        (requests, &["unpause", "r"]),
        (requests, &["answer", "r", "1", "here"]),
        (requests, &["complete", "r", "q", "--output", "there"]),
        (requests, &["skip", "r", "q", "--replace"]),
    ] {
        compared.first(&scene, heading, args);
    }
    scene.file("more.toml", &format!("{PLAN}[tasks.h]\nrun = ['true']\n"));
    compared.first(&scene, "`zeph amend`", &["amend", "r", "more.toml"]);
    compared.events(&scene, &["resume", "r"]);
    compared.events(&scene, &["retry", "r", "--name", "s"]);
    compared.events(&scene, &["fork", "r", "--at", "a", "--dry-run"]);
    compared.events(&scene, &["watch", "r", "--from-start"]);
    compared.wait(&scene);
    for (heading, args) in [
        ("`zeph show RUN`", &["show", "r"][..]),
        ("`zeph show RUN TASK`", &["show", "r", "a"]),
        ("`zeph artifact`", &["artifact", "r", "a"]),
        ("`zeph logs`", &["logs", "r"]),
        ("`zeph graph`", &["graph", "r"]),
        ("`zeph graph`", &["graph", "plan.toml"]),
        ("`zeph diff`", &["diff", "r", "s"]),
        ("`zeph budget`", &["budget", "r"]),
        ("`zeph verify`", &["verify", "r"]),
        ("`zeph replay`", &["replay", "r"]),
        ("`zeph validate`", &["validate", "plan.toml"]),
        ("`zeph run --dry-run`", &["run", "plan.toml", "--dry-run"]),
        ("`zeph agents`", &["agents"]),
        ("`zeph mcp tools`", &["mcp", "tools"]),
        ("`zeph new`", &["new", "other"]),
        ("`zeph prune`", &["prune", "--keep", "9"]),
        ("`zeph backup`", &["backup", "copy.db"]),
        ("`zeph export`, `zeph import`", &["export", "r", "r.jsonl"]),
        ("`zeph delete`", &["delete", "r"]),
        ("`zeph export`, `zeph import`", &["import", "r.jsonl"]),
        ("`zeph config`", &["config", "show"]),
        ("`zeph doctor`", &["doctor"]),
        ("`zeph explain`", &["explain", "8"]),
        ("`zeph trust`", &["trust", "--list"]),
        ("`error`", &["show", "nothing"]),
    ] {
        compared.first(&scene, heading, args);
    }
    assert!(compared.problems.is_empty(), "{:#?}", compared.problems);
    let sections = sections();
    let headings = sections.keys().filter(|heading| !heading.is_empty());
    let untested: Vec<_> = headings
        .filter(|heading| !compared.seen.contains(**heading))
        .collect();
    assert!(untested.is_empty(), "{untested:?}");
}

#[test]
fn a_wrong_command_line_is_an_error_in_json_as_well() {
    let scene = Scene::new(PLAN);
    let wrong = scene.zeph(&["--json", "list", "--bogus"]);
    assert_eq!(code(&wrong), 2, "{wrong:?}");
    let error = &lines(&wrong)[0]["error"];
    assert_eq!(error["code"], "usage", "{error}");
    let message = error["message"].as_str().unwrap();
    assert!(message.contains("unexpected argument '--bogus'"), "{error}");
    assert!(
        error["help"].as_str().unwrap().contains("Usage: zeph list"),
        "{error}"
    );
    let page = PAGE.lines().find_map(|line| line.strip_prefix("Version "));
    let version = page.and_then(|line| line.split(' ').next()).unwrap();
    let doctor = &lines(&scene.zeph(&["doctor", "--json"]))[0];
    assert_eq!(doctor["json"].to_string(), version, "{doctor}");
}
