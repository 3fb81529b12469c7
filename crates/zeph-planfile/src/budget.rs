//! Budgets: how much a plan, or a task of it, may spend.

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Value};
use zeph_graph::{Budget, OverBudget};

use crate::code;

/// A million dollars; a larger number is probably a typing error.
const MAX_USD: f64 = 1_000_000.0;

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

/// Dollars as millionths, rounded to the nearest, at least 1.
fn micro_usd(node: &Node, problems: &mut Diagnostics) -> Option<u64> {
    let usd = match node.value {
        Value::Integer(number) => number as f64,
        Value::Float(number) => number,
        Value::Null | Value::Bool(_) | Value::String(_) | Value::List(_) | Value::Table(_) => {
            node.wrong_type("`usd`", "a number", problems);
            return None;
        }
    };
    if !(usd > 0.0 && usd <= MAX_USD) {
        let message = format!("`usd` must be above 0 and at most {MAX_USD}, not {usd}");
        problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
        return None;
    }
    // In range and positive, because of the check above.
    Some(((usd * 1e6).round() as u64).max(1))
}
