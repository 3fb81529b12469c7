//! The first messages of an agent's conversation: who it is, what to do, what its parents left.

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeph_common::escape_terminal;
use zeph_executor::{Parent, ParentState, TaskError, TaskInput};
use zeph_llm::Message;
use zeph_sanitizer::Change;
use zeph_subagent::{AgentOutput, SubAgentDef};

use super::fault;
use super::params::AgentParams;
use crate::portion::{Measured, Piece, Portion, Room, value_text};
use crate::{LlmContext, PromptName};

/// The first messages, and what was done to the parents' results in them.
pub(super) struct Opening {
    pub(super) messages: Vec<Message>,
    pub(super) shown: Vec<ParentShown>,
}

/// What a prompt shows of a parent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParentShown {
    /// The parent's name.
    pub parent: String,
    /// How it ended.
    pub state: ParentState,
    /// Whether something of its output is missing.
    pub cut: bool,
    /// What the sanitizer changed in it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// How much it looks like an injection, from 0 to 1: advice, nothing was blocked by it.
    pub score: f64,
}

/// How often the parents' share is made smaller until the whole prompt fits.
const TRIES: u32 = 4;

/// What each message costs beside its text, in tokens: role and separators.
pub(super) const MESSAGE_TOKENS: u64 = 8;

/// The conversation's beginning, of at most `budget` tokens by `count`.
///
/// # Errors
/// `unknown_parent` if the task wants to see what it does not need; `prompt_too_long` if the task's
/// own words do not fit.
pub(super) async fn open(
    llm_context: &LlmContext,
    agent: &SubAgentDef,
    params: &AgentParams,
    output: &AgentOutput,
    input: &TaskInput,
    count: &(dyn Fn(&str) -> u64 + Sync),
    budget: u64,
) -> Result<Opening, TaskError> {
    let parents = seen(params, input)?;
    let system = system(llm_context, agent, output)?;
    let room = Room {
        sanitizer: llm_context.sanitizer(),
        count,
        most: u64::MAX,
    };
    let outputs = parents.iter().filter_map(|(name, parent)| {
        let output = parent.output.as_ref()?;
        Some(Piece::new(name, value_text(&output.value)))
    });
    let measured = room.measure(outputs.collect()).await;
    let pieces: Vec<&Measured<'_>> = measured.iter().collect();
    let system_tokens = count(&system) + 2 * MESSAGE_TOKENS;
    let left_out = Portion::left_out();
    let nothing: Vec<Option<&Portion>> = parents
        .iter()
        .map(|(_, parent)| parent.output.as_ref().map(|_| &left_out))
        .collect();
    let bare = user(llm_context, params, &parents, &nothing)?;
    let base = system_tokens + count(&bare);
    if base > budget {
        return Err(fault::prompt_too_long(base, budget));
    }
    let mut share = budget - base;
    for tried in 0..TRIES {
        let portions = room.share(&pieces, share).await;
        let mut portions = portions.iter();
        let by_parent: Vec<Option<&Portion>> = parents
            .iter()
            .map(|(_, parent)| parent.output.as_ref().and_then(|_| portions.next()))
            .collect();
        let text = user(llm_context, params, &parents, &by_parent)?;
        let total = system_tokens + count(&text);
        if total <= budget {
            return Ok(Opening {
                messages: vec![Message::system(system), Message::user(text)],
                shown: shown(&parents, &by_parent),
            });
        }
        if share == 0 {
            break;
        }
        // The texts around the portions take tokens, too, and counts of parts do not add up; each try
        // cuts from whole texts again, so more goes each time.
        share = share.saturating_sub((total - budget) << tried);
    }
    Ok(Opening {
        messages: vec![Message::system(system), Message::user(bare)],
        shown: shown(&parents, &nothing),
    })
}

/// The parents that the task wants to see, in the order in which they were declared.
fn seen<'a>(
    params: &AgentParams,
    input: &'a TaskInput,
) -> Result<Vec<(&'a str, &'a Parent)>, TaskError> {
    let wanted = params.context.as_deref();
    let mut names = wanted.unwrap_or_default().iter();
    if let Some(name) = names.find(|name| !input.parents.contains_key(*name)) {
        return Err(fault::unknown_parent(name));
    }
    let seen = |name: &str| wanted.is_none_or(|names| names.iter().any(|one| one == name));
    let parents = input.parents.iter();
    let parents = parents.map(|(name, parent)| (name.as_str(), parent));
    Ok(parents.filter(|(name, _)| seen(name)).collect())
}

fn system(
    llm_context: &LlmContext,
    agent: &SubAgentDef,
    output: &AgentOutput,
) -> Result<String, TaskError> {
    let word = match output {
        AgentOutput::Text => "text",
        AgentOutput::Json => "json",
        AgentOutput::Schema(_) => "schema",
    };
    let values = json!({
        "agent": { "name": agent.name, "description": agent.description, "prompt": agent.prompt },
        "preamble": llm_context.sanitizer().preamble(),
        "output": word,
    });
    llm_context.prompt(PromptName::Agent, &values)
}

fn user(
    llm_context: &LlmContext,
    params: &AgentParams,
    parents: &[(&str, &Parent)],
    portions: &[Option<&Portion>],
) -> Result<String, TaskError> {
    let parents = parents
        .iter()
        .zip(portions)
        .map(|((name, parent), portion)| {
            json!({
                "name": escape_terminal(name),
                "state": parent.state,
                "text": portion.map(|portion| &portion.text),
            })
        });
    let parents: Vec<_> = parents.collect();
    let values = json!({ "prompt": params.prompt, "parents": parents });
    llm_context.prompt(PromptName::AgentTask, &values)
}

fn shown(parents: &[(&str, &Parent)], portions: &[Option<&Portion>]) -> Vec<ParentShown> {
    let parents = parents.iter().zip(portions);
    let shown = parents.map(|((name, parent), portion)| ParentShown {
        parent: (*name).to_owned(),
        state: parent.state,
        cut: portion.is_some_and(|portion| portion.cut),
        changes: portion.map_or_else(Vec::new, |portion| portion.changes.clone()),
        score: portion.map_or(0.0, |portion| portion.score),
    });
    shown.collect()
}
