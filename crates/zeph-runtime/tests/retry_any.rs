//! Any amendments, retries and forks of any graph: what is kept is not lost and does not run, no effect that must
//! not happen twice does so without a word, and a run follows the plan that it was amended to.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use serde_json::{Value, json};
use zeph_executor::double::Gate;
use zeph_executor::{Registry, TaskContext, TaskError, TaskInput, TaskOutput, closure};
use zeph_graph::{
    Effect, Foreach, ItemFailure, OnFailure, Params, Record, Seq, Task, TaskGraph, TaskId, Trigger,
};
use zeph_memory::MemoryStore;
use zeph_runtime::{Engine, RetryPlan, RunView, RunsAgain, Submission};
use zeph_scheduler::InputOutcome;

/// A task of a random graph.
#[derive(Clone, Debug)]
struct Draft {
    needs: Vec<prop::sample::Index>,
    /// The number of its items and what the failure of one does.
    items: Option<(u32, ItemFailure)>,
    trigger: Trigger,
    is_once: bool,
    has_fallback: bool,
    /// Another version does other work.
    version: u32,
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
    let triggers = [Trigger::AllSuccess; 4].into_iter();
    let triggers: Vec<Trigger> = triggers.chain(Trigger::ALL.iter().copied()).collect();
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
            version: 0,
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
        let items = draft.items.map(|(count, _)| count);
        let params = Params::from(json!({ "items": items, "version": draft.version }));
        let mut task = Task::new(format!("t{at}"))
            .action_with("do", params)
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
    failing: BTreeSet<String>,
    generation: usize,
    calls: Mutex<Vec<String>>,
    /// The number of the call that waits for an amendment.
    amended_at: Option<usize>,
    reached: Gate,
    amended: Gate,
}

impl Work {
    fn new(generation: usize, failing: BTreeSet<String>, amended_at: Option<usize>) -> Arc<Self> {
        Arc::new(Self {
            failing,
            generation,
            calls: Mutex::default(),
            amended_at,
            reached: Gate::new(),
            amended: Gate::new(),
        })
    }

    /// Waits for the amendment in the middle of its call.
    async fn wait(&self) {
        let calls = self.calls.lock().expect("no panic").len();
        if self.amended_at == Some(calls) {
            self.reached.open();
            self.amended.opened().await;
        }
    }

    fn result(&self, name: &str, input: TaskInput) -> Result<TaskOutput, TaskError> {
        let item = input.item.map(|item| item.value);
        if let (Some(count), None) = (input.params["items"].as_u64(), &item) {
            return Ok(TaskOutput::from(json!((0..count).collect::<Vec<_>>())));
        }
        self.calls.lock().expect("no panic").push(name.to_owned());
        if self.failing.contains(name) {
            return Err(TaskError::permanent("it fails in this run"));
        }
        Ok(TaskOutput::from(json!([name, self.generation, item])))
    }
}

/// Runs to the end. In the middle the run is amended; returns the drafts that it follows at the end.
async fn run(
    store: &MemoryStore,
    work: &Arc<Work>,
    submission: Submission,
    amended: Option<(&[Draft], &Amended)>,
) -> (RunView, Option<Vec<Draft>>) {
    let mut registry = Registry::new();
    let worker = Arc::clone(work);
    let executor = closure::from_fn(move |cx: TaskContext, input| {
        let work = Arc::clone(&worker);
        let result = work.result(cx.name(), input);
        async move {
            work.wait().await;
            result
        }
    });
    registry.register("do", executor).expect("the first");
    let engine = Engine::builder(Arc::new(store.clone())).registry(registry);
    let engine = engine.start().await.expect("starts");
    let run = engine.submit(submission).await.expect("is saved");
    let mut revised = None;
    tokio::select! {
        () = work.reached.opened() => {
            let view = RunView::load(store, run.id()).await.expect("is there");
            if let Some((drafts, amended)) = amended {
                let (drafts, canceled) = amended.apply(&view, drafts);
                if let Some(name) = canceled {
                    run.cancel_task(name).await.expect("is there");
                }
                let view = RunView::load(store, run.id()).await.expect("is there");
                let revision = view.revision(&graph(&drafts));
                let amended = run.amend(&revision.patch, view.scheduler.amendments()).await;
                revised = matches!(amended, Ok(InputOutcome::Accepted)).then_some(drafts);
            }
            work.amended.open();
        }
        _ = run.wait() => {}
    }
    run.wait().await.expect("ends");
    let view = RunView::load(store, run.id()).await.expect("is there");
    (view, revised)
}

/// The amendment of a run.
#[derive(Clone, Debug)]
struct Amended {
    /// It is made when so many calls have begun.
    calls: usize,
    /// Whether a task that depends on a changed one is canceled before.
    cancels: bool,
    /// The tasks that change, of those that can, with another definition or another version of theirs.
    changed: Vec<(prop::sample::Index, Option<Draft>)>,
    new: Vec<Draft>,
}

