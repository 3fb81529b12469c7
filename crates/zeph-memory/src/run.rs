//! Runs in a store: their creation, status and summary, the list of runs, and requests to their owners.

use std::collections::BTreeMap;
use std::fmt;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use zeph_graph::{RunId, Seq, Spent, Timestamp};

use crate::hash::{ChainHash, Framed};

/// The creation data of a run, which never change afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewRun {
    /// The name of the run.
    pub run: RunId,
    /// The title for people; any text.
    pub title: String,
    /// When it was created: the key of the list.
    pub created_at: Timestamp,
    /// Opaque bytes, JSON in practice.
    pub header: Bytes,
}

impl NewRun {
    /// A run to create.
    #[must_use]
    pub fn new(
        run: RunId,
        title: impl Into<String>,
        created_at: Timestamp,
        header: impl Into<Bytes>,
    ) -> Self {
        Self {
            run,
            title: title.into(),
            created_at,
            header: header.into(),
        }
    }

    /// The hash over all fields: where the run's chain begins.
    pub(crate) fn hash(&self) -> ChainHash {
        Framed::new("zeph-memory v1 genesis")
            .bytes(self.run.as_str().as_bytes())
            .bytes(self.title.as_bytes())
            .number(self.created_at.as_micros())
            .bytes(&self.header)
            .end()
    }
}

/// The hash over what a list shows of a run and what never changes: its name, title and creation time.
pub(crate) fn title_hash(run: &RunId, title: &str, created_at: Timestamp) -> ChainHash {
    Framed::new("zeph-memory v2 title")
        .bytes(run.as_str().as_bytes())
        .bytes(title.as_bytes())
        .number(created_at.as_micros())
        .end()
}

/// The status of a run, written with every commit, so that a list of runs reads no journal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunStatus {
    /// The state in one word, such as `running`. The store does not interpret it.
    pub state: String,
    /// False when the run has ended: only then may it be deleted.
    pub open: bool,
    /// A [`RunSummary`] as JSON text, with the labels of the run. The store does not interpret it.
    pub summary: String,
}

impl RunStatus {
    /// The status of a run that has not ended, with an empty summary.
    #[must_use]
    pub fn open(state: impl Into<String>) -> Self {
        Self {
            state: state.into(),
            open: true,
            summary: "{}".into(),
        }
    }

    /// The status of a run that has ended, with an empty summary.
    #[must_use]
    pub fn ended(state: impl Into<String>) -> Self {
        Self {
            open: false,
            ..Self::open(state)
        }
    }

    /// The same status with that summary.
    #[must_use]
    pub fn with_summary(mut self, summary: &RunSummary) -> Self {
        if let Ok(text) = serde_json::to_string(summary) {
            self.summary = text;
        }
        self
    }

    /// The summary; `None` if the text holds none, because the run has no commit yet or another program
    /// wrote it.
    ///
    /// # Examples
    /// ```
    /// use zeph_memory::{RunStatus, RunSummary};
    /// let summary = RunSummary { total: 3, completed: 1, ..RunSummary::default() };
    /// let status = RunStatus::open("running").with_summary(&summary);
    /// assert_eq!(status.summary(), Some(summary));
    /// assert_eq!(RunStatus::open("running").summary(), None);
    /// ```
    #[must_use]
    pub fn summary(&self) -> Option<RunSummary> {
        serde_json::from_str(&self.summary).ok()
    }

    /// The same status with the labels of the run beside its summary.
    #[must_use]
    pub fn with_labels(mut self, labels: &BTreeMap<String, String>) -> Self {
        if !labels.is_empty()
            && let Ok(serde_json::Value::Object(mut summary)) = serde_json::from_str(&self.summary)
        {
            summary.insert("labels".to_owned(), serde_json::json!(labels));
            self.summary = serde_json::Value::Object(summary).to_string();
        }
        self
    }

    /// The labels of the run; none if another program wrote the status.
    ///
    /// # Examples
    /// ```
    /// use zeph_memory::{RunStatus, RunSummary};
    /// let labels = [("team".to_owned(), "core".to_owned())].into();
    /// let status = RunStatus::open("running").with_summary(&RunSummary::default()).with_labels(&labels);
    /// assert_eq!(status.labels(), labels);
    /// assert_eq!(status.summary(), Some(RunSummary::default()));
    /// assert!(RunStatus::open("running").labels().is_empty());
    /// ```
    #[must_use]
    pub fn labels(&self) -> BTreeMap<String, String> {
        #[derive(Default, Deserialize)]
        struct Labels {
            #[serde(default)]
            labels: BTreeMap<String, String>,
        }
        let read: Labels = serde_json::from_str(&self.summary).unwrap_or_default();
        read.labels
    }

    /// The same status with the group of the run beside its summary.
    #[must_use]
    pub fn with_group(mut self, group: &str) -> Self {
        if let Ok(serde_json::Value::Object(mut summary)) = serde_json::from_str(&self.summary) {
            summary.insert("group".to_owned(), group.into());
            self.summary = serde_json::Value::Object(summary).to_string();
        }
        self
    }

