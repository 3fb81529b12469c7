//! Commands that are suggested by more than one page.

use zeph_graph::Usd;
use zeph_runtime::RunView;

/// The tokens of a few calls.
const FEW_CALLS: u64 = 20_000;

/// Flags that allow a few more calls, as an example for the person.
pub(crate) fn more_budget(view: &RunView) -> String {
    let (budget, spent) = (view.scheduler.budget(), view.scheduler.spent());
    let twice = |limit: u64, spent: u64| limit.max(spent).saturating_mul(2);
    let mut flags = Vec::new();
    if let Some(limit) = budget.tokens() {
        // A call reserves its request and the longest answer, which is some thousand tokens.
        let tokens = twice(limit, spent.tokens).max(spent.tokens.saturating_add(FEW_CALLS));
        flags.push(format!("--tokens {tokens}"));
    }
    if let Some(limit) = budget.micro_usd() {
        let usd = Usd(twice(limit, spent.micro_usd).max(1));
        flags.push(format!("--usd {usd}"));
    }
    if flags.is_empty() {
        // Only a task has a limit, or there is no limit at all.
        return "--tokens N".to_owned();
    }
    flags.join(" ")
}
