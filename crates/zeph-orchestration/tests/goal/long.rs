//! Results that are too long for one request: summaries in two rounds, and citations of them.

use zeph_orchestration::RunEnd;
use zeph_orchestration::llm::{Capabilities, Reply, ScriptedProvider};

use crate::script::{asks_for_a_plan, builder, run, says};

#[tokio::test]
async fn a_citation_of_a_summary_becomes_its_tasks_in_the_answer() {
    let tasks = (0..8).map(|n| {
        format!(
            r#"{{"name": "part-{n}", "needs": [], "kind": "agent", "prompt": "Tell of part {n}."}}"#
        )
    });
    let tasks: Vec<String> = tasks.collect();
    let plan = format!(
        r#"{{"reasoning": "Eight parts.", "tasks": [{}]}}"#,
        tasks.join(", ")
    );
    let can = Capabilities {
        context_tokens: Some(4_096),
        ..Capabilities::TEXT
    };
    let model = ScriptedProvider::new("script")
        .with_capabilities(can)
        .rule(asks_for_a_plan, None, Reply::text(plan))
        .when(
            "Do not answer the goal yet",
            Reply::text("Summed. ".repeat(200)),
        )
        .when(
            "Write the answer",
            Reply::text("Wet [summary-1.1], dry [summary-2.2]."),
        )
        .rule(
            |request| says(request, "Tell of part"),
            None,
            Reply::text("rain ".repeat(1_400)),
        );
    let results = run(builder(&model)).await;
    assert_eq!(results.end(), Some(RunEnd::Completed));
    let answer = results.answer.as_ref().unwrap();
    assert_eq!(answer.rounds, 2, "{answer:?}");
    assert!(
        answer.text.starts_with("Wet [part-0], dry [part-"),
        "{}",
        answer.text
    );
    let is_task = |name: &String| name.starts_with("part-");
    assert!(
        answer.sources.len() > 1 && answer.sources.iter().all(is_task),
        "{answer:?}"
    );
    assert!(
        answer.removed.is_empty() && answer.cuts.is_empty(),
        "{answer:?}"
    );
}
