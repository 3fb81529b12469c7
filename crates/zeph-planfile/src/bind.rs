//! Binding: gives the parameters of a plan their values, and evaluates the expressions that use only them.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::time::Duration;

use serde_json::{Value, json};
use zeph_diagnostics::{Diagnostic, Diagnostics, Span, quote};
use zeph_graph::wire::{GraphSpec, OnFailureSpec, TaskSpec, WorkSpec};
use zeph_graph::{Foreach, RunLimits, TaskGraph};

use crate::code;
use crate::expression::{self, Evaluator, NoValue};
use crate::lower;
use crate::param::Param;
use crate::plan::Plan;
use crate::scope::Scope;
use crate::task::Draft;
use crate::template::{Template, escape, texts_mut};
use crate::templated::LIST;
use crate::values::{RunValues, in_folder, keys};

/// A plan whose parameters have values.
#[derive(Clone, Debug)]
pub struct BoundPlan {
    plan: Plan,
    spec: GraphSpec,
    values: RunValues,
}

impl Plan {
    /// Gives the parameters their values, as texts from a command line. The other parameters get their
    /// defaults.
    ///
    /// # Errors
    /// All problems at once: unknown and missing parameters, values that are not of their type or not
    /// among their choices, expressions that fail with these values, values that would run as code.
    pub fn bind(&self, given: &BTreeMap<String, String>) -> Result<BoundPlan, Diagnostics> {
        self.bind_with(given, true)
    }

    /// As [`bind`](Self::bind), for a plan that is only looked at: its secrets may be missing.
    ///
    /// # Errors
    /// Those of `bind`, but for secrets without a value.
    pub fn bind_without_secrets(
        &self,
        given: &BTreeMap<String, String>,
    ) -> Result<BoundPlan, Diagnostics> {
        self.bind_with(given, false)
    }

    /// The given values, and for the other parameters that are not secrets those of an earlier run.
    #[must_use]
    pub fn with_earlier(
        &self,
        given: &BTreeMap<String, String>,
        earlier: &RunValues,
    ) -> BTreeMap<String, String> {
        let mut values = given.clone();
        for param in self.params().filter(|param| !param.is_secret) {
            if let Some(value) = earlier.params.get(&param.name) {
                let text = || expression::to_text(value.clone());
                values.entry(param.name.clone()).or_insert_with(text);
            }
        }
        values
    }

    /// The given values, and for the other parameters with an `env` those of the environment.
    pub fn with_variables(
        &self,
        given: &BTreeMap<String, String>,
        variable: impl Fn(&str) -> Option<String>,
    ) -> BTreeMap<String, String> {
        let mut values = given.clone();
        let named = self.params().filter_map(|param| {
            let value = (!given.contains_key(&param.name)).then(|| variable(param.env.as_deref()?));
            Some((param.name.clone(), value??))
        });
        values.extend(named);
        values
    }

    fn bind_with(
        &self,
        given: &BTreeMap<String, String>,
        needs_secrets: bool,
    ) -> Result<BoundPlan, Diagnostics> {
        let mut problems = self.0.problems();
        let values = self.values(given, needs_secrets, &mut problems);
        let spec = self.fill(&values, &mut problems);
        self.0.finish(problems)?;
        let mut values = values;
        values.goal = spec.metadata.get(keys::GOAL).cloned().unwrap_or_default();
        Ok(BoundPlan {
            plan: self.clone(),
            spec,
            values,
        })
    }

