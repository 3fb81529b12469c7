//! The conformance suite: one call checks every case of the store contract, for any store.
//!
//! # Examples
//! ```
//! use async_trait::async_trait;
//! use std::collections::BTreeMap;
//! use std::sync::{Arc, Mutex};
//! use zeph_memory::conformance::{self, Harness, Tamper};
//! use zeph_memory::{MemoryStore, RawGraphStore, StoreError};
//!
//! #[derive(Default)]
//! struct InMemory(Mutex<BTreeMap<String, MemoryStore>>);
//!
//! #[async_trait]
//! impl Harness for InMemory {
//!     async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError> {
//!         let mut places = self.0.lock().expect("no case panics");
//!         Ok(Arc::new(places.entry(place.into()).or_default().clone()))
//!     }
//!     async fn tamper(&self, place: &str, damage: &Tamper) -> Option<bool> {
//!         let places = self.0.lock().expect("no case panics");
//!         Some(places[place].tamper(damage))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let report = conformance::run_all(&InMemory::default()).await;
//! assert!(report.passed(), "{report}");
//! # }
//! ```

mod commits;
mod contents;
mod damage;
mod drafts;
mod fixtures;
mod inbox;
mod lists;
mod owners;
mod results;

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use zeph_graph::{ContentId, RunId, Seq};

use self::fixtures::Place;
use crate::error::StoreError;
use crate::store::RawGraphStore;

/// How the suite opens a store and damages it.
#[async_trait]
pub trait Harness: Send + Sync {
    /// Opens the store at a place; an empty one the first time a place is named.
    ///
    /// The suite names a new place for every case, and the same place again for a second store beside
    /// the first, as another process would have it, or to reopen one that it dropped.
    ///
    /// # Errors
    /// Any error of the store; the case then fails.
    async fn open(&self, place: &str) -> Result<Arc<dyn RawGraphStore>, StoreError>;

    /// Damages stored data without the store's knowledge; false if there was no such data. `None` means
    /// that the harness cannot do it, and skips the case.
    async fn tamper(&self, _place: &str, _damage: &Tamper) -> Option<bool> {
        None
    }
}

/// One kind of damage. The bytes change; the hashes stored beside them stay.
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(
    missing_docs,
    reason = "each variant says what it does, and its fields are where"
)]
pub enum Tamper {
    /// Changes the payload of a row.
    Payload { run: RunId, seq: Seq },
    /// Removes a row.
    DropRow { run: RunId, seq: Seq },
    /// Changes the bytes of the first part of a content.
    Content { run: RunId, id: ContentId },
    /// Removes all parts of a content.
    DropContent { run: RunId, id: ContentId },
    /// Changes the header.
    Header { run: RunId },
    /// Changes the head of the chain that is kept beside the journal.
    Head { run: RunId },
    /// Changes the state in the status.
    Status { run: RunId },
}

impl Tamper {
    /// The run that is damaged.
    #[must_use]
    pub const fn run(&self) -> &RunId {
        match self {
            Self::Payload { run, .. }
            | Self::DropRow { run, .. }
            | Self::Content { run, .. }
            | Self::DropContent { run, .. }
            | Self::Header { run }
            | Self::Head { run }
            | Self::Status { run } => run,
        }
    }
}

/// How one case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The store satisfies this part of the contract.
    Passed,
    /// The harness cannot do what the case needs.
    Skipped,
    /// The store violates it: what was expected, and what happened.
    Failed(String),
}

/// How all cases ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The name of each case, and how it ended.
    pub cases: Vec<(&'static str, Outcome)>,
}

impl Report {
    /// Whether no case failed.
    #[must_use]
    pub fn passed(&self) -> bool {
        !self
            .cases
            .iter()
            .any(|(_, outcome)| matches!(outcome, Outcome::Failed(_)))
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, outcome) in &self.cases {
            match outcome {
                Outcome::Passed => writeln!(f, "ok      {name}")?,
                Outcome::Skipped => writeln!(f, "skipped {name}")?,
                Outcome::Failed(what) => writeln!(f, "FAILED  {name}: {what}")?,
            }
        }
        Ok(())
    }
}

/// The outcome of a case; a text is what the store does wrong.
type Checked = Result<Outcome, String>;

/// One case: its name is also the name of its place.
struct Case {
    name: &'static str,
    run: for<'a> fn(Place<'a>) -> Pin<Box<dyn Future<Output = Checked> + Send + 'a>>,
}

/// Cases from async functions of their names.
macro_rules! cases {
    ($($module:ident::$name:ident),* $(,)?) => {
        &[$(Case {
            name: stringify!($name),
            run: |place| Box::pin($module::$name(place)),
        }),*]
    };
}

const CASES: &[Case] = cases![
    commits::create_and_load,
    commits::create_without_rows,
    commits::append_and_reopen,
    commits::the_rows_after_a_chain,
    commits::two_appends_of_one_run_are_refused,
    commits::status_without_rows,
    commits::group_commit_is_atomic,
    commits::gaps_are_refused,
    commits::repetition_is_refused,
    commits::forks_are_refused,
    commits::a_run_is_created_once,
    commits::unknown_runs_are_not_found,
    commits::any_text_comes_back,
    commits::concurrent_commits,
    owners::epochs_are_never_used_twice,
    owners::two_owners_commit_to_two_runs_at_once,
    owners::adopting_fences_the_former_owner,
    owners::of_two_that_adopt_a_run_one_becomes_its_owner,
    owners::an_open_run_stays_with_an_owner_that_has_a_lease,
    owners::a_group_with_a_foreign_run_is_refused_whole,
    owners::only_the_owner_settles,
    owners::an_ended_run_is_adopted_and_deleted_by_anybody,
    owners::get_and_list_name_the_owner,
    contents::contents_come_back,
    contents::parts_keep_their_order,
    contents::large_contents,
    contents::a_large_commit,
    lists::newest_first,
    lists::pages,
    lists::open_filter,
    lists::names_are_found_by_prefix,
    lists::delete_ended_runs_only,
    lists::many_runs_are_deleted_together_or_not_at_all,
    lists::an_empty_store,
    inbox::oldest_first_by_run,
    inbox::settled_with_a_commit,
    inbox::not_settled_by_a_refused_commit,
    inbox::numbers_are_never_used_twice,
    drafts::drafts_are_replaced_and_removed,
    drafts::drafts_of_another_owner_are_left,
    drafts::drafts_are_deleted_with_their_run,
    results::results_are_found_by_key,
    results::results_of_another_owner_are_ignored,
    results::results_are_deleted_with_their_run,
    damage::verify_a_sound_run,
    damage::an_earlier_head,
    damage::damage_is_named,
    damage::damage_after_a_chain_is_found,
];

/// Runs every case, each in a place of its own, and reports on all of them.
pub async fn run_all(harness: &dyn Harness) -> Report {
    let mut report = Report::default();
    for case in CASES {
        let name = case.name;
        let outcome = (case.run)(Place { harness, name }).await;
        let outcome = outcome.unwrap_or_else(Outcome::Failed);
        report.cases.push((name, outcome));
    }
    report
}
