//! Checks: whether the result of an attempt is accepted.

use std::borrow::Cow;
use std::sync::Arc;

use serde_json::{Value, json};
use zeph_common::{Boundary, truncate};
use zeph_executor::{
    Executor as _, Note, NoteKind, Parent, REJECTED, TaskContext, TaskError, TaskInput, TaskOutput,
    Verdict,
};

use super::{Templated, artifacts};
use crate::expression;
use crate::references::with_result;
use crate::template::Template;

/// The parameter that holds the check of a task.
pub(crate) const CHECK: &str = "check";
/// The part of a check that is a JSON Schema of the result.
pub(crate) const SCHEMA: &str = "schema";
/// The part of a check that is one expression.
pub(crate) const THAT: &str = "that";
/// The part of a check that is a question to a model.
pub(crate) const JUDGE: &str = "judge";
/// The parts, in the order in which they are tried.
pub(crate) const CHECK_KEYS: [&str; 3] = [SCHEMA, THAT, JUDGE];

/// The most bytes of a result that its rejection quotes.
const MAX_QUOTED_BYTES: usize = 2 << 10;

impl<E> Templated<E> {
    /// Checks the result of an attempt, and notes the verdict.
    ///
    /// # Errors
    /// `check_failed`, retryable, if it is not accepted; `no_checker` if the host cannot check it.
    pub(super) async fn check(
        &self,
        cx: &TaskContext,
        check: &Value,
        input: &TaskInput,
        output: TaskOutput,
    ) -> Result<TaskOutput, TaskError> {
        let output = Arc::new(output);
        let mut accepted = Verdict::accepted(THAT);
        for part in CHECK_KEYS {
            let value = &check[part];
            if value.is_null() {
                continue;
            }
            let verdict = match part {
                THAT => self.check_that(cx, value, input, &output).await?,
                _ => self.ask_checker(cx, part, value, input, &output).await?,
            };
            if !verdict.accepted {
                let result = checked(input, &output).unwrap_or(&output.value);
                return Err(rejected(cx, &verdict, result).await?);
            }
            accepted = verdict;
        }
        note(cx, &accepted).await?;
        Ok(Arc::unwrap_or_clone(output))
    }

    /// Evaluates the expression of a check.
    async fn check_that(
        &self,
        cx: &TaskContext,
        that: &Value,
        input: &TaskInput,
        output: &Arc<TaskOutput>,
    ) -> Result<Verdict, TaskError> {
        let text = that.as_str().unwrap_or_default();
        // The result is that of a task which the expression names like any other.
        let mut input = TaskInput {
            parents: input.parents.clone(),
            item: input.item.clone(),
            ..TaskInput::default()
        };
        let own = Parent::completed(Arc::clone(output));
        input.parents.insert(cx.name().to_owned(), own);
        let template = Template::parse(text).ok();
        let expression = template.as_ref().and_then(Template::sole);
        let filled: Cow<'_, str> = match expression {
            Some(expression) => format!("${{{{ {} }}}}", with_result(expression, cx.name())).into(),
            // An expression over parameters only has its value since the run was created.
            None => text.into(),
        };
        let filled = Value::from(filled.into_owned());
        let materialised = artifacts::materialise(&filled, &input).await?;
        let filler = self.filler(cx, &input, &materialised.paths);
        let value = match filler.fill(filled) {
            Ok(value) => value,
            // The result lacks what the expression reads.
            Err(error) if error.code() == "expression_failed" => {
                return Ok(Verdict::rejected(THAT, error.message()));
            }
            Err(error) => return Err(error),
        };
        Ok(match value.as_str() {
            Some("true") => Verdict::accepted(THAT),
            Some("false") => Verdict::rejected(THAT, format!("{} is false", words(text))),
            Some(_) | None => {
                let why = format!("{} is neither true nor false", words(text));
                return Err(TaskError::permanent(why).with_code("expression_failed"));
            }
        })
    }

    /// Asks the host's checker about a part that is no expression.
    async fn ask_checker(
        &self,
        cx: &TaskContext,
        part: &str,
        value: &Value,
        input: &TaskInput,
        output: &Arc<TaskOutput>,
    ) -> Result<Verdict, TaskError> {
        let Some(checker) = &self.checker else {
            let message = format!(
                "nothing here can check a result by `{part}`: give the host a model, or use an expression"
            );
            return Err(TaskError::permanent(message).with_code("no_checker"));
        };
        let result = match checked(input, output) {
            Ok(result) => result,
            Err(why) => return Ok(Verdict::rejected(part, why)),
        };
        let materialised = artifacts::materialise(value, input).await?;
        let filler = self.filler(cx, input, &materialised.paths);
        let filler = filler.sanitized_by(self.sanitizer.as_deref());
        let value = filler.fill(value.clone())?;
        let mut params = json!({ part: value, "result": result });
        if let Some(prompt) = input.params.get("prompt") {
            params["task"] = prompt.clone();
        }
        let verdict = checker.execute(cx, TaskInput::new(params)).await?;
        serde_json::from_value(verdict.value).map_err(|error| {
            let message =
                format!("the checker answered with something else than a verdict: {error}");
            TaskError::permanent(message).with_code("bad_verdict")
        })
    }
}

/// An expression over parameters only is its value since the run was created.
fn words(that: &str) -> &str {
    if that.contains("${{") {
        that
    } else {
        "its check"
    }
}

/// The part of an output that a schema and a judge see: of a command its JSON or its text, else the value. A text
/// or a number that is not what the command printed is no result, and the error says why.
fn checked<'a>(input: &TaskInput, output: &'a TaskOutput) -> Result<&'a Value, &'static str> {
    let value = &output.value;
    let is_command = input.params.get("prompt").is_none() && value.get("exit").is_some();
    let is = |mark: &str, wanted: bool| value.get(mark) == Some(&Value::Bool(wanted));
    match (is_command, value.get("json"), value.get("stdout")) {
        (true, Some(_), _) if is("json_inexact", true) => {
            Err("a whole number in its JSON has more than 64 bits and would lose digits")
        }
        (true, Some(json), _) => Ok(json),
        (true, None, Some(_)) if is("stdout_utf8", false) => {
            Err("its standard output is not UTF-8")
        }
        (true, None, Some(_)) if is("stdout_truncated", true) => {
            Err("its standard output is longer than a value may be")
        }
        (true, None, Some(stdout)) => Ok(stdout),
        (true, None, None) | (false, ..) => Ok(value),
    }
}

async fn note(cx: &TaskContext, verdict: &Verdict) -> Result<(), TaskError> {
    let note = Note::json(NoteKind::Check, verdict)?;
    cx.journal().note(note).await
}

/// Notes the rejection; returns the error of the attempt.
async fn rejected(
    cx: &TaskContext,
    verdict: &Verdict,
    result: &Value,
) -> Result<TaskError, TaskError> {
    note(cx, verdict).await?;
    let result = expression::to_text(result.clone());
    let quoted = truncate(&result, MAX_QUOTED_BYTES, Boundary::Word).to_string();
    let why = &verdict.why;
    let error = TaskError::retryable(format!("the result was not accepted: {why}"))
        .with_code(REJECTED)
        .with_detail(json!({ "by": verdict.by, "why": why, "result": quoted }));
    Ok(error)
}
