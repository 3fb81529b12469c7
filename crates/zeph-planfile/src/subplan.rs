//! Sub-plans: a task with `plan` becomes the tasks of another plan file, and a milestone behind them.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::Path;

use serde_json::Value as Json;
use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, Span, Table, Value, quote};
use zeph_graph::MAX_NAME_BYTES;
use zeph_graph::wire::{Limits, code as graph_code};

use crate::code;
use crate::earlier;
use crate::files::Files;
use crate::include::{add_missing, place};
use crate::matrix::{Member, Origin, for_each_text, too_many_tasks};
use crate::param::{Param, ParamKind};
use crate::plan::{self, Inner};
use crate::references::{only_member, replace_members};
use crate::sub_reads::{Names, read_tasks};
use crate::task::{self, FALLBACK, Mode, Use};
use crate::template::{Replaced, rewrite, texts_mut};

/// The key of a task that names a plan file.
pub(crate) const KEY: &str = "plan";

/// The keys of such a task.
pub(crate) const KEYS: [&str; 5] = [KEY, "params", "needs", "after", "description"];

/// Replaces the tasks with `plan`. Params, lanes and problems of the other plans become those of `plan`.
pub(crate) fn expand<'a>(
    members: Vec<Member<'a>>,
    plan: &mut Inner,
    files: Option<&Files>,
    problems: &mut Diagnostics,
) -> Vec<Member<'a>> {
    let is_sub = |member: &Member<'_>| member.entry.node.field(KEY).is_some();
    if !members.iter().any(is_sub) {
        return members;
    }
    let mut made = Vec::with_capacity(members.len());
    let (mut subs, mut has_failed) = (BTreeSet::new(), false);
    for member in members {
        if !is_sub(&member) {
            made.push(member);
            continue;
        }
        subs.insert(member.entry.key.clone());
        let mut found = Diagnostics::new();
        // After a problem no further files are read, since nested plans can name very many.
        let tasks = if has_failed || made.len() > Limits::PLAN.max_tasks {
            None
        } else {
            Sub::read(&member.entry, plan, files, &mut found)
        };
        has_failed |= !found.is_empty();
        made.extend(tasks.unwrap_or_else(|| vec![milestone(&member.entry, &[], None)]));
        plan::add(found, member.origin == Origin::OtherCell, problems);
    }
    if made.len() > Limits::PLAN.max_tasks {
        let place = made
            .first()
            .map_or_else(Span::default, |one| one.entry.key_span);
        problems.push(too_many_tasks(place));
        return Vec::new();
    }
    let names = Names::of(&made);
    for member in made.iter_mut().filter(|member| !member.is_sub) {
        read_tasks(&mut member.entry, &subs, &names);
    }
    made
}

fn entry(key: &str, span: Span, value: Value) -> Entry {
    Entry {
        key: key.to_owned(),
        key_span: span,
        node: Node { span, value },
    }
}

pub(crate) fn name_list(names: &[String], span: Span) -> Value {
    let name = |name: &String| Node {
        span,
        value: Value::String(name.clone()),
    };
    Value::List(names.iter().map(name).collect())
}

/// The task behind a sub-plan, under the name of the sub-plan.
fn milestone(of: &Entry, needs: &[String], description: Option<&Node>) -> Member<'static> {
    let after = Value::String("none_failed".to_owned());
    let mut fields = vec![
        entry("needs", of.key_span, name_list(needs, of.key_span)),
        // A task that its condition skips does not stop what needs the plan.
        entry("after", of.key_span, after),
    ];
    if let Some(text) = description {
        fields.push(Entry {
            key: "description".to_owned(),
            key_span: text.span,
            node: text.clone(),
        });
    }
    let mut made = entry(&of.key, of.key_span, Value::Table(fields));
    made.node.span = of.node.span;
    Member {
        entry: Cow::Owned(made),
        origin: Origin::Written,
        is_sub: false,
    }
}

/// A plan that is being brought into another one.
struct Sub<'p> {
    /// The name of the task that it replaces.
    name: &'p str,
    span: Span,
    inner: Inner,
    folder: String,
    /// What its parameters are called in the outer plan.
    params: BTreeMap<String, String>,
}

