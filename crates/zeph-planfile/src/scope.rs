//! Scope: the names that expressions may use, and the texts in which each value may appear.

use std::collections::{HashMap, HashSet};

use serde_json::Value;
use zeph_common::{Argument, Inserted, is_code_variable, run_as_code, script_runs_input};
use zeph_diagnostics::{Diagnostic, Diagnostics, Span, list, quote};
use zeph_graph::wire::WorkSpec;

use crate::code;
use crate::expression;
use crate::matrix::{self, group_of};
use crate::param::Param;
use crate::references::{ROOTS, Reference, references, references_in, uses_result, with_result};
use crate::task::{Draft, Kind, Mode, Stdout, Use};
use crate::template::{Template, texts_mut};
use crate::templated::ARTIFACTS;

/// A task whose texts are being checked, with the names of its dependencies.
pub(crate) struct CheckedTask<'a> {
    draft: &'a Draft,
    needs: HashSet<&'a str>,
}

impl<'a> CheckedTask<'a> {
    pub(crate) fn new(draft: &'a Draft) -> Self {
        let needs = draft.spec.needs.iter().map(String::as_str).collect();
        Self { draft, needs }
    }
}

/// Parameters and tasks by name.
pub(crate) struct Scope<'a> {
    params: HashMap<&'a str, &'a Param>,
    tasks: HashMap<&'a str, &'a Draft>,
    /// The cells of the expanded tasks.
    groups: HashMap<&'a str, Vec<&'a str>>,
}

impl<'a> Scope<'a> {
    pub(crate) fn new(params: &'a [Param], tasks: &'a [Draft]) -> Self {
        let tasks = tasks.iter().map(|task| (task.spec.name.as_str(), task));
        let mut groups: HashMap<&str, Vec<&str>> = HashMap::new();
        for (name, _) in tasks.clone() {
            if let Some(group) = group_of(name) {
                groups.entry(group).or_default().push(name);
            }
        }
        Self {
            params: params
                .iter()
                .map(|param| (param.name.as_str(), param))
                .collect(),
            tasks: tasks.collect(),
            groups,
        }
    }

    /// Checks the expressions of a text. `task` is the task with the text; the goal and `defaults` have none.
    pub(crate) fn check(
        &self,
        one: &Use,
        task: Option<&CheckedTask<'_>>,
        problems: &mut Diagnostics,
    ) {
        if problems.is_full() {
            return;
        }
        let template = match Template::parse(&one.text) {
            Ok(template) => template,
            Err(unclosed) => {
                let message = format!("the expression {} has no end", quote(&unclosed.rest));
                problems.push(
                    Diagnostic::new(code::BAD_EXPRESSION, message)
                        .at(one.place)
                        .help("end it with `}}`, or write `$${{` for a plain `${{`"),
                );
                return;
            }
        };
        if one.mode == Mode::Code && template.has_expressions() {
            let message = "a value inserted into a shell script would be run as code";
            problems.push(
                Diagnostic::new(code::UNSAFE_INTERPOLATION, message)
                    .at(one.place)
                    .help(PASS_AS_DATA),
            );
            return;
        }
        for expression in template.expressions() {
            let expression = match task {
                Some(task) if one.mode == Mode::Result => {
                    &with_result(expression, &task.draft.spec.name)
                }
                _ => expression,
            };
            self.check_expression(expression, one, task, problems);
        }
    }

    fn check_expression(
        &self,
        expression: &str,
        one: &Use,
        task: Option<&CheckedTask<'_>>,
        problems: &mut Diagnostics,
    ) {
        if let Err(why) = expression::check(expression) {
            let message = format!("{} is not an expression: {why}", quote(expression));
            problems.push(Diagnostic::new(code::BAD_EXPRESSION, message).at(one.place));
            return;
        }
        for name in expression::unknown_names(expression) {
            let message = format!("there is no name {} in {}", quote(&name), quote(expression));
            let near = problems.suggest(&name, ROOTS);
            let help = if self.params.contains_key(name.as_str()) {
                format!("write `params.{name}`")
            } else if name == matrix::KEY {
                "only a task with a `matrix` has one, by the names of its axes: `matrix.NAME`"
                    .to_owned()
            } else {
                "expressions begin with `params`, `tasks` or `run`".to_owned()
            };
            let unknown = Diagnostic::new(code::UNKNOWN_NAME, message).at(one.place);
            problems.push(unknown.help(help).suggest(near));
        }
        match references(expression) {
            Err(why) => {
                problems.push(Diagnostic::new(code::BAD_EXPRESSION, why).at(one.place));
            }
            Ok(found) => {
                for reference in found {
                    self.check_reference(&reference, one, task, problems);
                }
            }
        }
    }

