//! Texts that attack a terminal, in goals, names, errors, results and questions, for every output.

use serde_json::json;
use zeph_graph::{OnFailure, Question, Task, TaskGraph};

use crate::kit::Home;
use crate::kit::doing;

const NASTY: &str = "\x1b[31mred\x1b[0m\r\nline\x1b]0;title\x07\u{202e}gpj\u{200b}\u{9b}2J";

fn graph() -> TaskGraph {
    let mut graph = TaskGraph::new();
    graph.metadata_mut().insert("note".into(), NASTY.into());
    let value = json!({ "value": { "text": NASTY }, "stdout": NASTY });
    // A name has no control characters, but may contain bidirectional ones.
    let first = graph.add_task(doing("fi\u{202e}rst\u{200b}", &value), []);
    let broken = doing("broken", &json!({ "fail": NASTY })).on_failure(OnFailure::Skip);
    let broken = graph.add_task(broken, [first]);
    graph.add_task(doing("after", &json!({})), [broken]);
    graph.add_task(
        Task::new("ask").question(Question::choice(NASTY, [NASTY, "no"])),
        [first],
    );
    graph
}

#[test]
fn nothing_reaches_the_terminal_that_could_act_on_it() {
    let home = Home::new();
    home.run("r", NASTY, graph());
    let first = "fi\u{202e}rst\u{200b}";
    let cases: &[&[&str]] = &[
        &["list"],
        &["status", "r"],
        &["show", "r"],
        &["show", "r", first],
        &["show", "r", "broken"],
        &["show", "r", "ask"],
        &["why", "r", "after"],
        &["why", "r", "ask"],
        &["why", "r", first],
        &["verify"],
        &["answer", "r", "1", NASTY],
        &["answer", "r", "1", "\x1b[2Jwrong"],
        &["cancel", "r", "\x1b[2J\u{202e}"],
        &["show", NASTY],
        &["show", "r", NASTY],
    ];
    for args in cases {
        let ended = home.zeph(args);
        assert_ne!(ended.code, 1, "{args:?}: {ended:?}");
        let harmful = |c: char| {
            (c.is_control() && c != '\n') || matches!(c, '\u{202e}' | '\u{200b}' | '\u{9b}')
        };
        let all = format!("{}{}", ended.out, ended.err);
        assert!(!all.contains(harmful), "{args:?}: {all:?}");
        assert!(!all.is_empty(), "{args:?}: {ended:?}");
    }
}

#[test]
fn programs_get_the_texts_as_they_are() {
    let home = Home::new();
    home.run("r", NASTY, graph());
    assert_eq!(home.json(0, &["list"])[0]["title"], NASTY);
    let task = home.json(0, &["show", "r", "fi\u{202e}rst\u{200b}"]);
    assert_eq!(task["output"]["value"]["text"], NASTY);
    assert_eq!(
        home.json(0, &["why", "r", "after"])["error"]["message"],
        NASTY
    );
    assert_eq!(
        home.json(0, &["status", "r"])["questions"][0]["text"],
        NASTY
    );
}
