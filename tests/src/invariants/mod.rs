//! Invariants: one function each, by number and name, over the observable state after an event.
//!
//! Numbers 1 to 18 are those of the list of scheduler invariants. The [`audit`](crate::audit) checks those
//! about the sequence of journal records (8, 12, 16 and parts of others).

mod actions;
mod crash;
mod explain;
mod journal;
mod scope;
mod state;

pub use actions::inv_10_actions;
pub use journal::{inv_13_summary, inv_14_fold, inv_21_wire, inv_24_accounts};
pub use state::inv_07_timers;

use zeph_graph::Entry;
use zeph_scheduler::{Scheduler, Snapshot};

use crate::call::{Call, CallReply};
use crate::facts::Facts;
use crate::model::Model;
use crate::violation::Check;

/// The observable state after a call.
#[derive(Debug)]
pub struct View<'a> {
    /// Graph and policy.
    pub facts: &'a Facts,
    /// The state before the call.
    pub before: &'a Snapshot,
    /// The state after the call.
    pub after: &'a Snapshot,
    /// The scheduler after the call.
    pub machine: &'a Scheduler,
    /// The model after the call.
    pub model: &'a Model,
    /// The call.
    pub what: &'a Call,
    /// The scheduler's reply.
    pub reply: CallReply,
    /// Whether a timer was due at the input's time.
    pub timers_due: bool,
}

/// Checks all invariants of a call.
///
/// # Errors
/// The first invariant that does not hold.
pub fn after_input(view: &View<'_>) -> Check {
    standing(view.facts, view.after, view.machine, view.model)?;
    state::inv_03_ends_are_final(view.before, view.after)?;
    scope::inv_06_only_current_attempt_counts(view)?;
    scope::inv_13_records_explained(view)?;
    scope::inv_17_cancel_is_complete(view)?;
    scope::inv_18_branch_exact(view)?;
    scope::inv_26_given_ends_count(view)?;
    scope::inv_23_patches_append(view)
}

/// Checks all invariants after a batch was taken.
///
/// # Errors
/// The first invariant that does not hold.
pub fn after_step(
    facts: &Facts,
    before: &Snapshot,
    after: &Snapshot,
    machine: &Scheduler,
    model: &Model,
) -> Check {
    standing(facts, after, machine, model)?;
    state::inv_03_ends_are_final(before, after)
}

/// Checks all invariants of a recovered scheduler.
///
/// # Errors
/// The first invariant that does not hold.
pub fn after_crash(facts: &Facts, journal: &[Entry], recovered: &Snapshot, model: &Model) -> Check {
    state::inv_01_dependencies_satisfied(facts, recovered)?;
    state::inv_02_lanes_within_capacity(facts, recovered)?;
    crash::inv_04_nothing_committed_is_lost(journal, recovered)?;
    crash::inv_15_crash_adds_only_attempts(recovered, model)
}

fn standing(facts: &Facts, after: &Snapshot, machine: &Scheduler, model: &Model) -> Check {
    state::inv_01_dependencies_satisfied(facts, after)?;
    state::inv_02_lanes_within_capacity(facts, after)?;
    inv_07_timers(after, machine, model)?;
    state::inv_09_no_hang(after, machine, model)?;
    explain::inv_19_explain_agrees(facts, after, machine, model)
}