    fn check_reference(
        &self,
        reference: &Reference,
        one: &Use,
        task: Option<&CheckedTask<'_>>,
        problems: &mut Diagnostics,
    ) {
        match reference {
            Reference::Param(name) => self.check_param(name, one, problems),
            Reference::Task { name, field } => match (one.mode, task) {
                (Mode::Visible | Mode::Private | Mode::Once | Mode::Result, Some(task)) => {
                    self.check_task(name, field, task, one, problems);
                }
                (Mode::Visible | Mode::Private | Mode::Once | Mode::Result, None) => {
                    let message = "`defaults` belong to all tasks, and cannot use one of them";
                    problems.push(
                        Diagnostic::new(code::EXPRESSION_NOT_ALLOWED, message)
                            .at(one.place)
                            .help("write it at the task itself"),
                    );
                }
                (Mode::Early | Mode::Code, _) => too_early(one.place, problems),
            },
            Reference::Run(field) => {
                if matches!(one.mode, Mode::Early | Mode::Code) {
                    too_early(one.place, problems);
                } else if !["id", "goal"].contains(&field.as_str()) {
                    let message = format!("a run has no {}", quote(field));
                    problems.push(
                        Diagnostic::new(code::UNKNOWN_NAME, message)
                            .at(one.place)
                            .help("write `run.id` or `run.goal`"),
                    );
                }
            }
            Reference::Item | Reference::ItemIndex => check_item(one, task, problems),
        }
    }

    fn check_param(&self, name: &str, one: &Use, problems: &mut Diagnostics) {
        let Some(param) = self.params.get(name) else {
            let near = problems.suggest(name, self.params.keys().copied());
            let message = format!("there is no parameter {}", quote(name));
            let unknown = Diagnostic::new(code::UNKNOWN_PARAM, message).at(one.place);
            problems.push(unknown.help("declare it under `[params]`").suggest(near));
            return;
        };
        if param.is_secret && one.mode != Mode::Private {
            let message = format!("the secret {} would be stored or shown here", quote(name));
            problems.push(
                Diagnostic::new(code::SECRET_EXPOSED, message)
                    .at(one.place)
                    .help("pass it in `env` or on `stdin`"),
            );
        }
    }

    fn check_task(
        &self,
        name: &str,
        field: &str,
        task: &CheckedTask<'_>,
        one: &Use,
        problems: &mut Diagnostics,
    ) {
        let place = one.place;
        if let Some(cells) = self.groups.get(name) {
            check_group(name, cells, field, task, place, problems);
            return;
        }
        let Some(used) = self.tasks.get(name) else {
            let near = problems.suggest(name, self.tasks.keys().copied());
            let message = format!("there is no task {}", quote(name));
            problems.push(
                Diagnostic::new(code::UNKNOWN_TASK, message)
                    .at(place)
                    .suggest(near),
            );
            return;
        };
        let is_own = name == task.draft.spec.name;
        if is_own && one.mode != Mode::Result {
            let message = format!("the task {} uses its own output", quote(name));
            problems.push(Diagnostic::new(code::NOT_A_NEED, message).at(place));
        } else if !is_own && !task.needs.contains(name) {
            let user = quote(&task.draft.spec.name);
            let message = format!("the task {user} uses {} without needing it", quote(name));
            problems.push(
                Diagnostic::new(code::NOT_A_NEED, message)
                    .at(place)
                    .help(format!("add {} to its `needs`", quote(name))),
            );
        }
        // Each item has a result of its own, which is checked.
        let is_many = used.spec.foreach.is_some() && !is_own;
        if field.is_empty() && is_many {
            return;
        }
        if field.is_empty() {
            let message = format!(
                "`tasks.{name}` is used as a whole; write which part of it, such as `tasks.{name}.state`"
            );
            problems.push(Diagnostic::new(code::BAD_EXPRESSION, message).at(place));
            return;
        }
        let mut known: Vec<&str> = match used.kind {
            _ if is_many => vec!["value", "state"],
            Kind::Milestone => vec!["state"],
            Kind::Question | Kind::Agent => vec!["value", "state"],
            Kind::Command(stdout) => {
                let printed: &[&str] = match stdout {
                    Stdout::Text => &["stdout"],
                    Stdout::Json => &["stdout", "json"],
                    Stdout::None => &[],
                };
                [printed, &["stderr", "exit", "outputs", "value", "state"]].concat()
            }
        };
        if used.has_artifacts {
            known.push(ARTIFACTS);
        }
        if !known.contains(&field) {
            let message = format!("the task {} has no {}", quote(name), quote(field));
            let help = if is_many && field != ARTIFACTS {
                format!(
                    "it is a list of results: write `tasks.{name}|map(attribute=\"{field}\")|list`"
                )
            } else if field == ARTIFACTS && matches!(used.kind, Kind::Command(_)) {
                format!("give {} the key `artifacts = [\"…\"]`", quote(name))
            } else if field == "json" && used.kind == Kind::Command(Stdout::Text) {
                format!("give {} the key `output = \"json\"`", quote(name))
            } else if field == "stdout" && used.kind == Kind::Command(Stdout::None) {
                format!("take `output = \"none\"` away from {}", quote(name))
            } else {
                format!("it has {}", list(known.iter().copied()))
            };
            problems.push(
                Diagnostic::new(code::NO_SUCH_OUTPUT, message)
                    .at(place)
                    .help(help),
            );
        }
    }

