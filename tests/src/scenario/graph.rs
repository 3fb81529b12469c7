//! Graph: the first part of a scenario, read into a header.

use std::time::Duration;

use zeph_graph::{
    Approval, AskFailure, Effect, FailureAnswer, Header, OnFailure, Params, Policy, Question, Task,
    TaskGraph, TaskId, Trigger, Work,
};

use super::times::duration;

/// Reads policy, lanes and tasks.
pub(super) fn header(text: &str) -> Result<Header, String> {
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
            ["lane", name, capacity] => lane(&mut graph, name, capacity),
            [name, rest @ ..] => task(&mut graph, name, rest),
        };
        read.map_err(|error| format!("{line:?}: {error}"))?;
    }
    Ok(Header { graph, policy })
}

fn lane(graph: &mut TaskGraph, name: &str, capacity: &str) -> Result<(), String> {
    let capacity = capacity.parse().map_err(|_| "not a capacity".to_owned())?;
    let added = graph.try_add_lane(name, capacity);
    added.map(|_| ()).map_err(|error| error.to_string())
}

fn task(graph: &mut TaskGraph, name: &str, words: &[&str]) -> Result<(), String> {
    let work = Work::Action {
        name: "act".into(),
        params: Params::none(),
    };
    let mut task = Task::new(name).with_work(work);
    let mut parents: Vec<TaskId> = Vec::new();
    let mut listing = false;
    for &word in words {
        if word == "<-" {
            listing = true;
        } else if let Some(parent) = graph.find(word).filter(|_| listing) {
            parents.push(parent);
        } else {
            listing = false;
            let (key, value) = word.split_once('=').unwrap_or((word, ""));
            task = rule(graph, task, key, value)?;
        }
    }
    let added = graph.try_add_task(task, parents);
    added.map(|_| ()).map_err(|error| error.to_string())
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
        "trigger" if value == "all_done" => task.trigger(Trigger::AllDone),
        "trigger" if value == "all_success" => task.trigger(Trigger::AllSuccess),
        "on_failure" => task.on_failure(on_failure(value)?),
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
        "hint" => task.hint(duration(value)?),
        "lanes" => lanes(graph, task, value)?,
        "approve" => task.approve(Approval {
            text: "go?".into(),
            fallback: match value.split_once(':') {
                Some((wait, answer)) => Some((duration(wait)?, answer == "yes")),
                None => None,
            },
        }),
        _ => return Err(format!("{key:?} is neither a parent nor a rule")),
    })
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

fn on_failure(value: &str) -> Result<OnFailure, String> {
    let words: Vec<&str> = value.split(':').collect();
    Ok(match words.as_slice() {
        ["abort"] => OnFailure::Abort,
        ["skip"] => OnFailure::Skip,
        ["value"] => OnFailure::Value(Params::none()),
        ["ask"] => OnFailure::Ask(AskFailure::default()),
        ["ask", wait, answer] => {
            let answer = failure_answer(answer).ok_or("not an answer")?;
            let fallback: Option<(Duration, FailureAnswer)> = Some((duration(wait)?, answer));
            OnFailure::Ask(AskFailure { fallback })
        }
        _ => return Err(format!("{value:?} is not a strategy")),
    })
}

/// `retry`, `skip` or `abort`.
pub(super) fn failure_answer(word: &str) -> Option<FailureAnswer> {
    match word {
        "retry" => Some(FailureAnswer::Retry),
        "skip" => Some(FailureAnswer::Skip),
        "abort" => Some(FailureAnswer::Abort),
        _ => None,
    }
}
