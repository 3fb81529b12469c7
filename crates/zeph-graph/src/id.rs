//! Ids of tasks, attempts, questions, contents, reservations and runs.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::num::NonZeroU32;
use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// The position of a task in its graph: dense, from 0, in the order of insertion.
///
/// Ids compare by position. An id also carries a mark of its graph, to detect its use on another graph;
/// ids made by [`TaskId::from_index`] carry none.
#[derive(Clone, Copy)]
pub struct TaskId {
    index: u32,
    mark: u32,
}

impl TaskId {
    /// The id at a position, without the mark of a graph: for ids from files and journals.
    ///
    /// # Examples
    /// ```
    /// use zeph_graph::TaskId;
    /// assert_eq!(TaskId::from_index(3).index(), 3);
    /// ```
    #[must_use]
    pub const fn from_index(index: u32) -> Self {
        Self { index, mark: 0 }
    }

    /// The position, as an index into per-task arrays.
    #[must_use]
    pub const fn index(self) -> usize {
        self.index as usize
    }

    /// The position, as journals store it.
    #[must_use]
    pub const fn as_u32(self) -> u32 {
        self.index
    }

    pub(crate) const fn marked(index: u32, mark: GraphMark) -> Self {
        Self {
            index,
            mark: mark.0,
        }
    }

    /// Whether this id may name a task of the graph with that mark.
    pub(crate) const fn belongs_to(self, mark: GraphMark) -> bool {
        self.mark == 0 || self.mark == mark.0
    }
}

impl PartialEq for TaskId {
    fn eq(&self, other: &Self) -> bool {
        self.index == other.index
    }
}
impl Eq for TaskId {}
impl PartialOrd for TaskId {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for TaskId {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.index.cmp(&other.index)
    }
}
impl Hash for TaskId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.index.hash(state);
    }
}
impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.index)
    }
}
impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}", self.index)
    }
}

/// Distinguishes the graphs of one process. Never stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GraphMark(u32);

impl GraphMark {
    pub(crate) fn fresh() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        // 0 means "no mark"; after four billion graphs a mark may repeat, which only weakens the check.
        Self(NEXT.fetch_add(1, Ordering::Relaxed).max(1))
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident, $prefix:literal) => {
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(NonZeroU32);

        impl $name {
            /// The first one.
            pub const FIRST: Self = Self(NonZeroU32::MIN);

            /// The id with that number; `None` for 0.
            #[must_use]
            pub const fn new(number: u32) -> Option<Self> {
                match NonZeroU32::new(number) {
                    Some(number) => Some(Self(number)),
                    None => None,
                }
            }

            /// The number, from 1.
            #[must_use]
            pub const fn get(self) -> u32 {
                self.0.get()
            }

            /// The next id; saturates at `u32::MAX`.
            #[must_use]
            pub const fn next(self) -> Self {
                Self(self.0.saturating_add(1))
            }
        }

        impl From<NonZeroU32> for $name {
            fn from(number: NonZeroU32) -> Self {
                Self(number)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!($prefix, "{}"), self.0)
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}", self.0)
            }
        }
    };
}

number_id! {
    /// The number of an attempt of one task: 1, 2, 3…
    Attempt, "#"
}
number_id! {
    /// The number of a question of one run: 1, 2, 3…, never used twice.
    QuestionId, "q"
}
number_id! {
    /// The number of a content (an output, an error, a log, an answer) of one run.
    ContentId, "c"
}
number_id! {
    /// The number of a reservation of one run's budget: 1, 2, 3…, never used twice.
    ReservationId, "b"
}

/// The position of a record in the journal of its run: 1, 2, 3…, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Seq(u64);

impl Seq {
    /// The first record of a journal.
    pub const FIRST: Self = Self(1);

    /// The position with that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }

    /// The position this number of records later.
    #[must_use]
    pub const fn plus(self, records: u64) -> Self {
        Self(self.0 + records)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// The name of a run: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`, starting with a letter or digit.
///
/// # Examples
/// ```
/// use zeph_graph::RunId;
/// let run: RunId = "k7m2xq9d".parse()?;
/// assert_eq!(run.as_str(), "k7m2xq9d");
/// assert!("../etc".parse::<RunId>().is_err());
/// # Ok::<(), zeph_graph::BadRunId>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RunId(Arc<str>);

impl RunId {
    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A text that cannot name a run.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{text:?} cannot name a run: use 1 to 64 of a-z, 0-9, '-' and '_', starting with a letter or digit"
)]
pub struct BadRunId {
    /// The text.
    pub text: String,
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
        let bytes = text.as_bytes();
        let fine = (1..=64).contains(&bytes.len())
            && plain(bytes[0])
            && bytes.iter().all(|&b| plain(b) || b == b'-' || b == b'_');
        if fine {
            Ok(Self(text.into()))
        } else {
            Err(BadRunId {
                text: text.chars().take(80).collect(),
            })
        }
    }
}

impl fmt::Debug for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
