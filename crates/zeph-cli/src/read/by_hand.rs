//! `zeph complete` and `zeph skip`: a person gives a task its end, from any process.

use serde_json::{Value, json};
use zeph_graph::{Task, Work};
use zeph_runtime::{Delivery, Request, RunView, ask, replace};

use super::request::{open, report_with};
use crate::args::{CompleteArgs, EndArgs, SkipArgs};
use crate::context::{AppContext, command_with, now};
use crate::exit::{CliError, Exit};
use crate::llm;
use crate::place;

pub(crate) async fn complete(cx: &AppContext, args: &CompleteArgs) -> Result<Exit, CliError> {
    let read = |text| place::read("the result", text);
    let text = args.output.as_deref().map(read).transpose()?;
    let text = text.map(|value| value.text);
    end(cx, &args.end, Some(text)).await
}

pub(crate) async fn skip(cx: &AppContext, args: &SkipArgs) -> Result<Exit, CliError> {
    end(cx, &args.end, None).await
}

/// Ends a task: with the result that a text names, if there is one, or without a result if it is skipped.
async fn end(
    cx: &AppContext,
    args: &EndArgs,
    result: Option<Option<String>>,
) -> Result<Exit, CliError> {
    let (store, run) = open(cx, Some(&args.run)).await?;
    let view = RunView::load(&store, &run).await?;
    let task = args.task.clone();
    let definition = view.graph().task(view.task(&task)?);
    let redactor = llm::base_builder(cx).build()?;
    let redacted = |text: &str| redactor.redacted(text);
    let reason = args.reason.as_deref().map(redacted).transpose()?;
    let (request, done) = match result {
        Some(text) => {
            let text = text.as_deref().map(redacted).transpose()?;
            let output = result_of(definition, text)?;
            let done = format!("{task} of run {run} is completed by hand");
            let request = Request::Complete {
                task: task.clone(),
                output,
                reason,
            };
            (request, done)
        }
        None => {
            let done = format!("{task} of run {run} is skipped by hand");
            let task = task.clone();
            (Request::Skip { task, reason }, done)
        }
    };
    let owners = store.owners();
    let delivery = if args.replace {
        replace(&store, owners.as_ref(), &run, &request, now()).await?
    } else {
        ask(&store, owners.as_ref(), &run, &request, now()).await?
    };
    let why = command_with(&["why", run.as_str()], &[&task]);
    let text = match delivery {
        Delivery::Accepted => format!("{done}; an attempt at work is stopped first"),
        Delivery::Stale | Delivery::Posted(_) => format!(
            "nothing has changed: {task} of run {run} has ended, is being canceled or has been given its end: {why}"
        ),
    };
    Ok(report_with(cx, &run, delivery, &text))
}

/// The result that a text stands for: JSON, or the text itself; of a command it is the standard output, unless
/// it is an object. That of a task with `foreach` is a list, and an empty one without a text.
///
/// # Errors
/// If it is not a list for such a task.
pub(crate) fn result_of(task: &Task, text: Option<String>) -> Result<Value, CliError> {
    if task.rules().foreach.is_some() {
        let text = text.as_deref().unwrap_or("[]");
        return match serde_json::from_str(text) {
            Ok(list @ Value::Array(_)) => Ok(list),
            Ok(_) | Err(_) => Err(CliError::usage(&format!(
                "the result of {} is a list in JSON, one value for each item",
                task.name()
            ))),
        };
    }
    let is_command = match task.work() {
        Work::Action { name, .. } => &**name == "command",
        Work::Milestone | Work::Question(_) => false,
    };
    let parsed: Option<Value> = text
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    Ok(match (parsed, text) {
        (Some(object @ Value::Object(_)), _) => object,
        (json, text) if is_command => {
            let stdout = text.unwrap_or_default();
            json!({ "stdout": stdout, "stderr": "", "exit": 0, "json": json })
        }
        (Some(value), _) => value,
        (None, text) => text.map_or(Value::Null, Value::String),
    })
}
