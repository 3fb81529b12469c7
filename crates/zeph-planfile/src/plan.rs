//! Plan: a plan file that was read and checked, before its parameters have values.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use zeph_diagnostics::{Diagnostic, Diagnostics, Entry, Node, Source, Span, Table, Value};
use zeph_graph::wire::{GraphSpec, LaneSpec};
use zeph_graph::{Retry, RunLimits};

use crate::budget;
use crate::code;
use crate::earlier::{self, Earlier};
use crate::env_files;
use crate::fields::{check_name, micros};
use crate::files::Files;
use crate::foreign;
use crate::format::Format;
use crate::group::{self, PlanGroup};
use crate::include;
use crate::lanes::lanes;
use crate::lower;
use crate::matrix::{self, Member, Origin};
use crate::param::{self, Param};
use crate::scope::{CheckedTask, Scope};
use crate::subplan;
use crate::task::{self, Draft, Mode, Rules, Use};
use crate::values::keys;

/// The key for editors of JSON, which has no comments.
pub(crate) const SCHEMA: &str = "$schema";

pub(crate) const KEYS: [&str; 16] = [
    SCHEMA,
    include::KEY,
    "goal",
    earlier::KEY,
    group::KEY,
    group::ON_CONFLICT,
    "max_parallel",
    "timeout",
    "budget",
    "over_budget",
    "env",
    "env_file",
    "params",
    "lanes",
    "defaults",
    "tasks",
];

/// A plan that passed the checks. Clones share their data.
///
/// See the plan-file reference for the format, and the [crate] for an example.
#[derive(Clone, Debug)]
pub struct Plan(pub(crate) Arc<Inner>);

#[derive(Clone, Debug, Default)]
pub(crate) struct Inner {
    pub(crate) source: Source,
    format: Format,
    /// The text had line breaks of Windows.
    crlf: bool,
    root: Node,
    pub(crate) goal: Option<Use>,
    /// The tasks of the run that it is added to.
    pub(crate) earlier: Option<Earlier>,
    pub(crate) group: Option<PlanGroup>,
    pub(crate) folder: Option<String>,
    pub(crate) limits: RunLimits,
    pub(crate) env_files: Vec<String>,
    pub(crate) env_files_place: Span,
    pub(crate) params: Vec<Param>,
    pub(crate) lanes: Vec<LaneSpec>,
    pub(crate) tasks: Vec<Draft>,
    /// The files that it names, with their hashes.
    pub(crate) files: BTreeMap<String, String>,
    /// The texts in the values that it gives to other plans.
    pub(crate) sub_uses: Vec<Use>,
    /// Of a plan in another one: its tasks and defaults as they are written.
    pub(crate) members: Vec<Member<'static>>,
    pub(crate) default_nodes: Vec<Entry>,
}

impl Plan {
    /// Reads a plan and checks all that can be checked before its parameters have values.
    ///
    /// `name` is the name of the source in messages, usually its path. Cost is linear in the size of the
    /// text.
    ///
    /// # Errors
    /// All problems at once, in the order of the source; of a text that is not of its format only the
    /// syntax errors.
    pub fn load(text: &str, format: Format, name: &str) -> Result<Self, Diagnostics> {
        Self::load_with(text, format, name, None)
    }

    fn load_with(
        text: &str,
        format: Format,
        name: &str,
        files: Option<&Files>,
    ) -> Result<Self, Diagnostics> {
        // TOML leaves it open how a line break in a text is read.
        let crlf = text.contains("\r\n");
        let source = if crlf {
            Source::new(name, &text.replace("\r\n", "\n"))
        } else {
            Source::new(name, text)
        };
        let mut problems = Diagnostics::in_source(&source);
        let Some(root) = format.read(&source, &mut problems) else {
            return Err(problems);
        };
        let mut inner = Inner::read(&root, files, false, &mut problems);
        inner.check(&mut problems);
        (inner.source, inner.format, inner.root) = (source, format, root);
        inner.crlf = crlf;
        inner.files = files.map(Files::hashes).unwrap_or_default();
        inner.finish(problems)?;
        Ok(Self(Arc::new(inner)))
    }

