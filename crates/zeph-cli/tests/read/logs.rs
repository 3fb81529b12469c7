//! `logs`: bytes as they were logged when they go to a program, headers between several logs.

use serde_json::{Value, json};
use zeph_graph::TaskGraph;

use crate::kit::{Home, doing};

fn two_tasks() -> TaskGraph {
    let mut graph = TaskGraph::new();
    let raw = json!({ "bytes": [0x61, 0xff, 0x1b, 0x5b, 0x32, 0x4a] });
    let first = graph.add_task(doing("raw", &raw), []);
    graph.add_task(
        doing("both", &json!({ "stdout": "out", "stderr": "err\n" })),
        [first],
    );
    graph
}

#[test]
fn one_stream_is_piped_byte_by_byte() {
    let home = Home::new();
    home.run("r", "", two_tasks());
    let raw = home.zeph(&["logs", "r", "raw"]);
    assert_eq!(
        (raw.code, raw.bytes.as_slice()),
        (0, &b"a\xff\x1b[2J"[..]),
        "{raw:?}"
    );
    let both = home.zeph(&["logs", "r", "both"]);
    assert_eq!(
        both.out,
        "== both, attempt 1, stdout\nout\n\n== both, attempt 1, stderr\nerr\n"
    );
    let all = home.zeph(&["logs", "r", "--attempt", "1"]);
    assert!(
        all.out.starts_with("== raw, attempt 1, stdout\n"),
        "{all:?}"
    );
    assert!(
        all.out.ends_with("\n== both, attempt 1, stderr\nerr\n"),
        "{all:?}"
    );
}

#[test]
fn for_programs_each_stream_is_a_line() {
    let home = Home::new();
    home.run("r", "", two_tasks());
    let logs = home.zeph(&["logs", "r", "--json"]);
    let lines: Vec<Value> = logs
        .out
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(lines.len(), 3, "{logs:?}");
    assert_eq!(
        (&lines[0]["utf8"], &lines[0]["bytes"]),
        (&json!(false), &json!(6))
    );
    assert_eq!(
        (&lines[1]["text"], &lines[2]["stream"]),
        (&json!("out"), &json!("stderr"))
    );
}

#[test]
fn nothing_logged_is_said_on_stderr() {
    let home = Home::new();
    let mut graph = TaskGraph::new();
    graph.add_task(doing("quiet", &json!({})), []);
    home.run("r", "", graph);
    let logs = home.zeph(&["logs", "r", "quiet"]);
    assert_eq!((logs.code, logs.out.as_str()), (0, ""), "{logs:?}");
    assert_eq!(logs.err, "quiet: nothing was logged\n");
}
