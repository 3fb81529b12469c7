//! `Templated`: evaluates the expressions in the parameters of a task just before each attempt.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::{Value, json};
use zeph_diagnostics::quote;
use zeph_executor::{Executor, Parent, Prepared, TaskContext, TaskError, TaskInput, TaskOutput};
use zeph_graph::RunId;
use zeph_sanitizer::{Content, ContentSanitizer};

use crate::expression::{self, Evaluator, NoValue};
use crate::matrix::group_of;
use crate::references::{Reference, references};
use crate::template::{Template, texts_mut};
use crate::values::RunValues;

mod artifacts;
mod cache;
mod check;
mod condition;
mod list;
mod no_value;
mod params;
mod shown;

pub(crate) use artifacts::ARTIFACTS;
use artifacts::Texts;
pub(crate) use cache::CACHE;
pub(crate) use check::{CHECK, CHECK_KEYS, JUDGE, SCHEMA, THAT};
pub(crate) use condition::CONDITION;
use condition::check_condition;
pub use params::{inner_params, is_judged};
use params::{pass_bytes, taken};

/// The parameter that holds the list of a task with `foreach`: values, or one expression.
pub(crate) const LIST: &str = "foreach";

/// The most bytes of one value in a prompt; a longer one is truncated, and the text states it.
const MAX_PROMPT_VALUE_BYTES: usize = 64 << 10;

/// Replaces the expressions in an attempt's parameters by their values, then calls the wrapped executor.
///
/// Every text of the parameters is a template: `${{ tasks.NAME.FIELD }}` is a field of the output of a
/// direct dependency, or its `state`, or the whole output as `value`; `${{ params.NAME }}` is a parameter
/// of the plan; `${{ run.id }}` and `${{ run.goal }}` are those of the run; `$${{` is an escaped `${{`. A
/// value becomes text: a text as it is, everything else as JSON. A value is not expanded again, even if it
/// contains `${{`.
///
/// An expression without a value is a permanent error: `expression_failed`, or `missing_secret` for
/// a secret without a value. `expression_failed` is also the error for an output without an exact value:
/// standard output that is not UTF-8, or was cut (a prompt takes a cut one), and JSON whose numbers lost
/// digits.
///
/// The parameter `when` of the preparation is evaluated before the task starts: if it is `false`, the task is
/// skipped; a value that is neither `true` nor `false` is an `expression_failed`.
///
/// `${{ tasks.NAME.artifacts }}` is the paths of the artifacts by name, as files in a folder that only the user may
/// read; they are written before an attempt that uses them, and removed after it.
///
/// The part `cache` of the preparation is filled in, too, and gets the parameters as `params`, with the hash of each
/// artifact in place of its path, which is another one each time.
///
/// A `stdin` that is `${{ tasks.NAME.stdout }}`, with or without a line break behind it, becomes
/// `stdin_from`, if the whole output is there as bytes.
///
/// # Examples
/// ```
/// use zeph_planfile::{RunValues, Templated};
/// use zeph_executor::{Executor, TaskError, closure};
///
/// let echo = closure::action(|text: String| async move { Ok::<_, TaskError>(text) });
/// let templated = Templated::new(echo, RunValues::default());
/// # let _: &dyn Executor = &templated;
/// ```
#[derive(Clone)]
pub struct Templated<E> {
    inner: E,
    values: RunValues,
    sanitizer: Option<Arc<dyn ContentSanitizer>>,
    checker: Option<Arc<dyn Executor>>,
}

impl<E> Templated<E> {
    /// Wraps an executor for the runs of one plan.
    #[must_use]
    pub const fn new(inner: E, values: RunValues) -> Self {
        Self {
            inner,
            values,
            sanitizer: None,
            checker: None,
        }
    }

    /// Sets the executor that checks results by a schema or a question to a model. Default: none, and such a
    /// check fails the attempt with the code `no_checker`.
    ///
    /// Its parameters are one of `schema` and `judge`, with its value, and `result`; its output is a
    /// [`Verdict`](zeph_executor::Verdict).
    #[must_use]
    pub fn checked(mut self, checker: Arc<dyn Executor>) -> Self {
        self.checker = Some(checker);
        self
    }

    /// For executors whose parameters become prompts: the sanitizer cleans and delimits every value that
    /// comes from another task, and cuts it to 64 KiB.
    ///
    /// Values of the plan's parameters come from the person who runs it and are not changed.
    #[must_use]
    pub fn sanitized(mut self, sanitizer: Arc<dyn ContentSanitizer>) -> Self {
        self.sanitizer = Some(sanitizer);
        self
    }

    /// What fills in the texts of an attempt, without a sanitizer.
    fn filler<'a>(
        &'a self,
        cx: &'a TaskContext,
        input: &'a TaskInput,
        artifacts: &'a Texts,
    ) -> Filler<'a> {
        Filler::new(
            &self.values,
            Reader::Attempt,
            (cx.run(), cx.name()),
            input,
            artifacts,
        )
    }
}

impl<E: fmt::Debug> fmt::Debug for Templated<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Templated")
            .field("inner", &self.inner)
            .field("values", &self.values)
            .field("sanitized", &self.sanitizer.is_some())
            .finish()
    }
}