    /// As [`load`](Self::load), from the bytes of a file.
    ///
    /// # Errors
    /// Those of `load`. Bytes that are not UTF-8 are a problem of their own, and nothing else is checked.
    pub fn load_bytes(bytes: &[u8], format: Format, name: &str) -> Result<Self, Diagnostics> {
        Self::load_bytes_with(bytes, format, name, None)
    }

    /// As [`load_bytes`](Self::load_bytes), of a plan in this folder: it may name other plan files, and its
    /// commands run there. The folder is stored with the run.
    ///
    /// # Errors
    /// Those of `load_bytes`, and the problems of the files that it names, with their own sources.
    pub fn load_bytes_in(
        bytes: &[u8],
        format: Format,
        name: &str,
        folder: &str,
    ) -> Result<Self, Diagnostics> {
        let files = Files::new(Path::new(folder), name);
        let plan = Self::load_bytes_with(bytes, format, name, Some(&files))?;
        Ok(plan.in_folder(folder))
    }

    fn load_bytes_with(
        bytes: &[u8],
        format: Format,
        name: &str,
        files: Option<&Files>,
    ) -> Result<Self, Diagnostics> {
        let error = match std::str::from_utf8(bytes) {
            Ok(text) => return Self::load_with(text, format, name, files),
            Err(error) => error,
        };
        let at = error.valid_up_to();
        let good = String::from_utf8_lossy(&bytes[..at]);
        let mut problems = Diagnostics::in_source(&Source::new(name, &good));
        let message = format!("byte {at} of the plan is not UTF-8");
        let one = Diagnostic::new(code::NOT_UTF8, message).at(at..at);
        problems.push(one.help("save the file as UTF-8"));
        Err(problems)
    }

    /// The same plan, whose commands run in this folder. The folder is stored with the run.
    #[must_use]
    pub fn in_folder(mut self, folder: impl Into<String>) -> Self {
        Arc::make_mut(&mut self.0).folder = Some(folder.into());
        self
    }

    /// The same plan, with that default retry policy. Default: three retries that wait 1 s to 1 min.
    ///
    /// `on_failure = "retry"` uses its number of retries, unless `retry` sets one above zero. Every task with
    /// retries uses its waits for the keys that the task does not set. Tasks without retries still have
    /// none. A second call replaces the first.
    ///
    /// # Examples
    /// ```
    /// use std::time::Duration;
    /// use zeph_graph::Retry;
    /// use zeph_planfile::{Format, Plan};
    ///
    /// let plan = "[tasks.fetch]\nrun = ['./fetch']\non_failure = 'retry'";
    /// let policy = Retry::times(5).backoff(Duration::from_millis(200), Duration::from_secs(10));
    /// let plan = Plan::load(plan, Format::Toml, "plan.toml")?.with_retry_defaults(policy);
    /// assert_eq!(Retry::from(plan.spec().tasks[0].retry), policy);
    /// # Ok::<(), zeph_planfile::Diagnostics>(())
    /// ```
    #[must_use]
    pub fn with_retry_defaults(mut self, policy: Retry) -> Self {
        for task in &mut Arc::make_mut(&mut self.0).tasks {
            task.resolve_retry(policy);
        }
        self
    }

    /// The goal of the plan, as written; empty if it has none.
    #[must_use]
    pub fn goal(&self) -> &str {
        self.0.goal_text()
    }

    /// The parameters that a person may give, in the order of the text; those of a plan in this one follow, unless
    /// this one gives them their values.
    pub fn params(&self) -> impl Iterator<Item = &Param> + Clone {
        self.0.params.iter().filter(|param| param.given.is_none())
    }

    /// The limits for a run of the plan.
    #[must_use]
    pub fn limits(&self) -> &RunLimits {
        &self.0.limits
    }

    /// The graph with its expressions as they are written.
    #[must_use]
    pub fn spec(&self) -> GraphSpec {
        self.0.spec()
    }

