//! Any retries and forks of any graph: what is kept is not lost and does not run, and no effect that must not
//! happen twice does so without a word.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use zeph_executor::{Registry, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{Effect, Foreach, ItemFailure, OnFailure, Seq, Task, TaskGraph, TaskId, Trigger};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RetryPlan, RunView, RunsAgain, Submission};

/// A task of a random graph.
#[derive(Clone, Debug)]
struct Draft {
    needs: Vec<prop::sample::Index>,
    /// The number of its items and what the failure of one does.
    items: Option<(u32, ItemFailure)>,
    trigger: Trigger,
    is_once: bool,
    has_fallback: bool,
}

/// What happens to an ended run.
#[derive(Clone, Debug)]
enum Change {
    Retry(Vec<prop::sample::Index>),
    Fork(prop::sample::Index),
    /// Going on from what there was at a record.
    At(prop::sample::Index),
}

fn draft() -> impl Strategy<Value = Draft> {
    let rules = prop::sample::select(ItemFailure::ALL.to_vec());
    let triggers = vec![Trigger::AllSuccess, Trigger::AllSuccess, Trigger::AllDone];
    (
        prop::collection::vec(any::<prop::sample::Index>(), 0..3),
        prop::option::weighted(0.4, (0..4u32, rules)),
        prop::sample::select(triggers),
        prop::bool::weighted(0.3),
        prop::bool::weighted(0.3),
    )
        .prop_map(|(needs, items, trigger, is_once, has_fallback)| Draft {
            needs,
            items,
            trigger,
            is_once,
            has_fallback,
        })
}

fn change() -> impl Strategy<Value = Change> {
    let names = prop::collection::vec(any::<prop::sample::Index>(), 0..3);
    prop_oneof![
        names.prop_map(Change::Retry),
        any::<prop::sample::Index>().prop_map(Change::Fork),
        any::<prop::sample::Index>().prop_map(Change::At),
    ]
}

fn graph(drafts: &[Draft]) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let mut ids: Vec<TaskId> = Vec::new();
    for (at, draft) in drafts.iter().enumerate() {
        let mut task = Task::new(format!("t{at}"))
            .action("do")
            .trigger(draft.trigger)
            .on_failure(OnFailure::Skip);
        if draft.is_once {
            task = task.effect(Effect::AtMostOnce);
        }
        if draft.has_fallback {
            let rules = task.clone().trigger(Trigger::AllSuccess).rules().clone();
            let other = Task::new(format!("t{at}f")).action("do");
            let other = graph.add_task(other.with_rules(rules), []);
            task = task.fallback(other);
        }
        if let Some((_, on_failure)) = draft.items {
            task = task.foreach(Foreach {
                on_failure,
                ..Foreach::DEFAULT
            });
        }
        let needs = draft.needs.iter().filter(|_| at > 0);
        let needs: Vec<TaskId> = needs.map(|pick| ids[pick.index(at)]).collect();
        ids.push(graph.add_task(task, needs));
    }
    graph
}

/// Returns the list of a task, or a result that no other run has; some fail.
struct Work {
    items: BTreeMap<String, u32>,
    failing: BTreeSet<String>,
    generation: usize,
    calls: Mutex<Vec<String>>,
}

impl Work {
    fn result(&self, name: &str, input: TaskInput) -> Result<TaskOutput, TaskError> {
        if let Some(count) = self.items.get(name) {
            return Ok(TaskOutput::from(json!((0..*count).collect::<Vec<_>>())));
        }
        let item = input.item.map(|item| item.value);
        self.calls.lock().expect("no panic").push(name.to_owned());
        if self.failing.contains(name) {
            return Err(TaskError::permanent("it fails in this run"));
        }
        Ok(TaskOutput::from(json!([name, self.generation, item])))
    }
}

async fn run(store: &MemoryStore, work: &Arc<Work>, submission: Submission) -> RunView {
    let mut registry = Registry::new();
    let work = Arc::clone(work);
    let executor = closure::from_fn(move |cx, input| {
        let result = work.result(cx.name(), input);
        async { result }
    });
    registry.register("do", executor).expect("the first");
    let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
    let engine = engine.start().await.expect("starts");
    let run = engine.submit(submission).await.expect("is saved");
    run.wait().await.expect("ends");
    RunView::load(store, run.id()).await.expect("is there")
}

/// The results of a run by the names of its tasks.
async fn results(store: &MemoryStore, view: &RunView) -> BTreeMap<String, Value> {
    let mut results = BTreeMap::new();
    for (id, task) in view.graph().tasks() {
        if view.scheduler.task(id).state().is_completed() {
            let output = view.output(store, id).await.expect("is there");
            let value = output.map_or(Value::Null, |output| output.value.clone());
            results.insert(task.name().to_owned(), value);
        }
    }
    results
}