#[async_trait]
impl<E: Executor> Executor for Templated<E> {
    async fn execute(
        &self,
        cx: &TaskContext,
        mut input: TaskInput,
    ) -> Result<TaskOutput, TaskError> {
        let mut params = std::mem::take(&mut input.params);
        let check = taken(&mut params, CHECK);
        // The files are removed when the attempt is over.
        let materialised = artifacts::materialise(&params, &input).await?;
        let filler = || self.filler(cx, &input, &materialised.paths);
        // A list is no prompt, so nothing in it is sanitized.
        let list = taken(&mut params, LIST);
        if let (Some(list), None) = (list, &input.item) {
            return Ok(TaskOutput::from(filler().list(list)?));
        }
        let has_cache = !input.preparation[CACHE].is_null();
        let raw = has_cache.then(|| params.clone());
        let filled = filler()
            .sanitized_by(self.sanitizer.as_deref())
            .fill(params)?;
        if let Some(raw) = raw {
            self.fill_cache(cx, &mut input, &raw, check.as_ref())?;
        }
        input.params = filled;
        let Some(check) = check else {
            return self.inner.execute(cx, input).await;
        };
        let output = self.inner.execute(cx, input.clone()).await?;
        self.check(cx, &check, &input, output).await
    }

    async fn prepare(&self, cx: &TaskContext, mut input: TaskInput) -> Result<Prepared, TaskError> {
        let condition = (input.preparation.as_object_mut()).and_then(|all| all.remove(CONDITION));
        if let Some(condition) = condition {
            let materialised = artifacts::materialise(&condition, &input).await?;
            let filler = self.filler(cx, &input, &materialised.paths);
            check_condition(&condition, &filler.fill(condition.clone())?)?;
        }
        // The items of a list have results, and not the task that makes the list.
        if input.item.is_none() && !input.params[LIST].is_null() {
            return Ok(Prepared::Run);
        }
        if !input.preparation[CACHE].is_null() {
            let params = inner_params(&input.params);
            let check = taken(&mut input.params, CHECK);
            self.fill_cache(cx, &mut input, &params, check.as_ref())?;
            input.params = input.preparation[CACHE]["params"].clone();
        }
        self.inner.prepare(cx, input).await
    }
}

/// Who gets the filled texts.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reader {
    Attempt,
    /// A person, who sees no secrets.
    Person,
    /// The key of a result, which holds no secrets.
    Cache,
}

struct Filler<'a> {
    values: &'a RunValues,
    reader: Reader,
    /// The artifacts of dependencies: a text for each name.
    artifacts: &'a Texts,
    run: &'a RunId,
    task: &'a str,
    input: &'a TaskInput,
    sanitizer: Option<&'a dyn ContentSanitizer>,
    evaluator: Evaluator,
}

impl<'a> Filler<'a> {
    fn new(
        values: &'a RunValues,
        reader: Reader,
        (run, task): (&'a RunId, &'a str),
        input: &'a TaskInput,
        artifacts: &'a Texts,
    ) -> Self {
        Self {
            values,
            reader,
            artifacts,
            run,
            task,
            input,
            sanitizer: None,
            evaluator: Evaluator::new(),
        }
    }

    fn sanitized_by(self, sanitizer: Option<&'a dyn ContentSanitizer>) -> Self {
        Self { sanitizer, ..self }
    }

    fn fill(mut self, mut params: Value) -> Result<Value, TaskError> {
        if self.sanitizer.is_none() {
            pass_bytes(&mut params, self.input);
        }
        for text in texts_mut(&mut params) {
            *text = self.fill_text(text.as_str().unwrap_or_default())?.into();
        }
        Ok(params)
    }

    fn fill_text(&mut self, text: &str) -> Result<String, TaskError> {
        let template = Template::parse(text)
            .map_err(|unclosed| self.failed(&unclosed.rest, "it has no end"))?;
        template.fill(|expression| {
            let value = expression::to_text(self.evaluate(expression)?);
            Ok(self.sanitized(expression, value))
        })
    }

    /// The value, sanitized if the text becomes a prompt and the value comes from another task.
    fn sanitized(&self, expression: &str, value: String) -> String {
        let Some(sanitizer) = self.sanitizer else {
            return value;
        };
        let tasks: Vec<String> = references(expression)
            .unwrap_or_default()
            .into_iter()
            .filter_map(|reference| match reference {
                Reference::Task { name, .. } => Some(name),
                Reference::Item => Some("item".to_owned()),
                Reference::Param(_) | Reference::Run(_) | Reference::ItemIndex => None,
            })
            .collect();
        if tasks.is_empty() {
            return value;
        }
        let content = Content {
            source: &tasks.join(" "),
            text: &value,
            max_bytes: MAX_PROMPT_VALUE_BYTES,
        };
        sanitizer.sanitize(&content).text
    }

