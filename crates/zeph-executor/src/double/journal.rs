//! A journal in memory, for tests of code that writes into one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Budget, ReservationId, Spend, Spent, Task, TaskGraph};

use crate::{Journal, Note, NoteKind, Proposal, TaskError};

/// A journal in memory with a budget.
///
/// It is stricter than a driver in one point: settling a reservation that is not held panics. A patch is
/// checked by [`TaskGraph::extend`], as in a driver, on a graph in which each task that the patch needs
/// and does not contain is a milestone. So it finds neither a dependency that the run lacks, nor a name
/// that is taken, nor an action without an executor.
///
/// # Examples
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), zeph_executor::TaskError> {
/// use zeph_executor::{Budget, ErrorClass, Journal, Spend, double::JournalDouble};
/// let journal = JournalDouble::limited(Budget::of_tokens(100));
/// let held = journal.reserve(Spend { tokens: 80, micro_usd: 0 }).await?;
/// let refused = journal.reserve(Spend { tokens: 30, micro_usd: 0 }).await;
/// assert_eq!(refused.unwrap_err().class(), ErrorClass::OverBudget);
/// journal.settle(held, Spend { tokens: 10, micro_usd: 0 }).await?;
/// assert_eq!(journal.left().await?.tokens(), Some(90));
/// # Ok(())
/// # }
/// ```
#[derive(Default)]
pub struct JournalDouble(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    budget: Budget,
    held: BTreeMap<ReservationId, Spend>,
    last: u32,
    spent: Spent,
    notes: Vec<Note>,
    patches: Vec<GraphSpec>,
}

impl State {
    /// The spending, with held reservations counted in full.
    fn taken(&self) -> Spent {
        self.held
            .values()
            .fold(self.spent, |sum, &one| sum.plus(one))
    }

    fn left(&self) -> Budget {
        self.budget.without(self.taken())
    }
}

impl JournalDouble {
    /// A journal with that budget.
    #[must_use]
    pub fn limited(budget: Budget) -> Self {
        Self(Mutex::new(State {
            budget,
            ..State::default()
        }))
    }

    /// The settled spending so far.
    #[must_use]
    pub fn spent(&self) -> Spent {
        self.lock().spent
    }

    /// The number of reservations that are held.
    #[must_use]
    pub fn held(&self) -> usize {
        self.lock().held.len()
    }

    /// The notes, in order.
    #[must_use]
    pub fn notes(&self) -> Vec<Note> {
        self.lock().notes.clone()
    }

    /// The notes of one kind as text, in order.
    #[must_use]
    pub fn texts(&self, kind: NoteKind) -> Vec<String> {
        let state = self.lock();
        let notes = state.notes.iter().filter(|note| note.kind == kind);
        notes
            .map(|note| String::from_utf8_lossy(&note.body).into_owned())
            .collect()
    }

    /// The patches that were proposed, in order.
    #[must_use]
    pub fn patches(&self) -> Vec<GraphSpec> {
        self.lock().patches.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each method updates the sums before it can panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JournalDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JournalDouble").field(&*self.lock()).finish()
    }
}

#[async_trait]
impl Journal for JournalDouble {
    async fn reserve(&self, most: Spend) -> Result<ReservationId, TaskError> {
        let mut state = self.lock();
        if !state.budget.covers(state.taken().plus(most)) {
            return Err(TaskError::over_budget(most, state.left()));
        }
        state.last += 1;
        let id = ReservationId::new(state.last).unwrap_or(ReservationId::FIRST);
        state.held.insert(id, most);
        Ok(id)
    }

    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError> {
        let mut state = self.lock();
        let held = state.held.remove(&reservation);
        assert!(held.is_some(), "{reservation:?} is not held");
        state.spent = state.spent.plus(spent);
        Ok(())
    }

    async fn left(&self) -> Result<Budget, TaskError> {
        Ok(self.lock().left())
    }

    async fn note(&self, note: Note) -> Result<(), TaskError> {
        note.check_size()?;
        self.lock().notes.push(note);
        Ok(())
    }

    async fn propose(&self, patch: GraphSpec) -> Result<Proposal, TaskError> {
        let mut state = self.lock();
        if !state.patches.is_empty() {
            return Ok(Proposal::Already);
        }
        check(&patch)?;
        state.patches.push(patch);
        Ok(Proposal::Added)
    }
}

/// Checks the patch against a graph that has every task that the patch needs.
fn check(patch: &GraphSpec) -> Result<(), TaskError> {
    let own: BTreeSet<&str> = patch.tasks.iter().map(|task| &*task.name).collect();
    let needs = patch.tasks.iter().flat_map(|task| &task.needs);
    let others: BTreeSet<&str> = needs.map(String::as_str).collect();
    let mut graph = TaskGraph::new();
    for name in others.difference(&own) {
        graph.add_task(Task::new(*name), []);
    }
    graph.extend(patch).map(drop).map_err(|problems| {
        let message = format!("the run's graph does not accept the patch: {problems}");
        TaskError::permanent(message).with_code("proposal_refused")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_invalid_patch_is_refused() {
        let patch = |tasks: &str| {
            GraphSpec::from_json(&format!(r#"{{"version":1,"tasks":[{tasks}]}}"#)).expect("a patch")
        };
        let journal = JournalDouble::default();
        for bad in [
            r#"{"name":"a","needs":["b"]},{"name":"b","needs":["a"]}"#,
            r#"{"name":"a"},{"name":"a"}"#,
        ] {
            let refused = journal.propose(patch(bad)).await.expect_err("refused");
            assert_eq!(refused.code(), "proposal_refused");
        }
        assert!(journal.patches().is_empty());
        let good = patch(r#"{"name":"a","needs":["plan"]}"#);
        let added = journal.propose(good.clone()).await.expect("taken");
        let again = journal.propose(good).await.expect("taken");
        assert_eq!((added, again), (Proposal::Added, Proposal::Already));
    }
}
