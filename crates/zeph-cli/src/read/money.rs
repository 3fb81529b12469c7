//! Money: budgets and what was spent of them, in words and for programs.

use serde_json::{Value, json};
use zeph_graph::{Budget, Spent};

/// What was spent, for programs.
pub(crate) fn spent_json(spent: Spent) -> Value {
    json!({ "tokens": spent.tokens, "micro_usd": spent.micro_usd })
}

/// A budget, for programs; null is no limit.
pub(crate) fn budget_json(budget: Budget) -> Value {
    let limit = |limit: u64| (limit != u64::MAX).then_some(limit);
    json!({ "tokens": limit(budget.tokens), "micro_usd": limit(budget.micro_usd) })
}

/// `1200 tokens of 5000 tokens`; nothing where nothing was spent and nothing is limited.
pub(crate) fn spent_of(spent: Spent, budget: Budget) -> Option<String> {
    match (spent == Spent::default(), budget.is_unlimited()) {
        (true, true) => None,
        (false, true) => Some(spent.to_string()),
        (_, false) => Some(format!("{spent} of {budget}")),
    }
}

/// Millionths of a dollar as dollars.
pub(crate) fn usd(micro_usd: u64) -> String {
    let text = format!("{}.{:06}", micro_usd / 1_000_000, micro_usd % 1_000_000);
    let text = text.trim_end_matches('0').trim_end_matches('.');
    format!("{text} USD")
}
