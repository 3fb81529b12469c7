//! Findings: the problems of a plan, the repairs in it, and the warnings about it.

use super::matching::{Noun, find};
use serde::{Deserialize, Serialize};
use zeph_common::Boundary;
use zeph_diagnostics::{Code, Diagnostic, Diagnostics, Severity, list, quote};

/// The codes of problems. A plan with one problem is rejected.
pub mod code {
    zeph_diagnostics::codes! {
        /// The answer is empty.
        EMPTY = "empty",
        /// The answer contains no JSON.
        NO_JSON = "no_json",
        /// The answer is incomplete.
        CUT_OFF = "cut_off",
        /// The model ended its answer without closing all brackets.
        UNCLOSED = "unclosed",
        /// The text is not JSON.
        SYNTAX = "syntax",
        /// `NaN` or an infinity.
        NOT_A_NUMBER = "not_a_number",
        /// An object has the same key twice, with two values.
        DUPLICATE_KEY = "duplicate_key",
        /// Lists and objects are nested too deeply.
        NESTED_TOO_DEEPLY = "nested_too_deeply",
        /// The answer is longer than allowed.
        TOO_LARGE = "too_large",
        /// The answer contains several different plans.
        SEVERAL_PLANS = "several_plans",
        /// The text has two possible meanings; both are named.
        AMBIGUOUS = "ambiguous",
        /// A value has the wrong type.
        WRONG_TYPE = "wrong_type",
        /// A required field is missing.
        MISSING_FIELD = "missing_field",
        /// There is no field of that name, and ignoring it may change what the plan does.
        UNKNOWN_FIELD = "unknown_field",
        /// The plan sets the state or the result of a task.
        STATE_FIELD = "state_field",
        /// A field does not apply to this kind of task.
        MISPLACED_FIELD = "misplaced_field",
        /// A value is not one of the known words, or out of range.
        BAD_VALUE = "bad_value",
        /// A required text is empty.
        EMPTY_TEXT = "empty_text",
        /// A text is longer than allowed.
        TEXT_TOO_LONG = "text_too_long",
        /// The plan has no task.
        NO_TASKS = "no_tasks",
        /// The plan has too many tasks.
        TOO_MANY_TASKS = "too_many_tasks",
        /// The longest path has too many tasks.
        TOO_DEEP = "too_deep",
        /// Too many tasks may run in parallel.
        TOO_WIDE = "too_wide",
        /// A name has characters that are not allowed.
        BAD_NAME = "bad_name",
        /// Two tasks have the same name.
        DUPLICATE_NAME = "duplicate_name",
        /// Two names differ only in case.
        CASE_FOLDED_DUPLICATE = "case_folded_duplicate",
        /// No task has that name.
        UNKNOWN_NEED = "unknown_need",
        /// A task needs itself.
        SELF_NEED = "self_need",
        /// Tasks depend on each other in a cycle.
        CYCLE = "cycle",
        /// The host does not allow this kind of task.
        KIND_NOT_ALLOWED = "kind_not_allowed",
        /// There is no such agent.
        UNKNOWN_AGENT = "unknown_agent",
        /// The host requires an agent for each task.
        AGENT_NEEDED = "agent_needed",
        /// There is no such tool.
        UNKNOWN_TOOL = "unknown_tool",
        /// The plan or the agent may not use this tool.
        TOOL_NOT_ALLOWED = "tool_not_allowed",
        /// There is no such command.
        UNKNOWN_COMMAND = "unknown_command",
        /// The command has no such argument.
        UNKNOWN_ARGUMENT = "unknown_argument",
        /// An argument is given twice.
        DUPLICATE_ARGUMENT = "duplicate_argument",
        /// The command needs an argument that is not given.
        MISSING_ARGUMENT = "missing_argument",
        /// The value of an argument is not allowed.
        BAD_ARGUMENT = "bad_argument",
        /// The estimated cost is above the limit.
        TOO_COSTLY = "too_costly",
        /// A cost limit is set, and the price of a model is unknown.
        UNKNOWN_PRICE = "unknown_price",
    }
}

/// The codes of repairs. A repair changes how a plan is written, never its meaning: no dependency is
/// dropped, and no cycle broken.
pub mod repair {
    zeph_diagnostics::codes! {
        /// Text around or inside the JSON was ignored: a fence, prose, an extra comma.
        TOLERATED_TEXT = "tolerated_text",
        /// A list was read as the list of tasks.
        WRAPPED_LIST = "wrapped_list",
        /// A missing field was read as null or as an empty list.
        ABSENT_FIELD = "absent_field",
        /// An unknown field without a value was ignored.
        EMPTY_FIELD = "empty_field",
        /// An unknown field that says nothing about what is done was ignored.
        IGNORED_FIELD = "ignored_field",
        /// Several texts that say what a task is to do were joined.
        JOINED_TEXT = "joined_text",
        /// A field was found under another word, or under its own in another style.
        RENAMED_FIELD = "renamed_field",
        /// A text such as `""` or `"none"` was read as null or as an empty list.
        NOTHING_TEXT = "nothing_text",
        /// A number or a boolean was read as a text.
        SCALAR_AS_TEXT = "scalar_as_text",
        /// A text was read as a number.
        TEXT_AS_NUMBER = "text_as_number",
        /// A list was read as a text.
        LIST_AS_TEXT = "list_as_text",
        /// An object with a name was read as the name.
        OBJECT_AS_TEXT = "object_as_text",
        /// An object was read as a list of tasks or arguments.
        OBJECT_AS_LIST = "object_as_list",
        /// A text was read as a list.
        TEXT_AS_LIST = "text_as_list",
        /// White space around a name was removed.
        TRIMMED_NAME = "trimmed_name",
        /// Characters of a name were replaced by allowed ones.
        SLUGGED_NAME = "slugged_name",
        /// A name that the run uses itself was extended.
        RESERVED_NAME = "reserved_name",
        /// A name was matched without regard to case or punctuation.
        FOLDED_CASE = "folded_case",
        /// A need or a tool was listed twice.
        LISTED_TWICE = "listed_twice",
        /// Tasks were moved after the tasks that they need.
        REORDERED = "reordered",
        /// The kind of a task was derived from its fields.
        DERIVED_KIND = "derived_kind",
        /// Invisible characters were removed.
        HIDDEN_CHARACTERS = "hidden_characters",
        /// A field that does not apply to the kind of task was ignored.
        IDLE_FIELD = "idle_field",
        /// The tools were reduced to those that plans may use.
        NARROWED_TOOLS = "narrowed_tools",
    }
}

