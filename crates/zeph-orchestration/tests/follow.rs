//! The follower of a run: questions that are asked, withdrawn and answered.
#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

use zeph_orchestration::follow::Update;
use zeph_orchestration::{Orchestrator, Question, RuntimeError, Task, TaskGraph, Work};

/// The question of a canceled task is withdrawn, the next one is asked, and a late answer is reported.
#[tokio::test]
async fn the_question_of_a_canceled_task_is_withdrawn() {
    let mut graph = TaskGraph::new();
    for name in ["first", "second"] {
        let question = Work::Question(Box::new(Question::text("Which city?")));
        graph.add_task(Task::new(name).with_work(question), []);
    }
    let orchestrator = Orchestrator::builder().build().unwrap();
    let run = orchestrator.submit(graph).await.unwrap();
    let mut follower = orchestrator.follow(run);
    let mut updates = Vec::new();
    while let Some(update) = follower.next().await.unwrap() {
        match update {
            Update::Ask(ask) if ask.question.task == "first" => {
                updates.push("ask first");
                let canceled = follower.handle().cancel_task("first").await;
                canceled.unwrap();
            }
            Update::Ask(ask) => {
                updates.push("ask second");
                let late = follower.answer(1, "Oslo").await.unwrap_err();
                assert!(
                    matches!(late, RuntimeError::NoSuchQuestion { .. }),
                    "{late}"
                );
                follower.answer(ask.question.id, "Oslo").await.unwrap();
            }
            Update::Withdraw(1) => updates.push("withdraw first"),
            Update::Withdraw(_) => updates.push("withdraw another"),
            Update::NotAsked(_, error) => panic!("{error}"),
            Update::Event(_) | Update::Waiting(_) => {}
        }
    }
    assert_eq!(updates, ["ask first", "withdraw first", "ask second"]);
    assert!(follower.finish().await.unwrap().results().end().is_some());
}
