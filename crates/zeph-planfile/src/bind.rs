//! Binding: gives the parameters their values, and evaluates the expressions that need nothing else.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::time::Duration;

use serde_json::{Map, Value, json};
use zeph_diagnostics::{Diagnostic, Diagnostics, Span, quote};
use zeph_graph::wire::{GraphSpec, OnFailureSpec, TaskSpec, WorkSpec};
use zeph_graph::{Budget, OverBudget, TaskGraph};

use crate::code;
use crate::expression::{self, NoValue};
use crate::lower;
use crate::plan::Plan;
use crate::scope::Scope;
use crate::task::Draft;
use crate::template::{Part, Template, escape};
use crate::values::{RunValues, keys};

/// The most bytes that all filled-in texts of a plan have together.
const MAX_FILLED_BYTES: usize = 64 << 20;

/// A plan whose parameters have values.
#[derive(Clone, Debug)]
pub struct BoundPlan {
    plan: Plan,
    spec: GraphSpec,
    values: RunValues,
}

impl Plan {
    /// Gives the parameters their values, as texts from a command line. Other parameters have their defaults.
    ///
    /// # Errors
    /// All problems at once: unknown and missing parameters, values that are not of their type or not
    /// among their choices, expressions that fail with these values, values that would run as code.
    pub fn bind(&self, given: &BTreeMap<String, String>) -> Result<BoundPlan, Diagnostics> {
        let mut problems = self.0.problems();
        let values = self.values(given, &mut problems);
        let spec = self.fill(&values.params, &mut problems);
        self.0.finish(problems)?;
        let mut values = values;
        values.goal = spec.metadata.get(keys::GOAL).cloned().unwrap_or_default();
        Ok(BoundPlan {
            plan: self.clone(),
            spec,
            values,
        })
    }

    fn values(&self, given: &BTreeMap<String, String>, problems: &mut Diagnostics) -> RunValues {
        let names = || self.params().iter().map(crate::Param::name);
        for name in given.keys() {
            if !names().any(|known| known == name) {
                let message = format!("the plan has no parameter {}", quote(name));
                let near = problems.suggest(name, names());
                problems.push(Diagnostic::new(code::UNKNOWN_PARAM, message).suggest(near));
            }
        }
        let mut values = RunValues::default();
        for param in self.params() {
            let name = param.name();
            let value = match given.get(name).map(|text| param.parse(text)) {
                Some(Ok(value)) => value,
                Some(Err(why)) => {
                    let message = format!("the parameter {}: {why}", quote(name));
                    problems.push(Diagnostic::new(code::BAD_PARAM, message).at(param.place));
                    continue;
                }
                None => match param.default() {
                    Some(default) => default.clone(),
                    None => {
                        let message = format!("the parameter {} has no value", quote(name));
                        problems.push(
                            Diagnostic::new(code::MISSING_PARAM, message)
                                .at(param.place)
                                .help(format!("give it with `-p {name}=…`")),
                        );
                        continue;
                    }
                },
            };
            if param.is_secret() {
                let secret = expression::to_text(value);
                values.secrets.insert(name.to_owned(), Some(secret));
            } else {
                values.params.insert(name.to_owned(), value);
            }
        }
        values
    }

    fn fill(&self, params: &Map<String, Value>, problems: &mut Diagnostics) -> GraphSpec {
        if !problems.is_empty() {
            return GraphSpec::default();
        }
        let inner = &*self.0;
        let scope = Scope::new(&inner.params, &inner.tasks);
        // In the order of names, so that the same plan is stored as the same text by every build.
        let sorted: BTreeMap<&String, &Value> = params.iter().collect();
        let stored = json!(sorted).to_string();
        let mut filler = Filler {
            scope: &scope,
            context: expression::values(json!({ "params": params })),
            left: MAX_FILLED_BYTES,
            problems,
        };
        let mut spec = inner.spec();
        if let Some(goal) = &inner.goal {
            let goal = filler.plain(&goal.text, Origin::Span(goal.place));
            spec.metadata.insert(keys::GOAL.to_owned(), goal);
        }
        for (task, draft) in spec.tasks.iter_mut().zip(&inner.tasks) {
            filler.task(task, draft);
            scope.check_code(draft, &task.work, filler.problems);
        }
        let secrets = self.params().iter().filter(|param| param.is_secret());
        let secrets: Vec<&str> = secrets.map(crate::Param::name).collect();
        let mut note = |key: &str, value: String| spec.metadata.insert(key.to_owned(), value);
        note(keys::NAME, inner.source.name().to_owned());
        let hash = blake3::hash(inner.source.text().as_bytes());
        note(keys::HASH, hash.to_hex().to_string());
        note(keys::PARAMS, stored);
        if !secrets.is_empty() {
            note(keys::SECRETS, json!(secrets).to_string());
        }
        if let Some(folder) = &inner.folder {
            note(keys::FOLDER, folder.clone());
        }
        spec
    }
}

impl BoundPlan {
    /// The graph to run. Its commands are actions named `command`.
    ///
    /// # Errors
    /// Problems of the graph that only the values reveal, such as a default answer that its question
    /// does not accept.
    pub fn graph(&self) -> Result<TaskGraph, Diagnostics> {
        let plan = &self.plan.0;
        let mut problems = plan.problems();
        match lower::graph(self.spec.clone(), &plan.tasks, &mut problems) {
            Some(graph) => Ok(graph),
            None => Err(plan.located(problems)),
        }
    }

