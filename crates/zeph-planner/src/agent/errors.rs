//! The errors of an agent's attempt, each with a code and advice.

use std::time::Duration;

use serde_json::json;
use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_executor::{ErrorClass, TaskContext, TaskError};
use zeph_subagent::AgentCatalog;

use super::check::code;

/// The end of the text of a call that may have taken effect although it failed.
pub(crate) const END_UNKNOWN: &str =
    "; whether it took effect is unknown, find out before you call it again";

/// The codes after which another agent may succeed: the agent or its model failed, not the task.
const RETRY_WITH_ANOTHER: &[&str] = &[
    "answer_cut",
    "empty_answer",
    "bad_answer",
    "model_refused",
    "too_many_turns",
    "tool_loop",
    "tool_failed",
    "agent_timeout",
    "prompt_too_long",
    "rate_limited",
    "unavailable",
    "network",
    "timeout",
    "cut",
    "garbled",
    "unauthorized",
    "unknown_model",
    "context_too_long",
    "schema_rejected",
    "unsupported",
    "bad_request",
    "no_credit",
];

/// Whether another agent may succeed.
pub(super) fn another_may_succeed(error: &TaskError) -> bool {
    let by_class = match error.class() {
        ErrorClass::Permanent | ErrorClass::Refused => true,
        ErrorClass::Retryable
        | ErrorClass::Cancelled
        | ErrorClass::Interrupted
        | ErrorClass::Skip
        | ErrorClass::OverBudget => false,
    };
    by_class && RETRY_WITH_ANOTHER.contains(&error.code())
}

/// The start of a model's text as a message shows it.
fn shown(text: &str) -> String {
    truncate(&escape_terminal(text.trim()), 300, Boundary::Char).to_string()
}

pub(super) fn unknown_agent(name: &str, agents: &AgentCatalog) -> TaskError {
    let help = match agents.suggest(name) {
        Some(near) => format!("did you mean {near:?}?"),
        None if agents.is_empty() => {
            "this host has no agents; remove the agent from the task".to_owned()
        }
        None => "`zeph agents` lists the known ones".to_owned(),
    };
    let name = escape_terminal(name);
    TaskError::permanent(format!("unknown agent {name:?}; {help}"))
        .with_code(code::UNKNOWN_AGENT.text())
}

pub(super) fn no_agent(reason: &str) -> TaskError {
    TaskError::permanent(format!(
        "no agent fits: {reason}; name an agent, or require fewer tools and tags"
    ))
    .with_code("no_agent")
}

pub(super) fn choose_agent(reason: &str, fitting: &[&str]) -> TaskError {
    TaskError::permanent(format!(
        "several agents fit ({reason}); name one of them in the task"
    ))
    .with_code("choose_agent")
    .with_detail(json!({ "agents": fitting }))
}

pub(super) fn unknown_parent(name: &str) -> TaskError {
    let name = escape_terminal(name);
    TaskError::permanent(format!(
        "`context` names {name:?}, which is not a parent of the task; add it to `needs`"
    ))
    .with_code("unknown_parent")
}

pub(super) fn unknown_tool(name: &str) -> TaskError {
    let name = escape_terminal(name);
    let message = format!("unknown tool {name:?}; register it, or remove it from the task");
    TaskError::permanent(message).with_code(code::UNKNOWN_TOOL.text())
}

pub(super) fn tool_not_allowed(name: &str, agent: &str) -> TaskError {
    let name = escape_terminal(name);
    TaskError::refused(format!(
        "agent {agent:?} may not use the tool {name:?}; remove it from the task, or name another agent"
    ))
    .with_code(code::TOOL_NOT_ALLOWED.text())
}

pub(super) fn prompt_too_long(tokens: u64, most: u64) -> TaskError {
    TaskError::permanent(format!(
        "the conversation has {tokens} tokens; at most {most} are allowed; raise the agent's limit max_input_tokens, use a model with a larger context, or shorten the prompt"
    ))
    .with_code("prompt_too_long")
}

pub(super) fn answer_cut(text: &str, most: u32) -> TaskError {
    TaskError::permanent(format!(
        "the answer reached its limit of {most} tokens and is cut off; raise max_output_tokens, or ask for a shorter answer"
    ))
    .with_code("answer_cut")
    .with_detail(json!({ "begins": shown(text) }))
}

pub(super) fn model_refused(text: &str) -> TaskError {
    let reason = match shown(text) {
        text if text.is_empty() => "without a reason".to_owned(),
        text => format!("{text:?}"),
    };
    TaskError::refused(format!(
        "the model refused: {reason}; change the prompt, or name another agent"
    ))
    .with_code("model_refused")
}

/// The error of an answer without a text; `reasoning` has the bytes of reasoning that came instead.
pub(crate) fn empty_answer(reasoning: usize) -> TaskError {
    let message = match reasoning {
        0 => "the answer is empty; change the prompt, or use another model".to_owned(),
        bytes => format!(
            "the answer is empty: the model only reasoned, in {bytes} bytes, which `zeph show` prints; allow longer answers, or use another model"
        ),
    };
    TaskError::permanent(message).with_code("empty_answer")
}

pub(super) fn bad_answer(problems: &[String], text: &str) -> TaskError {
    TaskError::permanent(format!(
        "the answer has the wrong format, also after a correction: {}; simplify the schema, or use another model",
        problems.join("; ")
    ))
    .with_code("bad_answer")
    .with_detail(json!({ "problems": problems, "begins": shown(text) }))
}

pub(super) fn too_many_turns(turns: u32) -> TaskError {
    TaskError::permanent(format!(
        "the agent still calls tools after {turns} turns; raise its limit max_turns, or make the task smaller"
    ))
    .with_code("too_many_turns")
}

pub(super) fn too_many_tokens(tokens: u64, most: u64) -> TaskError {
    TaskError::permanent(format!(
        "the attempt used {tokens} tokens; at most {most} are allowed; make the task smaller, or raise attempt_tokens"
    ))
    .with_code("too_many_tokens")
}

pub(super) fn tool_loop(name: &str, times: u32) -> TaskError {
    let name = escape_terminal(name);
    TaskError::permanent(format!(
        "the agent called {name:?} with the same arguments more than {times} times; make the prompt clearer, or use another model"
    ))
    .with_code("tool_loop")
}

pub(super) fn tool_failed(name: &str, times: u32, last: &str) -> TaskError {
    let (name, last) = (escape_terminal(name), shown(last));
    TaskError::permanent(format!(
        "{times} tool calls failed in a row, the last one of {name:?}: {last}; correct the tool, or remove it from the agent"
    ))
    .with_code("tool_failed")
}

pub(super) fn agent_timeout(limit: Duration) -> TaskError {
    let limit = format_duration(limit);
    TaskError::permanent(format!(
        "the agent did not answer within {limit}; raise its limit timeout, or make the task smaller"
    ))
    .with_code("agent_timeout")
}

/// The text for the model, and for the person who reads it later, of a call that no person has approved.
pub(super) fn not_approved(cx: &TaskContext, tool: &str) -> String {
    let (run, task) = (cx.run(), escape_terminal(cx.name()));
    format!(
        "not called: {tool} needs the approval of a person, and that of this task does not name it; go on without it (`zeph retry {run} --from {task}` asks a person)"
    )
}
