//! Question tasks and approvals: the keys `ask` and `approve`.

use std::time::Duration;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Table, Value};
use zeph_graph::wire::code as graph_code;
use zeph_graph::wire::{QuestionDefault, QuestionSpec, WorkSpec};
use zeph_graph::{AnswerKind, Approval};

use super::rules::{both, note_texts};
use super::{Draft, Mode, Use};
use crate::code;
use crate::fields::micros;
use crate::foreign;

/// Reads `ask`.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Diagnostics) {
    let codes = [graph_code::BAD_DEFAULT, graph_code::BAD_CHOICES];
    draft.marks.extend(codes.map(|code| (code, node.span)));
    let asked = if matches!(node.value, Value::String(_)) {
        question_text(node, "`ask`", &mut draft.uses, problems).map(|text| QuestionSpec {
            text,
            ..QuestionSpec::default()
        })
    } else {
        question_table(node, &mut draft.uses, problems)
    };
    draft.spec.work = WorkSpec::Question(Box::new(asked.unwrap_or_default()));
}

fn question_table(
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Option<QuestionSpec> {
    let known = ["text", "answer", "choices", "default", "after"];
    let fields = node.table_with_help("`ask`", &known, foreign::ask_key, problems)?;
    let text = required_text(&fields, "`ask`", uses, problems);
    let answer = answer_kind(&fields, problems);
    let (default, after) = both(&fields, problems)?;
    let default = match default.zip(after) {
        Some((value, after)) => {
            note_texts(value, uses);
            let value = default_answer(value, &answer);
            micros(after, "`after`", problems).map(|after_us| QuestionDefault { after_us, value })
        }
        None => None,
    };
    Some(QuestionSpec {
        text: text?,
        answer,
        default,
    })
}

/// The default answer. That of a yes-or-no question may be a boolean, "yes" or "no".
fn default_answer(node: &Node, answer: &AnswerKind) -> serde_json::Value {
    match (answer, &node.value) {
        (AnswerKind::YesNo, Value::String(word)) if word == "yes" => true.into(),
        (AnswerKind::YesNo, Value::String(word)) if word == "no" => false.into(),
        _ => node.to_json(),
    }
}

fn answer_kind(fields: &Table<'_>, problems: &mut Diagnostics) -> AnswerKind {
    if let Some(node) = fields.get("choices") {
        if let Some(entry) = fields.entry("answer") {
            let message = "`answer` has no meaning beside `choices`";
            problems.push(Diagnostic::new(code::MISPLACED_KEY, message).at(entry.key_span));
        }
        let items = node.list("`choices`", problems).unwrap_or_default();
        let choices = items.iter().filter_map(|item| {
            let choice = item.string("a choice", problems)?;
            if choice.contains("${{") {
                let message = "a choice has an expression, which is not evaluated";
                problems.push(Diagnostic::new(code::EXPRESSION_NOT_ALLOWED, message).at(item.span));
            }
            Some(choice.to_owned())
        });
        let choices = choices.collect();
        return AnswerKind::Choice { choices };
    }
    let words = [("text", 0), ("number", 1), ("yes_no", 2)];
    match fields.read("answer", |node, what| node.word(what, &words, problems)) {
        Some(1) => AnswerKind::Number,
        Some(2) => AnswerKind::YesNo,
        Some(_) | None => AnswerKind::Text,
    }
}

/// Reads `approve`.
pub(super) fn approve(
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Option<Approval> {
    if matches!(node.value, Value::String(_)) {
        let text = question_text(node, "`approve`", uses, problems)?;
        return Some(text.into());
    }
    let fields = node.table_with_help(
        "`approve`",
        &["text", "default", "after"],
        foreign::ask_key,
        problems,
    )?;
    let text = required_text(&fields, "`approve`", uses, problems);
    let (default, after) = both(&fields, problems)?;
    let fallback = match default.zip(after) {
        Some((answer, after)) => {
            let yes = yes_or_no(answer, problems);
            let after_us = micros(after, "`after`", problems);
            yes.zip(after_us)
                .map(|(yes, after_us)| (Duration::from_micros(after_us), yes))
        }
        None => None,
    };
    Some(Approval {
        fallback,
        ..text?.into()
    })
}

fn yes_or_no(node: &Node, problems: &mut Diagnostics) -> Option<bool> {
    if let Value::Bool(yes) = &node.value {
        return Some(*yes);
    }
    let words = [("yes", true), ("no", false)];
    node.word("`default`", &words, problems)
}

fn required_text(
    fields: &Table<'_>,
    what: &str,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Option<String> {
    let node = fields.require(what, "text", "text = \"the question\"", problems)?;
    question_text(node, "`text`", uses, problems)
}

fn question_text(
    node: &Node,
    what: &str,
    uses: &mut Vec<Use>,
    problems: &mut Diagnostics,
) -> Option<String> {
    let text = node.string(what, problems)?;
    if text.trim().is_empty() {
        problems.push(Diagnostic::new(code::BAD_VALUE, format!("{what} is empty")).at(node.span));
        return None;
    }
    uses.push(Use::new(text, node, Mode::Early));
    Some(text.to_owned())
}
