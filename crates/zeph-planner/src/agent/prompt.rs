//! The first messages of a conversation: the agent, its task, and the results of the task's parents.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::json;
use zeph_common::{Boundary, escape_terminal, plain_text, truncate};
use zeph_executor::{
    Dependant, EndReason, Parent, ParentState, Purpose, REJECTED, TaskError, TaskInput,
};
use zeph_llm::Message;
use zeph_sanitizer::Change;
use zeph_subagent::{AgentOutput, SubAgentDef};

use super::ask_again::is_cut_off;
use super::errors;
use super::params::AgentParams;
use crate::LlmContext;
use crate::answer::AnswerExecutor;
use crate::prompt_budget::{
    FitError, MESSAGE_TOKENS, PromptBudget, Section, SectionText, value_text,
};
use crate::prompts::PromptName;

/// The first messages, and what they show of the parents' results.
pub(super) struct Opening {
    pub(super) messages: Vec<Message>,
    /// Whether the system message explains the delimiters of untrusted text.
    pub(super) has_preamble: bool,
    pub(super) shown: Vec<ParentShown>,
}

/// What the first messages are made from.
pub(super) struct Shown<'a> {
    pub(super) params: &'a AgentParams,
    pub(super) output: &'a AgentOutput,
    pub(super) input: &'a TaskInput,
    pub(super) purpose: &'a Purpose,
    pub(super) has_tools: bool,
}

/// A parent as the prompt shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ParentShown {
    /// The parent's name.
    pub parent: String,
    /// Its end.
    pub state: ParentState,
    /// Why it has no output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<EndReason>,
    /// Whether a part of its output, or of the reason, is missing.
    pub cut: bool,
    /// The changes by the sanitizer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
    /// The score of the sanitizer, from 0 to 1; advice only, nothing is blocked.
    pub score: f64,
}

/// The start of a conversation, of at most `budget` tokens.
///
/// # Errors
/// `unknown_parent` if the task names a parent that it does not need; `prompt_too_long` if the prompt
/// does not fit even without the parents' results.
pub(super) async fn open(
    context: &LlmContext,
    agent: &SubAgentDef,
    from: &Shown<'_>,
    count: &(dyn Fn(&str) -> u64 + Sync),
    budget: u64,
) -> Result<Opening, TaskError> {
    let params = from.params;
    let parents = parents(params, from.input)?;
    // Results of tools are untrusted too.
    let rejected = rejection(from.input);
    let is_explained = from.has_tools
        || rejected.is_some()
        || parents.iter().any(|(_, one)| parent_text(one).is_some());
    let preamble = if is_explained {
        context.sanitizer().preamble()
    } else {
        ""
    };
    let system = system(context, agent, from.output, preamble)?;
    let prompt = PromptBudget {
        sanitizer: context.sanitizer(),
        count,
        max_section: u64::MAX,
    };
    let sections = parents
        .iter()
        .filter_map(|(name, parent)| Some(Section::new(*name, parent_text(parent)?)));
    let has_rejection = rejected.is_some();
    let sections = sections.chain(rejected.map(|text| Section::new("an earlier attempt", text)));
    let sections = prompt.measure(sections.collect()).await;
    let system_tokens = count(&system) + 2 * MESSAGE_TOKENS;
    let left = budget.saturating_sub(system_tokens);
    let render = |texts: &[SectionText]| {
        user(
            context,
            params,
            from.purpose,
            &parents,
            texts,
            has_rejection,
        )
    };
    let fitted = match prompt.fit(&sections, left, render).await {
        Err(FitError::TooLong(_)) if !from.purpose.is_empty() => {
            // The task itself is more important than what it is for.
            let none = Purpose::default();
            let render = |texts: &[SectionText]| {
                user(context, params, &none, &parents, texts, has_rejection)
            };
            prompt.fit(&sections, left, render).await
        }
        fitted => fitted,
    };
    let fitted = fitted.map_err(|error| match error {
        FitError::TooLong(tokens) => errors::prompt_too_long(system_tokens + tokens, budget),
        FitError::Render(error) => error,
    })?;
    Ok(Opening {
        messages: vec![Message::system(system), Message::user(fitted.prompt)],
        has_preamble: is_explained,
        shown: shown(&parents, &fitted.sections),
    })
}

/// The parents that the task wants to see, in the order of the graph.
pub(super) fn parents<'a>(
    params: &AgentParams,
    input: &'a TaskInput,
) -> Result<Vec<(&'a str, &'a Parent)>, TaskError> {
    let wanted = params.context.as_deref();
    let mut names = wanted.unwrap_or_default().iter();
    if let Some(name) = names.find(|name| !input.parents.contains_key(*name)) {
        return Err(errors::unknown_parent(name));
    }
    let is_wanted = |name: &str| wanted.is_none_or(|names| names.iter().any(|one| one == name));
    let parents = input.parents.iter();
    let parents = parents.map(|(name, parent)| (name.as_str(), parent));
    Ok(parents.filter(|(name, _)| is_wanted(name)).collect())
}

