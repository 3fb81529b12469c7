//! Requests in the inbox of a run: what a person asked for, and what counts when the run is resumed.

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_graph::Timestamp;
use zeph_runtime::{PostedRequest, Request, RunView};

use super::answers::short;
use super::page::Page;
use super::time::ago;
use crate::context::command;

/// The most bytes of a request that are shown.
const MAX_REQUEST_BYTES: usize = 300;

/// `answered "yes", 12 s ago by anna (process 4711); counts when the run is resumed`; `None` if the inbox
/// has no answer to the question.
pub(crate) fn answer(view: &RunView, question: u32, now: Timestamp) -> Option<String> {
    let mut posted = view.requests.iter();
    let is_answer = |posted: &&PostedRequest| posted.answer().is_some_and(|(of, _)| of == question);
    let posted = posted.find(is_answer)?;
    let (_, text) = posted.answer()?;
    let (text, when) = (short(text), when(posted, now));
    Some(format!(
        "answered {text}, {when}; counts when the run is resumed"
    ))
}

/// The command that withdraws the answer in the inbox.
pub(crate) fn replace_command(view: &RunView, question: u32) -> String {
    let question = question.to_string();
    command(&["answer", view.run.as_str(), &question, "--replace"])
}

/// The requests that wait in the inbox, under a heading.
pub(crate) fn render(page: &mut Page, requests: &[PostedRequest], now: Timestamp) {
    let line = |posted: &PostedRequest| format!("{}, {}", words(posted), when(posted, now));
    let lines: Vec<String> = requests.iter().map(line).collect();
    page.section("Counts when the run is resumed", &lines);
}

/// What is asked for.
pub(crate) fn words(posted: &PostedRequest) -> String {
    let text = match &posted.request {
        Ok(signed) => {
            if let Request::Answer { question, text } = &signed.request {
                format!("answer to question {question}: {}", short(text))
            } else {
                signed.request.to_string()
            }
        }
        Err(error) => format!("request {} {error}", posted.id),
    };
    truncate(&text, MAX_REQUEST_BYTES, Boundary::Word).to_string()
}

/// `12 s ago by anna (process 4711)`.
fn when(posted: &PostedRequest, now: Timestamp) -> String {
    let by = posted
        .request
        .as_ref()
        .ok()
        .and_then(|signed| signed.by.as_ref());
    let by = by.map(|by| format!(" by {by}")).unwrap_or_default();
    format!("{}{by}", ago(posted.at, now))
}

pub(crate) fn to_json(requests: &[PostedRequest]) -> Vec<Value> {
    let json = |posted: &PostedRequest| {
        let mut json = match &posted.request {
            Ok(signed) => {
                let mut json = json!(signed.request);
                json["by"] = json!(signed.by);
                json
            }
            Err(error) => json!({ "error": error.to_string() }),
        };
        json["request"] = posted.id.get().into();
        json["at_us"] = posted.at.as_micros().into();
        json
    };
    requests.iter().map(json).collect()
}
