//! The follower of a run: questions that are asked, withdrawn and answered.
#![allow(clippy::unwrap_used, reason = "in a test a panic is a report")]

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use zeph_orchestration::executor::double::Gate;
use zeph_orchestration::executor::{TaskContext, TaskInput, TaskOutput, closure};
use zeph_orchestration::follow::Update;
use zeph_orchestration::journal::Record;
use zeph_orchestration::store::{FaultyStore, MemoryStore, Op};
use zeph_orchestration::{
    Orchestrator, Question, Registry, RunEvent, RuntimeError, Task, TaskGraph, Work,
};

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

/// A question, and the note that a default is waited for, come after the event of the question.
#[tokio::test]
async fn what_follows_from_an_event_comes_after_it() {
    let mut graph = TaskGraph::new();
    for name in ["first", "second"] {
        let question = Question::text("Which city?");
        let question = question.default_after(Duration::from_secs(3_600), json!("Oslo").into());
        let question = Work::Question(Box::new(question));
        graph.add_task(Task::new(name).with_work(question), []);
    }
    let orchestrator = Orchestrator::builder().build().unwrap();
    let run = orchestrator.submit(graph).await.unwrap();
    let both_asked = run.until(|snapshot| snapshot.questions.len() == 2).await;
    assert_eq!(both_asked.questions.len(), 2);
    let mut follower = orchestrator.follow(run);
    let mut updates = Vec::new();
    while let Some(update) = follower.next().await.unwrap() {
        match update {
            Update::Event(event) => {
                if let RunEvent::Saved { event, .. } = *event
                    && let Record::Asked { question, .. } = event.record
                {
                    updates.push(format!("event {question}"));
                }
            }
            Update::Ask(ask) => {
                updates.push(format!("ask {}", ask.question.id));
                follower.postpone(ask.question.id);
            }
            Update::Waiting(_) => {
                updates.push("waiting".to_owned());
                follower.stop().await;
            }
            Update::Withdraw(_) | Update::NotAsked(..) => panic!("{update:?}"),
        }
    }
    assert_eq!(updates, ["event 1", "event 2", "ask 1", "ask 2", "waiting"]);
}

/// A watcher reads the whole journal once; later it reads what is new.
#[tokio::test]
async fn a_watcher_reads_each_record_once() {
    let store = Arc::new(FaultyStore::new(MemoryStore::new()));
    let gates = [Gate::new(), Gate::new(), Gate::new()];
    let bodies = gates.clone();
    let held = closure::from_fn(move |cx: TaskContext, _: TaskInput| {
        let gate = bodies[cx.name().parse::<usize>().unwrap()].clone();
        async move {
            gate.opened().await;
            Ok(TaskOutput::null())
        }
    });
    let mut actions = Registry::new();
    actions.register("held", held).unwrap();
    let builder = Orchestrator::builder().store(store.clone());
    let orchestrator = builder.actions(actions).build().unwrap();
    let mut graph = TaskGraph::new();
    for name in ["0", "1", "2"] {
        graph.add_task(Task::new(name).action("held"), []);
    }
    let run = orchestrator.submit(graph).await.unwrap();
    let mut watcher = orchestrator.watch(run.id()).await.unwrap().from_start();
    let loads = store.calls(Op::Load);
    let mut seqs = Vec::new();
    let mut gates = gates.iter();
    while let Some(event) = watcher.next().await.unwrap() {
        if let RunEvent::Saved { event, .. } = event {
            seqs.push(event.seq.get());
            // The next read follows after the event of the last one.
            if seqs.len() == watcher.view().entries.len()
                && let Some(gate) = gates.next()
            {
                gate.open();
            }
        }
    }
    let whole = watcher.view().entries.len() as u64;
    assert_eq!(seqs, (1..=whole).collect::<Vec<_>>());
    assert_eq!(store.calls(Op::Load), loads, "the journal was read again");
    assert!(store.calls(Op::LoadAfter) >= 2);
}
