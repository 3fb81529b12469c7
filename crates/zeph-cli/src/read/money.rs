//! Spending and budgets, for people and for programs.

use serde_json::{Value, json};
use zeph_graph::{Budget, Spent};

/// The spending, for programs.
pub(crate) fn spent_json(spent: Spent) -> Value {
    json!({ "tokens": spent.tokens, "micro_usd": spent.micro_usd })
}

/// A budget, for programs; null is no limit.
pub(crate) fn budget_json(budget: Budget) -> Value {
    json!({ "tokens": budget.tokens(), "micro_usd": budget.micro_usd() })
}

/// `1200 tokens of 5000 tokens`; `None` without spending and without a limit.
pub(crate) fn spent_of(spent: Spent, budget: Budget) -> Option<String> {
    match (spent == Spent::default(), budget.is_unlimited()) {
        (true, true) => None,
        (false, true) => Some(spent.to_string()),
        (_, false) => Some(format!("{spent} of {budget}")),
    }
}