    /// Whether its text had line breaks of Windows (CRLF), which were read as LF.
    #[must_use]
    pub fn has_crlf(&self) -> bool {
        self.0.crlf
    }

    /// The text that the plan was read from, with LF as line breaks.
    #[must_use]
    pub fn source(&self) -> &Source {
        &self.0.source
    }
}

impl Inner {
    /// An empty collection for problems of this plan.
    pub(crate) fn problems(&self) -> Diagnostics {
        Diagnostics::in_source(&self.source)
    }

    /// `Ok` if there is no problem.
    pub(crate) fn finish(&self, problems: Diagnostics) -> Result<(), Diagnostics> {
        self.located(problems).into_result()
    }

    /// Sorts problems by their place in the source, and adds JSON pointers if the source is JSON.
    pub(crate) fn located(&self, mut problems: Diagnostics) -> Diagnostics {
        if self.format == Format::Json {
            let is_own = |one: &&mut Diagnostic| {
                (one.source.as_ref()).is_none_or(|source| source.name() == self.source.name())
            };
            for one in problems.iter_mut().filter(is_own) {
                one.path = one.span.map(|span| self.root.pointer(span.start));
            }
        }
        problems.sorted()
    }

    pub(crate) fn spec(&self) -> GraphSpec {
        let metadata = BTreeMap::from([(keys::GOAL.to_owned(), self.goal_text().to_owned())]);
        let item_lanes = self.tasks.iter().filter_map(|task| {
            let (name, capacity) = (task::item_lane(task)?, task.max_parallel?);
            Some(LaneSpec {
                name,
                capacity,
                shared: false,
            })
        });
        GraphSpec {
            metadata,
            lanes: self.lanes.iter().cloned().chain(item_lanes).collect(),
            tasks: self.tasks.iter().map(|task| task.spec.clone()).collect(),
            ..GraphSpec::default()
        }
    }

    fn goal_text(&self) -> &str {
        self.goal.as_ref().map_or("", |goal| &goal.text)
    }

