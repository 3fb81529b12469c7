//! Budgets: how much a plan, or a task of it, may spend.

use zeph_common::{MAX_MICRO_USD, format_usd};
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Value};
use zeph_graph::{Budget, OverBudget};

use crate::code;

/// Reads `budget`: a number of tokens, or a table of `tokens` and `usd`.
pub(crate) fn read(node: &Node, problems: &mut Diagnostics) -> Option<Budget> {
    if let Value::Integer(_) = node.value {
        return Some(Budget::of_tokens(tokens(node, "`budget`", problems)?));
    }
    let fields = node.table("`budget`", &["tokens", "usd"], problems)?;
    if fields.entries().is_empty() {
        problems.push(
            Diagnostic::new(code::MISSING_KEY, "`budget` limits nothing")
                .at(node.span)
                .help("write a number of tokens, or { tokens = …, usd = … }"),
        );
        return None;
    }
    Some(Budget::new(
        fields.read("tokens", |node, what| tokens(node, what, problems)),
        fields.read("usd", |node, _| micro_usd(node, problems)),
    ))
}

/// Reads `over_budget`.
pub(crate) fn over(node: &Node, problems: &mut Diagnostics) -> Option<OverBudget> {
    node.parse("`over_budget`", OverBudget::WORDS, problems)
}

fn tokens(node: &Node, what: &str, problems: &mut Diagnostics) -> Option<u64> {
    node.integer(what, 1..=i64::MAX as u64, problems)
}

fn micro_usd(node: &Node, problems: &mut Diagnostics) -> Option<u64> {
    if !matches!(node.value, Value::Integer(_) | Value::Float(_)) {
        node.wrong_type("`usd`", "a number", problems);
        return None;
    }
    let found = node.micro_usd();
    let found = found.filter(|usd| (1..=MAX_MICRO_USD).contains(usd));
    if found.is_none() {
        let (most, given) = (format_usd(MAX_MICRO_USD), node.to_json());
        let message = format!("`usd` must be from 0.000001 to {most}, not {given}");
        let one = Diagnostic::new(code::BAD_VALUE, message).at(node.span);
        problems.push(one.help("write dollars with at most six digits after the point"));
    }
    found
}
