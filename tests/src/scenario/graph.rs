//! Graph: parses the first part of a scenario into a header.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::wire::{GraphSpec, LaneSpec, OnFailureSpec};
use zeph_graph::{
    Approval, AskFailure, Budget, Effect, FailureAnswer, Foreach, Header, OnFailure, OverBudget,
    Params, Policy, Question, Spend, Task, TaskGraph, TaskId, UnknownWord, Work,
};

use super::times::duration;
use crate::call::Patch;

/// The lines of each patch, by its name.
pub(super) type Patches = BTreeMap<String, Vec<String>>;

/// Parses policy, lanes, tasks and patches.
pub(super) fn header(text: &str) -> Result<(Header, Patches), String> {
    let mut patches = Patches::new();
    let mut graph = TaskGraph::new();
    let mut policy = Policy::default();
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or("").trim();
        let words: Vec<&str> = line.split_whitespace().collect();
        let read = match words.as_slice() {
            [] => Ok(()),
            ["max_parallel", number] => number
                .parse()
                .map(|number| policy.max_parallel = number)
                .map_err(|error| error.to_string()),
            ["run_timeout", limit] => duration(limit).map(|limit| policy.run_timeout = Some(limit)),
            ["cancel_grace", grace] => duration(grace).map(|grace| policy.cancel_grace = grace),
            ["suspend_grace", grace] => duration(grace).map(|grace| policy.suspend_grace = grace),
            ["budget", limit] => budget(limit).map(|budget| policy.budget = budget),
            ["over_budget", "partial"] => {
                policy.over_budget = OverBudget::Partial;
                Ok(())
            }
            ["patch", name, rest @ ..] => {
                let lines = patches.entry((*name).to_owned()).or_default();
                lines.push(rest.join(" "));
                Ok(())
            }
            ["lane", name, capacity] => lane(&mut graph, name, capacity, false),
            ["lane", name, capacity, "shared"] => lane(&mut graph, name, capacity, true),
            [name, rest @ ..] => task(&mut graph, name, rest),
        };
        read.map_err(|error| format!("{line:?}: {error}"))?;
    }
    Ok((Header { graph, policy }, patches))
}

/// Parses a budget: tokens, and after a `+` millionths of a dollar; `none` for no limit.
pub(super) fn budget(text: &str) -> Result<Budget, String> {
    let limit = |text: &str| match text {
        "none" => Ok(None),
        number => number
            .parse()
            .map(Some)
            .map_err(|_| format!("{text:?} is not a limit")),
    };
    let (tokens, money) = text.split_once('+').unwrap_or((text, "none"));
    Ok(Budget::new(limit(tokens)?, limit(money)?))
}

/// Parses an amount: tokens, and after a `+` millionths of a dollar.
pub(super) fn spend(text: &str) -> Result<Spend, String> {
    let (tokens, money) = text.split_once('+').unwrap_or((text, "0"));
    match (tokens.parse(), money.parse()) {
        (Ok(tokens), Ok(micro_usd)) => Ok(Spend { tokens, micro_usd }),
        _ => Err(format!("{text:?} is not a number of tokens")),
    }
}