    /// Reads the tree; an unreadable value is reported and omitted.
    fn read(root: &Node, files: Option<&Files>, is_sub: bool, problems: &mut Diagnostics) -> Self {
        let mut plan = Self::default();
        let before = problems.len();
        let root = &*include::include(root, files, problems);
        if problems.len() > before {
            // Without the shared part there would be problems that are none.
            return plan;
        }
        let Some(fields) = root.table_with_help("the plan", &KEYS, foreign::plan_key, problems)
        else {
            return plan;
        };
        fields.read(SCHEMA, |node, what| node.string(what, problems));
        plan.goal = fields.read("goal", |node, what| {
            let text = node.string(what, problems)?.to_owned();
            Some(Use::new(text, node, Mode::Early))
        });
        plan.earlier = earlier::read(&fields, problems);
        plan.group = group::read(&fields, problems);
        let parallel = fields.read("max_parallel", |node, what| {
            node.integer(what, 1..=u32::MAX, problems)
        });
        plan.limits.max_parallel = parallel.and_then(NonZeroU32::new);
        let timeout = fields.read("timeout", |node, what| micros(node, what, problems));
        plan.limits.timeout = timeout.map(Duration::from_micros);
        plan.limits.budget = fields.read("budget", |node, _| budget::read(node, problems));
        plan.limits.over_budget =
            fields.read("over_budget", |node, _| budget::over(node, problems));
        if let Some(node) = fields.get("params") {
            plan.params = param::read_all(node, problems);
        }
        if let Some(node) = fields.get("lanes") {
            plan.lanes = lanes(node, problems);
        }
        if let Some(node) = fields.get("env_file") {
            plan.env_files = env_files::read(node, problems);
            plan.env_files_place = node.span;
        }
        let (mut defaults, mut uses) = match fields.get("defaults") {
            Some(node) => task::read_defaults(node, problems),
            None => (Rules::default(), Vec::new()),
        };
        if let Some(node) = fields.get("env") {
            defaults.inherit_env(task::command::env(node, &mut uses, problems));
        }
        if let Some(node) = fields.get("tasks")
            && let Some(tasks) = node.any_table("`tasks`", problems)
        {
            let members = matrix::expand(tasks.entries(), problems);
            let members = subplan::expand(members, &mut plan, files, problems);
            for entry in tasks.entries() {
                check_name(entry, "task", problems);
            }
            let (none, mut kept) = (Rules::default(), Vec::new());
            let read = |member: Member<'_>| {
                let mut found = Diagnostics::new();
                let own = if member.is_sub { &none } else { &defaults };
                let mut draft = task::read(&member.entry, own, &mut found);
                if is_sub {
                    kept.push(Member {
                        entry: Cow::Owned(member.entry.into_owned()),
                        ..member
                    });
                }
                draft.is_other_cell = member.origin == Origin::OtherCell;
                add(found, draft.is_other_cell, problems);
                draft
            };
            plan.tasks = members.into_iter().map(read).collect();
            plan.members = kept;
            plan.default_nodes = if is_sub {
                default_nodes(&fields)
            } else {
                Vec::new()
            };
        }
        if plan.tasks.is_empty() && problems.is_empty() {
            problems.push(
                Diagnostic::new(code::NO_TASKS, "the plan has no tasks").help(
                    "add one: a table `[tasks.NAME]` with `run = [\"program\", \"argument\"]`",
                ),
            );
        }
        earlier::add_tasks(&mut plan, problems);
        // The texts of `defaults` are checked once, and not again for each task that gets them.
        let scope = Scope::new(&plan.params, &plan.tasks);
        let group = plan.group.iter().map(|group| &group.name);
        for one in (plan.goal.iter().chain(group).chain(&uses)).chain(&plan.sub_uses) {
            scope.check(one, None, problems);
        }
        plan
    }

    /// Reads and checks a plan that becomes a part of another one.
    pub(crate) fn read_sub(root: &Node, files: &Files, problems: &mut Diagnostics) -> Self {
        let plan = Self::read(root, Some(files), true, problems);
        plan.check(problems);
        plan
    }

    fn check(&self, problems: &mut Diagnostics) {
        let scope = Scope::new(&self.params, &self.tasks);
        for task in &self.tasks {
            let mut found = Diagnostics::new();
            let checked = CheckedTask::new(task);
            for one in &task.uses {
                scope.check(one, Some(&checked), &mut found);
            }
            task.check_cache(&scope, &mut found);
            scope.check_code(task, &task.spec.work, &mut found);
            add(found, task.is_other_cell, problems);
        }
        // Tasks with problems stay in the graph, so that their dependants are not reported as well.
        let spec = lower::before_binding(self.spec());
        lower::graph(spec, &self.tasks, problems);
    }
}

/// Adds problems; those of the other cells of a matrix only where the first cell has no such problem.
pub(crate) fn add(found: Diagnostics, is_other_cell: bool, problems: &mut Diagnostics) {
    for one in found {
        let is_known = |known: &Diagnostic| (known.code, known.span) == (one.code, one.span);
        if !is_other_cell || !problems.iter().any(is_known) {
            problems.push(one);
        }
    }
}

/// The defaults of a plan as one table, with the variables of all commands.
fn default_nodes(fields: &Table<'_>) -> Vec<Entry> {
    let own = fields.get("defaults").map_or(&[][..], Node::entries);
    let mut defaults = Node {
        span: fields.span,
        value: Value::Table(own.to_vec()),
    };
    if let Some(env) = fields.entry("env") {
        if let Value::Table(entries) = &mut defaults.value
            && let Some(own) = entries.iter_mut().find(|entry| entry.key == "env")
        {
            include::add_missing(&mut own.node, env.node.clone());
        }
        let env = Node {
            span: env.node.span,
            value: Value::Table(vec![env.clone()]),
        };
        include::add_missing(&mut defaults, env);
    }
    defaults.entries().to_vec()
}