impl<'p> Sub<'p> {
    fn read(
        task: &'p Entry,
        plan: &mut Inner,
        files: Option<&Files>,
        problems: &mut Diagnostics,
    ) -> Option<Vec<Member<'static>>> {
        let what = format!("the task {}", quote(&task.key));
        let help = |_: &str| {
            Some(
                "a task with `plan` has `plan`, `params`, `needs`, `after` and `description`; its tasks have the other keys",
            )
        };
        let fields = task.node.table_with_help(&what, &KEYS, help, problems)?;
        let named = fields.get(KEY)?;
        let file = Files::read(files, named, "`plan`", problems)?;
        let mut found = Diagnostics::in_source(&file.source);
        let root = file.format.read(&file.source, &mut found);
        let inner = root.map(|root| Inner::read_sub(&root, &file.files, &mut found));
        let is_good = found.is_empty();
        file.report(found, named, problems);
        let mut sub = Self {
            name: &task.key,
            span: named.span,
            inner: inner.filter(|_| is_good)?,
            folder: if files.map(|files| &files.folder) == Some(&file.files.folder) {
                String::new()
            } else {
                file.files.folder.display().to_string()
            },
            params: BTreeMap::new(),
        };
        sub.check(problems);
        sub.bring_params(&fields, plan, problems);
        sub.bring_lanes(plan, problems);
        Some(sub.tasks(task, &fields, problems))
    }

    /// Refuses what belongs to a whole run.
    fn check(&self, problems: &mut Diagnostics) {
        let limits = &self.inner.limits;
        let there = [
            ("max_parallel", limits.max_parallel.is_some()),
            ("timeout", limits.timeout.is_some()),
            ("budget", limits.budget.is_some()),
            ("over_budget", limits.over_budget.is_some()),
            ("env_file", !self.inner.env_files.is_empty()),
            ("group", self.inner.group.is_some()),
            (earlier::KEY, self.inner.earlier.is_some()),
        ];
        for (key, _) in there.into_iter().filter(|(_, there)| *there) {
            let message = format!(
                "the plan of {} has `{key}`, which belongs to a run",
                quote(self.name)
            );
            let one = Diagnostic::new(code::MISPLACED_KEY, message).at(self.span);
            problems.push(one.help(format!("move `{key}` to the outermost plan")));
        }
    }

    /// Gives the parameters of the sub-plan names and values in the outer plan.
    fn bring_params(&mut self, fields: &Table<'_>, plan: &mut Inner, problems: &mut Diagnostics) {
        let given = fields
            .get("params")
            .and_then(|node| node.any_table("`params`", problems));
        let given = given.map_or(&[][..], |table| table.entries());
        for entry in given {
            let params = self
                .inner
                .params
                .iter()
                .filter(|param| param.given.is_none());
            let names = || params.clone().map(|param| param.name.as_str());
            if !names().any(|name| name == entry.key) {
                let message = format!(
                    "the plan of {} has no parameter {}",
                    quote(self.name),
                    quote(&entry.key)
                );
                let near = problems.suggest(&entry.key, names());
                let one = Diagnostic::new(code::UNKNOWN_PARAM, message).at(entry.key_span);
                problems.push(one.suggest(near));
            }
        }
        for mut param in std::mem::take(&mut self.inner.params) {
            let own = param.name.clone();
            let outer = format!("{}.{own}", self.name);
            let value = given.iter().find(|entry| entry.key == own);
            if let Some(deeper) = &mut param.given {
                // A plan in this one gets a value that uses parameters of this one, which are here by now.
                for text in texts_mut(deeper) {
                    *text = self.rename_params(text.as_str().unwrap_or_default()).into();
                }
                param.place = self.span;
            } else if let Some(value) = value {
                if let Some(secret) = secret_of(&value.node, &param, plan, problems) {
                    self.params.insert(own, secret);
                    continue;
                }
                plan.sub_uses.extend(text_uses(&value.node));
                param.give(&value.node, problems);
            } else {
                if param.default.is_none() && param.env.is_none() {
                    let (name, own) = (quote(self.name), quote(&own));
                    let message = format!("the plan of {name} needs the parameter {own}");
                    let one = Diagnostic::new(code::MISSING_PARAM, message).at(self.span);
                    problems.push(one.help("give it in `params = { … }` of the task"));
                }
                param.place = self.span;
                if let (ParamKind::File, Some(Json::String(path))) =
                    (param.kind, &mut param.default)
                {
                    *path = self.in_folder(path);
                }
            }
            param.name.clone_from(&outer);
            self.params.insert(own, outer);
            plan.params.push(param);
        }
    }

    fn bring_lanes(&self, plan: &mut Inner, problems: &mut Diagnostics) {
        for lane in &self.inner.lanes {
            match plan.lanes.iter().find(|known| known.name == lane.name) {
                None => plan.lanes.push(lane.clone()),
                Some(known) if known.capacity == lane.capacity && known.shared == lane.shared => {}
                Some(known) if known.capacity == lane.capacity => {
                    let (lane, name) = (quote(&lane.name), quote(self.name));
                    let message =
                        format!("the lane {lane} is shared in one of this plan and that of {name}");
                    let one = Diagnostic::new(code::BAD_VALUE, message).at(self.span);
                    problems.push(one.help("write `shared = true` in both or in none"));
                }
                Some(known) => {
                    let message = format!(
                        "the lane {} has {} units here, and {} in the plan of {}",
                        quote(&lane.name),
                        known.capacity,
                        lane.capacity,
                        quote(self.name)
                    );
                    let one = Diagnostic::new(code::BAD_VALUE, message).at(self.span);
                    problems.push(one.help("give both the same number, or rename one of them"));
                }
            }
        }
    }

    /// The tasks under their new names, and the milestone.
    fn tasks(
        &mut self,
        task: &Entry,
        fields: &Table<'_>,
        problems: &mut Diagnostics,
    ) -> Vec<Member<'static>> {
        let members = std::mem::take(&mut self.inner.members);
        let names = Names::of(&members);
        // A fallback waits for nothing, and nothing waits for it.
        let mut needed: HashSet<String> = (members.iter())
            .filter_map(|member| fallback_of(&member.entry.node))
            .map(|name| format!("{}.{name}", self.name))
            .collect();
        let fallbacks = needed.clone();
        let mut made = Vec::with_capacity(members.len() + 1);
        for mut member in members {
            let own = member.entry.to_mut();
            if !member.is_sub {
                task::apply_default_nodes(own, &self.inner.default_nodes);
            }
            place(&mut own.node, self.span);
            own.key_span = task.key_span;
            own.key = format!("{}.{}", self.name, own.key);
            if own.key.len() > MAX_NAME_BYTES {
                let message = format!(
                    "the name {} has more than {MAX_NAME_BYTES} bytes",
                    quote(&own.key)
                );
                problems.push(Diagnostic::new(graph_code::BAD_NAME, message).at(self.span));
            }
            self.rename(&mut own.node, &names);
            self.move_folders(&mut own.node);
            let needs = strings(&own.node, "needs");
            let is_final =
                matches!(own.node.field("finally"), Some(node) if node.value == Value::Bool(true));
            if needs.is_empty() && !is_final && !fallbacks.contains(&own.key) {
                begin(&mut own.node, fields);
            }
            needed.extend(needs);
            if is_final {
                needed.insert(own.key.clone());
            }
            member.is_sub = true;
            made.push(member);
        }
        let leaves = made.iter().map(|member| &member.entry.key);
        let leaves: Vec<String> = leaves
            .filter(|name| !needed.contains(*name))
            .cloned()
            .collect();
        made.push(milestone(task, &leaves, fields.get("description")));
        made
    }

    /// Gives tasks and parameters in the texts of a task their new names.
    fn rename(&self, task: &mut Node, names: &Names) {
        let renamed = |name: &str| names.has(name).then(|| format!("{}.{name}", self.name));
        for_each_text(task, |text, _| {
            if text.contains("${{") {
                *text = rewrite(text, |expression| {
                    let quoted =
                        |name: &str| Some(format!("tasks[{}]", Json::from(renamed(name)?)));
                    let expression = replace_members(expression, "tasks", quoted);
                    Replaced::Expression(self.rename_params_in(&expression))
                });
            }
        });
        let Value::Table(fields) = &mut task.value else {
            return;
        };
        for field in fields {
            let names_tasks = ["needs", "context", "on_failure"].contains(&field.key.as_str());
            if let (true, Value::List(items)) = (names_tasks, &mut field.node.value) {
                items.iter_mut().for_each(|item| rename_text(item, renamed));
            }
            if let (true, Value::Table(inner)) = (names_tasks, &mut field.node.value) {
                let fallback = inner.iter_mut().filter(|entry| entry.key == FALLBACK);
                fallback.for_each(|entry| rename_text(&mut entry.node, renamed));
            }
        }
    }

    fn rename_params_in(&self, expression: &str) -> String {
        replace_members(expression, "params", |name| {
            let outer = self.params.get(name)?;
            Some(format!("params[{}]", Json::from(outer.as_str())))
        })
    }

    fn rename_params(&self, text: &str) -> String {
        rewrite(text, |expression| {
            Replaced::Expression(self.rename_params_in(expression))
        })
    }

    /// A path of the sub-plan, which may be in another folder.
    fn in_folder(&self, path: &str) -> String {
        if self.folder.is_empty() || Path::new(path).is_absolute() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.folder)
        }
    }

    /// Lets the commands of a plan in another folder run in that folder.
    fn move_folders(&self, task: &mut Node) {
        let runs = task.field("run").is_some() || task.field("shell").is_some();
        let (true, false, Value::Table(fields)) = (runs, self.folder.is_empty(), &mut task.value)
        else {
            return;
        };
        let mut cwd = self.folder.clone();
        for field in fields.iter_mut() {
            if let Value::String(text) = &field.node.value
                && field.key == "cwd"
            {
                cwd = self.in_folder(text);
            } else if let Value::List(items) = &mut field.node.value
                && field.key == "path"
            {
                for_each_text_of(items, |text| *text = self.in_folder(text));
            }
        }
        fields.retain(|field| field.key != "cwd");
        fields.push(entry("cwd", self.span, Value::String(cwd)));
    }
}