    /// The first secret that the expressions in these parameters use.
    pub(crate) fn secret_in(&self, params: &Value) -> Option<String> {
        let mut params = params.clone();
        let texts = texts_mut(&mut params).into_iter();
        let used = texts.flat_map(|text| references_in(text.as_str().unwrap_or_default()));
        let mut secrets = used.filter_map(|reference| match reference {
            Reference::Param(name) => {
                let param = self.params.get(name.as_str());
                param.is_some_and(|param| param.is_secret).then_some(name)
            }
            Reference::Task { .. } | Reference::Run(_) | Reference::Item | Reference::ItemIndex => {
                None
            }
        });
        secrets.next()
    }

    /// Whether a template needs only parameters that are not secrets, so that it is filled in before the run.
    pub(crate) fn is_early(&self, template: &Template) -> bool {
        template.has_expressions() && template.expressions().all(|one| self.is_early_one(one))
    }

    fn is_early_one(&self, expression: &str) -> bool {
        let found = references(expression).ok();
        let found = found.filter(|_| !uses_result(expression));
        found.is_some_and(|found| {
            found.iter().all(|reference| match reference {
                Reference::Param(name) => {
                    let param = self.params.get(name.as_str());
                    param.is_some_and(|param| !param.is_secret)
                }
                Reference::Task { .. }
                | Reference::Run(_)
                | Reference::Item
                | Reference::ItemIndex => false,
            })
        })
    }

    /// Checks that no command of a task would run an inserted value as code. `now` is the work of the task
    /// with all known values filled in.
    pub(crate) fn check_code(&self, draft: &Draft, now: &WorkSpec, problems: &mut Diagnostics) {
        let (raw, now) = (params(&draft.spec.work), params(now));
        let raw_texts = raw.map_or_else(Vec::new, |raw| texts(&raw["argv"]));
        let known = now.map_or_else(Vec::new, |now| texts(&now["argv"]));
        let pairs: Vec<(Template, Template)> = raw_texts
            .iter()
            .zip(&known)
            .map_while(|(raw, now)| Template::parse(raw).ok().zip(Template::parse(now).ok()))
            .collect();
        // An invalid template was reported before. It could be an option that changes the meaning of the
        // arguments after it, so none of them is checked.
        if pairs.len() < raw_texts.len() {
            return;
        }
        let argv = pairs.iter().map(|(raw, now)| Argument {
            known: now.prefix(),
            inserted: match (raw.has_expressions(), now.has_expressions()) {
                (false, _) => Inserted::Nothing,
                (true, false) => Inserted::Known,
                (true, true) if self.is_early(now) => Inserted::Unknown,
                (true, true) => Inserted::Foreign,
            },
        });
        let argv: Vec<Argument<'_>> = argv.collect();
        let found = run_as_code(&argv);
        let program = quote(argv.first().map_or("", |program| program.known));
        for at in found.arguments {
            let place = draft.argv.get(at).copied().unwrap_or(draft.place);
            let (message, help) = match at {
                0 => (
                    "the output of a task would decide which program runs".to_owned(),
                    "name the program in the plan",
                ),
                _ => (
                    format!(
                        "a value inserted into this argument of {program} would be run as code"
                    ),
                    PASS_AS_DATA,
                ),
            };
            problems.push(
                Diagnostic::new(code::UNSAFE_INTERPOLATION, message)
                    .at(place)
                    .help(help),
            );
        }
        let script = raw.and_then(|raw| raw["shell"].as_str());
        let stdin = raw.and_then(|raw| raw["stdin"].as_str());
        let stdin = stdin.and_then(|text| Template::parse(text).ok());
        let runs_input = found.stdin || script.is_some_and(script_runs_input);
        if stdin.is_some_and(|stdin| stdin.has_expressions()) && runs_input {
            let program = if script.is_some() {
                "the script"
            } else {
                &*program
            };
            let message = format!("{program} would run the value on its standard input as code");
            problems.push(
                Diagnostic::new(code::UNSAFE_INTERPOLATION, message)
                    .at(draft.stdin.unwrap_or(draft.place))
                    .help("give it a script of its own, and pass the value in `env`"),
            );
        }
        self.check_variables(draft, raw, problems);
    }

