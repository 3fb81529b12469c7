//! Findings: what is wrong with a plan, what was mended in it, and what a person should look at.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeph_common::Boundary;

macro_rules! words {
    ($(#[$about:meta])* $name:ident: $($(#[$doc:meta])* $variant:ident = $word:literal,)*) => {
        $(#[$about])*
        ///
        /// The words are stable, so that programs can compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(rename_all = "snake_case")]
        #[non_exhaustive]
        pub enum $name { $($(#[$doc])* $variant,)* }

        impl $name {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable word.
            #[must_use]
            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.word())
            }
        }
    };
}

words! {
    /// What kind of problem a plan has. One problem is enough to refuse it.
    PlanCode:
    /// There is nothing in the answer.
    Empty = "empty",
    /// There is no JSON in the answer.
    NoJson = "no_json",
    /// The answer ends in the middle.
    CutOff = "cut_off",
    /// The text is not JSON.
    Syntax = "syntax",
    /// `NaN` or an infinity.
    NotANumber = "not_a_number",
    /// An object has a key twice.
    DuplicateKey = "duplicate_key",
    /// Lists and objects are nested too deeply.
    NestedTooDeeply = "nested_too_deeply",
    /// The answer is longer than allowed.
    TooLarge = "too_large",
    /// The answer holds several plans, and they differ.
    SeveralPlans = "several_plans",
    /// A value is of another type.
    WrongType = "wrong_type",
    /// A field that must be there is not.
    MissingField = "missing_field",
    /// No field of that name is known there.
    UnknownField = "unknown_field",
    /// The plan says what became of a task; it may say what is to be done only.
    StateField = "state_field",
    /// A field has no meaning on this kind of task.
    MisplacedField = "misplaced_field",
    /// A value is not one of the known words, or out of range.
    BadValue = "bad_value",
    /// A text that is needed says nothing.
    EmptyText = "empty_text",
    /// A text is longer than allowed.
    TextTooLong = "text_too_long",
    /// There is no task.
    NoTasks = "no_tasks",
    /// There are more tasks than allowed.
    TooManyTasks = "too_many_tasks",
    /// More tasks need each other in a row than allowed.
    TooDeep = "too_deep",
    /// More tasks may run side by side than allowed.
    TooWide = "too_wide",
    /// A name has characters that no name may have.
    BadName = "bad_name",
    /// Two tasks have one name.
    DuplicateName = "duplicate_name",
    /// Two names differ only in upper and lower case.
    CaseFoldedDuplicate = "case_folded_duplicate",
    /// No task has that name.
    UnknownNeed = "unknown_need",
    /// A task needs itself.
    SelfNeed = "self_need",
    /// Tasks need each other in a circle.
    Cycle = "cycle",
    /// A task can never start, because of what it needs.
    NeverFires = "never_fires",
    /// The host does not let plans have tasks of this kind.
    KindNotAllowed = "kind_not_allowed",
    /// There is no such agent.
    UnknownAgent = "unknown_agent",
    /// The host does not let plans leave the choice of an agent open.
    AgentNeeded = "agent_needed",
    /// There is no such tool.
    UnknownTool = "unknown_tool",
    /// The plan may not use this tool, or its agent may not.
    ToolNotAllowed = "tool_not_allowed",
    /// There is no such command.
    UnknownCommand = "unknown_command",
    /// The command has no such argument.
    UnknownArgument = "unknown_argument",
    /// An argument is given twice.
    DuplicateArgument = "duplicate_argument",
    /// The command needs an argument that is not given.
    MissingArgument = "missing_argument",
    /// An argument's value is not of its form.
    BadArgument = "bad_argument",
    /// The plan is estimated to cost more than allowed.
    TooCostly = "too_costly",
    /// Money is limited, and the price of a model is not known.
    UnknownPrice = "unknown_price",
}

words! {
    /// What kind of repair was made. A repair changes how a plan is written, never what it means:
    /// no need is dropped, no circle broken.
    RepairCode:
    /// Something around or inside the JSON was passed over: a fence, prose, a comma too many.
    ToleratedText = "tolerated_text",
    /// The tasks were not in the object that was asked for, but alone in a list.
    WrappedList = "wrapped_list",
    /// A field that was left out counts as null, or as an empty list.
    AbsentField = "absent_field",
    /// A field that nobody knows was left out, for it says nothing.
    EmptyField = "empty_field",
    /// A text that stands for nothing, such as `""` or `"none"`, counts as null.
    NothingText = "nothing_text",
    /// A number or a truth value was taken as a text.
    ScalarAsText = "scalar_as_text",
    /// A text was taken as the number that it spells.
    TextAsNumber = "text_as_number",
    /// An object of names and values was taken as a list of arguments.
    ObjectAsList = "object_as_list",
    /// A single text was taken as a list of one.
    TextAsList = "text_as_list",
    /// Blanks around a name were removed.
    TrimmedName = "trimmed_name",
    /// A name was written in the characters that names may have.
    SluggedName = "slugged_name",
    /// A name that the run itself uses was lengthened.
    ReservedName = "reserved_name",
    /// A name differed from the one that was meant in upper and lower case only.
    FoldedCase = "folded_case",
    /// A need, or a tool, was listed twice.
    ListedTwice = "listed_twice",
    /// Tasks were put behind what they need.
    Reordered = "reordered",
    /// The kind of a task follows from its fields.
    DerivedKind = "derived_kind",
    /// Characters that a reader does not see were removed.
    HiddenCharacters = "hidden_characters",
    /// Fields without a meaning for the kind of task were left out, for they say nothing new.
    IdleField = "idle_field",
    /// The tools were narrowed to those that the host lets plans use.
    NarrowedTools = "narrowed_tools",
}

words! {
    /// What a person should look at before agreeing to a plan.
    WarningCode:
    /// Two tasks ask for nearly the same.
    NearDuplicate = "near_duplicate",
    /// The host's one-task plan stands in for the model's.
    StandIn = "stand_in",
    /// A price is not known, so money is not estimated.
    NoPrice = "no_price",
}

/// One problem of a plan. What comes from the plan is quoted, cut and inert in `message` and `help`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanDiagnostic {
    /// What kind of problem it is.
    pub code: PlanCode,
    /// Where: a JSON pointer into the document; empty for all of it.
    pub pointer: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

/// One thing that was mended, in the document as the model wrote it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanRepair {
    /// What was done.
    pub code: RepairCode,
    /// Where: a JSON pointer; empty for the text around the document.
    pub pointer: String,
    /// What was there and what is there now; inert.
    pub message: String,
}

/// One thing to look at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlanWarning {
    /// What kind it is.
    pub code: WarningCode,
    /// The task that it is about; empty for the whole plan.
    pub task: String,
    /// What there is to see; inert.
    pub message: String,
}

impl fmt::Display for PlanDiagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        write!(f, "[{}] {}", self.code, self.message)?;
        match &self.help {
            Some(help) => write!(f, " ({help})"),
            None => Ok(()),
        }
    }
}

