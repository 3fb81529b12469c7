//! Mix: the weights of the event kinds in one run. Each seed draws its own.
//!
//! A run with equal weights rarely repeats one kind of event often; a run with a few kinds covers those
//! thoroughly.

use crate::rng::Rng;

/// The event mix of one run: weights and percentages.
#[derive(Clone, Debug)]
pub struct Mix {
    /// The number of random events before the run is drained.
    pub events: u64,
    /// Weights of the kinds of events, by [`Kind`] in order.
    pub weights: [u64; KINDS],
    /// The percentage of reports that are failures.
    pub failing: u64,
    /// The percentage of failures with a `retry_after`.
    pub floors: u64,
    /// The percentage of executors that ignore their cancellation.
    pub stubborn: u64,
    /// The percentage of batches that are still being saved when the next input arrives.
    pub slow_disk: u64,
    /// The percentage of appends at which the process crashes.
    pub crashing: u64,
    /// An append with a certain crash, and whether that append succeeds.
    pub crash_at: Option<(u64, bool)>,
    /// The percentage of executors that report a second time.
    pub echoes: u64,
}

/// The number of kinds.
pub const KINDS: usize = 24;

/// A kind of random event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An attempt in flight reports.
    Report,
    /// Time passes up to the next deadline, or a little less or more.
    Deadline,
    /// A little time passes.
    Wait,
    /// The clock jumps far, either way.
    Jump,
    /// An open question gets a valid answer.
    Answer,
    /// A question, open or not, gets an answer that may be invalid.
    OddAnswer,
    /// An ended attempt reports again.
    Echo,
    /// A report for a task or attempt that never existed.
    Nonsense,
    /// An attempt is lost.
    Lose,
    /// A task is canceled.
    CancelTask,
    /// A task and its descendants are canceled.
    CancelCone,
    /// The run is canceled.
    CancelRun,
    /// The run is paused or unpaused.
    Pause,
    /// The run is suspended.
    Suspend,
    /// The run is resumed.
    Resume,
    /// The run's share of the slots changes.
    Quota,
    /// The run's share of a shared lane changes.
    LaneQuota,
    /// An attempt reserves a part of the budget.
    Reserve,
    /// An attempt settles a reservation.
    Settle,
    /// An attempt records a note.
    Note,
    /// An attempt proposes a patch.
    Amend,
    /// The run's budget is changed.
    SetBudget,
    /// A person gives a task its end.
    Override,
    /// A preparation ends.
    Prepare,
}

impl Kind {
    /// All kinds, in the order of the weights.
    pub const ALL: [Self; KINDS] = [
        Self::Report,
        Self::Deadline,
        Self::Wait,
        Self::Jump,
        Self::Answer,
        Self::OddAnswer,
        Self::Echo,
        Self::Nonsense,
        Self::Lose,
        Self::CancelTask,
        Self::CancelCone,
        Self::CancelRun,
        Self::Pause,
        Self::Suspend,
        Self::Resume,
        Self::Quota,
        Self::LaneQuota,
        Self::Reserve,
        Self::Settle,
        Self::Note,
        Self::Amend,
        Self::SetBudget,
        Self::Override,
        Self::Prepare,
    ];
}

impl Mix {
    /// Draws a mix.
    pub fn draw(rng: &mut Rng) -> Self {
        let usual = [
            40, 14, 10, 1, 10, 2, 3, 1, 3, 3, 2, 1, 3, 3, 6, 2, 6, 18, 8, 3, 9, 3, 3, 20,
        ];
        let mut weights = usual;
        for weight in &mut weights {
            match rng.below(8) {
                0 | 1 => *weight = 0,
                2 => *weight *= 4,
                _ => {}
            }
        }
        let often = |rng: &mut Rng, percent| if rng.percent(60) { percent } else { 0 };
        Self {
            events: rng.within(5, 50),
            weights,
            failing: *rng.pick(&[0, 10, 40, 70, 95]).unwrap_or(&40),
            floors: often(rng, 25),
            stubborn: often(rng, 30),
            slow_disk: often(rng, 35),
            crashing: often(rng, 6),
            crash_at: None,
            echoes: often(rng, 20),
        }
    }
}
