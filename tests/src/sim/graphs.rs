//! Graphs: random graphs and policies that use every rule, with extreme values.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::Value;
use zeph_graph::wire::{GraphSpec, LaneSpec, OnFailureSpec};
use zeph_graph::{
    Approval, AskFailure, Budget, Effect, FailureAnswer, Foreach, Header, ItemFailure, LaneId,
    OnFailure, OverBudget, Params, Policy, Question, Retry, Task, TaskGraph, TaskId, Trigger, Work,
};

use crate::call::Patch;
use crate::rng::Rng;

/// A random graph with a random policy.
pub fn draw(rng: &mut Rng, most_tasks: u64) -> Header {
    let mut graph = TaskGraph::new();
    let lanes: Vec<(LaneId, u32)> = (0..rng.below(4))
        .map(|at| {
            let capacity = *rng.pick(&[1, 1, 2, 3, 5, u32::MAX]).unwrap_or(&1);
            let name = format!("lane{at}");
            // A task is in at most one shared lane, with weight 1.
            match at == 0 && rng.percent(30) {
                true => (graph.add_shared_lane(name, capacity.min(64)), 1),
                false => (graph.add_lane(name, capacity), capacity),
            }
        })
        .collect();
    let tasks = if rng.percent(1) {
        0
    } else {
        rng.within(1, most_tasks)
    };
    let flavour = Flavour::draw(rng);
    let shape = rng.below(5);
    let mut ids = Vec::new();
    for at in 0..tasks {
        let parents = parents(rng, shape, &ids);
        let task = flavour.task(rng, at, &lanes);
        ids.push(flavour.add(rng, &mut graph, task, &parents, &lanes));
    }
    Header {
        graph,
        policy: policy(rng),
    }
}

fn parents(rng: &mut Rng, shape: u64, ids: &[TaskId]) -> Vec<TaskId> {
    let Some(&last) = ids.last() else {
        return Vec::new();
    };
    match shape {
        // A chain, a fan, a diamond, layers of two, or a random graph.
        0 => vec![last],
        1 => vec![ids[0]],
        2 if rng.percent(30) => ids[1.min(ids.len() - 1)..].to_vec(),
        2 => vec![ids[0]],
        3 => ids.iter().rev().take(2).copied().collect(),
        _ => {
            let wanted = rng.below(4);
            (0..wanted).filter_map(|_| rng.pick(ids).copied()).collect()
        }
    }
}

fn policy(rng: &mut Rng) -> Policy {
    let grace = |rng: &mut Rng| match rng.below(6) {
        0 => Duration::ZERO,
        1 => Duration::from_micros(1),
        2 => Duration::MAX,
        _ => Duration::from_secs(rng.within(1, 6)),
    };
    Policy {
        max_parallel: NonZeroU32::MIN.saturating_add(rng.below(8) as u32),
        seed: rng.bits(),
        run_timeout: rng.percent(25).then(|| limit(rng)),
        cancel_grace: grace(rng),
        suspend_grace: grace(rng),
        budget: budget(rng, 600),
        over_budget: match rng.below(3) {
            0 => OverBudget::Partial,
            _ => OverBudget::Ask,
        },
    }
}

/// Often no limit; otherwise a limit that a few calls exhaust.
fn budget(rng: &mut Rng, most: u64) -> Budget {
    let limit = |rng: &mut Rng| match rng.below(8) {
        0..5 => None,
        5 => Some(0),
        _ => Some(rng.below(most)),
    };
    let tokens = limit(rng);
    Budget::new(tokens, limit(rng))
}

/// A random patch for a graph; some patches are invalid.
pub fn patch(rng: &mut Rng, graph: &TaskGraph) -> Patch {
    let lanes: Vec<(LaneId, u32)> = (0..)
        .zip(graph.lanes())
        .map(|(index, lane)| {
            let most = if lane.shared { 1 } else { lane.capacity };
            (LaneId::from_index(index), most)
        })
        .collect();
    let flavour = Flavour::draw(rng);
    let mut grown = graph.clone();
    let known = grown.len();
    let shape = 3 + rng.below(2);
    for at in 0..rng.below(5) {
        let is_fallback = |&task: &TaskId| grown.fallback_of(task).is_some();
        let ids = grown.ids().filter(|task| !is_fallback(task));
        let ids: Vec<TaskId> = ids.filter(|&id| !graph.is_removed(id)).collect();
        let parents = parents(rng, shape, &ids);
        let mut task = flavour.task(rng, known as u64 + at, &lanes);
        valid_retry(&mut task);
        flavour.add(rng, &mut grown, task, &parents, &lanes);
    }
    let all = GraphSpec::from(&grown).tasks;
    let mut spec = GraphSpec {
        tasks: all[known..].to_vec(),
        ..GraphSpec::default()
    };
    if rng.percent(30) {
        remove(rng, graph, &mut spec);
        let mut grown = graph.clone();
        let grown = grown.extend(&spec).is_ok().then_some(grown);
        return Patch { spec, grown };
    }
    if !rng.percent(15) || spec.tasks.is_empty() {
        let grown = Some(grown);
        return Patch { spec, grown };
    }
    let last = spec.tasks.len() - 1;
    let task = &mut spec.tasks[last];
    let fallback = grown.ids().find(|&id| grown.fallback_of(id).is_some());
    match rng.below(8) {
        0 => task.needs.push("missing".into()),
        1 => task.needs.push(task.name.clone()),
        2 => task.name = "t0".into(),
        3 => task.name = "T0".into(),
        4 => task.attempt_timeout_us = Some(0),
        5 => {
            let name = fallback.map_or("missing", |id| grown.task(id).name());
            task.needs.push(name.to_owned());
        }
        6 => {
            let task_name = fallback.map_or("missing", |id| grown.task(id).name());
            task.on_failure = OnFailureSpec::Fallback {
                task: task_name.to_owned(),
            };
            task.needs.push("missing".into());
        }
        _ => spec.lanes.push(LaneSpec {
            name: "another".into(),
            capacity: 1,
            shared: false,
        }),
    }
    Patch { spec, grown: None }
}