    /// Refuses the outputs of tasks in variables that programs run, or that decide what runs.
    fn check_variables(&self, draft: &Draft, raw: Option<&Value>, problems: &mut Diagnostics) {
        let env = raw.and_then(|raw| raw["env"].as_object());
        for (name, text) in env.into_iter().flatten() {
            let text = text.as_str().unwrap_or_default();
            if is_code_variable(name) && has_output(text) {
                let message = format!(
                    "the output of a task in the variable {} would decide what runs",
                    quote(name)
                );
                problems.push(
                    Diagnostic::new(code::UNSAFE_INTERPOLATION, message)
                        .at(draft.place_of(text))
                        .help("pass it in a variable with another name"),
                );
            }
        }
    }
}

/// Checks a use of `item`: only a task with `foreach` has one, and not where it makes its list.
fn check_item(one: &Use, task: Option<&CheckedTask<'_>>, problems: &mut Diagnostics) {
    let is_many = task.is_some_and(|task| task.draft.spec.foreach.is_some());
    let (message, help) = match one.mode {
        Mode::Early | Mode::Code => return too_early(one.place, problems),
        Mode::Visible | Mode::Private | Mode::Result if is_many => return,
        Mode::Once if is_many => (
            "this is evaluated once, before there is an item",
            "use `item` in `run`, `env`, `stdin` or `prompt`",
        ),
        Mode::Once | Mode::Visible | Mode::Private | Mode::Result => (
            "only a task with `foreach` has an `item`",
            "write `foreach = \"${{ … }}\"` with a list, or declare a parameter",
        ),
    };
    problems.push(
        Diagnostic::new(code::EXPRESSION_NOT_ALLOWED, message)
            .at(one.place)
            .help(help),
    );
}

/// Checks a use of the task of a matrix: the list of the results of all cells.
fn check_group(
    name: &str,
    cells: &[&str],
    field: &str,
    task: &CheckedTask<'_>,
    place: Span,
    problems: &mut Diagnostics,
) {
    if !field.is_empty() {
        let message = format!("`tasks.{name}` is the list of {} results", cells.len());
        let first = cells.first().unwrap_or(&"");
        problems.push(
            Diagnostic::new(code::NO_SUCH_OUTPUT, message).at(place).help(format!(
                "write `tasks.{name}|map(attribute=\"{field}\")|list`, or `tasks[\"{first}\"].{field}` for one cell"
            )),
        );
    }
    if cells.iter().any(|cell| !task.needs.contains(cell)) {
        let user = quote(&task.draft.spec.name);
        let message = format!("the task {user} uses {} without needing it", quote(name));
        let help = format!(
            "add {} to its `needs`, which means all of its cells",
            quote(name)
        );
        problems.push(
            Diagnostic::new(code::NOT_A_NEED, message)
                .at(place)
                .help(help),
        );
    }
}

/// Whether a text contains the output of a task.
fn has_output(text: &str) -> bool {
    let is_output = |used: &Reference| matches!(used, Reference::Task { .. } | Reference::Item);
    references_in(text).iter().any(is_output)
}

const PASS_AS_DATA: &str =
    "pass it in `env` and write \"$NAME\" in the script, or pass it on `stdin`";

fn too_early(place: Span, problems: &mut Diagnostics) {
    let message = "this text is fixed before the run, and can only use `params`";
    problems.push(Diagnostic::new(code::EXPRESSION_NOT_ALLOWED, message).at(place));
}

fn params(work: &WorkSpec) -> Option<&Value> {
    match work {
        WorkSpec::Action { params, .. } => Some(params),
        WorkSpec::Milestone {} | WorkSpec::Question(_) => None,
    }
}

fn texts(argv: &Value) -> Vec<&str> {
    let items = argv.as_array().map(Vec::as_slice).unwrap_or_default();
    items.iter().filter_map(Value::as_str).collect()
}