impl Amended {
    /// The other version of the plan, and the task that is canceled.
    fn apply(&self, view: &RunView, drafts: &[Draft]) -> (Vec<Draft>, Option<String>) {
        let mut revised = drafts.to_vec();
        let find = |at: usize| view.graph().find(&format!("t{at}")).expect("is there");
        let can_change = |at: &usize| view.scheduler.can_change(find(*at));
        let open: Vec<usize> = (0..drafts.len()).filter(can_change).collect();
        let mut changed = Vec::new();
        for (pick, draft) in self.changed.iter().filter(|_| !open.is_empty()) {
            let at = *pick.get(&open);
            match draft {
                Some(draft) => revised[at] = draft.clone(),
                None => revised[at].version += 1,
            }
            changed.push(find(at));
        }
        revised.extend(self.new.iter().cloned());
        let depends = |at: &&usize| {
            let parents = view.graph().parents(find(**at)).iter();
            let mut parents = parents.filter(|parent| changed.contains(parent));
            parents.next().is_some() && !changed.contains(&find(**at))
        };
        let canceled = open.iter().filter(|_| self.cancels).find(depends);
        (revised, canceled.map(|at| format!("t{at}")))
    }
}

fn amended() -> impl Strategy<Value = Amended> {
    let other = prop::option::weighted(0.2, draft());
    let changed = (any::<prop::sample::Index>(), other);
    (
        1..4usize,
        any::<bool>(),
        prop::collection::vec(changed, 0..3),
        prop::collection::vec(draft(), 0..3),
    )
        .prop_map(|(calls, cancels, changed, new)| Amended {
            calls,
            cancels,
            changed,
            new,
        })
}

/// What a person writes of each task: its work and what it depends on.
fn written(graph: &TaskGraph) -> BTreeMap<String, (String, BTreeSet<String>)> {
    let tasks = graph.tasks().map(|(id, task)| {
        let needs = graph.parents(id).iter();
        let needs = needs.map(|&parent| graph.task(parent).name().to_owned());
        (
            task.name().to_owned(),
            (format!("{:?}", task.work()), needs.collect()),
        )
    });
    tasks.collect()
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

/// Whether an effect may be repeated for that reason: a person named the task or is asked, or the effect answers a
/// failure of the new run.
fn is_on_purpose(why: RunsAgain) -> bool {
    matches!(
        why,
        RunsAgain::Chosen
            | RunsAgain::EffectRepeated
            | RunsAgain::EffectUnknown
            | RunsAgain::WaitsForFailure
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

fn names_of(drafts: &[Draft]) -> BTreeSet<String> {
    let mut names: BTreeSet<String> = written(&graph(drafts)).into_keys().collect();
    for (at, draft) in drafts.iter().enumerate() {
        let count = draft.items.map_or(0, |(count, _)| count);
        names.extend((0..count).map(|place| format!("t{at}[{place}]")));
    }
    names
}

/// What a run was at each of its records, before and after its amendment.
fn check_records(
    view: &RunView,
    before: &BTreeMap<String, (String, BTreeSet<String>)>,
    after: &BTreeMap<String, (String, BTreeSet<String>)>,
) {
    let mut wanted = before;
    for entry in &view.entries {
        if matches!(entry.record, Record::Amended { .. }) {
            wanted = after;
        }
        let Ok(plan) = RetryPlan::at(view, entry.seq, &[], |_, _| false) else {
            continue;
        };
        assert_eq!(
            &written(&plan.graph().as_written()),
            wanted,
            "at record {}",
            entry.seq
        );
    }
}

async fn check(
    drafts: Vec<Draft>,
    amended: Option<Amended>,
    fails: Vec<Vec<prop::sample::Index>>,
    changes: Vec<Change>,
) {
    let store = MemoryStore::new();
    let definition = graph(&drafts);
    let mut names = names_of(&drafts);
    if let Some(amended) = &amended {
        names.extend(names_of(&[&drafts[..], &amended.new].concat()));
    }
    let names: Vec<String> = names.into_iter().collect();
    let work = |generation: usize, amended_at| {
        let picks = &fails[generation % fails.len()];
        let failing = picks.iter().map(|pick| pick.get(&names).clone());
        Work::new(generation, failing.collect(), amended_at)
    };
    let before = written(&definition);
    let submission = Submission::new(definition);
    let amended_at = amended.as_ref().map(|amended| amended.calls);
    let change = amended.as_ref().map(|amended| (&drafts[..], amended));
    let (mut view, revised) = run(&store, &work(0, amended_at), submission, change).await;
    let after = revised.map_or_else(|| before.clone(), |drafts| written(&graph(&drafts)));
    assert_eq!(written(&view.graph().as_written()), after);
    check_records(&view, &before, &after);
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
                let task = view.graph().find(&name).map(|id| view.graph().task(id));
                let is_list = task.is_some_and(|task| task.rules().foreach.is_some());
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
        if matches!(change, Change::Retry(_)) {
            let changed = reasons.iter().find(|(_, why)| **why == RunsAgain::Changed);
            assert_eq!(changed, None, "nothing has changed");
        }
        if let Change::At(pick) = &change {
            check_point(&view, pick.get(&view.entries).seq, &kept);
        }
        let submission = plan.submission(&store).await.expect("is read");
        let work = work(generation, None);
        let (next, _) = run(&store, &work, submission, None).await;
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
        amended in prop::option::of(amended()),
        fails in prop::collection::vec(prop::collection::vec(any::<prop::sample::Index>(), 0..4), 1..4),
        changes in prop::collection::vec(change(), 1..4),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        runtime.expect("a runtime").block_on(check(drafts, amended, fails, changes));
    }
}
