//! Budgets: how many tokens and how much money work may cost, and what one call costs.

use std::fmt;

/// What one call of a service costs, or may cost at most.
///
/// Money is in millionths of the currency that prices are given in (US dollars by default). One call
/// costs at most `u32::MAX` of each: 4.29 thousand million tokens, 4294.97 dollars.
///
/// # Examples
/// ```
/// use zeph_graph::Spend;
/// let call = Spend { tokens: 1_200, micro_usd: 3_000 };
/// assert_eq!(call.to_string(), "1200 tokens, 0.003 USD");
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spend {
    /// Tokens, in and out.
    pub tokens: u32,
    /// Millionths of a dollar.
    pub micro_usd: u32,
}

impl Spend {
    /// Nothing.
    pub const ZERO: Self = Self {
        tokens: 0,
        micro_usd: 0,
    };
}

impl fmt::Display for Spend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Spent::from(*self).fmt(f)
    }
}

/// What many calls have cost together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Tokens, in and out.
    pub tokens: u64,
    /// Millionths of a dollar.
    pub micro_usd: u64,
}

impl Spent {
    /// This and one more call. Stays at the largest number there is.
    #[must_use]
    pub const fn plus(self, spend: Spend) -> Self {
        Self {
            tokens: self.tokens.saturating_add(spend.tokens as u64),
            micro_usd: self.micro_usd.saturating_add(spend.micro_usd as u64),
        }
    }

    /// Both together. Stays at the largest number there is.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
        }
    }

    /// This without one call that is in it. Stays at 0.
    #[must_use]
    pub const fn minus(self, spend: Spend) -> Self {
        Self {
            tokens: self.tokens.saturating_sub(spend.tokens as u64),
            micro_usd: self.micro_usd.saturating_sub(spend.micro_usd as u64),
        }
    }
}

impl From<Spend> for Spent {
    fn from(spend: Spend) -> Self {
        Self::default().plus(spend)
    }
}

impl fmt::Display for Spent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} tokens", self.tokens)?;
        if self.micro_usd > 0 {
            write!(f, ", {} USD", Usd(self.micro_usd))?;
        }
        Ok(())
    }
}

/// The most that a run, or a task of it, may cost.
///
/// # Examples
/// ```
/// use zeph_graph::{Budget, Spend, Spent};
/// let budget = Budget { tokens: 1_000, ..Budget::UNLIMITED };
/// let spent = Spent { tokens: 900, micro_usd: 0 };
/// assert!(budget.covers(spent.plus(Spend { tokens: 100, micro_usd: 5 })));
/// assert!(!budget.covers(spent.plus(Spend { tokens: 101, micro_usd: 0 })));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Budget {
    /// Tokens, in and out; `u64::MAX` is no limit.
    pub tokens: u64,
    /// Millionths of a dollar; `u64::MAX` is no limit.
    pub micro_usd: u64,
}

impl Budget {
    /// No limit.
    pub const UNLIMITED: Self = Self {
        tokens: u64::MAX,
        micro_usd: u64::MAX,
    };

    /// Whether there is no limit at all.
    #[must_use]
    pub const fn is_unlimited(self) -> bool {
        self.tokens == u64::MAX && self.micro_usd == u64::MAX
    }

    /// What is left of it. Where there is no limit, none is left either; elsewhere it stays at 0.
    #[must_use]
    pub const fn without(self, spent: Spent) -> Self {
        const fn rest(limit: u64, spent: u64) -> u64 {
            if limit == u64::MAX {
                u64::MAX
            } else {
                limit.saturating_sub(spent)
            }
        }
        Self {
            tokens: rest(self.tokens, spent.tokens),
            micro_usd: rest(self.micro_usd, spent.micro_usd),
        }
    }

    /// What both allow.
    #[must_use]
    pub const fn min(self, other: Self) -> Self {
        const fn less(a: u64, b: u64) -> u64 {
            if a < b { a } else { b }
        }
        Self {
            tokens: less(self.tokens, other.tokens),
            micro_usd: less(self.micro_usd, other.micro_usd),
        }
    }

    /// Whether so much may be spent.
    #[must_use]
    pub const fn covers(self, spent: Spent) -> bool {
        spent.tokens <= self.tokens && spent.micro_usd <= self.micro_usd
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::UNLIMITED
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tokens, self.micro_usd) {
            (u64::MAX, u64::MAX) => f.write_str("no limit"),
            (tokens, u64::MAX) => write!(f, "{tokens} tokens"),
            (u64::MAX, money) => write!(f, "{} USD", Usd(money)),
            (tokens, money) => write!(f, "{tokens} tokens and {} USD", Usd(money)),
        }
    }
}

/// Millionths as a decimal fraction without trailing zeros.
struct Usd(u64);

impl fmt::Display for Usd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / 1_000_000, self.0 % 1_000_000);
        let part = format!("{part:06}");
        let part = part.trim_end_matches('0');
        if part.is_empty() {
            write!(f, "{whole}")
        } else {
            write!(f, "{whole}.{part}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, Spend, Spent};

    #[test]
    fn sums_stay_within_their_numbers() {
        let most = Spent {
            tokens: u64::MAX,
            micro_usd: u64::MAX,
        };
        let call = Spend {
            tokens: 1,
            micro_usd: 1,
        };
        assert_eq!(most.plus(call), most);
        assert_eq!(Spent::default().minus(call), Spent::default());
        assert!(Budget::UNLIMITED.covers(most));
    }

    #[test]
    fn what_is_left_of_no_limit_is_no_limit() {
        let budget = Budget {
            tokens: 10,
            ..Budget::UNLIMITED
        };
        let spent = Spent {
            tokens: 12,
            micro_usd: 7,
        };
        let none = Budget {
            tokens: 0,
            ..Budget::UNLIMITED
        };
        assert_eq!(budget.without(spent), none);
        assert_eq!(Budget::UNLIMITED.without(spent), Budget::UNLIMITED);
        assert_eq!(Budget::UNLIMITED.min(budget), budget);
    }

    #[test]
    fn money_is_told_as_a_fraction() {
        let told = |micro_usd| {
            Budget {
                micro_usd,
                ..Budget::UNLIMITED
            }
            .to_string()
        };
        assert_eq!(told(0), "0 USD");
        assert_eq!(told(1_500_000), "1.5 USD");
        assert_eq!(told(7), "0.000007 USD");
    }
}
