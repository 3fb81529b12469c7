//! Writing a group commit: a run that the store refuses is removed, and the rest is written.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use zeph_graph::RunId;
use zeph_memory::{Commit, Fence, RawGraphStore, StoreError};

/// How often a commit is retried when the store is busy, beyond the store's own time-out.
const BUSY_TRIES: u32 = 6;
/// The wait between two tries.
const BUSY_WAIT: Duration = Duration::from_millis(200);

/// The outcome of a group commit.
#[derive(Debug, Default)]
pub(crate) struct Written {
    /// Runs that the store refused, and why. Nothing of theirs was written; all others were.
    pub(crate) refused: Vec<(RunId, StoreError)>,
    /// Why the store can write nothing any more.
    pub(crate) failed: Option<StoreError>,
    /// The runs of a divided commit that were written before the store failed.
    pub(crate) saved: BTreeSet<RunId>,
}

impl Written {
    pub(crate) fn failed(error: StoreError) -> Self {
        Self {
            failed: Some(error),
            ..Self::default()
        }
    }
}

/// Writes a commit. A run that the store refuses is removed, and the rest is one transaction again; a
/// commit that is too large is written run by run.
pub(crate) async fn write(
    store: Arc<dyn RawGraphStore>,
    mut commit: Commit,
    fence: Fence,
) -> Written {
    let mut written = Written::default();
    let mut queue: Vec<Commit> = Vec::new();
    let mut is_divided = false;
    loop {
        match write_with_retries(&*store, &commit, fence).await {
            // The logs so far are worth less than what has been decided.
            Err(StoreError::Full { .. } | StoreError::TooLarge { .. })
                if drop_written_drafts(&mut commit) =>
            {
                continue;
            }
            Ok(()) if is_divided => {
                let runs = commit.appends.iter().map(|append| append.run().clone());
                written.saved.extend(runs);
            }
            Ok(()) => {}
            Err(StoreError::TooLarge { .. }) if commit.appends.len() > 1 => {
                is_divided = true;
                let settled = std::mem::take(&mut commit.settled);
                queue.extend(commit.appends.drain(..).rev().map(Commit::one));
                let drafts = std::mem::take(&mut commit.drafts);
                let results = std::mem::take(&mut commit.results);
                let rest = Commit {
                    settled,
                    drafts,
                    results,
                    ..Commit::default()
                };
                queue.insert(0, rest);
            }
            Err(error) => match run_of(&error, &commit) {
                Some(run) => {
                    commit.appends.retain(|append| *append.run() != run);
                    written.refused.push((run, error));
                    let Commit {
                        appends,
                        settled,
                        drafts,
                        results: _,
                    } = &commit;
                    if !appends.is_empty() || !settled.is_empty() || !drafts.is_empty() {
                        continue;
                    }
                }
                None => {
                    written.failed = Some(error);
                    return written;
                }
            },
        }
        match queue.pop() {
            Some(next) => commit = next,
            None => return written,
        }
    }
}

/// Drops the drafts that a commit would write, if there are any. Those that it removes stay in it.
fn drop_written_drafts(commit: &mut Commit) -> bool {
    let before = commit.drafts.len();
    commit.drafts.retain(|draft| draft.bytes.is_none());
    before > commit.drafts.len()
}

/// Writes one transaction, and tries again while the store is busy. A busy store has changed nothing.
async fn write_with_retries(
    store: &dyn RawGraphStore,
    commit: &Commit,
    fence: Fence,
) -> Result<(), StoreError> {
    let mut tries = 0;
    loop {
        match store.commit(commit, fence).await {
            Err(StoreError::Busy { source }) if tries < BUSY_TRIES => {
                tries += 1;
                tracing::warn!(%source, tries, "the store is busy; the commit is tried again");
                tokio::time::sleep(BUSY_WAIT).await;
            }
            outcome => return outcome,
        }
    }
}

/// The one run that an error is about; nothing of the commit was written then.
fn run_of(error: &StoreError, commit: &Commit) -> Option<RunId> {
    let run = match error {
        StoreError::Exists { run }
        | StoreError::NotFound { run }
        | StoreError::Fenced { run, .. }
        | StoreError::OutOfOrder { run, .. }
        | StoreError::Forked { run, .. }
        | StoreError::Damaged { run, .. } => run.clone(),
        StoreError::TooLarge { .. } => commit.appends.first()?.run().clone(),
        // These concern the store as a whole.
        StoreError::Open { .. }
        | StoreError::Owned { .. }
        | StoreError::Newer { .. }
        | StoreError::Unreleased { .. }
        | StoreError::NotADatabase { .. }
        | StoreError::Replaced { .. }
        | StoreError::LogDamaged { .. }
        | StoreError::OldLibrary { .. }
        | StoreError::Full { .. }
        | StoreError::Busy { .. }
        | StoreError::Broken { .. }
        | StoreError::Io { .. } => return None,
    };
    commit
        .appends
        .iter()
        .any(|append| *append.run() == run)
        .then_some(run)
}
