//! Mix: the weights of the event kinds in one run. Each seed draws its own.
//!
//! Runs that do a little of everything never do much of anything; a run that draws only a few kinds
//! of events goes deep into those.

use crate::rng::Rng;

/// How one run mixes events; weights and percentages.
#[derive(Clone, Debug)]
pub struct Mix {
    /// Wild events before people and executors begin to answer.
    pub events: u64,
    /// Weights of the kinds of events, by [`Kind`] in order.
    pub weights: [u64; KINDS],
    /// Reports that are failures.
    pub failing: u64,
    /// Failures that name a shortest wait.
    pub floors: u64,
    /// Executors that ignore their cancellation.
    pub stubborn: u64,
    /// Batches that stay in flight while other inputs come.
    pub slow_disk: u64,
    /// Appends at which the process dies.
    pub crashing: u64,
    /// The append at which it dies for certain, and whether the append succeeds.
    pub crash_at: Option<(u64, bool)>,
    /// Executors that report a second time.
    pub echoes: u64,
}

/// The number of kinds.
pub const KINDS: usize = 21;

/// A kind of wild event.
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
    /// An open question is answered in a way that fits.
    Answer,
    /// A question is answered in a way that need not fit; open or not.
    OddAnswer,
    /// An attempt that is over reports again.
    Echo,
    /// A report of a task or attempt that never was.
    Nonsense,
    /// An attempt is lost.
    Lose,
    /// A task is cancelled.
    CancelTask,
    /// A task and what depends on it is cancelled.
    CancelCone,
    /// The run is cancelled.
    CancelRun,
    /// The run is paused or goes on.
    Pause,
    /// The run is suspended.
    Suspend,
    /// The run is resumed.
    Resume,
    /// The share of the slots changes.
    Quota,
    /// An attempt wants to spend.
    Reserve,
    /// An attempt has spent.
    Settle,
    /// An attempt leaves a note.
    Note,
    /// An attempt proposes a patch.
    Amend,
    /// The run's budget is set anew.
    SetBudget,
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
        Self::Reserve,
        Self::Settle,
        Self::Note,
        Self::Amend,
        Self::SetBudget,
    ];
}

impl Mix {
    /// Draws a mix.
    pub fn draw(rng: &mut Rng) -> Self {
        let usual = [
            40, 14, 10, 1, 10, 2, 3, 1, 3, 3, 2, 1, 3, 3, 6, 2, 18, 8, 3, 9, 3,
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
