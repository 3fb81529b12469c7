//! Results that are too long for one request: summaries in two rounds, and citations of them.

use std::sync::Arc;
use std::time::Duration;

use zeph_orchestration::RunEnd;
use zeph_orchestration::llm::{
    Capabilities, LlmRequest, LlmResponse, Purpose, Reply, ScriptedProvider,
};
use zeph_orchestration::store::{ListQuery, MemoryStore, RawGraphStore};

use crate::script::{GOAL, asks_for_a_plan, builder, run, says};

/// A reply of a service that counts more tokens than the estimate.
fn said(text: String) -> Reply {
    Reply::made(move |request| {
        let input = u32::try_from(request.bytes() / 3).unwrap();
        Ok(LlmResponse::text(text.clone()).usage(input, 400))
    })
}

/// Eight results that do not fit into one request.
fn eight_parts() -> ScriptedProvider {
    eight_parts_after(ScriptedProvider::new("script"))
}

/// The same replies after others.
fn eight_parts_after(model: ScriptedProvider) -> ScriptedProvider {
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
    model
        .with_capabilities(can)
        .rule(asks_for_a_plan, None, Reply::text(plan))
        .when("Do not answer the goal yet", said("Summed. ".repeat(200)))
        .when(
            "Write the answer",
            said("Wet [summary-1.1], dry [summary-2.2].".to_owned()),
        )
        .rule(
            |request| says(request, "Tell of part"),
            None,
            said("rain ".repeat(1_400)),
        )
}

#[tokio::test]
async fn a_citation_of_a_summary_becomes_its_tasks_in_the_answer() {
    let model = eight_parts();
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

/// Simulates a process: when it returns, only the store is left.
fn process<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().build().unwrap().block_on(work)
}

#[test]
fn a_crash_in_the_call_for_the_answer_repeats_no_summary() {
    let asked = |model: &ScriptedProvider, purpose: Purpose| {
        let is_wanted = |request: &&LlmRequest| request.purpose == purpose;
        model.requests().iter().filter(is_wanted).count()
    };
    let (model, store) = (eight_parts(), MemoryStore::new());
    let orchestrator = |model: &ScriptedProvider| {
        let store = Arc::new(store.clone()) as Arc<dyn RawGraphStore>;
        builder(model).store(store).build().unwrap()
    };
    let is_answer = |request: &LlmRequest| request.purpose == Purpose::Answer;
    let hour = Duration::from_secs(3_600);
    let hangs =
        ScriptedProvider::new("script").rule(is_answer, None, Reply::text("late").after(hour));
    let hangs = eight_parts_after(hangs);
    process(async {
        let first = orchestrator(&hangs);
        let answers = async {
            while asked(&hangs, Purpose::Answer) == 0 {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            _ = first.run(GOAL) => panic!("the answer has come"),
            () = answers => {}
        }
    });
    assert!(asked(&hangs, Purpose::Summarize) > 4);
    let runs = process(store.list(ListQuery::default())).unwrap();
    let resumed = process(async { orchestrator(&model).resume(&runs[0].run).await });
    let results = resumed.unwrap().into_results();
    assert_eq!(results.end(), Some(RunEnd::Completed));
    assert_eq!(asked(&model, Purpose::Summarize), 0);
    let replay = process(async { orchestrator(&model).replay(&runs[0].run).await });
    let replay = replay.unwrap();
    assert!(replay.is_same(), "{replay:?}");
}