    fn values(
        &self,
        given: &BTreeMap<String, String>,
        needs_secrets: bool,
        problems: &mut Diagnostics,
    ) -> RunValues {
        let names = || self.params().map(|param| param.name.as_str());
        for name in given.keys() {
            if !names().any(|known| known == name) {
                let message = format!("the plan has no parameter {}", quote(name));
                let near = problems.suggest(name, names());
                problems.push(Diagnostic::new(code::UNKNOWN_PARAM, message).suggest(near));
            }
        }
        let folder = self.0.folder.as_deref().unwrap_or_default();
        let mut values = RunValues {
            env_files: in_folder(folder, &self.0.env_files),
            ..RunValues::default()
        };
        for param in &self.0.params {
            let name = &param.name;
            let variable = param.env.as_ref().filter(|_| param.is_secret);
            let variable = variable.map(|variable| (name.clone(), variable.clone()));
            values.secret_variables.extend(variable);
            let value = match given.get(name).map(|text| param.parse(text)) {
                Some(value) => value,
                None if let Some(given) = &param.given => filled(param, given, &values.params),
                None => match &param.default {
                    Some(default) => Ok(default.clone()),
                    None if param.is_secret && !needs_secrets => {
                        values.secrets.insert(name.clone(), None);
                        continue;
                    }
                    None => {
                        problems.push(missing(param));
                        continue;
                    }
                },
            };
            let folder = self.0.folder.as_deref();
            let value = match value.and_then(|value| param.resolved(value, folder)) {
                Ok(value) => value,
                Err(why) => {
                    let message = format!("the parameter {}: {why}", quote(name));
                    problems.push(Diagnostic::new(code::BAD_PARAM, message).at(param.place));
                    continue;
                }
            };
            if param.is_secret {
                let secret = expression::to_text(value);
                values.secrets.insert(name.clone(), Some(secret));
            } else {
                values.params.insert(name.clone(), value);
            }
        }
        values
    }

    fn fill(&self, values: &RunValues, problems: &mut Diagnostics) -> GraphSpec {
        if !problems.is_empty() {
            return GraphSpec::default();
        }
        let inner = &*self.0;
        let scope = Scope::new(&inner.params, &inner.tasks);
        // The order of `Map` depends on a feature of `serde_json` that other crates can enable.
        let params = &values.params;
        let sorted: BTreeMap<&String, &Value> = params.iter().collect();
        let stored = json!(sorted).to_string();
        let mut filler = Filler {
            scope: &scope,
            context: expression::values(json!({ "params": params })),
            evaluator: Evaluator::new(),
            problems,
        };
        let mut spec = inner.spec();
        if let Some(goal) = &inner.goal {
            let goal = filler.fill_text(&goal.text, goal.place);
            spec.metadata.insert(keys::GOAL.to_owned(), goal);
        }
        if let Some(group) = &inner.group {
            let name = filler.fill_text(&group.name.text, group.name.place);
            if filler.problems.is_empty() {
                group.store(&name, &mut spec.metadata, filler.problems);
            }
        }
        for (task, draft) in spec.tasks.iter_mut().zip(&inner.tasks) {
            filler.fill_task(task, draft);
            scope.check_code(draft, &task.work, filler.problems);
        }
        let secrets: Vec<&String> = values.secrets.keys().collect();
        let mut add = |key: &str, value: String| spec.metadata.insert(key.to_owned(), value);
        add(keys::NAME, inner.source.name().to_owned());
        let hash = blake3::hash(inner.source.text().as_bytes());
        add(keys::HASH, hash.to_hex().to_string());
        add(keys::PARAMS, stored);
        if !secrets.is_empty() {
            add(keys::SECRETS, json!(secrets).to_string());
        }
        if !values.secret_variables.is_empty() {
            let variables = json!(values.secret_variables).to_string();
            add(keys::SECRET_VARIABLES, variables);
        }
        if !inner.files.is_empty() {
            add(keys::FILES, json!(inner.files).to_string());
        }
        if !inner.env_files.is_empty() {
            add(keys::ENV_FILES, json!(inner.env_files).to_string());
        }
        if let Some(folder) = &inner.folder {
            add(TaskGraph::FOLDER, folder.clone());
        }
        spec
    }
}

/// The value that an outer plan gives to a parameter, with the values of that plan.
fn filled(
    param: &Param,
    given: &Value,
    params: &serde_json::Map<String, Value>,
) -> Result<Value, String> {
    let context = expression::values(json!({ "params": params }));
    let mut evaluator = Evaluator::new();
    let mut evaluate = |expression: &str| match evaluator.evaluate(expression, &context) {
        Ok(value) => Ok(value),
        Err(NoValue::Undefined) => Err(format!("{} has no value", quote(expression))),
        Err(NoValue::Failed(why)) => Err(format!("{} failed: {why}", quote(expression))),
    };
    let mut value = given.clone();
    for text in texts_mut(&mut value) {
        let Ok(template) = Template::parse(text.as_str().unwrap_or_default()) else {
            continue;
        };
        *text = match template.single() {
            Some(expression) => evaluate(expression)?,
            None => template
                .fill(|expression| evaluate(expression).map(expression::to_text))?
                .into(),
        };
    }
    param.typed(value)
}

