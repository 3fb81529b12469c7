//! Diagnostics: everything that is wrong with a graph from outside, at once.

use std::fmt;
use std::ops::Range;

macro_rules! codes {
    ($($(#[$doc:meta])* $variant:ident = $text:literal,)*) => {
        /// What kind of problem it is. The texts are stable, so that programs can compare them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum Code { $($(#[$doc])* $variant,)* }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The stable text, such as `unknown_dependency`.
            #[must_use]
            pub const fn text(self) -> &'static str {
                match self { $(Self::$variant => $text,)* }
            }
        }
    };
}

codes! {
    /// The format is of a version that this program does not know.
    UnknownVersion = "unknown_version",
    /// There are more tasks than allowed.
    TooManyTasks = "too_many_tasks",
    /// A way from a root has more tasks than allowed.
    TooDeep = "too_deep",
    /// A task depends on more tasks than allowed.
    TooManyNeeds = "too_many_needs",
    /// There are more lanes than allowed.
    TooManyLanes = "too_many_lanes",
    /// A name is empty, too long, or has characters that are not safe to show.
    BadName = "bad_name",
    /// Two tasks have one name.
    DuplicateName = "duplicate_name",
    /// Two names differ only in upper and lower case.
    CaseFoldedDuplicate = "case_folded_duplicate",
    /// No task has that name.
    UnknownDependency = "unknown_dependency",
    /// A task depends on itself.
    SelfDependency = "self_dependency",
    /// Tasks depend on each other in a circle.
    Cycle = "cycle",
    /// A time-out or the wait of a default answer is zero.
    ZeroTimeout = "zero_timeout",
    /// The longest wait before a retry is shorter than the shortest.
    RetryCapBelowBase = "retry_cap_below_base",
    /// A default answer is not one that its question accepts.
    BadDefault = "bad_default",
    /// A question has no choices, or one twice.
    BadChoices = "bad_choices",
    /// A lane has no capacity.
    ZeroCapacity = "zero_capacity",
    /// Two lanes have one name, or a task lists one twice.
    DuplicateLane = "duplicate_lane",
    /// A patch declares a lane.
    LaneInPatch = "lane_in_patch",
    /// No lane has that name.
    UnknownLane = "unknown_lane",
    /// A weight is 0, or above the lane's capacity.
    BadWeight = "bad_weight",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// One problem of a graph from outside.
///
/// Names in `message` and `help` are quoted, escaped and cut, so that they are inert at a terminal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// What kind of problem it is.
    pub code: Code,
    /// The name of the task that it is about, as it was given, cut after 200 characters.
    pub task: Option<String>,
    /// Where it is in the source, in bytes, if the spec knew.
    pub span: Option<Range<usize>>,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self {
            code,
            task: None,
            span: None,
            message: message.into(),
            help: None,
        }
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    pub(crate) fn suggest(self, name: Option<&str>) -> Self {
        match name {
            Some(name) => self.help(format!("did you mean {}?", show(name))),
            None => self,
        }
    }

    pub(crate) fn about(mut self, task: &str, span: Option<Range<usize>>) -> Self {
        self.task = Some(task.chars().take(crate::MAX_NAME_BYTES).collect());
        self.span = span;
        self
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {}", self.code, self.message)?;
        if let Some(help) = &self.help {
            write!(f, " ({help})")?;
        }
        Ok(())
    }
}

/// A name as it appears in a message: quoted, escaped and not too long.
pub(crate) fn show(name: &str) -> String {
    const SHOWN: usize = 80;
    match name.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{:?}…", &name[..end]),
        None => format!("{name:?}"),
    }
}

/// All problems of a graph from outside; at least one.
///
/// `Display` shows one a line, the first 50.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostics(Vec<Diagnostic>);

impl Diagnostics {
    pub(crate) fn of(one: Diagnostic) -> Self {
        Self(vec![one])
    }

    /// `Ok` if there is no problem.
    pub(crate) fn unless_empty(all: Vec<Diagnostic>) -> Result<(), Self> {
        if all.is_empty() {
            Ok(())
        } else {
            Err(Self(all))
        }
    }

    /// The problems: of lanes, names, dependencies, rules and shape, each in the order of the spec.
    #[must_use]
    pub fn as_slice(&self) -> &[Diagnostic] {
        &self.0
    }

    /// The problems, to be moved out.
    #[must_use]
    pub fn into_vec(self) -> Vec<Diagnostic> {
        self.0
    }

    /// The problems.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.0.iter()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Diagnostics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const SHOWN: usize = 50;
        match self.0.len() {
            1 => write!(f, "the graph has a problem:")?,
            many => write!(f, "the graph has {many} problems:")?,
        }
        for diagnostic in self.0.iter().take(SHOWN) {
            write!(f, "\n  {diagnostic}")?;
        }
        if self.0.len() > SHOWN {
            write!(f, "\n  … and {} more", self.0.len() - SHOWN)?;
        }
        Ok(())
    }
}

impl std::error::Error for Diagnostics {}
