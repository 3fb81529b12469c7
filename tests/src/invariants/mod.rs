//! Invariants: one function each, by number and name, over what can be seen after an event.
//!
//! Numbers 1 to 18 are those of the list of scheduler invariants. Those that are about the journal as
//! a text (8, 12, 16 and parts of others) are held by the [`audit`](crate::audit).

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

use crate::call::{Call, Said};
use crate::facts::Facts;
use crate::model::Model;
use crate::violation::Check;

/// What can be seen after something has happened.
#[derive(Debug)]
pub struct View<'a> {
    /// Graph and policy.
    pub facts: &'a Facts,
    /// The state before it.
    pub before: &'a Snapshot,
    /// The state after it.
    pub after: &'a Snapshot,
    /// The machine after it.
    pub machine: &'a Scheduler,
    /// The model after it.
    pub model: &'a Model,
    /// What happened.
    pub what: &'a Call,
    /// What the machine said to it.
    pub said: Said,
    /// Whether a timer was due at the input's time.
    pub timers_due: bool,
}

/// All that must hold after an input.
///
/// # Errors
/// The first invariant that does not.
pub fn after_input(view: &View<'_>) -> Check {
    standing(view.facts, view.after, view.machine, view.model)?;
    state::inv_03_ends_are_final(view.before, view.after)?;
    scope::inv_06_only_current_attempt_counts(view)?;
    scope::inv_13_records_explained(view)?;
    scope::inv_17_cancel_is_complete(view)?;
    scope::inv_18_branch_exact(view)?;
    scope::inv_23_patches_append(view)
}

/// All that must hold after a batch was taken.
///
/// # Errors
/// The first invariant that does not.
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

/// All that must hold when a machine has been recovered.
///
/// # Errors
/// The first invariant that does not.
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
