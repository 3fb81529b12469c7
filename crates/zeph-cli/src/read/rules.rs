//! The work of a task and the rules that are not the default, in words.

use std::time::Duration;

use zeph_common::format_duration;
use zeph_graph::{
    Approval, Effect, Foreach, ItemFailure, OnFailure, Params, Retry, Rules, Task, TaskGraph,
    Trigger, Work,
};
use zeph_runtime::{Accepts, value_text};

use super::page::count;
use crate::work;

/// The work of a task, in one line.
pub(crate) fn work(task: &Task) -> String {
    let Work::Question(question) = task.work() else {
        return work::who(task);
    };
    let accepts = Accepts::from(&question.kind);
    let default = question.fallback.as_ref().map(|(wait, value)| {
        let value = value_text(&value.to_value().unwrap_or_default());
        format!("; {value} after {}", format_duration(*wait))
    });
    let default = default.unwrap_or_default();
    format!("asks {:?} ({accepts}{default})", question.text)
}

/// The condition of a task, as the plan file gives it.
fn condition(preparation: &Params) -> Option<String> {
    let params = preparation.to_value().ok()?;
    params["when"].as_str().map(str::to_owned)
}

/// The files on which the result of a command depends.
fn cache(preparation: &Params) -> Option<String> {
    let params = preparation.to_value().ok()?;
    let inputs = params["cache"]["inputs"].as_array()?.iter();
    let inputs: Vec<&str> = inputs.filter_map(|one| one.as_str()).collect();
    Some(format!(
        "the result counts again while {} and the command are the same",
        inputs.join(", ")
    ))
}

/// The rules that are not the default ones, named and in words.
pub(crate) fn changed(graph: &TaskGraph, task: &Task) -> Vec<(&'static str, String)> {
    // Exhaustive, so that a new rule cannot be forgotten here.
    let Rules {
        trigger,
        finally,
        foreach,
        prepare,
        retry,
        on_failure,
        attempt_timeout,
        idle_timeout,
        task_timeout,
        effect,
        lanes,
        priority,
        approve,
        hint,
        budget,
        metadata,
    } = task.rules();
    let mut lines = Vec::new();
    let mut add = |name, text: Option<String>| lines.extend(text.map(|text| (name, text)));
    add("after", after(*trigger).map(str::to_owned));
    let at_the_end = "everything else has ended, however it did";
    add("when", prepare.as_ref().and_then(condition));
    add("cache", prepare.as_ref().and_then(cache));
    add("finally", finally.then(|| at_the_end.to_owned()));
    add("foreach", foreach.map(each));
    add("retry", (*retry != Retry::NEVER).then(|| again(*retry)));
    add("on failure", strategy(graph, on_failure));
    let limit = |limit: Option<Duration>, each: &str| {
        limit.map(|limit| format!("{} {each}", format_duration(limit)))
    };
    add("timeout", limit(*attempt_timeout, "for each attempt"));
    add("timeout", limit(*idle_timeout, "without a sign of life"));
    add("timeout", limit(*task_timeout, "for all attempts together"));
    add("effect", repeated(*effect).map(str::to_owned));
    for used in lanes {
        let lane = &graph.lanes()[used.lane.index()];
        let text = format!("{}: {} of {}", lane.name, used.weight, lane.capacity);
        add("lane", Some(text));
    }
    add("priority", (*priority != 0).then(|| priority.to_string()));
    add(
        "approve",
        approve.as_ref().map(|gated| gate(gated, task.name())),
    );
    add("expected", hint.map(format_duration));
    let budget = (!budget.is_unlimited()).then(|| budget.to_string());
    add("budget", budget);
    for (key, value) in metadata {
        add("metadata", Some(format!("{key} = {value}")));
    }
    lines
}

const fn after(trigger: Trigger) -> Option<&'static str> {
    match trigger {
        Trigger::AllSuccess => None,
        Trigger::AllDone => Some("all that it needs have ended, however they did"),
        Trigger::AnySuccess => Some("one that it needs has completed"),
        Trigger::AnyFailed => Some("one that it needs has failed or was canceled"),
        Trigger::NoneFailed => Some("all that it needs have ended, and none of them failed"),
    }
}

