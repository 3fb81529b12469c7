//! Early cut-off: a result is reused only for equal inputs and an unchanged definition, and the results are those of
//! a retry that runs everything again.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use zeph_executor::{ParentState, Registry, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{Effect, OnFailure, Params, SuppliedWhy, Task, TaskGraph, TaskId, Trigger, Work};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RetryPlan, RunView, Submission};

#[derive(Clone, Debug)]
struct Draft {
    needs: Vec<prop::sample::Index>,
    trigger: Trigger,
    is_milestone: bool,
    is_once: bool,
    /// The function of the task in the first run and in the others.
    salts: [u8; 2],
}

fn draft() -> impl Strategy<Value = Draft> {
    let triggers = [Trigger::AllSuccess; 4].into_iter();
    let triggers: Vec<Trigger> = triggers.chain(Trigger::ALL.iter().copied()).collect();
    (
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        prop::sample::select(triggers),
        prop::bool::weighted(0.15),
        prop::bool::weighted(0.15),
        (0..9u8, prop::option::weighted(0.3, 0..9u8)),
    )
        .prop_map(
            |(needs, trigger, is_milestone, is_once, (salt, other))| Draft {
                needs,
                trigger,
                is_milestone,
                is_once,
                salts: [salt, other.unwrap_or(salt)],
            },
        )
}

fn graph(drafts: &[Draft], which: usize) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let mut task = Task::new(format!("t{at}"));
        if !draft.is_milestone {
            let salt = draft.salts[which];
            let effect = if draft.is_once {
                Effect::AtMostOnce
            } else {
                Effect::Pure
            };
            let work = Work::Action {
                name: "do".into(),
                params: Params::from(json!({ "salt": salt })),
            };
            task = task.with_work(work).effect(effect);
        }
        let task = task.trigger(draft.trigger).on_failure(OnFailure::Skip);
        let needs = draft.needs.iter().filter(|_| at > 0);
        let needs: Vec<TaskId> = needs.map(|pick| ids[pick.index(at)]).collect();
        ids.push(graph.add_task(task, needs));
    }
    graph
}

/// A function of the parameters and the inputs with few results, so that many are equal; some fail.
fn function(input: &TaskInput) -> Result<TaskOutput, TaskError> {
    let mut sum = input.params["salt"].as_u64().unwrap_or_default();
    for parent in input.parents.values() {
        let value = parent.output.as_ref().map(|output| output.value.clone());
        let number = value.as_ref().and_then(Value::as_u64).unwrap_or(5);
        sum = sum * 7 + number + u64::from(parent.state != ParentState::Completed);
    }
    match sum % 13 {
        0 => Err(TaskError::permanent("it fails")),
        other => Ok(Value::from(other % 3).into()),
    }
}

async fn run(store: &MemoryStore, submission: Submission) -> (RunView, Vec<String>) {
    let calls = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&calls);
    let executor = closure::from_fn(move |cx, input| {
        seen.lock().expect("no panic").push(cx.name().to_owned());
        async move { function(&input) }
    });
    let mut registry = Registry::new();
    registry.register("do", executor).expect("the first");
    let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
    let engine = engine.start().await.expect("starts");
    let run = engine.submit(submission).await.expect("is saved");
    run.wait().await.expect("ends");
    let view = RunView::load(store, run.id()).await.expect("is there");
    let calls = calls.lock().expect("no panic").clone();
    (view, calls)
}

/// The states and the results of a run by the names of its tasks.
async fn results(store: &MemoryStore, view: &RunView) -> BTreeMap<String, (String, Option<Value>)> {
    let mut results = BTreeMap::new();
    for (id, task) in view.graph().tasks() {
        let output = view.output(store, id).await.expect("is there");
        let value = output.map(|output| output.value.clone());
        let state = view.scheduler.task(id).state().word().to_owned();
        results.insert(task.name().to_owned(), (state, value));
    }
    results
}

/// Whether a result may depend on which of its inputs came first.
fn is_racing(drafts: &[Draft]) -> bool {
    let waits = [Trigger::AllSuccess, Trigger::AllDone, Trigger::NoneFailed];
    drafts.iter().any(|draft| !waits.contains(&draft.trigger))
}

/// Returns how many results were reused.
async fn check(drafts: Vec<Draft>, chosen: Vec<prop::sample::Index>) -> usize {
    let store = MemoryStore::new();
    let (mut base, _) = run(&store, Submission::new(graph(&drafts, 0))).await;
    let mut reused = 0;
    for round in 0..2 {
        let names: Vec<String> = (0..drafts.len()).map(|at| format!("t{at}")).collect();
        let chosen: Vec<&str> = chosen
            .iter()
            .map(|pick| pick.get(&names).as_str())
            .collect();
        let changed = (round == 0).then(|| (graph(&drafts, 1), *base.scheduler.policy()));
        let plan = RetryPlan::new(&base, changed, &chosen, |_, _| false).expect("has ended");
        let cut = plan.clone().cut_off(|_, _| true);
        let perhaps: BTreeSet<String> = (cut.again().filter(|(id, _)| cut.is_perhaps(*id)))
            .map(|(id, _)| cut.graph().task(id).name().to_owned())
            .collect();
        let (whole, _) = run(&store, plan.submission(&store).await.expect("is read")).await;
        let (next, calls) = run(&store, cut.submission(&store).await.expect("is read")).await;
        let (before, after) = (results(&store, &base).await, results(&store, &next).await);
        if !is_racing(&drafts) {
            assert_eq!(
                after,
                results(&store, &whole).await,
                "{drafts:?} {chosen:?}"
            );
        }
        for (id, task) in next.graph().tasks() {
            let Some(why) = next.scheduler.task(id).reused() else {
                continue;
            };
            let name = task.name();
            assert_eq!(why.why, SuppliedWhy::SameInputs);
            assert!(perhaps.contains(name), "{name} was not announced");
            assert!(!calls.iter().any(|call| call == name), "{name} ran");
            assert_eq!(before[name].0, "completed", "{name}");
            assert_eq!(before[name], after[name], "{name}");
            let old = base
                .graph()
                .task(base.graph().find(name).expect("is there"));
            assert_eq!(old.work(), task.work(), "{name} has changed");
            for parent in next.graph().parents(id) {
                let parent = next.graph().task(*parent).name();
                assert_eq!(before[parent], after[parent], "an input of {name}");
            }
            // A milestone hides no change.
            let mut open: Vec<TaskId> = next.graph().parents(id).to_vec();
            while let Some(parent) = open.pop() {
                let task = next.graph().task(parent);
                assert_eq!(before[task.name()], after[task.name()]);
                if *task.work() == Work::Milestone {
                    open.extend(next.graph().parents(parent));
                }
            }
            reused += 1;
        }
        base = next;
    }
    reused
}

#[test]
fn a_result_is_reused_only_for_equal_inputs_and_the_end_is_that_of_a_whole_retry() {
    let reused = Mutex::new(0);
    let config = ProptestConfig {
        cases: 4_000,
        ..ProptestConfig::default()
    };
    let chosen = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    proptest!(config, |(drafts in prop::collection::vec(draft(), 2..8), chosen in chosen)| {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build();
        let count = runtime.expect("a runtime").block_on(check(drafts, chosen));
        *reused.lock().expect("no panic") += count;
    });
    let reused = *reused.lock().expect("no panic");
    assert!(reused > 500, "only {reused} results were reused");
}