/// The problem of a parameter that has no value.
fn missing(param: &Param) -> Diagnostic {
    let name = &param.name;
    let message = format!("the parameter {} has no value", quote(name));
    // A value on the command line is visible to every user of the machine.
    let given = if param.is_secret {
        format!("`-p {name}=@FILE`, `-p {name}=@env:VARIABLE`, or `-p {name}` for a hidden prompt")
    } else {
        format!("`-p {name}=…`")
    };
    let help = match &param.env {
        Some(variable) => format!(
            "set the variable {}, or give it with {given}",
            quote(variable)
        ),
        None => format!("give it with {given}"),
    };
    Diagnostic::new(code::MISSING_PARAM, message)
        .at(param.place)
        .help(help)
}

impl BoundPlan {
    /// The same problems with their places in the plan; the subject of each is the name of a task.
    #[must_use]
    pub fn located(&self, problems: Diagnostics) -> Diagnostics {
        let plan = &self.plan.0;
        let mut located = plan.problems();
        for mut one in problems {
            let name = one.subject.as_deref();
            let task = name.and_then(|name| plan.tasks.iter().find(|task| task.spec.name == name));
            if let Some(task) = task.filter(|_| one.span.is_none()) {
                one.span = Some(task.mark(one.code).unwrap_or(task.place));
            }
            located.push(one);
        }
        plan.located(located)
    }

    /// The graph to run. Its commands are actions named `command`.
    ///
    /// # Errors
    /// Problems of the graph that depend on the values, such as a default answer that its question does
    /// not accept; a plan that needs tasks of another run.
    pub fn graph(&self) -> Result<TaskGraph, Diagnostics> {
        let mut problems = self.plan.0.problems();
        self.plan.0.check_is_whole(&mut problems);
        self.plan.0.finish(problems)?;
        self.checked_graph()
    }

    pub(crate) fn checked_graph(&self) -> Result<TaskGraph, Diagnostics> {
        let plan = &self.plan.0;
        let mut problems = plan.problems();
        match lower::graph(self.spec.clone(), &plan.tasks, &mut problems) {
            Some(graph) => Ok(graph),
            None => Err(plan.located(problems)),
        }
    }

    /// The same plan with these time-outs for the tasks that have none.
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

    /// The graph in its serialised form, with the values filled in.
    #[must_use]
    pub const fn spec(&self) -> &GraphSpec {
        &self.spec
    }

    /// The values for [`Templated`](crate::Templated), with the secrets.
    #[must_use]
    pub const fn run_values(&self) -> &RunValues {
        &self.values
    }

    /// The plan, before its parameters had values.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The goal of the plan, with the values filled in.
    #[must_use]
    pub fn goal(&self) -> &str {
        &self.values.goal
    }

    /// The limits of its runs.
    #[must_use]
    pub fn limits(&self) -> &RunLimits {
        self.plan.limits()
    }
}

/// Replaces the expressions of a plan by their values.
struct Filler<'a> {
    scope: &'a Scope<'a>,
    context: minijinja::Value,
    evaluator: Evaluator,
    problems: &'a mut Diagnostics,
}

