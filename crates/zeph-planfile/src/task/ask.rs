//! Questions and approvals.

use zeph_graph::wire::{
    AnswerSpec, ApproveDefault, ApproveSpec, Code, QuestionDefault, QuestionSpec, WorkSpec,
};

use super::rules::{both, note_texts};
use super::{Draft, Mode, Use};
use crate::errors::PlanCode;
use crate::fields::{self, Fields};
use crate::node::{Node, Value};
use crate::place::Problems;

/// Reads `ask`.
pub(super) fn read(node: &Node, draft: &mut Draft, problems: &mut Problems) {
    let codes = [Code::BadDefault, Code::BadChoices];
    draft.marks.extend(codes.map(|code| (code, node.place)));
    let asked = if matches!(node.value, Value::Text(_)) {
        text(node, "`ask`", &mut draft.uses, problems).map(|text| QuestionSpec {
            text,
            ..QuestionSpec::default()
        })
    } else {
        table(node, &mut draft.uses, problems)
    };
    draft.spec.work = WorkSpec::Question(Box::new(asked.unwrap_or_default()));
}

fn table(node: &Node, uses: &mut Vec<Use>, problems: &mut Problems) -> Option<QuestionSpec> {
    let known = ["text", "answer", "choices", "default", "after"];
    let fields = Fields::open(node, "`ask`", &known, problems)?;
    let text = required_text(&fields, "`ask`", uses, problems);
    let answer = answer(&fields, problems);
    let (default, after) = both(&fields, problems)?;
    let default = match default.zip(after) {
        Some((value, after)) => {
            note_texts(value, uses);
            let value = said(value, &answer);
            fields::micros(after, "`after`", problems)
                .map(|after_us| QuestionDefault { after_us, value })
        }
        None => None,
    };
    Some(QuestionSpec {
        text: text?,
        answer,
        default,
    })
}

/// The default answer; yes and no may be written as words.
fn said(node: &Node, answer: &AnswerSpec) -> serde_json::Value {
    match (answer, &node.value) {
        (AnswerSpec::YesNo, Value::Text(word)) if word == "yes" => true.into(),
        (AnswerSpec::YesNo, Value::Text(word)) if word == "no" => false.into(),
        _ => node.to_json(),
    }
}

fn answer(fields: &Fields<'_>, problems: &mut Problems) -> AnswerSpec {
    if let Some(node) = fields.get("choices") {
        if let Some(entry) = fields.entry("answer") {
            let message = "`answer` has no meaning beside `choices`";
            problems.add(PlanCode::MisplacedKey, entry.key_place, message);
        }
        let items = fields::list(node, "`choices`", problems).unwrap_or_default();
        let choices = items.iter().filter_map(|item| {
            let choice = fields::text(item, "a choice", problems)?;
            if choice.contains("${{") {
                let message = "a choice has an expression, which is not evaluated";
                problems.add(PlanCode::ExpressionNotAllowed, item.place, message);
            }
            Some(choice.to_owned())
        });
        let choices = choices.collect();
        return AnswerSpec::Choice { choices };
    }
    let words = [("text", 0), ("number", 1), ("yes_no", 2)];
    let answer = fields.get("answer");
    match answer.and_then(|node| fields::word(node, "`answer`", &words, problems)) {
        Some(1) => AnswerSpec::Number,
        Some(2) => AnswerSpec::YesNo,
        Some(_) | None => AnswerSpec::Text,
    }
}

/// Reads `approve`.
pub(super) fn approve(
    node: &Node,
    uses: &mut Vec<Use>,
    problems: &mut Problems,
) -> Option<ApproveSpec> {
    if matches!(node.value, Value::Text(_)) {
        let text = text(node, "`approve`", uses, problems)?;
        return Some(ApproveSpec {
            text,
            default: None,
        });
    }
    let fields = Fields::open(node, "`approve`", &["text", "default", "after"], problems)?;
    let text = required_text(&fields, "`approve`", uses, problems);
    let (default, after) = both(&fields, problems)?;
    let default = match default.zip(after) {
        Some((answer, after)) => {
            let yes = yes_or_no(answer, problems);
            let after_us = fields::micros(after, "`after`", problems);
            yes.zip(after_us)
                .map(|(yes, after_us)| ApproveDefault { after_us, yes })
        }
        None => None,
    };
    Some(ApproveSpec {
        text: text?,
        default,
    })
}

fn yes_or_no(node: &Node, problems: &mut Problems) -> Option<bool> {
    if let Value::Bool(yes) = &node.value {
        return Some(*yes);
    }
    let words = [("yes", true), ("no", false)];
    fields::word(node, "`default`", &words, problems)
}

fn required_text(
    fields: &Fields<'_>,
    what: &str,
    uses: &mut Vec<Use>,
    problems: &mut Problems,
) -> Option<String> {
    match fields.get("text") {
        Some(node) => text(node, "`text`", uses, problems),
        None => {
            let message = format!("{what} has no `text`");
            problems
                .add(PlanCode::MissingKey, fields.place, message)
                .help("write what the person is asked");
            None
        }
    }
}

fn text(node: &Node, what: &str, uses: &mut Vec<Use>, problems: &mut Problems) -> Option<String> {
    let text = fields::text(node, what, problems)?;
    if text.trim().is_empty() {
        problems.add(PlanCode::BadValue, node.place, format!("{what} is empty"));
        return None;
    }
    uses.push(Use {
        text: text.to_owned(),
        place: node.place,
        mode: Mode::Early,
    });
    Some(text.to_owned())
}