fn system(
    context: &LlmContext,
    agent: &SubAgentDef,
    output: &AgentOutput,
    preamble: &str,
) -> Result<String, TaskError> {
    let word = match output {
        AgentOutput::Text => "text",
        AgentOutput::Json => "json",
        AgentOutput::Schema(_) => "schema",
    };
    let values = json!({
        "agent": { "name": agent.name, "description": agent.description, "prompt": agent.prompt },
        "preamble": preamble,
        "output": word,
    });
    context.prompt(PromptName::Agent, &values)
}

/// The output of a parent, or why it has none.
pub(super) fn parent_text(parent: &Parent) -> Option<Cow<'_, str>> {
    const MAX_REASON_BYTES: usize = 2_000;
    if let Some(output) = &parent.output {
        return Some(value_text(&output.value));
    }
    let message = &reason(parent)?.message;
    let message = truncate(message, MAX_REASON_BYTES, Boundary::Word);
    Some(Cow::Owned(message.to_string()))
}

/// Why the check of the task did not accept the result of the attempt before this one, and that result.
fn rejection(input: &TaskInput) -> Option<String> {
    let error = input.previous_error.as_ref();
    let error = error.filter(|error| error.code == REJECTED)?;
    let detail = error.detail.as_ref();
    let field = |name: &str| detail.and_then(|detail| detail[name].as_str());
    let why = field("why").unwrap_or(&error.message);
    Some(match field("result") {
        Some(result) => format!("{why}\n\nIt was:\n{result}"),
        None => why.to_owned(),
    })
}

/// Why a parent has no output.
fn reason(parent: &Parent) -> Option<&EndReason> {
    parent.why.as_ref().filter(|_| parent.output.is_none())
}

/// A code as one word: an executor can choose any text.
fn code_word(code: &str) -> String {
    const MAX: usize = 40;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let plain = code.chars().map(|c| if is_plain(c) { c } else { '_' });
    plain.take(MAX).collect()
}

/// Each parent with its text; see [`parent_text`].
fn with_texts<'a>(
    parents: &'a [(&'a str, &'a Parent)],
    texts: &'a [SectionText],
) -> impl Iterator<Item = (&'a str, &'a Parent, Option<&'a SectionText>)> {
    let mut texts = texts.iter();
    parents.iter().map(move |(name, parent)| {
        let text = parent_text(parent).and_then(|_| texts.next());
        (*name, *parent, text)
    })
}

fn user(
    context: &LlmContext,
    params: &AgentParams,
    purpose: &Purpose,
    parents: &[(&str, &Parent)],
    texts: &[SectionText],
    has_rejection: bool,
) -> Result<String, TaskError> {
    const MAX_GOAL_BYTES: usize = 4_000;
    let goal = purpose.goal.as_deref().map(plain_text);
    let goal = goal.map(|goal| truncate(&goal.text, MAX_GOAL_BYTES, Boundary::Word).to_string());
    let is_answer = |one: &&Dependant| one.action.as_deref() == Some(AnswerExecutor::ACTION);
    let dependants = &purpose.dependants;
    let readers = dependants.iter().filter(|one| !is_answer(one));
    let readers: Vec<_> = readers.map(|one| escape_terminal(&one.name)).collect();
    let parents = with_texts(parents, texts).map(|(name, parent, text)| {
        json!({
            "name": escape_terminal(name),
            "state": parent.state,
            "text": text.map(|text| &text.text),
            "cut": text.is_some_and(|text| text.cut) || is_cut(parent),
            "why": reason(parent).map(|why| code_word(&why.code)),
        })
    });
    let parents: Vec<_> = parents.collect();
    let values = json!({
        "goal": goal,
        "prompt": params.prompt,
        "parents": parents,
        "readers": readers,
        "answers": dependants.iter().any(|one| is_answer(&one)),
        "rejected": texts.last().filter(|_| has_rejection).map(|text| &text.text),
    });
    context.prompt(PromptName::AgentTask, &values)
}

/// Whether the parent's output is a cut answer of an agent.
fn is_cut(parent: &Parent) -> bool {
    let text = parent
        .output
        .as_ref()
        .and_then(|output| output.value.as_str());
    text.is_some_and(is_cut_off)
}

fn shown(parents: &[(&str, &Parent)], texts: &[SectionText]) -> Vec<ParentShown> {
    let shown = with_texts(parents, texts).map(|(name, parent, text)| ParentShown {
        parent: name.to_owned(),
        state: parent.state,
        why: reason(parent).cloned(),
        cut: text.is_some_and(|text| text.cut) || is_cut(parent),
        changes: text.map_or_else(Vec::new, |text| text.changes.clone()),
        score: text.map_or(0.0, |text| text.score),
    });
    shown.collect()
}