/// The codes of warnings.
pub mod warning {
    zeph_diagnostics::codes! {
        /// Two tasks are nearly the same.
        NEAR_DUPLICATE = "near_duplicate",
        /// The plan is the host's fallback plan of one task.
        FALLBACK_PLAN = "fallback_plan",
        /// A name was extended, because another task of that name has started.
        STARTED_NAME = "started_name",
        /// A price is unknown, so the cost in money is not estimated.
        NO_PRICE = "no_price",
        /// A task is done by an agent that is a program.
        RUNS_PROGRAM = "runs_program",
    }
}

/// A diagnostic about a plan in its stored form: in outputs, notes and prompts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanFinding {
    /// The stable code, from [`code`], [`repair`] or [`warning`].
    pub code: String,
    /// Whether it is a problem, a warning or a repair.
    pub kind: FindingKind,
    /// The place: a JSON pointer into the model's answer, or the name of a task; may be empty.
    pub path: String,
    /// The message; printable.
    pub message: String,
    /// The advice; printable.
    pub help: Option<String>,
}

/// The kinds of findings.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// The plan is rejected.
    Problem,
    /// A person should look at it before approving.
    Warning,
    /// The model's answer was repaired.
    Repair,
}

impl From<&Diagnostic> for PlanFinding {
    fn from(one: &Diagnostic) -> Self {
        Self {
            code: one.code.text().to_owned(),
            kind: match one.severity {
                Severity::Error => FindingKind::Problem,
                Severity::Warning => FindingKind::Warning,
                Severity::Note => FindingKind::Repair,
            },
            path: one.path.clone().unwrap_or_default(),
            message: one.message.clone(),
            help: one.help.clone(),
        }
    }
}

impl std::fmt::Display for PlanFinding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "[{}] {}", self.code, self.message)
    }
}

/// The stored form of diagnostics.
pub(super) fn stored<'a>(all: impl IntoIterator<Item = &'a Diagnostic>) -> Vec<PlanFinding> {
    all.into_iter().map(PlanFinding::from).collect()
}

/// The most problems, and the most repairs, that are stored for one answer.
pub(super) const MAX_FINDINGS: usize = 200;

/// The findings about one answer so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Diagnostics,
    pub(super) repairs: Diagnostics,
}

impl Findings {
    /// Whether further problems are dropped, so that a check may stop.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_FINDINGS
    }

    /// Adds a problem at a JSON pointer, unless the collection is full. The help may be empty.
    pub(super) fn problem(
        &mut self,
        code: Code,
        at: impl AsRef<str>,
        message: impl Into<String>,
        help: impl Into<String>,
    ) {
        if !self.is_full() {
            let mut one = located(Diagnostic::new(code, message), at.as_ref());
            one.help = Some(help.into()).filter(|help| !help.is_empty());
            self.problems.push(one);
        }
    }

    /// Adds a repair. Above the limit it is dropped; the plan may still be accepted.
    pub(super) fn repair(&mut self, code: Code, at: impl AsRef<str>, message: impl Into<String>) {
        if self.repairs.len() < MAX_FINDINGS {
            let one = Diagnostic::new(code, message).severity(Severity::Note);
            self.repairs.push(located(one, at.as_ref()));
        }
    }

    /// The known name that a text means: the text itself, else the only one that differs from it in case,
    /// punctuation or the noun around it, which is a repair.
    pub(super) fn meant<'a>(
        &mut self,
        at: &str,
        written: &str,
        names: impl Iterator<Item = &'a str> + Clone,
        noun: Noun,
    ) -> Option<&'a str> {
        let name = find(written, names, noun)?;
        if name != written {
            let message = format!("{} read as {}", quote(written), quote(name));
            self.repair(repair::FOLDED_CASE, at, message);
        }
        Some(name)
    }

    /// A help text for an unknown name: the closest known name, else the known names.
    pub(super) fn help_for<'a>(
        &mut self,
        wanted: &str,
        names: impl Iterator<Item = &'a str> + Clone,
    ) -> String {
        if self.is_full() {
            return String::new();
        }
        if let Some(name) = self.problems.suggest(wanted.trim(), names.clone()) {
            return format!("did you mean {}?", quote(name));
        }
        match list(names) {
            known if known.is_empty() => "there is none: write null".to_owned(),
            known => format!("expected one of {known}"),
        }
    }
}

/// A diagnostic at a JSON pointer. A key in it may have any length, so it is cut.
fn located(one: Diagnostic, pointer: &str) -> Diagnostic {
    if pointer.is_empty() {
        return one;
    }
    let shown = zeph_common::escape_terminal(pointer);
    one.path(zeph_common::truncate(&shown, 200, Boundary::Char).to_string())
}
