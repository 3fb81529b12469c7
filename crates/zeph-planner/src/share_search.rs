//! Searches for shares: what is made with a share is measured as a whole, because counts of parts do not add up.

/// How often a share is reduced until the whole fits.
const FIT_TRIES: u32 = 4;
/// How often what is left over is given away.
const FILL_TRIES: u32 = 4;
/// So many tokens may be left over.
const LEAST_FILLED: u64 = 4;

/// Reduces a share until what is made with it fits a budget.
pub(crate) struct ReducedShare {
    pub(crate) share: u64,
    budget: u64,
    tried: u32,
}

impl ReducedShare {
    pub(crate) fn new(share: u64, budget: u64) -> Self {
        Self {
            share,
            budget,
            tried: 0,
        }
    }

    /// Whether there is a smaller share to try, after this one made that many tokens.
    pub(crate) fn reduce(&mut self, total: u64) -> bool {
        let tried = self.tried;
        self.tried += 1;
        if total <= self.budget || self.share == 0 || self.tried > FIT_TRIES {
            return false;
        }
        let excess = (total - self.budget) << tried;
        self.share = self.share.saturating_sub(excess);
        true
    }
}

/// Gives what is left of a budget to a part, as long as the whole fits.
pub(crate) struct LeftOver {
    budget: u64,
    left: u64,
    tried: u32,
}

impl LeftOver {
    /// What a whole of that many tokens leaves.
    pub(crate) fn of(budget: u64, total: u64) -> Self {
        Self {
            budget,
            left: budget.saturating_sub(total),
            tried: 0,
        }
    }

    /// The tokens to give to a part next; `None` if it is not worth a further try.
    pub(crate) fn more(&mut self) -> Option<u64> {
        self.tried += 1;
        (self.tried <= FILL_TRIES && self.left > LEAST_FILLED).then_some(self.left)
    }

    /// Whether the whole fits, after it had that many tokens with the last gift.
    pub(crate) fn fits(&mut self, total: u64) -> bool {
        let fits = total <= self.budget;
        self.left = match fits {
            true => self.budget - total,
            false => self.left.saturating_sub(total - self.budget),
        };
        fits
    }
}
