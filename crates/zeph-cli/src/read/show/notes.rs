//! Notes of attempts: prompts, replies, routing and tool calls, in the order of the journal.

use serde_json::{Value, json};
use zeph_common::{Boundary, head_tail};
use zeph_executor::{NoteKind, Verdict};
use zeph_graph::Usd;
use zeph_llm::Message;
use zeph_orchestration::command::ProcessGroup;
use zeph_planner::{PromptNote, ReplyNote};
use zeph_runtime::NoteView;
use zeph_subagent::router::Candidate;

use crate::read::page::{Page, count};

/// The most bytes of each text that are shown; `--json` has the whole text.
const TEXT_BYTES: usize = 16 << 10;
/// The most bytes that are shown of the arguments of a tool call, or of a candidate for the route.
const ARGUMENT_BYTES: usize = 400;

/// Renders the notes of one attempt, in the order of the journal.
pub(super) fn render(page: &mut Page, indent: usize, notes: &[&NoteView]) {
    let mut before: Vec<Message> = Vec::new();
    for note in notes {
        // A note that this version cannot parse is printed unchanged.
        let shown = match note.kind.as_str() {
            kind if kind == NoteKind::Prompt.name() => prompt(page, indent, note, &mut before),
            kind if kind == NoteKind::Reply.name() => reply(page, indent, note),
            kind if kind == NoteKind::Route.name() => route(page, indent, note),
            kind if kind == NoteKind::Tool.name() => tool(page, indent, note),
            // The turn has a note of each call when it ends.
            kind if kind == NoteKind::ToolCall.name() => Some(()),
            kind if kind == NoteKind::Check.name() => check(page, indent, note),
            kind if kind == NoteKind::Process.name() => process(page, indent, note),
            _ => None,
        };
        if shown.is_none() {
            page.block(indent, &format!("{}:", note.kind));
            text_block(page, indent + 2, &unparsed(note));
        }
    }
}

/// The body of a note that this version does not know.
fn unparsed(note: &NoteView) -> String {
    match serde_json::from_slice::<Value>(&note.body) {
        Ok(value) => serde_json::to_string_pretty(&value).unwrap_or_default(),
        Err(_) => String::from_utf8_lossy(&note.body).into_owned(),
    }
}

fn text_block(page: &mut Page, indent: usize, text: &str) {
    let text = head_tail(text.trim_end(), TEXT_BYTES, Boundary::Char);
    page.block(indent, &text.to_string());
}

/// Renders a prompt: the messages that the previous prompt did not have. `before` has its messages.
fn prompt(
    page: &mut Page,
    indent: usize,
    note: &NoteView,
    before: &mut Vec<Message>,
) -> Option<()> {
    let note: PromptNote = serde_json::from_slice(&note.body).ok()?;
    page.block(indent, &format!("call {} to {}:", note.call, note.provider));
    let Some(request) = note.request else {
        text_block(page, indent + 2, &note.cut.unwrap_or_default());
        return Some(());
    };
    let same = request.messages.iter().zip(before.iter());
    let same = same.take_while(|(one, other)| one == other).count();
    if same > 0 {
        let messages = count(same as u64, "message");
        page.block(indent + 2, &format!("({messages} as before)"));
    }
    for message in &request.messages[same..] {
        let role = match message {
            Message::System { .. } => "system".to_owned(),
            Message::User { .. } => "user".to_owned(),
            Message::Assistant { .. } => "assistant".to_owned(),
            Message::Tool { name, .. } => format!("tool {name}"),
        };
        page.block(indent + 2, &format!("{role}:"));
        text_block(page, indent + 4, message.text());
    }
    if !request.tools.is_empty() {
        let tools = request.tools.iter();
        let names: Vec<&str> = tools.map(|tool| tool.name.as_str()).collect();
        page.block(indent + 2, &format!("tools: {}", names.join(", ")));
    }
    *before = request.messages;
    Some(())
}

fn reply(page: &mut Page, indent: usize, note: &NoteView) -> Option<()> {
    let note: ReplyNote = serde_json::from_slice(&note.body).ok()?;
    let money = match note.micro_usd {
        0 => String::new(),
        money => format!(", {} USD", Usd(money.into())),
    };
    let (call, cost) = (
        note.call,
        format!("{}{money}", count(note.tokens.into(), "token")),
    );
    if let Some(error) = &note.error {
        let text = format!(
            "no reply {call}: {} [{}], {cost}",
            error.message,
            error.kind.word()
        );
        page.block(indent, &text);
    }
    if let Some(response) = &note.response {
        let stop = serde_json::to_value(&response.stop).unwrap_or_default();
        let stop = stop
            .as_str()
            .map_or_else(|| stop.to_string(), str::to_owned);
        let model = match response.model.as_str() {
            "" => String::new(),
            model => format!(" of {model}"),
        };
        let reused = if note.reused {
            ", from before the interruption"
        } else {
            ""
        };
        let line = format!("reply {call}{model} ({stop}, {cost}{reused}):");
        page.block(indent, &line);
        if !response.reasoning.text.trim().is_empty() {
            page.block(indent + 2, "reasoning:");
            text_block(page, indent + 4, &response.reasoning.text);
        }
        text_block(page, indent + 2, &response.text);
        for call in &response.tool_calls {
            let call = format!("calls {} {}", call.name, shortened(&call.arguments));
            page.block(indent + 2, &call);
        }
    }
    if let Some(cut) = &note.cut {
        text_block(page, indent + 2, cut);
    }
    Some(())
}