/// The validation of a patch requires `cap >= base`; the graph builder does not.
fn valid_retry(task: &mut Task) {
    let retry = &mut task.rules_mut().retry;
    retry.cap = retry.cap.max(retry.base);
}

/// Lets a patch remove some tasks, mostly with all that depend on them; some of its own take over the names.
fn remove(rng: &mut Rng, graph: &TaskGraph, spec: &mut GraphSpec) {
    let links = graph.links();
    let mut removed = BTreeSet::new();
    for task in graph.ids() {
        let is_below = graph.parents(task).iter().any(|id| removed.contains(id));
        let is_removed = if is_below {
            rng.percent(95)
        } else {
            rng.percent(if links.children(task).is_empty() {
                30
            } else {
                10
            })
        };
        let is_whole = graph.item(task).is_none() && !graph.is_removed(task);
        if is_removed && (is_whole || rng.percent(2)) {
            removed.insert(task);
        }
    }
    let names = removed
        .iter()
        .map(|&task| graph.task(task).name().to_owned());
    spec.removes = names.collect();
    if rng.percent(4) {
        spec.removes.push("missing".into());
    }
    let mut free = spec.removes.clone();
    let mut renamed = BTreeMap::new();
    let gone: BTreeSet<&String> = spec.removes.iter().collect();
    for task in &mut spec.tasks {
        task.needs.retain(|need| !gone.contains(need));
        for need in &mut task.needs {
            if let Some(new) = renamed.get(need) {
                String::clone_from(need, new);
            }
        }
        if let OnFailureSpec::Fallback { task } = &mut task.on_failure
            && let Some(new) = renamed.get(task)
        {
            task.clone_from(new);
        }
        if !free.is_empty() && rng.percent(60) {
            let new = free.swap_remove(rng.below(free.len() as u64) as usize);
            renamed.insert(std::mem::replace(&mut task.name, new.clone()), new);
        }
    }
}

/// A time-out: never zero, sometimes extremely short or long.
fn limit(rng: &mut Rng) -> Duration {
    match rng.below(12) {
        0 => Duration::from_nanos(1),
        1 => Duration::MAX,
        2 => Duration::from_micros(1),
        3 => Duration::from_nanos(1_500),
        _ => Duration::from_millis(rng.within(1, 20_000)),
    }
}

/// How often the tasks of one graph use each rule, in per cent.
#[derive(Debug)]
struct Flavour {
    retrying: u64,
    timed: u64,
    budgeted: u64,
    approved: u64,
    questions: u64,
    milestones: u64,
    laned: u64,
    ranked: u64,
    triggers: u64,
    finally: u64,
    idle: u64,
    many: u64,
    prepared: u64,
    fallbacks: u64,
    strategies: [u64; 4],
    once: u64,
    priced: u64,
}

impl Flavour {
    fn draw(rng: &mut Rng) -> Self {
        let some = |rng: &mut Rng| *rng.pick(&[0, 0, 15, 40, 80]).unwrap_or(&0);
        Self {
            retrying: some(rng),
            timed: some(rng),
            budgeted: some(rng),
            approved: some(rng) / 2,
            questions: some(rng) / 2,
            milestones: some(rng) / 2,
            laned: some(rng),
            ranked: some(rng),
            triggers: some(rng),
            finally: some(rng) / 2,
            idle: some(rng),
            many: some(rng) / 2,
            prepared: some(rng) / 2,
            fallbacks: some(rng) / 2,
            strategies: [1, 4, rng.below(5), rng.below(3)],
            once: some(rng),
            priced: some(rng),
        }
    }