/// Parses a patch, and builds the extended graph without the scheduler, if the patch is valid.
pub(super) fn patch(graph: &TaskGraph, lines: &[String]) -> Result<Patch, String> {
    let mut tasks = Vec::new();
    let mut spec = GraphSpec::default();
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let Some((name, rest)) = words.split_first() else {
            continue;
        };
        if let ("lane", [lane, capacity]) = (*name, rest) {
            let capacity = capacity.parse().map_err(|_| "not a capacity".to_owned())?;
            let name = (*lane).to_owned();
            spec.lanes.push(LaneSpec {
                name,
                capacity,
                shared: false,
            });
            continue;
        }
        if *name == "removes" {
            spec.removes
                .extend(rest.iter().map(|name| (*name).to_owned()));
            continue;
        }
        let key = "on_failure=fallback:";
        let fallback = rest.iter().find_map(|word| word.strip_prefix(key));
        let rest: Vec<&str> = (rest.iter().copied())
            .filter(|word| !word.starts_with(key))
            .collect();
        let (task, needs) = definition(graph, name, &rest, |_| true)?;
        // The export of a graph with only this task is the task's form in a patch.
        let mut alone = TaskGraph::new();
        for lane in graph.lanes() {
            let name = Arc::clone(&lane.name);
            match lane.shared {
                true => alone.add_shared_lane(name, lane.capacity),
                false => alone.add_lane(name, lane.capacity),
            };
        }
        alone.add_task(task.clone(), []);
        let mut all = GraphSpec::from(&alone).tasks;
        if let Some(mut one) = all.pop() {
            one.needs = needs.iter().map(|need| (*need).to_owned()).collect();
            if let Some(fallback) = fallback {
                let task = fallback.to_owned();
                one.on_failure = OnFailureSpec::Fallback { task };
            }
            spec.tasks.push(one);
        }
        tasks.push((task, needs, fallback));
    }
    if !spec.removes.is_empty() {
        let mut grown = graph.clone();
        let grown = grown.extend(&spec).is_ok().then_some(grown);
        return Ok(Patch { spec, grown });
    }
    let grown = by_hand(graph, tasks).filter(|_| spec.lanes.is_empty());
    Ok(Patch { spec, grown })
}

/// Adds the tasks in an order that respects their dependencies; `None` if there is no such order.
fn by_hand(
    graph: &TaskGraph,
    mut tasks: Vec<(Task, Vec<&str>, Option<&str>)>,
) -> Option<TaskGraph> {
    let mut grown = graph.clone();
    while !tasks.is_empty() {
        let is_there = |need: &&str| grown.find(need).is_some();
        let at = tasks
            .iter()
            .position(|(_, needs, fallback)| needs.iter().chain(fallback).all(is_there))?;
        let (mut task, needs, fallback) = tasks.remove(at);
        if let Some(fallback) = fallback {
            let id = grown
                .find(fallback)
                .filter(|id| id.index() >= graph.len())?;
            task = task.on_failure(OnFailure::Fallback(id));
        }
        let parents: Vec<TaskId> = needs.iter().filter_map(|need| grown.find(need)).collect();
        grown.try_add_task(task, parents).ok()?;
    }
    Some(grown)
}

fn lane(graph: &mut TaskGraph, name: &str, capacity: &str, shared: bool) -> Result<(), String> {
    let capacity = capacity.parse().map_err(|_| "not a capacity".to_owned())?;
    let added = match shared {
        true => graph.try_add_shared_lane(name, capacity),
        false => graph.try_add_lane(name, capacity),
    };
    added.map(|_| ()).map_err(|error| error.to_string())
}

fn task(graph: &mut TaskGraph, name: &str, words: &[&str]) -> Result<(), String> {
    let (task, needs) = definition(graph, name, words, |word| graph.find(word).is_some())?;
    let parents: Vec<TaskId> = needs.iter().filter_map(|need| graph.find(need)).collect();
    let added = graph.try_add_task(task, parents);
    added.map(|_| ()).map_err(|error| error.to_string())
}

/// Parses a task and the names of its dependencies: the words after the arrow that are names.
fn definition<'a>(
    graph: &TaskGraph,
    name: &str,
    words: &[&'a str],
    may_need: impl Fn(&str) -> bool,
) -> Result<(Task, Vec<&'a str>), String> {
    let work = Work::Action {
        name: "act".into(),
        params: Params::none(),
    };
    let mut task = Task::new(name).with_work(work);
    let mut needs = Vec::new();
    let mut listing = false;
    for &word in words {
        if word == "<-" {
            listing = true;
        } else if listing && !is_rule(word) && may_need(word) {
            needs.push(word);
        } else {
            listing = false;
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            task = rule(graph, task, key, value)?;
        }
    }
    Ok((task, needs))
}

fn is_rule(word: &str) -> bool {
    word.contains('=')
        || matches!(
            word,
            "milestone" | "question" | "approve" | "finally" | "foreach" | "prepare"
        )
}

