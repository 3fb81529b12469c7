//! Pictures: readable, and safe for any names.

use proptest::prelude::*;

use super::any;
use crate::{TaskGraph, TaskId, picture};

/// Names that people and models have written.
const NASTY: &[&str] = &[
    "\"];t9[\"x",
    "<script>alert(1)</script>",
    "`code`",
    "a\"] --> b",
    "%%{init: {}}%%",
    "click t0 \"x\"",
    "\\N\\\"",
    "&lt;#quot;",
    "; t9 -> t0",
    "end",
    "a\u{202e}b",
    "'; DROP",
    "]}>|)",
];

fn nasty() -> TaskGraph {
    let mut graph = TaskGraph::new();
    for name in NASTY {
        graph.add_task(*name, []);
    }
    graph
}

#[test]
fn a_diamond_with_states() {
    let graph = any::bare(&[vec![], vec![0], vec![0], vec![1], vec![1, 2, 3], vec![]]);
    let words = [
        "completed",
        "failed",
        "running",
        "skipped",
        "pending",
        "asking",
    ];
    let text = picture::tree(&graph, |id| Some(words[id.index()]));
    assert_eq!(
        text,
        "\
✓ t0
├─ ✗ t1
│  └─ » t3
│     └─ · t4 (also needs t1, t2)
└─ ▶ t2
? t5

· 1 pending, ▶ 1 running, ? 1 asking, ✓ 1 completed, ✗ 1 failed, » 1 skipped
"
    );
    let painted = picture::painted_tree(
        &graph,
        |id| (id.index() == 1).then_some("failed"),
        |word, text| format!("<{word}>{text}</>"),
    );
    assert!(painted.contains("├─ <failed>✗ t1</>\n"), "{painted}");
    assert_eq!(picture::tree(&TaskGraph::new(), |_| None), "(no tasks)\n");
}

#[test]
fn many_needs_are_continued_below() {
    let mut graph = TaskGraph::new();
    let first = graph.add_task("first", []);
    let parents: Vec<TaskId> = (0..12)
        .map(|i| graph.add_task(format!("a-rather-long-name-{i}"), [first]))
        .collect();
    let join = graph.add_task("join", parents);
    graph.add_task("after", [join]);
    let text = picture::tree(&graph, |_| None);
    let lines: Vec<&str> = text.lines().collect();
    let lines = &lines[2..7];
    assert_eq!(
        lines,
        [
            "│  └─ join (also needs a-rather-long-name-1, a-rather-long-name-2,",
            "│     │    a-rather-long-name-3, a-rather-long-name-4, a-rather-long-name-5,",
            "│     │    a-rather-long-name-6, a-rather-long-name-7, a-rather-long-name-8,",
            "│     │    a-rather-long-name-9, a-rather-long-name-10, a-rather-long-name-11)",
            "│     └─ after",
        ]
    );
}

#[test]
fn a_large_graph_is_summarised() {
    let needs: Vec<Vec<usize>> = (0..300usize)
        .map(|i| i.checked_sub(10).into_iter().collect())
        .collect();
    let graph = any::bare(&needs);
    let text = picture::tree(&graph, |id| {
        Some(if id.index() < 100 {
            "completed"
        } else {
            "pending"
        })
    });
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "300 tasks, 290 dependencies, 30 levels, at most 10 tasks in a level"
    );
    assert_eq!(lines[1], "100 completed, 200 pending");
    assert_eq!(lines[2], "level 1: t0, t1, t2, t3, t4 … and 5 more");
    assert_eq!(lines.last(), Some(&"… and 10 more levels"));
}

#[test]
fn a_deep_graph_is_summarised() {
    let chain = |length: usize| {
        let needs: Vec<Vec<usize>> = (0..length)
            .map(|i| i.checked_sub(1).into_iter().collect())
            .collect();
        picture::tree(&any::bare(&needs), |_| None)
    };
    assert_eq!(chain(30).lines().count(), 30);
    assert!(chain(31).starts_with("31 tasks, 30 dependencies, 31 levels"));
}

#[test]
fn mermaid_has_classes_for_states_that_occur() {
    let graph = any::bare(&[vec![], vec![0]]);
    let text = picture::mermaid(&graph, |id| (id.index() == 0).then_some("failed"));
    assert_eq!(
        text,
        "flowchart LR\n  t0[\"t0 · failed\"]:::failed\n  t1[\"t1\"]\n  t0 --> t1\n  \
         classDef failed fill:#f8d7da,stroke:#b71c1c,color:#300\n"
    );
}