/// Whether an effect may be repeated for that reason: a person named the task, or is asked.
fn is_on_purpose(why: RunsAgain) -> bool {
    matches!(
        why,
        RunsAgain::Chosen | RunsAgain::EffectRepeated | RunsAgain::EffectUnknown
    )
}

/// What a run keeps that goes on at a record had completed then.
fn check_point(view: &RunView, record: Seq, kept: &[String]) {
    let before = view.entries.iter().filter(|entry| entry.seq <= record);
    let ends = before.filter_map(|entry| entry.record.task_end());
    let ended: BTreeSet<&str> = ends.map(|end| view.graph().task(end.task).name()).collect();
    for name in kept {
        assert!(ended.contains(&**name), "{name} came after record {record}");
    }
}

async fn check(drafts: Vec<Draft>, fails: Vec<Vec<prop::sample::Index>>, changes: Vec<Change>) {
    let store = MemoryStore::new();
    let definition = graph(&drafts);
    let counts = (0..).zip(&drafts).filter_map(|(at, draft)| {
        let (count, _) = draft.items?;
        Some((format!("t{at}"), count))
    });
    let items: BTreeMap<String, u32> = counts.collect();
    let mut names: Vec<String> = definition
        .tasks()
        .map(|(_, t)| t.name().to_owned())
        .collect();
    for (task, count) in &items {
        names.extend((0..*count).map(|place| format!("{task}[{place}]")));
    }
    let work = |generation: usize| {
        let picks = &fails[generation % fails.len()];
        Arc::new(Work {
            items: items.clone(),
            failing: picks.iter().map(|pick| pick.get(&names).clone()).collect(),
            generation,
            calls: Mutex::default(),
        })
    };
    let mut view = run(&store, &work(0), Submission::new(definition)).await;
    for (generation, change) in (1..).zip(changes) {
        let before = results(&store, &view).await;
        let plan = match &change {
            Change::Retry(picks) => {
                let chosen: Vec<&str> =
                    picks.iter().map(|pick| pick.get(&names).as_str()).collect();
                RetryPlan::new(&view, None, &chosen, |_, _| false)
            }
            Change::At(pick) => {
                let record = pick.get(&view.entries).seq;
                RetryPlan::at(&view, record, &[], |_, _| false)
            }
            Change::Fork(pick) => {
                let name = pick.get(&names).clone();
                let is_list = items.contains_key(&name);
                let value = if is_list { json!([1]) } else { json!("given") };
                RetryPlan::new(&view, None, &[], |_, _| false)
                    .and_then(|plan| plan.give(BTreeMap::from([(name, value)])))
            }
        };
        // An item that the run does not have, or a task whose own parents have no results.
        let Ok(plan) = plan else { continue };
        let name = |id: TaskId| plan.graph().task(id).name().to_owned();
        let reasons: BTreeMap<String, RunsAgain> =
            plan.again().map(|(id, why)| (name(id), why)).collect();
        let given: BTreeSet<String> = plan.given().map(name).collect();
        let kept: Vec<String> = (plan.graph().tasks())
            // The fallback of a task that keeps its result takes none over.
            .filter(|(id, _)| !plan.stands_by(*id))
            .map(|(_, task)| task.name().to_owned())
            .filter(|name| !reasons.contains_key(name))
            .collect();
        if let Change::At(pick) = &change {
            check_point(&view, pick.get(&view.entries).seq, &kept);
        }
        let submission = plan.submission(&store).await.expect("is read");
        let work = work(generation);
        let next = run(&store, &work, submission).await;
        let after = results(&store, &next).await;
        let calls = work.calls.lock().expect("no panic").clone();
        for name in &kept {
            assert!(!calls.contains(name), "{name} is kept and ran: {change:?}");
            let result = after.get(name).unwrap_or_else(|| panic!("{name} is lost"));
            if !given.contains(name) {
                assert_eq!(Some(result), before.get(name), "{name} has another result");
            }
        }
        let distinct: BTreeSet<&String> = calls.iter().collect();
        assert_eq!(distinct.len(), calls.len(), "a task ran twice: {calls:?}");
        for name in calls {
            let group = name.split('[').next().unwrap_or_default().to_owned();
            let task = next
                .graph()
                .task(next.graph().find(&name).expect("is there"));
            let why = reasons.get(&name).or(reasons.get(&group)).copied();
            let why = why.unwrap_or_else(|| panic!("{name} ran for no reason"));
            let is_repeated = before.contains_key(&name);
            if task.rules().effect == Effect::AtMostOnce && is_repeated {
                assert!(is_on_purpose(why), "{name} is repeated because of {why:?}");
            }
        }
        view = next;
    }
}

proptest! {
    #[test]
    fn kept_results_stay_and_effects_are_not_repeated_without_a_word(
        drafts in prop::collection::vec(draft(), 1..7),
        fails in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..4),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(drafts, fails, changes));
    }
}