    fn evaluate(&mut self, expression: &str) -> Result<Value, TaskError> {
        let used = self.used(expression)?;
        let secret = used.iter().find_map(|one| self.secret(one));
        if let Some(name) = secret.filter(|_| self.reader == Reader::Person) {
            return Ok(format!("‹redacted: {name}›").into());
        }
        let has_secret = secret.is_some();
        let context = expression::values(self.context(&used)?);
        match self.evaluator.evaluate(expression, &context) {
            Ok(value) => Ok(value),
            Err(NoValue::Undefined) => Err(self.failed(expression, &self.undefined_reason(&used))),
            // The message may quote the secret.
            Err(NoValue::Failed(_)) if has_secret => {
                Err(self.failed(expression, "it uses a secret, so the reason is not shown"))
            }
            Err(NoValue::Failed(why)) => Err(self.failed(expression, &why)),
        }
    }

    /// What an expression uses, if the reader may have it.
    fn used(&self, expression: &str) -> Result<Vec<Reference>, TaskError> {
        let used = references(expression).map_err(|why| self.failed(expression, &why))?;
        if let Some(why) = used.iter().find_map(|one| self.inexact(one)) {
            return Err(self.failed(expression, &why));
        }
        if let Some(name) = used.iter().find_map(|one| self.secret(one))
            && self.reader == Reader::Cache
        {
            let message = format!(
                "the task {} has a `cache` and uses the secret {}: no key of a result may hold it; remove the key `cache`",
                quote(self.task),
                quote(name)
            );
            return Err(TaskError::permanent(message).with_code("secret_in_cache"));
        }
        Ok(used)
    }

    /// The name of the secret that a reference is to.
    fn secret<'r>(&self, reference: &'r Reference) -> Option<&'r String> {
        match reference {
            Reference::Param(name) => self.values.secrets.contains_key(name).then_some(name),
            Reference::Task { .. } | Reference::Run(_) | Reference::Item | Reference::ItemIndex => {
                None
            }
        }
    }

    /// The values of the references in an expression.
    fn context(&self, used: &[Reference]) -> Result<Value, TaskError> {
        let mut params = BTreeMap::new();
        let mut tasks: BTreeMap<&str, BTreeMap<&str, Value>> = BTreeMap::new();
        let mut groups: BTreeMap<&str, Value> = BTreeMap::new();
        for reference in used {
            match reference {
                Reference::Param(name) => match self.values.secrets.get(name) {
                    Some(Some(secret)) => {
                        params.insert(name.as_str(), Value::from(secret.as_str()));
                    }
                    Some(None) => return Err(missing_secret(self.task, name)),
                    None => {
                        let value = self.values.params.get(name).cloned();
                        params.extend(value.map(|value| (name.as_str(), value)));
                    }
                },
                Reference::Task { name, field } if field.is_empty() => {
                    let list = self.input.parents.get(name);
                    let cells = || self.cells(name).map(|cell| field_of(cell, "value"));
                    let values = list
                        .map_or_else(|| Some(cells().collect()), |list| field_of(list, "value"));
                    groups.extend(values.map(|values| (name.as_str(), values)));
                }
                Reference::Task { name, field } => {
                    let fields = tasks.entry(name).or_default();
                    let parent = self.input.parents.get(name);
                    let value = match field.as_str() {
                        ARTIFACTS => self.artifacts.get(name).cloned(),
                        _ => parent.and_then(|parent| field_of(parent, field)),
                    };
                    fields.extend(value.map(|value| (field.as_str(), value)));
                }
                Reference::Run(_) | Reference::Item | Reference::ItemIndex => {}
            }
        }
        groups.extend(
            tasks
                .into_iter()
                .map(|(name, fields)| (name, json!(fields))),
        );
        let tasks = groups;
        let run = json!({ "id": self.run.as_str(), "goal": self.values.goal });
        let mut values = json!({ "params": params, "tasks": tasks, "run": run });
        if let Some(item) = &self.input.item {
            values["item"] = item.value.clone();
            values["item_index"] = item.index.into();
        }
        Ok(values)
    }

    /// The parents that are the cells of a matrix, in their order.
    fn cells<'s>(&'s self, group: &'s str) -> impl Iterator<Item = &'s Parent> {
        let parents = self.input.parents.iter();
        parents.filter_map(move |(name, parent)| (group_of(name) == Some(group)).then_some(parent))
    }

    fn failed(&self, expression: &str, why: &str) -> TaskError {
        let (task, expression) = (quote(self.task), quote(expression));
        let message = format!("the expression {expression} of the task {task} has no value: {why}");
        TaskError::permanent(message).with_code("expression_failed")
    }
}

fn missing_secret(task: &str, name: &str) -> TaskError {
    let message = format!(
        "the task {} uses the secret {}, which has no value; resume the run with `-p {name}=@FILE`, or `-p {name}` for a hidden prompt",
        quote(task),
        quote(name)
    );
    TaskError::permanent(message).with_code("missing_secret")
}

/// A field of a dependency's output, or its `state`, or the whole output as `value`.
fn field_of(parent: &Parent, field: &str) -> Option<Value> {
    if field == "state" {
        return Some(json!(parent.state));
    }
    let value = &parent.output.as_ref()?.value;
    if field == "value" {
        Some(value.clone())
    } else {
        value.get(field).cloned()
    }
}
