//! A journal in memory, for tests of code that writes into one.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;
use zeph_graph::wire::GraphSpec;
use zeph_graph::{Budget, ReservationId, Spend, Spent, Task, TaskGraph};

use crate::{
    Journal, Note, NoteKind, Proposal, Proposed, Reservation, ReservationRequest, TaskError,
};

/// A journal in memory with a budget, for one attempt.
///
/// A reservation that does not fit waits for the [independent](ReservationRequest::independent) ones that are
/// held, as in a run. It is stricter than a driver in one point: settling a reservation that is not held panics. A patch is
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
pub struct JournalDouble {
    state: Mutex<State>,
    settled: Notify,
}

#[derive(Debug, Default)]
struct State {
    budget: Budget,
    /// The reservations that are held, and whether they are independent.
    held: BTreeMap<ReservationId, (Spend, bool)>,
    last: u32,
    spent: Spent,
    notes: Vec<Note>,
    interrupted: Vec<Note>,
    patches: Vec<GraphSpec>,
    withdrawn: Vec<String>,
}

impl State {
    /// The spending, with held reservations counted in full.
    fn taken(&self) -> Spent {
        self.held
            .values()
            .fold(self.spent, |sum, &(one, _)| sum.plus(one))
    }

    fn left(&self) -> Budget {
        self.budget.without(self.taken())
    }

    /// The reservation; `None` if it has to wait.
    fn reserve(&mut self, request: ReservationRequest) -> Option<Result<Reservation, TaskError>> {
        let left = self.left();
        let mut amount = request.most;
        if !left.covers(amount.into()) {
            let can_fit = self.budget.covers(self.spent.plus(request.least));
            if can_fit
                && self
                    .held
                    .values()
                    .any(|&(_, is_independent)| is_independent)
            {
                return None;
            }
            if !left.covers(request.least.into()) {
                return Some(Err(TaskError::over_budget(request.least, left)));
            }
            amount = left.part_of(amount);
        }
        self.last += 1;
        let id = ReservationId::new(self.last).unwrap_or(ReservationId::FIRST);
        self.held.insert(id, (amount, request.is_independent));
        Some(Ok(Reservation { id, amount, left }))
    }
}

impl JournalDouble {
    /// A journal with that budget.
    #[must_use]
    pub fn limited(budget: Budget) -> Self {
        let state = State {
            budget,
            ..State::default()
        };
        Self {
            state: Mutex::new(state),
            settled: Notify::new(),
        }
    }

    /// The same journal after interrupted attempts with these notes.
    #[must_use]
    pub fn after_interruption(self, notes: Vec<Note>) -> Self {
        self.lock().interrupted = notes;
        self
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

    /// The proposed tasks that were withdrawn, in order.
    #[must_use]
    pub fn withdrawn(&self) -> Vec<String> {
        self.lock().withdrawn.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // Each method updates the sums before it can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for JournalDouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("JournalDouble").field(&*self.lock()).finish()
    }
}

#[async_trait]
impl Journal for JournalDouble {
    async fn reserve_up_to(&self, request: ReservationRequest) -> Result<Reservation, TaskError> {
        loop {
            let mut settled = std::pin::pin!(self.settled.notified());
            settled.as_mut().enable();
            let reserved = self.lock().reserve(request);
            if let Some(reserved) = reserved {
                return reserved;
            }
            settled.await;
        }
    }

    async fn settle(&self, reservation: ReservationId, spent: Spend) -> Result<(), TaskError> {
        {
            let mut state = self.lock();
            let held = state.held.remove(&reservation);
            assert!(held.is_some(), "{reservation:?} is not held");
            state.spent = state.spent.plus(spent);
        }
        self.settled.notify_waiters();
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

    async fn interrupted(&self) -> Result<Vec<Note>, TaskError> {
        Ok(self.lock().interrupted.clone())
    }

    async fn propose_after(&self, earlier: u32, patch: GraphSpec) -> Result<Proposal, TaskError> {
        let mut state = self.lock();
        if state.patches.len() != earlier as usize {
            return Ok(Proposal::Already);
        }
        check(&patch)?;
        state.patches.push(patch);
        Ok(Proposal::Added)
    }

    async fn proposed(&self) -> Result<Proposed, TaskError> {
        let state = self.lock();
        let tasks = state.patches.iter().flat_map(|patch| &patch.tasks);
        let tasks = tasks.filter(|task| !state.withdrawn.contains(&task.name));
        Ok(Proposed {
            count: u32::try_from(state.patches.len()).unwrap_or(u32::MAX),
            tasks: tasks.cloned().collect(),
            gone: state.withdrawn.clone(),
        })
    }

    async fn withdraw(&self, tasks: &[String], _: &str) -> Result<(), TaskError> {
        let mut state = self.lock();
        let is_own = |name: &&String| {
            let mut own = state.patches.iter().flat_map(|patch| &patch.tasks);
            own.any(|task| task.name == **name) && !state.withdrawn.contains(name)
        };
        let names: Vec<String> = tasks.iter().filter(is_own).cloned().collect();
        state.withdrawn.extend(names);
        Ok(())
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

    fn tokens(tokens: u32) -> Spend {
        Spend {
            tokens,
            micro_usd: 0,
        }
    }

    #[tokio::test]
    async fn a_reservation_waits_for_independent_ones_only() {
        let journal = JournalDouble::limited(Budget::of_tokens(100));
        let call = |most| ReservationRequest::new(tokens(most)).independent();
        let first = journal.reserve_up_to(call(80)).await.expect("fits");
        let second = async {
            let request = call(50).at_least(tokens(10));
            journal.reserve_up_to(request).await.expect("waits")
        };
        let settle = async {
            assert_eq!(journal.held(), 1);
            journal.settle(first.id, tokens(60)).await.expect("is held");
        };
        let (second, ()) = tokio::join!(second, settle);
        assert_eq!(
            (second.amount, second.left),
            (tokens(40), Budget::of_tokens(40))
        );
        journal.settle(second.id, tokens(0)).await.expect("is held");

        journal.reserve(tokens(30)).await.expect("fits");
        let error = journal
            .reserve(tokens(11))
            .await
            .expect_err("nothing comes back");
        assert_eq!(error.code(), "over_budget");
    }

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