/// The text between the first and the last double quote of a line.
fn label(line: &str) -> &str {
    &line[line.find('"').unwrap() + 1..line.rfind('"').unwrap()]
}

#[test]
fn names_are_inert_in_mermaid() {
    let text = picture::mermaid(&nasty(), |_| None);
    let lines: Vec<&str> = text.lines().skip(1).collect();
    assert_eq!(lines.len(), NASTY.len());
    for (i, line) in lines.iter().enumerate() {
        assert!(
            line.starts_with(&format!("  t{i}[\"")) && line.ends_with("\"]"),
            "{line}"
        );
        let bad = [
            '"', '<', '>', '`', '[', ']', '{', '}', '(', ')', '|', '\\', '&', '%', '\u{202e}',
        ];
        assert!(!label(line).contains(bad), "{line}");
    }
}

#[test]
fn names_are_inert_in_dot() {
    let text = picture::dot(&nasty(), |_| None);
    let lines: Vec<&str> = text.lines().collect();
    // DOT has three lines before the nodes, and one after them.
    assert_eq!(lines.len(), NASTY.len() + 4);
    for line in &lines[3..lines.len() - 1] {
        let plain = label(line).replace("\\\\", "").replace("\\\"", "");
        assert!(!plain.contains(['"', '\\', '<', '>', '\u{202e}']), "{line}");
    }
}

#[test]
fn names_are_inert_at_a_terminal() {
    let mut graph = TaskGraph::new();
    graph.add_task("a\u{202e}b\u{200b}", []);
    assert_eq!(picture::tree(&graph, |_| None), "a\\u{202e}b\\u{200b}\n");
    graph.add_task("👩\u{200d}🔬", []);
    assert!(picture::tree(&graph, |_| None).contains("👩\u{200d}🔬"));
}

proptest! {
    #[test]
    fn each_task_is_drawn_once(needs in any::needs(20)) {
        let graph = any::bare(&needs);
        let text = picture::tree(&graph, |_| Some("ready"));
        for (id, task) in graph.tasks() {
            let mark = format!("○ {}", task.name());
            let is_of = |line: &str| line.split(" (").next().is_some_and(|start| start.ends_with(&mark));
            prop_assert_eq!(text.lines().filter(|line| is_of(line)).count(), 1);
            // The needs may go on below, up to the next task.
            let mut lines = text.lines().skip_while(|line| !is_of(line));
            let first = lines.next().unwrap();
            let more = lines.take_while(|line| !line.contains('○'));
            let of_task: Vec<&str> = std::iter::once(first).chain(more).collect();
            let of_task = of_task.join(" ");
            let named = of_task.split_once("also needs ").map_or(0, |(_, all)| all.matches('t').count());
            prop_assert_eq!(named, graph.parents(id).len().saturating_sub(1));
        }
    }

    #[test]
    fn no_name_adds_a_line(name in "\\PC{1,40}") {
        let mut graph = TaskGraph::new();
        if graph.try_add_task(name.as_str(), []).is_err() {
            return Ok(());
        }
        let state = |_: TaskId| Some("ready");
        // The task, an empty line, and the legend.
        prop_assert_eq!(picture::tree(&graph, state).lines().count(), 3);
        prop_assert_eq!(picture::mermaid(&graph, state).lines().count(), 3);
        prop_assert_eq!(picture::dot(&graph, state).lines().count(), 5);
    }
}

#[test]
fn a_fallback_is_drawn_with_its_user() {
    let mut graph = TaskGraph::new();
    let mirror = graph.add_task("mirror", []);
    let fetch = crate::Task::new("fetch").on_failure(crate::OnFailure::Fallback(mirror));
    graph.add_task(fetch, []);
    let tree = picture::tree(&graph, |_| None);
    assert_eq!(tree, "mirror (if fetch fails)\nfetch\n");
    let dot = picture::dot(&graph, |_| None);
    assert!(dot.contains("  t1 -> t0 [style=dashed, label=\"if it fails\"];\n"));
    let mermaid = picture::mermaid(&graph, |_| None);
    assert!(mermaid.ends_with("  t1 -. if it fails .-> t0\n"));
}