impl fmt::Display for PlanRepair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.pointer.is_empty() {
            write!(f, "{}: ", self.pointer)?;
        }
        write!(f, "[{}] {}", self.code, self.message)
    }
}

impl fmt::Display for PlanWarning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.task.is_empty() {
            write!(f, "{}: ", self.task)?;
        }
        write!(f, "[{}] {}", self.code, self.message)
    }
}

/// The most problems, and the most repairs, that are kept of one document.
pub const MAX_FINDINGS: usize = 200;

/// All that was found in one document so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Findings {
    pub(super) problems: Vec<PlanDiagnostic>,
    pub(super) repairs: Vec<PlanRepair>,
}

impl Findings {
    /// Whether no further problem is kept: then looking for more is work for nothing.
    pub(super) fn is_full(&self) -> bool {
        self.problems.len() >= MAX_FINDINGS
    }

    /// Notes a problem, unless there are too many already.
    pub(super) fn problem(
        &mut self,
        code: PlanCode,
        pointer: impl Into<String>,
        message: impl Into<String>,
        help: Option<String>,
    ) {
        if !self.is_full() {
            self.problems.push(PlanDiagnostic {
                code,
                pointer: bounded(&pointer.into()),
                message: message.into(),
                help,
            });
        }
    }

    /// Notes a repair. Too many of them are no reason to refuse a plan, only not kept.
    pub(super) fn repair(
        &mut self,
        code: RepairCode,
        pointer: impl Into<String>,
        message: impl Into<String>,
    ) {
        if self.repairs.len() < MAX_FINDINGS {
            self.repairs.push(PlanRepair {
                code,
                pointer: bounded(&pointer.into()),
                message: message.into(),
            });
        }
    }
}

/// A pointer may hold a key of any length; it is shown to people and to the model.
fn bounded(pointer: &str) -> String {
    let shown = zeph_common::escape_terminal(pointer);
    zeph_common::truncate(&shown, 200, Boundary::Char).to_string()
}

/// A text of the plan as it appears in a message: quoted, inert and not too long.
pub(super) fn show(text: &str) -> String {
    const SHOWN: usize = 80;
    let cut = text.char_indices().nth(SHOWN);
    let shown = zeph_common::escape_terminal(cut.map_or(text, |(end, _)| &text[..end]));
    let dots = if cut.is_some() { "…" } else { "" };
    format!("\"{}\"{dots}", shown.replace('"', "\\\""))
}

/// "did you mean" for the nearest of some names, else the names themselves if they are few.
pub(super) fn suggest<'a>(
    wanted: &str,
    names: impl Iterator<Item = &'a str> + Clone,
) -> Option<String> {
    // Longer texts are no typing errors, and comparing them costs the product of their lengths.
    const LONGEST: usize = 64;
    const COMPARED: usize = 500;
    const LISTED: usize = 12;
    let folded = wanted.to_lowercase();
    let most = (wanted.chars().count() / 3).max(1);
    let near = names
        .clone()
        .take(if wanted.len() > LONGEST { 0 } else { COMPARED })
        .filter(|name| name.len() <= LONGEST && *name != wanted)
        .map(|name| {
            let name_folded = name.to_lowercase();
            (strsim::damerau_levenshtein(&folded, &name_folded), name)
        })
        .filter(|(distance, _)| *distance <= most)
        .min();
    if let Some((_, name)) = near {
        return Some(format!("did you mean {}?", show(name)));
    }
    let listed: Vec<String> = names.take(LISTED + 1).map(show).collect();
    match listed.len() {
        0 => None,
        1..=LISTED => Some(format!("there are {}", listed.join(", "))),
        _ => Some(format!("there are {}, …", listed[..LISTED].join(", "))),
    }
}