    /// Adds a task, sometimes with a fallback, which may have one itself. What depends on a finalizer is one.
    fn add(
        &self,
        rng: &mut Rng,
        graph: &mut TaskGraph,
        task: Task,
        parents: &[TaskId],
        lanes: &[(LaneId, u32)],
    ) -> TaskId {
        let is_late = |&parent: &TaskId| graph.task(parent).rules().finally;
        let finally = task.rules().finally || parents.iter().any(is_late);
        let task = if finally { task.finally() } else { task };
        let mut all = vec![task];
        while let Some(user) = all.last()
            && !matches!(user.work(), Work::Question(_))
            && rng.percent(self.fallbacks)
        {
            let name = format!("{}f", user.name());
            let mut fallback = self.task(rng, 0, lanes);
            valid_retry(&mut fallback);
            fallback.rules_mut().finally = finally;
            let work = fallback.work().clone();
            let rules = fallback.rules().clone();
            all.push(Task::new(name).with_work(work).with_rules(rules));
        }
        let mut below = None;
        while let Some(mut task) = all.pop() {
            if let Some(fallback) = below {
                task = task.on_failure(OnFailure::Fallback(fallback));
            }
            let parents = if all.is_empty() {
                parents.to_vec()
            } else {
                Vec::new()
            };
            below = Some(graph.add_task(task, parents));
        }
        below.unwrap_or_else(|| TaskId::from_index(0))
    }

    fn task(&self, rng: &mut Rng, at: u64, lanes: &[(LaneId, u32)]) -> Task {
        let mut task = Task::new(format!("t{at}")).with_work(self.work(rng));
        if rng.percent(self.triggers) {
            task = task.trigger(*rng.pick(Trigger::ALL).unwrap_or(&Trigger::AllDone));
        }
        if rng.percent(self.finally) {
            task = task.finally();
        }
        if rng.percent(self.idle) {
            task = task.idle_timeout(limit(rng));
        }
        if rng.percent(self.retrying) {
            task = task.retry(retry(rng));
        }
        if rng.percent(self.timed) {
            task = task.timeout(limit(rng));
        }
        if rng.percent(self.budgeted) {
            task = task.total_timeout(limit(rng));
        }
        if rng.percent(self.approved) {
            let fallback = rng.percent(50).then(|| (limit(rng), rng.percent(50)));
            task = task.approve(Approval {
                fallback,
                ..Approval::from("go?")
            });
        }
        if rng.percent(self.prepared) {
            task = task.prepare(Params::none());
        }
        if rng.percent(self.ranked) {
            task = task.priority(rng.below(3) as i32 - 1);
        }
        if rng.percent(self.ranked) {
            task = task.hint(Duration::from_secs(rng.below(4)));
        }
        if rng.percent(self.once) {
            task = task.effect(Effect::AtMostOnce);
        } else if rng.percent(30) {
            task = task.effect(Effect::Pure);
        }
        if rng.percent(self.priced) {
            task = task.budget(budget(rng, 250));
        }
        for &(lane, capacity) in lanes {
            if rng.percent(self.laned) {
                let weight = match rng.below(4) {
                    0 => capacity,
                    _ => rng.within(1, u64::from(capacity.min(3))) as u32,
                };
                task = task.lane_weight(lane, weight);
            }
        }
        task = task.on_failure(self.on_failure(rng));
        let is_action = matches!(task.work(), Work::Action { .. });
        let asks = matches!(task.rules().on_failure, OnFailure::Ask(_));
        if is_action && !asks && rng.percent(self.many) {
            let foreach = Foreach {
                max: rng.within(1, 4) as u32,
                on_failure: *rng.pick(ItemFailure::ALL).unwrap_or(&ItemFailure::Abort),
                prepare_items: rng.percent(50),
            };
            task = task.foreach(foreach);
        }
        task
    }

    fn work(&self, rng: &mut Rng) -> Work {
        if rng.percent(self.questions) {
            let mut question = Question::text("what?");
            if rng.percent(50) {
                question = question.default_after(limit(rng), Params::from(Value::from("that")));
            }
            return Work::Question(Box::new(question));
        }
        if rng.percent(self.milestones) {
            return Work::Milestone;
        }
        Work::Action {
            name: "act".into(),
            params: Params::none(),
        }
    }

    fn on_failure(&self, rng: &mut Rng) -> OnFailure {
        match rng.weighted(&self.strategies) {
            0 => OnFailure::Abort,
            1 => OnFailure::Skip,
            2 => {
                let answers = [
                    FailureAnswer::Retry,
                    FailureAnswer::Skip,
                    FailureAnswer::Abort,
                ];
                let answer = rng.pick(&answers).copied();
                let fallback = answer.filter(|_| rng.percent(50)).map(|a| (limit(rng), a));
                OnFailure::Ask(AskFailure { fallback })
            }
            _ => OnFailure::Value(Params::none()),
        }
    }
}

fn retry(rng: &mut Rng) -> Retry {
    let waits = [
        Duration::ZERO,
        Duration::from_nanos(1),
        Duration::from_nanos(2_500),
        Duration::from_millis(1),
        Duration::from_secs(1),
        Duration::from_secs(30),
        Duration::MAX,
    ];
    let retries = *rng.pick(&[0, 1, 1, 2, 3, u32::MAX]).unwrap_or(&1);
    let base = *rng.pick(&waits[..6]).unwrap_or(&waits[0]);
    let cap = *rng.pick(&waits).unwrap_or(&waits[0]);
    if rng.percent(3) {
        return Retry::times(retries).backoff(Duration::MAX, cap);
    }
    Retry::times(retries).backoff(base, cap)
}