    /// The same plan with these time-outs for the tasks that set none.
    #[must_use]
    pub fn with_default_timeouts(
        mut self,
        attempt: Option<Duration>,
        task: Option<Duration>,
    ) -> Self {
        let micros = |time: Duration| u64::try_from(time.as_micros()).unwrap_or(u64::MAX);
        let (attempt, task) = (attempt.map(micros), task.map(micros));
        for spec in &mut self.spec.tasks {
            spec.attempt_timeout_us = spec.attempt_timeout_us.or(attempt);
            spec.task_timeout_us = spec.task_timeout_us.or(task);
        }
        self
    }

    /// The graph by names, with the values filled in.
    #[must_use]
    pub const fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    /// The values for [`Templated`](crate::Templated), with the secrets.
    #[must_use]
    pub const fn run_values(&self) -> &RunValues {
        &self.values
    }

    /// The goal of the plan, with the values filled in.
    #[must_use]
    pub fn goal(&self) -> &str {
        &self.values.goal
    }

    /// How many attempts may run at a time, if the plan limits it.
    #[must_use]
    pub fn max_parallel(&self) -> Option<NonZeroU32> {
        self.plan.max_parallel()
    }

    /// The most that the run may cost, if the plan limits it.
    #[must_use]
    pub fn budget(&self) -> Option<Budget> {
        self.plan.budget()
    }

    /// What happens to a task that the budget stops, if the plan sets it.
    #[must_use]
    pub fn over_budget(&self) -> Option<OverBudget> {
        self.plan.over_budget()
    }

    /// The longest that the run may take, if the plan limits it.
    #[must_use]
    pub fn timeout(&self) -> Option<Duration> {
        self.plan.timeout()
    }
}

/// The origin of a text; its span is searched for only when it is needed.
#[derive(Clone, Copy)]
enum Origin<'a> {
    Span(Span),
    Task(&'a Draft, &'a str),
}

impl Origin<'_> {
    fn place(self) -> Span {
        match self {
            Self::Span(place) => place,
            Self::Task(draft, text) => draft.place_of(text),
        }
    }
}

/// Fills parameters into texts.
struct Filler<'a> {
    scope: &'a Scope<'a>,
    context: minijinja::Value,
    left: usize,
    problems: &'a mut Diagnostics,
}

impl Filler<'_> {
    fn task(&mut self, task: &mut TaskSpec, draft: &Draft) {
        for text in task.metadata.values_mut() {
            *text = self.plain(text, Origin::Task(draft, text));
        }
        if let Some(approve) = &mut task.approve {
            approve.text = self.plain(&approve.text, Origin::Task(draft, &approve.text));
        }
        if let OnFailureSpec::Value { value } = &mut task.on_failure {
            self.json(value, draft);
        }
        match &mut task.work {
            WorkSpec::Milestone {} => {}
            WorkSpec::Question(asked) => {
                asked.text = self.plain(&asked.text, Origin::Task(draft, &asked.text));
                if let Some(default) = &mut asked.default {
                    self.json(&mut default.value, draft);
                }
            }
            WorkSpec::Action { params, .. } => self.action(params, draft),
        }
    }

    /// Evaluates all expressions of a text.
    fn plain(&mut self, text: &str, place: Origin<'_>) -> String {
        let Ok(template) = Template::parse(text) else {
            return text.to_owned();
        };
        self.text(&template, place)
    }

    /// Evaluates all expressions of a value; a text that is a single expression becomes a value of any type.
    fn json(&mut self, value: &mut Value, draft: &Draft) {
        let mut open = vec![value];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => {
                    let place = Origin::Task(draft, text);
                    let Ok(template) = Template::parse(text) else {
                        continue;
                    };
                    *value = match template.single() {
                        Some(expression) => self.value(expression, place),
                        None => self.text(&template, place).into(),
                    };
                }
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => open.extend(fields.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    /// Fills in the parameters of an action: the texts that use no task and no secret. All stay templates.
    fn action(&mut self, params: &mut Value, draft: &Draft) {
        let mut open = vec![params];
        while let Some(value) = open.pop() {
            match value {
                Value::String(text) => {
                    let template = Template::parse(text).ok();
                    if let Some(template) = template.filter(|it| self.scope.is_early(it)) {
                        let place = Origin::Task(draft, text);
                        let filled = self.text(&template, place);
                        *text = escape(&filled).into_owned();
                    }
                }
                Value::Array(items) => open.extend(items),
                Value::Object(fields) => open.extend(fields.values_mut()),
                Value::Null | Value::Bool(_) | Value::Number(_) => {}
            }
        }
    }

    fn text(&mut self, template: &Template, place: Origin<'_>) -> String {
        let mut filled = String::new();
        for part in template.parts() {
            match part {
                Part::Text(text) => filled.push_str(text),
                Part::Expression(expression) => {
                    filled.push_str(&expression::to_text(self.value(expression, place)));
                }
            }
        }
        filled
    }

    fn value(&mut self, expression: &str, place: Origin<'_>) -> Value {
        if self.left == 0 {
            return Value::Null;
        }
        let shown = quote(expression);
        let message = match expression::evaluate(expression, &self.context) {
            Ok(value) => {
                let size = value
                    .as_str()
                    .map_or_else(|| value.to_string().len(), str::len);
                self.left = self.left.saturating_sub(size.max(1));
                if self.left > 0 {
                    return value;
                }
                format!(
                    "the values of the plan's expressions have more than {MAX_FILLED_BYTES} bytes"
                )
            }
            Err(NoValue::Undefined) => format!("{shown} uses something that does not exist"),
            Err(NoValue::Failed(why)) => format!("{shown} failed: {why}"),
        };
        self.problems
            .push(Diagnostic::new(code::EXPRESSION_FAILED, message).at(place.place()));
        Value::Null
    }
}