fn each(foreach: Foreach) -> String {
    let on_failure = match foreach.on_failure {
        ItemFailure::Abort => "the first failure stops the others",
        ItemFailure::Finish => "after a failure the others run, then the task fails",
        ItemFailure::Skip => "an item that fails has no result",
    };
    format!(
        "once for each item of a list of up to {}; {on_failure}",
        foreach.max
    )
}

fn again(retry: Retry) -> String {
    let attempts = count(retry.max_retries.into(), "more attempt");
    let (base, cap) = (format_duration(retry.base), format_duration(retry.cap));
    format!("up to {attempts}, {base} to {cap} apart")
}

const fn repeated(effect: Effect) -> Option<&'static str> {
    match effect {
        Effect::Idempotent => None,
        Effect::Pure => Some("pure: repeating it changes nothing"),
        Effect::AtMostOnce => Some("at most once: it is never repeated without a person's consent"),
    }
}

fn gate(approval: &Approval, task: &str) -> String {
    let default = approval.default_answer().map(|(wait, yes)| {
        let answer = if yes { "yes" } else { "no" };
        format!(" ({answer} after {})", format_duration(wait))
    });
    format!("{}{}", approval.question(task), default.unwrap_or_default())
}

fn strategy(graph: &TaskGraph, on_failure: &OnFailure) -> Option<String> {
    Some(match on_failure {
        OnFailure::Abort => return None,
        OnFailure::Skip => "skip: tasks that do not depend on it continue".to_owned(),
        OnFailure::Ask(ask) => match ask.fallback {
            Some((wait, answer)) => {
                format!("ask a person; {answer} after {}", format_duration(wait))
            }
            None => "ask a person".to_owned(),
        },
        OnFailure::Value(value) => format!("complete with {}", value.json_text()),
        OnFailure::Fallback(to) => format!("{} runs in its place", graph.task(*to).name()),
    })
}

#[cfg(test)]
mod tests {
    use super::{changed, work};
    use std::time::Duration;
    use zeph_graph::{Effect, OnFailure, Params, Question, Retry, Task, TaskGraph, Trigger};

    #[test]
    fn exactly_the_rules_that_are_not_the_default_are_shown() {
        let mut graph = TaskGraph::new();
        let plain = graph.add_task(Task::new("plain").action("command"), []);
        let lane = graph.add_lane("db", 3);
        let secs = Duration::from_secs;
        let task = Task::new("odd")
            .action("command")
            .trigger(Trigger::AllDone)
            .retry(Retry::times(1))
            .on_failure(OnFailure::Value(Params::from_json_text("[1]")))
            .timeout(secs(90))
            .total_timeout(secs(600))
            .effect(Effect::AtMostOnce)
            .lane_weight(lane, 2)
            .priority(-3)
            .approve("Sure?")
            .hint(secs(5))
            .meta("team", "ops");
        let odd = graph.add_task(task, [plain]);
        assert_eq!(changed(&graph, graph.task(plain)), []);
        let lines: Vec<String> = changed(&graph, graph.task(odd))
            .into_iter()
            .map(|(name, text)| format!("{name}={text}"))
            .collect();
        assert_eq!(
            lines,
            [
                "after=all that it needs have ended, however they did",
                "retry=up to 1 more attempt, 1s to 1m apart",
                "on failure=complete with [1]",
                "timeout=1m 30s for each attempt",
                "timeout=10m for all attempts together",
                "effect=at most once: it is never repeated without a person's consent",
                "lane=db: 2 of 3",
                "priority=-3",
                "approve=Sure?",
                "expected=5s",
                "metadata=team = ops",
            ]
        );
    }

    #[test]
    fn work_is_shown_in_one_line() {
        let fallback = Params::from_json_text("\"red\"");
        let question = Question::choice("Which?", ["red", "blue"])
            .default_after(Duration::from_secs(60), fallback);
        assert_eq!(
            work(&Task::new("q").question(question)),
            r#"asks "Which?" (one of: red, blue; red after 1m)"#
        );
        assert_eq!(work(&Task::new("a").action("command")), "command");
    }
}