    /// The group of the run; `None` if it has none, or another program wrote the status.
    ///
    /// # Examples
    /// ```
    /// use zeph_memory::{RunStatus, RunSummary};
    /// let status = RunStatus::open("running").with_summary(&RunSummary::default());
    /// assert_eq!(status.group(), None);
    /// assert_eq!(status.with_group("nightly").group().as_deref(), Some("nightly"));
    /// ```
    #[must_use]
    pub fn group(&self) -> Option<String> {
        #[derive(Default, Deserialize)]
        struct Grouped {
            group: Option<String>,
        }
        let read: Grouped = serde_json::from_str(&self.summary).unwrap_or_default();
        read.group
    }

    /// The hash over the status at a position of the chain.
    pub(crate) fn hash(
        &self,
        title: ChainHash,
        last: Seq,
        head: ChainHash,
        updated_at: Timestamp,
    ) -> ChainHash {
        Framed::new("zeph-memory v2 status")
            .hash(title)
            .number(last.get())
            .hash(head)
            .number(updated_at.as_micros())
            .bytes(self.state.as_bytes())
            .number(u64::from(self.open))
            .bytes(self.summary.as_bytes())
            .end()
    }
}

/// The progress and the cost of a run as numbers, for lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunSummary {
    /// All tasks of the graph.
    pub total: u32,
    /// Tasks that completed.
    pub completed: u32,
    /// Tasks that failed.
    pub failed: u32,
    /// Tasks that were skipped.
    pub skipped: u32,
    /// Tasks that were canceled.
    pub canceled: u32,
    /// Tasks with an open question.
    pub asking: u32,
    /// Tasks with an attempt in flight.
    pub running: u32,
    /// Tokens spent so far.
    pub tokens: u64,
    /// Millionths of a dollar spent so far.
    pub micro_usd: u64,
}

impl RunSummary {
    /// The number of tasks that have ended, in whatever state.
    #[must_use]
    pub const fn ended(&self) -> u32 {
        self.completed + self.failed + self.skipped + self.canceled
    }

    /// The spending of the run.
    #[must_use]
    pub const fn spent(&self) -> Spent {
        Spent {
            tokens: self.tokens,
            micro_usd: self.micro_usd,
        }
    }
}

/// A page of the list of runs, newest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListQuery {
    /// The most runs of the page; with 0 the page is empty.
    pub limit: u32,
    /// Only runs after this position of the list.
    pub before: Option<Cursor>,
    /// `Some(true)` for open runs only, `Some(false)` for ended ones only.
    pub open: Option<bool>,
}

impl Default for ListQuery {
    /// The 100 newest runs.
    fn default() -> Self {
        Self {
            limit: 100,
            before: None,
            open: None,
        }
    }
}

/// A position in the list of runs. It stays valid when runs are created or deleted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cursor {
    /// When the run at that position was created.
    pub created_at: Timestamp,
    /// The name of the run, which decides between runs of one moment.
    pub run: RunId,
}

/// One line of the list of runs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunRow {
    /// The name of the run.
    pub run: RunId,
    /// The title for people.
    pub title: String,
    /// When it was created.
    pub created_at: Timestamp,
    /// The time of its last row, or of its creation when there is none.
    pub updated_at: Timestamp,
    /// The position of its last row; 0 when there is none.
    pub last_seq: Seq,
    /// Its status after the last commit.
    pub status: RunStatus,
    /// The epoch of its owner: the one that created it, or adopted it last. No hash covers it.
    pub epoch: u64,
    /// Whether the line is not as it was written. Its other fields are then what could be read.
    pub is_damaged: bool,
}

impl RunRow {
    /// Its position in the list: the `before` of the next page when it is the last line of this one.
    #[must_use]
    pub fn cursor(&self) -> Cursor {
        Cursor {
            created_at: self.created_at,
            run: self.run.clone(),
        }
    }
}

/// The number of a request in a store's inbox; never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

impl RequestId {
    /// The request with that number.
    #[must_use]
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// The number.
    #[must_use]
    pub const fn get(self) -> u64 {
        self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// A request of another process to the owner of a run. It stays in the inbox until a commit settles it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its number.
    pub id: RequestId,
    /// The run that it is about.
    pub run: RunId,
    /// When it was posted.
    pub at: Timestamp,
    /// The request itself, which the store does not interpret; `None` if it is not as it was posted.
    pub body: Option<String>,
}

impl Request {
    /// The hash that a store keeps beside a request, over all its fields.
    #[must_use]
    pub fn hash(id: RequestId, run: &RunId, at: Timestamp, body: &str) -> ChainHash {
        Framed::new("zeph-memory v2 request")
            .number(id.get())
            .bytes(run.as_str().as_bytes())
            .number(at.as_micros())
            .bytes(body.as_bytes())
            .end()
    }
}