fn route(page: &mut Page, indent: usize, note: &NoteView) -> Option<()> {
    let note: Value = serde_json::from_slice(&note.body).ok()?;
    page.block(indent, &format!("done by {}", note.get("agent")?.as_str()?));
    let route = &note["route"];
    if let Some(reason) = route["reason"].as_str() {
        page.block(indent + 2, reason);
    }
    for candidate in route["candidates"].as_array().into_iter().flatten() {
        let known = serde_json::from_value::<Candidate>(candidate.clone());
        let line = known.map_or_else(|_| shortened(candidate), |known| judged(&known));
        page.block(indent + 2, &line);
    }
    Some(())
}

/// `analyst: 0.71 (lexical 0.42, tags 1)`, or `writer: left out by tools: it has no tool "find"`.
fn judged(candidate: &Candidate) -> String {
    let name = &candidate.name;
    if let Some(exclusion) = &candidate.exclusion {
        return format!(
            "{name}: left out by {}: {}",
            exclusion.filter, exclusion.why
        );
    }
    let number =
        |score: Option<f64>| score.map_or_else(|| "none".to_owned(), |score| format!("{score:.2}"));
    let scores = candidate.scores.iter();
    let scores: Vec<String> = scores
        .map(|score| format!("{} {}", score.scorer, number(score.score)))
        .collect();
    if scores.is_empty() {
        return name.clone();
    }
    format!(
        "{name}: {} ({})",
        number(candidate.total),
        scores.join(", ")
    )
}

fn tool(page: &mut Page, indent: usize, note: &NoteView) -> Option<()> {
    let note: Value = serde_json::from_slice(&note.body).ok()?;
    let field = |key: &str| note[key].as_str().unwrap_or_default();
    let arguments = shortened(note.get("arguments")?);
    let line = format!("tool {} {arguments}: {}", field("name"), field("outcome"));
    page.block(indent, &line);
    text_block(page, indent + 2, field("text"));
    Some(())
}

fn check(page: &mut Page, indent: usize, note: &NoteView) -> Option<()> {
    let verdict: Verdict = serde_json::from_slice(&note.body).ok()?;
    let word = if verdict.accepted {
        "accepted"
    } else {
        "not accepted"
    };
    page.block(indent, &format!("{word} by `{}` of its check", verdict.by));
    if !verdict.why.is_empty() {
        text_block(page, indent + 2, &verdict.why);
    }
    Some(())
}

fn process(page: &mut Page, indent: usize, note: &NoteView) -> Option<()> {
    let group: ProcessGroup = serde_json::from_slice(&note.body).ok()?;
    page.block(indent, &format!("process group {}", group.id));
    Some(())
}

fn shortened(value: &Value) -> String {
    head_tail(&value.to_string(), ARGUMENT_BYTES, Boundary::Char).to_string()
}

/// A note as JSON; a body that is not JSON becomes a string.
pub(super) fn to_json(note: &NoteView) -> Value {
    let body = serde_json::from_slice::<Value>(&note.body);
    let body = body.unwrap_or_else(|_| String::from_utf8_lossy(&note.body).into());
    json!({ "kind": note.kind, "at_us": note.at.as_micros(), "note": body })
}

#[cfg(test)]
mod tests {
    use super::judged;
    use zeph_subagent::router::{Candidate, Exclusion, Score};

    #[test]
    fn a_candidate_is_shown_in_words() {
        let score = |scorer: &str, score| Score {
            scorer: scorer.to_owned(),
            weight: 1.0,
            score,
            note: None,
        };
        let mut candidate = Candidate::new("analyst");
        assert_eq!(judged(&candidate), "analyst");
        candidate.total = Some(0.712);
        candidate.scores = vec![score("lexical", Some(0.712)), score("tags", None)];
        assert_eq!(
            judged(&candidate),
            "analyst: 0.71 (lexical 0.71, tags none)"
        );
        candidate.exclusion = Some(Exclusion {
            filter: "tools".to_owned(),
            why: "no tool find".to_owned(),
        });
        assert_eq!(
            judged(&candidate),
            "analyst: left out by tools: no tool find"
        );
    }
}