fn for_each_text_of(items: &mut [Node], mut each: impl FnMut(&mut String)) {
    items
        .iter_mut()
        .for_each(|item| for_each_text(item, |text, _| each(text)));
}

fn rename_text(node: &mut Node, renamed: impl Fn(&str) -> Option<String>) {
    if let Value::String(name) = &mut node.value
        && let Some(new) = renamed(name)
    {
        *name = new;
    }
}

/// The name of the task that runs in place of a task.
fn fallback_of(task: &Node) -> Option<&str> {
    task.field("on_failure")?.field(FALLBACK)?.as_text()
}

/// The texts of a list in a table.
pub(crate) fn strings(task: &Node, key: &str) -> Vec<String> {
    let items = task.field(key).map_or(&[][..], Node::items).iter();
    items
        .filter_map(|item| item.as_text().map(str::to_owned))
        .collect()
}

/// Lets a task without needs wait for what the sub-plan waits for.
fn begin(task: &mut Node, outer: &Table<'_>) {
    let Value::Table(fields) = &mut task.value else {
        return;
    };
    // A prompt gets no results that its plan does not know.
    let is_prompt = fields.iter().any(|field| field.key == "prompt");
    let has_context = fields.iter().any(|field| field.key == "context");
    if is_prompt && !has_context {
        fields.push(entry("context", task.span, Value::List(Vec::new())));
    }
    fields.retain(|field| field.key != "needs");
    let shared = ["needs", "after"]
        .into_iter()
        .filter_map(|key| outer.entry(key));
    let mut shared = Node {
        span: task.span,
        value: Value::Table(shared.cloned().collect()),
    };
    place(&mut shared, task.span);
    add_missing(task, shared);
}

