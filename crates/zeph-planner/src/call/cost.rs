//! The highest possible cost of a call, and the length of its answer within a budget.

use zeph_executor::{Budget, Spend, TaskError};
use zeph_llm::{Capabilities, ErrorKind, LlmError, LlmRequest, Prices};

use super::error::carry;

/// The most tokens of an answer if the request sets no limit.
pub(super) const DEFAULT_OUTPUT_TOKENS: u32 = 1_024;

/// The shortest answer that is worth a call when the budget runs out, unless the request wants less.
const MIN_OUTPUT_TOKENS: u32 = 64;

/// The most tokens of a request and of its answer that fit into a model's context window, at most the
/// wanted ones. The answer takes at most half of the window.
pub(crate) fn within_window(can: Capabilities, input: u32, output: u32) -> (u64, u32) {
    let window = can.context_tokens.unwrap_or(u32::MAX);
    let output = output.min(can.max_output_tokens.unwrap_or(u32::MAX));
    let output = output.min(window / 2).max(1);
    (input.min(window.saturating_sub(output)).into(), output)
}

/// The reservation of a call in the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CostReservation {
    /// The most tokens of the request: its size in bytes.
    pub(super) input_tokens: u32,
    /// The most tokens of the answer.
    pub(super) max_output_tokens: u32,
    /// The most tokens of the answer without a budget.
    pub(super) wanted_output: u32,
    /// The highest possible cost.
    pub(super) most: Spend,
    /// The rest of the budget before the reservation.
    pub(super) left: Budget,
}

/// The reservation for a call, with an answer as long as the budget covers, at least 64 tokens.
///
/// # Errors
/// `OverBudget` if the budget does not cover such an answer; `Unsupported` with the code
/// `unknown_price` if money is limited and the price of the model is unknown.
pub(super) fn upper_bound(
    name: &str,
    can: Capabilities,
    request: &LlmRequest,
    left: Budget,
) -> Result<CostReservation, LlmError> {
    let input = u32::try_from(request.bytes()).unwrap_or(u32::MAX);
    let wanted = request.max_output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    let wanted = wanted.min(can.max_output_tokens.unwrap_or(u32::MAX)).max(1);
    if can.prices.is_none() && left.micro_usd().is_some() {
        return Err(unknown_price(name));
    }
    let prices = can.prices.unwrap_or(Prices::FREE);
    let output = wanted.min(affordable(prices, input, left));
    let least = wanted.min(MIN_OUTPUT_TOKENS);
    if output < least {
        return Err(over_budget(name, prices, input, least, left));
    }
    let most = spend(prices, input, output).ok_or_else(|| too_large(name))?;
    Ok(CostReservation {
        input_tokens: input,
        max_output_tokens: output,
        wanted_output: wanted,
        most,
        left,
    })
}

/// The most tokens of an answer that the budget covers beside the request.
fn affordable(prices: Prices, input: u32, left: Budget) -> u32 {
    let by_tokens = match left.tokens() {
        None => u64::from(u32::MAX - input),
        Some(tokens) => tokens.saturating_sub(input.into()),
    };
    let by_money = match (left.micro_usd(), prices.output) {
        (None, _) => u64::MAX,
        (Some(money), 0) if prices.cost(input, 0) <= money => u64::MAX,
        (Some(_), 0) => 0,
        (Some(money), price) => {
            // The cost is rounded up once, as a sum, so the parts are compared before the division.
            let money = u128::from(money) * 1_000_000;
            let rest = money.checked_sub(u128::from(prices.input) * u128::from(input));
            rest.map_or(0, |rest| {
                u64::try_from(rest / u128::from(price)).unwrap_or(u64::MAX)
            })
        }
    };
    u32::try_from(by_tokens.min(by_money)).unwrap_or(u32::MAX)
}

/// The cost of a call; `None` if it exceeds the largest cost of one call.
pub(super) fn spend(prices: Prices, input: u32, output: u32) -> Option<Spend> {
    Some(Spend {
        tokens: input.checked_add(output)?,
        micro_usd: u32::try_from(prices.cost(input, output)).ok()?,
    })
}

