//! Groups: runs of which at most one works at a time, in all processes that share a store.

use std::collections::BTreeMap;

use crate::TaskGraph;
use crate::words::words;

/// The longest name of a group.
const NAME_BYTES: usize = 64;

/// The group of a run. At most one run of a group works at a time, over all runs of a store.
///
/// It is stored in the metadata of the run's graph. A run holds its group while a process works on it: from its
/// start or resumption until it has ended or is suspended. Runs that wait get their turn in about the order in
/// which they came.
///
/// # Examples
/// ```
/// use zeph_graph::{Group, OnConflict, TaskGraph};
/// let mut graph = TaskGraph::new();
/// let group = Group::new("nightly", OnConflict::Refuse)?;
/// group.store(graph.metadata_mut());
/// assert_eq!(Group::of(&graph), Some(group));
/// assert!(Group::new("every night", OnConflict::Queue).is_err());
/// # Ok::<(), zeph_graph::BadGroup>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    name: String,
    /// What a run does if another run of the group is at work.
    pub on_conflict: OnConflict,
}

words! {
    /// What a run does if another run of its group is at work.
    #[derive(Default)]
    OnConflict {
        /// It waits until its turn comes.
        #[default]
        Queue = "queue",
        /// It is not started.
        Refuse = "refuse",
        /// It has the other run canceled, and waits until that has ended.
        CancelRunning = "cancel_running",
    }
}

/// A text that cannot name a group.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a group has a name of 1 to {NAME_BYTES} of a-z, A-Z, 0-9, '.', '_', '-' and '/'")]
pub struct BadGroup;

impl Group {
    /// The key of the graph's [metadata](TaskGraph::metadata) that holds the name.
    pub const NAME: &'static str = "group";
    /// The key of the graph's metadata that holds the word of [`OnConflict`].
    pub const ON_CONFLICT: &'static str = "on_conflict";

    /// The group of that name.
    ///
    /// # Errors
    /// If the name is empty, longer than 64 bytes, or has other characters than letters and digits of ASCII and
    /// `.`, `_`, `-`, `/`.
    pub fn new(name: impl Into<String>, on_conflict: OnConflict) -> Result<Self, BadGroup> {
        let name = name.into();
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/".contains(c);
        if (1..=NAME_BYTES).contains(&name.len()) && name.chars().all(is_plain) {
            Ok(Self { name, on_conflict })
        } else {
            Err(BadGroup)
        }
    }

    /// The name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The group of the runs of a graph; `None` if they belong to none.
    #[must_use]
    pub fn of(graph: &TaskGraph) -> Option<Self> {
        let metadata = graph.metadata();
        let on_conflict = metadata.get(Self::ON_CONFLICT);
        let on_conflict = on_conflict.and_then(|word| word.parse().ok());
        Self::new(metadata.get(Self::NAME)?, on_conflict.unwrap_or_default()).ok()
    }

    /// Stores the group in the metadata of a graph, in place of another one.
    pub fn store(&self, metadata: &mut BTreeMap<String, String>) {
        metadata.insert(Self::NAME.to_owned(), self.name.clone());
        let word = self.on_conflict.word().to_owned();
        metadata.insert(Self::ON_CONFLICT.to_owned(), word);
    }
}
