//! What may go wrong with an agent's work, and what to do about it.

use std::time::Duration;

use serde_json::json;
use zeph_common::{Boundary, escape_terminal, format_duration, truncate};
use zeph_executor::{ErrorClass, TaskError};
use zeph_subagent::AgentCatalog;

/// The codes that another agent may mend, beside those of failed calls: the agent's own means failed,
/// not the task.
const OTHERS_MAY_MEND: &[&str] = &[
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

/// Whether another agent may do better.
pub(super) fn others_may_mend(error: &TaskError) -> bool {
    let by_class = match error.class() {
        ErrorClass::Permanent | ErrorClass::Refused => true,
        ErrorClass::Retryable | ErrorClass::Cancelled | ErrorClass::OverBudget => false,
    };
    by_class && OTHERS_MAY_MEND.contains(&error.code())
}

/// A piece of a model's words as it is shown in a message.
fn shown(text: &str) -> String {
    truncate(&escape_terminal(text.trim()), 300, Boundary::Char).to_string()
}

pub(super) fn unknown_agent(name: &str, agents: &AgentCatalog) -> TaskError {
    let help = match agents.suggest(name) {
        Some(near) => format!("did you mean {near:?}?"),
        None if agents.is_empty() => "this host has no agents; leave the agent out".to_owned(),
        None => "see `zeph agents` for those that there are".to_owned(),
    };
    let name = escape_terminal(name);
    TaskError::permanent(format!("there is no agent {name:?}; {help}")).with_code("unknown_agent")
}

pub(super) fn no_agent(reason: &str) -> TaskError {
    TaskError::permanent(format!(
        "no agent fits: {reason}; name an agent, or ask for less"
    ))
    .with_code("no_agent")
}

pub(super) fn choose_agent(reason: &str, fitting: &[&str]) -> TaskError {
    TaskError::permanent(format!(
        "a person must say which agent does this ({reason}); put the name of one into the task"
    ))
    .with_code("choose_agent")
    .with_detail(json!({ "agents": fitting }))
}

pub(super) fn unknown_parent(name: &str) -> TaskError {
    let name = escape_terminal(name);
    TaskError::permanent(format!(
        "the task wants to see the result of {name:?}, which it does not need; add it to `needs`"
    ))
    .with_code("unknown_parent")
}

pub(super) fn unknown_tool(name: &str) -> TaskError {
    let name = escape_terminal(name);
    let told = format!("this host has no tool {name:?}; register it, or take it out of the task");
    TaskError::permanent(told).with_code("unknown_tool")
}

pub(super) fn tool_not_allowed(name: &str, agent: &str) -> TaskError {
    let name = escape_terminal(name);
    TaskError::refused(format!(
        "the task asks for the tool {name:?}, which agent {agent:?} must not use; take it out of the task, or name another agent"
    ))
    .with_code("tool_not_allowed")
}

pub(super) fn no_tools(agent: &str, model: &str) -> TaskError {
    TaskError::permanent(format!(
        "agent {agent:?} has tools, and {model} cannot call any; give the agent another model, or take its tools away"
    ))
    .with_code("unsupported")
}

pub(super) fn prompt_too_long(tokens: u64, most: u64) -> TaskError {
    TaskError::permanent(format!(
        "the conversation has {tokens} tokens, and the agent may be asked with {most}; raise its limit max_input_tokens, name a model with a larger context, or shorten the prompt"
    ))
    .with_code("prompt_too_long")
}

pub(super) fn answer_cut(text: &str, most: Option<u32>) -> TaskError {
    let most = most.map_or(String::new(), |most| format!(" of {most} tokens"));
    TaskError::permanent(format!(
        "the answer reached its limit{most} and is cut off; raise max_output_tokens, or ask for less"
    ))
    .with_code("answer_cut")
    .with_detail(json!({ "begins": shown(text) }))
}

pub(super) fn model_refused(text: &str) -> TaskError {
    let said = match shown(text) {
        said if said.is_empty() => "it did not say why".to_owned(),
        said => format!("it said {said:?}"),
    };
    TaskError::refused(format!(
        "the model declined: {said}; ask in another way, or name another agent"
    ))
    .with_code("model_refused")
}

pub(super) fn empty_answer() -> TaskError {
    let told = "the model answered with nothing; ask in another way, or name another model";
    TaskError::permanent(told).with_code("empty_answer")
}

pub(super) fn bad_answer(problems: &[String], text: &str) -> TaskError {
    TaskError::permanent(format!(
        "the answer does not have the wanted form, also after it was asked for again: {}; simplify the schema, or name another model",
        problems.join("; ")
    ))
    .with_code("bad_answer")
    .with_detail(json!({ "problems": problems, "begins": shown(text) }))
}

pub(super) fn too_many_turns(turns: u32) -> TaskError {
    TaskError::permanent(format!(
        "the agent was asked {turns} times and still calls tools; raise its limit max_turns, or make the task smaller"
    ))
    .with_code("too_many_turns")
}

pub(super) fn too_many_tokens(tokens: u64, most: u64) -> TaskError {
    TaskError::permanent(format!(
        "the attempt has taken {tokens} tokens, and no attempt may take more than {most}; make the task smaller, or raise the host's limit for attempts"
    ))
    .with_code("too_many_tokens")
}

pub(super) fn tool_loop(name: &str, times: u32) -> TaskError {
    let name = escape_terminal(name);
    TaskError::permanent(format!(
        "the agent called {name:?} with the same arguments more than {times} times; make the prompt clearer, or name another model"
    ))
    .with_code("tool_loop")
}

pub(super) fn tool_failed(name: &str, times: u32, last: &str) -> TaskError {
    let (name, last) = (escape_terminal(name), shown(last));
    TaskError::permanent(format!(
        "{times} calls of tools failed in a row, the last one of {name:?}: {last}; see to the tool, or take it from the agent"
    ))
    .with_code("tool_failed")
}

pub(super) fn agent_timeout(limit: Duration) -> TaskError {
    let limit = format_duration(limit);
    TaskError::permanent(format!(
        "the agent did not answer within its {limit}; raise its limit timeout, or make the task smaller"
    ))
    .with_code("agent_timeout")
}