fn rule(graph: &TaskGraph, task: Task, key: &str, value: &str) -> Result<Task, String> {
    Ok(match key {
        "milestone" => task.with_work(Work::Milestone),
        "question" => {
            let mut question = Question::text("what?");
            if !value.is_empty() {
                question = question.default_after(duration(value)?, Params::none());
            }
            task.question(question)
        }
        "trigger" => task.trigger(
            value
                .parse()
                .map_err(|error: UnknownWord| error.to_string())?,
        ),
        "finally" => task.finally(),
        "prepare" => match (value, task.rules().foreach) {
            ("items", Some(foreach)) => task.prepare(Params::none()).foreach(Foreach {
                prepare_items: true,
                ..foreach
            }),
            _ => task.prepare(Params::none()),
        },
        "foreach" => task.foreach(foreach(value)?),
        "idle" => task.idle_timeout(duration(value)?),
        "on_failure" => task.on_failure(on_failure(graph, value)?),
        "retries" => {
            let retries = value.parse().map_err(|_| "not a number".to_owned())?;
            task.retries(retries)
        }
        "base" => {
            let retry = task.rules().retry;
            let base = duration(value)?;
            task.retry(retry.backoff(base, retry.cap))
        }
        "cap" => {
            let retry = task.rules().retry;
            let cap = duration(value)?;
            task.retry(retry.backoff(retry.base, cap))
        }
        "timeout" => task.timeout(duration(value)?),
        "total" => task.total_timeout(duration(value)?),
        "effect" => task.effect(match value {
            "pure" => Effect::Pure,
            "idempotent" => Effect::Idempotent,
            "at_most_once" => Effect::AtMostOnce,
            _ => return Err(format!("{value:?} is not an effect class")),
        }),
        "priority" => task.priority(value.parse().map_err(|_| "not a number".to_owned())?),
        "budget" => task.budget(budget(value)?),
        "hint" => task.hint(duration(value)?),
        "lanes" => lanes(graph, task, value)?,
        "approve" => task.approve(Approval {
            fallback: match value.split_once(':') {
                Some((wait, answer)) => Some((duration(wait)?, answer == "yes")),
                None => None,
            },
            ..Approval::from("go?")
        }),
        _ => return Err(format!("{key:?} is neither a parent nor a rule")),
    })
}

/// Parses `foreach`, `foreach=finish`, `foreach=skip:2`: what a failure does, and the most items.
fn foreach(value: &str) -> Result<Foreach, String> {
    let (word, max) = value.split_once(':').unwrap_or((value, ""));
    let mut foreach = Foreach::DEFAULT;
    if !word.is_empty() {
        foreach.on_failure = word.parse().map_err(|e: UnknownWord| e.to_string())?;
    }
    if !max.is_empty() {
        foreach.max = max.parse().map_err(|_| "not a number".to_owned())?;
    }
    Ok(foreach)
}

fn lanes(graph: &TaskGraph, mut task: Task, value: &str) -> Result<Task, String> {
    for lane in value.split(',') {
        let (name, weight) = lane.split_once(':').unwrap_or((lane, "1"));
        let id = graph.find_lane(name).ok_or("no such lane")?;
        let weight = weight.parse().map_err(|_| "not a weight".to_owned())?;
        task = task.lane_weight(id, weight);
    }
    Ok(task)
}

fn on_failure(graph: &TaskGraph, value: &str) -> Result<OnFailure, String> {
    let words: Vec<&str> = value.split(':').collect();
    Ok(match words.as_slice() {
        ["abort"] => OnFailure::Abort,
        ["skip"] => OnFailure::Skip,
        ["value"] => OnFailure::Value(Params::none()),
        ["fallback", name] => OnFailure::Fallback(graph.find(name).ok_or("no such task")?),
        ["ask"] => OnFailure::Ask(AskFailure::default()),
        ["ask", wait, answer] => {
            let answer = failure_answer(answer).ok_or("not an answer")?;
            let fallback: Option<(Duration, FailureAnswer)> = Some((duration(wait)?, answer));
            OnFailure::Ask(AskFailure { fallback })
        }
        _ => return Err(format!("{value:?} is not a strategy")),
    })
}

/// Parses `retry`, `skip` or `abort`.
pub(super) fn failure_answer(word: &str) -> Option<FailureAnswer> {
    match word {
        "retry" => Some(FailureAnswer::Retry),
        "skip" => Some(FailureAnswer::Skip),
        "abort" => Some(FailureAnswer::Abort),
        _ => None,
    }
}