impl Filler<'_> {
    fn fill_task(&mut self, task: &mut TaskSpec, draft: &Draft) {
        for text in task.metadata.values_mut() {
            *text = self.fill_text(text, draft.place_of(text));
        }
        if let Some(approve) = &mut task.approve {
            approve.text = self.fill_text(&approve.text, draft.place_of(&approve.text));
        }
        if let OnFailureSpec::Value { value } = &mut task.on_failure {
            self.fill_json(value, draft);
        }
        if let Some(params) = &mut task.prepare {
            self.fill_params(params, draft);
        }
        match &mut task.work {
            WorkSpec::Milestone {} => {}
            WorkSpec::Question(asked) => {
                asked.text = self.fill_text(&asked.text, draft.place_of(&asked.text));
                if let Some(default) = &mut asked.default {
                    self.fill_json(&mut default.value, draft);
                }
            }
            WorkSpec::Action { params, .. } => self.fill_action(params, draft),
        }
    }

    /// Evaluates all expressions of a text.
    fn fill_text(&mut self, text: &str, place: Span) -> String {
        match Template::parse(text) {
            Ok(template) => self.fill_template(&template, place),
            // `Plan::load` has reported it.
            Err(_) => text.to_owned(),
        }
    }

    /// Evaluates all expressions of a value; a text that is a single expression becomes a value of any type.
    fn fill_json(&mut self, value: &mut Value, draft: &Draft) {
        for value in texts_mut(value) {
            let text = value.as_str().unwrap_or_default();
            let place = draft.place_of(text);
            if let Ok(template) = Template::parse(text) {
                *value = match template.single() {
                    Some(expression) => self.evaluate(expression, place),
                    None => self.fill_template(&template, place).into(),
                };
            }
        }
    }

    /// Fills in the texts of an action's parameters that use neither a task nor a secret. The results are
    /// escaped, because each attempt reads the parameters as templates again.
    fn fill_action(&mut self, params: &mut Value, draft: &Draft) {
        if let (Some(list), Some(foreach)) = (params.get_mut(LIST), draft.spec.foreach) {
            self.fill_list(list, foreach, draft);
        }
        self.fill_params(params, draft);
    }

    fn fill_params(&mut self, params: &mut Value, draft: &Draft) {
        for value in texts_mut(params) {
            let text = value.as_str().unwrap_or_default();
            let template = Template::parse(text).ok();
            if let Some(template) = template.filter(|it| self.scope.is_early(it)) {
                let filled = self.fill_template(&template, draft.place_of(text));
                *value = escape(&filled).into();
            }
        }
    }

    /// Evaluates a list that uses parameters only. Its texts are escaped, too.
    fn fill_list(&mut self, list: &mut Value, foreach: Foreach, draft: &Draft) {
        let text = list.as_str().unwrap_or_default().to_owned();
        let template = Template::parse(&text).ok();
        let Some(template) = template.filter(|it| self.scope.is_early(it)) else {
            return;
        };
        let Some(expression) = template.single() else {
            return;
        };
        let place = draft.place_of(&text);
        let before = self.problems.len();
        *list = self.evaluate(expression, place);
        let count = list.as_array().map(Vec::len);
        let why = match count {
            None => Some(format!("{} is not a list", quote(expression))),
            Some(count) if count > foreach.max as usize => Some(format!(
                "{} has {count} items, and the most are {}",
                quote(expression),
                foreach.max
            )),
            Some(_) => None,
        };
        if let Some(why) = why.filter(|_| self.problems.len() == before) {
            (self.problems).push(Diagnostic::new(code::EXPRESSION_FAILED, why).at(place));
        }
        for text in texts_mut(list) {
            *text = escape(text.as_str().unwrap_or_default()).into();
        }
    }

    fn fill_template(&mut self, template: &Template, place: Span) -> String {
        let value = |expression: &str| {
            let value = self.evaluate(expression, place);
            Ok::<_, Infallible>(expression::to_text(value))
        };
        let Ok(filled) = template.fill(value);
        filled
    }

    fn evaluate(&mut self, expression: &str, place: Span) -> Value {
        // The evaluation that used up the limit has reported it.
        if self.evaluator.is_exhausted() {
            return Value::Null;
        }
        let shown = quote(expression);
        let message = match self.evaluator.evaluate(expression, &self.context) {
            Ok(value) => return value,
            Err(NoValue::Undefined) => format!("{shown} uses something that does not exist"),
            Err(NoValue::Failed(why)) => format!("{shown} failed: {why}"),
        };
        self.problems
            .push(Diagnostic::new(code::EXPRESSION_FAILED, message).at(place));
        Value::Null
    }
}
