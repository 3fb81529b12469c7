//! Budgets: how much a plan, or a task of it, may spend.

use zeph_graph::{Budget, OverBudget};

use crate::errors::PlanCode;
use crate::fields::{self, Fields};
use crate::node::{Node, Value};
use crate::place::Problems;

/// A million dollars: more is a slip of the keyboard.
const MAX_USD: f64 = 1_000_000.0;

/// Reads `budget`: a number of tokens, or a table of `tokens` and `usd`.
pub(crate) fn read(node: &Node, problems: &mut Problems) -> Option<Budget> {
    if let Value::Number(_) = node.value {
        return Some(Budget {
            tokens: tokens(node, "`budget`", problems)?,
            ..Budget::UNLIMITED
        });
    }
    let fields = Fields::open(node, "`budget`", &["tokens", "usd"], problems)?;
    let (in_tokens, in_usd) = (fields.get("tokens"), fields.get("usd"));
    if in_tokens.is_none() && in_usd.is_none() && fields.entries().is_empty() {
        problems
            .add(PlanCode::MissingKey, node.place, "`budget` limits nothing")
            .help("write a number of tokens, or { tokens = …, usd = … }");
        return None;
    }
    let unlimited = Budget::UNLIMITED;
    Some(Budget {
        tokens: in_tokens
            .and_then(|node| tokens(node, "`tokens`", problems))
            .unwrap_or(unlimited.tokens),
        micro_usd: in_usd
            .and_then(|node| micro_usd(node, problems))
            .unwrap_or(unlimited.micro_usd),
    })
}

/// Reads `over_budget`.
pub(crate) fn over(node: &Node, problems: &mut Problems) -> Option<OverBudget> {
    let words = [("ask", OverBudget::Ask), ("partial", OverBudget::Partial)];
    fields::word(node, "`over_budget`", &words, problems)
}

fn tokens(node: &Node, what: &str, problems: &mut Problems) -> Option<u64> {
    let most = (1, i64::MAX);
    let tokens: i64 = fields::integer(node, what, most, problems)?;
    u64::try_from(tokens).ok()
}

/// Dollars as millionths, rounded to the nearest.
fn micro_usd(node: &Node, problems: &mut Problems) -> Option<u64> {
    let Value::Number(number) = &node.value else {
        fields::wrong_type(node, "`usd`", "a number", problems);
        return None;
    };
    let usd = number.as_f64().unwrap_or(f64::NAN);
    if !(usd > 0.0 && usd <= MAX_USD) {
        let message = format!("`usd` must be above 0 and at most {MAX_USD}, and is {number}");
        problems.add(PlanCode::BadValue, node.place, message);
        return None;
    }
    // Within the range above, and not negative.
    Some(((usd * 1e6).round() as u64).max(1))
}