/// The secret of the outer plan that a value is, for a parameter that takes one.
fn secret_of(
    value: &Node,
    param: &Param,
    plan: &Inner,
    problems: &mut Diagnostics,
) -> Option<String> {
    let text = value.as_text().unwrap_or_default();
    let inner = text
        .trim()
        .strip_prefix("${{")
        .and_then(|rest| rest.strip_suffix("}}"));
    let name = inner.and_then(|expression| only_member(expression.trim(), "params"));
    let secret = name.filter(|name| {
        let mut params = plan.params.iter();
        params.any(|outer| outer.name == *name && outer.is_secret)
    });
    if param.is_secret && secret.is_none() {
        let message = format!("the parameter {} is a secret", quote(&param.name));
        let one = Diagnostic::new(code::SECRET_EXPOSED, message).at(value.span);
        problems
            .push(one.help("give it a secret of this plan: `${{ params.NAME }}` and nothing else"));
        // Reported; under any name it counts as given.
        return Some(param.name.clone());
    }
    secret
}

/// The texts of a value, which are fixed before the run.
fn text_uses(node: &Node) -> Vec<Use> {
    let mut uses = Vec::new();
    let mut copy = node.clone();
    for_each_text(&mut copy, |text, span| {
        uses.push(Use {
            text: text.clone(),
            place: span,
            mode: Mode::Early,
        });
    });
    uses
}