/// The error if the budget does not cover a call.
fn over_budget(name: &str, prices: Prices, input: u32, output: u32, left: Budget) -> LlmError {
    let asked = spend(prices, input, output).unwrap_or(Spend {
        tokens: u32::MAX,
        micro_usd: u32::MAX,
    });
    let error = TaskError::over_budget(asked, left);
    carry(ErrorKind::OverBudget, name, error)
}

impl CostReservation {
    /// The error of an answer that is cut off, if the budget reduced its limit.
    pub(super) fn cut_by_budget(self, name: &str, can: Capabilities) -> Option<LlmError> {
        let prices = can.prices.unwrap_or(Prices::FREE);
        let is_reduced = self.max_output_tokens < self.wanted_output;
        is_reduced.then(|| {
            let (input, wanted) = (self.input_tokens, self.wanted_output);
            over_budget(name, prices, input, wanted, self.left)
        })
    }
}

fn unknown_price(name: &str) -> LlmError {
    let message = format!(
        "a cost limit is set, but no price is known for model {name}; set its prices (0 for a local model), or limit tokens instead"
    );
    let error = TaskError::refused(message).with_code("unknown_price");
    carry(ErrorKind::Unsupported, name, error)
}

fn too_large(name: &str) -> LlmError {
    let message = format!(
        "one call of {name} could cost more than 4294 USD or 4,294,967,295 tokens; lower max_output_tokens"
    );
    let error = TaskError::permanent(message).with_code("call_too_large");
    carry(ErrorKind::BadRequest, name, error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeph_executor::Budget;
    use zeph_llm::{Capabilities, ErrorKind, LlmRequest, Prices};

    use super::{CostReservation, MIN_OUTPUT_TOKENS, upper_bound};
    use crate::call::task_error;

    const CLOUD: Capabilities = Capabilities {
        prices: Some(Prices {
            input: 3_000_000,
            output: 15_000_000,
        }),
        ..Capabilities::TEXT
    };

    #[test]
    fn the_answer_is_reduced_to_the_budget_but_not_below_the_minimum() {
        for (wanted, left, granted) in [
            (500, 501, Some(500)),
            (500, 70, Some(70)),
            (500, 63, None),
            (5, 5, Some(5)),
        ] {
            let request = LlmRequest::new("x").max_output_tokens(wanted);
            let left = Budget::of_tokens(request.bytes() as u64 + left);
            let bound = upper_bound("m", Capabilities::TEXT, &request, left);
            assert_eq!(bound.map(|bound| bound.max_output_tokens).ok(), granted);
        }
    }

    #[test]
    fn a_cost_limit_needs_a_price() {
        let request = LlmRequest::new("x");
        let left = Budget::of_micro_usd(1_000_000);
        let error = upper_bound("m", Capabilities::TEXT, &request, left);
        let error = task_error(&error.expect_err("the price is unknown"));
        assert_eq!(error.code(), "unknown_price");
        let free = Capabilities {
            prices: Some(Prices::FREE),
            ..Capabilities::TEXT
        };
        assert!(upper_bound("m", free, &request, left).is_ok());
    }

    proptest! {
        #[test]
        fn a_bound_is_covered_and_as_long_as_possible(
            wanted in 1u32..5_000,
            left_tokens in prop::option::of(0u64..6_000),
            left_money in prop::option::of(0u64..80_000),
        ) {
            let request = LlmRequest::new("how many?").max_output_tokens(wanted);
            let left = Budget::new(left_tokens, left_money);
            let covers = |output: u32| {
                let spend = super::spend(CLOUD.prices.unwrap_or(Prices::FREE), request.bytes() as u32, output);
                spend.is_some_and(|spend| left.covers(spend.into()))
            };
            match upper_bound("m", CLOUD, &request, left) {
                Ok(CostReservation { max_output_tokens: output, most, .. }) => {
                    prop_assert!(left.covers(most.into()));
                    prop_assert!(output == wanted || !covers(output + 1));
                    prop_assert!(output >= wanted.min(MIN_OUTPUT_TOKENS));
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::OverBudget);
                    prop_assert!(!covers(wanted.min(MIN_OUTPUT_TOKENS)));
                }
            }
        }
    }
}
