//! Budgets: limits of tokens and money, and the cost of calls.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The cost of one call of a service: the actual cost or an upper bound.
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
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spend {
    /// Tokens, in and out.
    pub tokens: u32,
    /// Millionths of a dollar.
    pub micro_usd: u32,
}

impl Spend {
    /// No cost.
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

/// The total cost of several calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Spent {
    /// Tokens, in and out.
    pub tokens: u64,
    /// Millionths of a dollar.
    pub micro_usd: u64,
}

impl Spent {
    /// The sum with one more call; saturates at `u64::MAX`.
    #[must_use]
    pub const fn plus(self, spend: Spend) -> Self {
        Self {
            tokens: self.tokens.saturating_add(spend.tokens as u64),
            micro_usd: self.micro_usd.saturating_add(spend.micro_usd as u64),
        }
    }

    /// The sum of both; saturates at `u64::MAX`.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            micro_usd: self.micro_usd.saturating_add(other.micro_usd),
        }
    }

    /// The cost without one of its calls; saturates at 0.
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

/// The most that a run, or a task of it, may cost. Tokens and money each have a limit or none.
///
/// # Examples
/// ```
/// use zeph_graph::{Budget, Spend, Spent};
/// let budget = Budget::of_tokens(1_000);
/// let spent = Spent { tokens: 900, micro_usd: 0 };
/// assert!(budget.covers(spent.plus(Spend { tokens: 100, micro_usd: 5 })));
/// assert!(!budget.covers(spent.plus(Spend { tokens: 101, micro_usd: 0 })));
/// ```
#[derive(Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(from = "Limits", into = "Limits")]
pub struct Budget {
    // `u64::MAX` is no limit. Two `Option<u64>` would make every record of a journal a third larger.
    tokens: u64,
    micro_usd: u64,
}

impl Budget {
    /// No limit.
    pub const UNLIMITED: Self = Self::new(None, None);

    /// Limits for tokens and for millionths of a dollar; `None`, or `u64::MAX`, is no limit.
    #[must_use]
    pub const fn new(tokens: Option<u64>, micro_usd: Option<u64>) -> Self {
        const fn limit(number: Option<u64>) -> u64 {
            match number {
                Some(number) => number,
                None => u64::MAX,
            }
        }
        Self {
            tokens: limit(tokens),
            micro_usd: limit(micro_usd),
        }
    }

    /// A limit for tokens, in and out, and none for money.
    #[must_use]
    pub const fn of_tokens(tokens: u64) -> Self {
        Self::new(Some(tokens), None)
    }

    /// A limit for money, in millionths of a dollar, and none for tokens.
    #[must_use]
    pub const fn of_micro_usd(micro_usd: u64) -> Self {
        Self::new(None, Some(micro_usd))
    }

    /// The most tokens, in and out; `None` is no limit.
    #[must_use]
    pub const fn tokens(self) -> Option<u64> {
        Self::number(self.tokens)
    }

    /// The most money, in millionths of a dollar; `None` is no limit.
    #[must_use]
    pub const fn micro_usd(self) -> Option<u64> {
        Self::number(self.micro_usd)
    }

    const fn number(limit: u64) -> Option<u64> {
        if limit == u64::MAX { None } else { Some(limit) }
    }

    /// Whether there is no limit at all.
    #[must_use]
    pub const fn is_unlimited(self) -> bool {
        self.tokens().is_none() && self.micro_usd().is_none()
    }

    /// The rest of the budget after this cost, at least 0. An absent limit stays absent.
    #[must_use]
    pub const fn without(self, spent: Spent) -> Self {
        const fn rest(limit: Option<u64>, spent: u64) -> Option<u64> {
            match limit {
                Some(limit) => Some(limit.saturating_sub(spent)),
                None => None,
            }
        }
        Self::new(
            rest(self.tokens(), spent.tokens),
            rest(self.micro_usd(), spent.micro_usd),
        )
    }

    /// The smaller of both limits, for tokens and for money.
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

    /// The part of a call's highest cost that the budget covers, for tokens and for money.
    #[must_use]
    pub const fn part_of(self, most: Spend) -> Spend {
        const fn part(limit: u64, most: u32) -> u32 {
            // The smaller one of both fits, because one of them is a `u32`.
            if limit < most as u64 {
                limit as u32
            } else {
                most
            }
        }
        Spend {
            tokens: part(self.tokens, most.tokens),
            micro_usd: part(self.micro_usd, most.micro_usd),
        }
    }

    /// Whether the budget covers this cost.
    #[must_use]
    pub const fn covers(self, spent: Spent) -> bool {
        spent.tokens <= self.tokens && spent.micro_usd <= self.micro_usd
    }
}

/// The JSON form of a budget; an absent number is no limit.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Limits {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    micro_usd: Option<u64>,
}

impl From<Budget> for Limits {
    fn from(budget: Budget) -> Self {
        let (tokens, micro_usd) = (budget.tokens(), budget.micro_usd());
        Self { tokens, micro_usd }
    }
}

impl From<Limits> for Budget {
    fn from(limits: Limits) -> Self {
        Self::new(limits.tokens, limits.micro_usd)
    }
}

impl Default for Budget {
    fn default() -> Self {
        Self::UNLIMITED
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Budget")
            .field("tokens", &self.tokens())
            .field("micro_usd", &self.micro_usd())
            .finish()
    }
}

impl fmt::Display for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.tokens(), self.micro_usd()) {
            (None, None) => f.write_str("no limit"),
            (Some(tokens), None) => write!(f, "{tokens} tokens"),
            (None, Some(money)) => write!(f, "{} USD", Usd(money)),
            (Some(tokens), Some(money)) => write!(f, "{tokens} tokens and {} USD", Usd(money)),
        }
    }
}

/// Money in millionths of a dollar, displayed in dollars without trailing zeros and without the currency.
///
/// # Examples
/// ```
/// use zeph_graph::Usd;
/// assert_eq!(Usd(1_500_000).to_string(), "1.5");
/// assert_eq!(Usd(7).to_string(), "0.000007");
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Usd(pub u64);

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
    fn the_rest_of_no_limit_is_no_limit() {
        let budget = Budget::of_tokens(10);
        let spent = Spent {
            tokens: 12,
            micro_usd: 7,
        };
        let none = Budget::of_tokens(0);
        assert_eq!(budget.without(spent), none);
        assert_eq!(Budget::UNLIMITED.without(spent), Budget::UNLIMITED);
        assert_eq!(Budget::UNLIMITED.min(budget), budget);
    }

    #[test]
    fn a_part_is_the_smaller_number_of_each() {
        let most = Spend {
            tokens: 100,
            micro_usd: 7,
        };
        assert_eq!(Budget::UNLIMITED.part_of(most), most);
        let part = Budget::new(Some(40), Some(9)).part_of(most);
        assert_eq!((part.tokens, part.micro_usd), (40, 7));
    }

    #[test]
    fn budgets_are_written_with_their_units() {
        let text = |tokens, micro_usd| Budget::new(tokens, micro_usd).to_string();
        assert_eq!(text(None, None), "no limit");
        assert_eq!(text(Some(u64::MAX), None), "no limit");
        assert_eq!(text(Some(0), None), "0 tokens");
        assert_eq!(text(None, Some(1_500_000)), "1.5 USD");
        assert_eq!(text(Some(5), Some(0)), "5 tokens and 0 USD");
    }
}
