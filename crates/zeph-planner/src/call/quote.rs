//! Quotes: the most that a call may cost, and how long its answer may be within a budget.

use zeph_executor::{Budget, Spend, TaskError};
use zeph_llm::{Capabilities, ErrorKind, LlmError, LlmRequest, Prices};

use super::error::carry;

/// The most tokens of an answer when nobody said: 1,024.
pub const DEFAULT_OUTPUT_TOKENS: u32 = 1_024;

/// The shortest answer that is worth a call when a budget runs out: 64 tokens.
///
/// With less the model is not asked. A request that wants less than that gets what it wants.
pub const USEFUL_OUTPUT_TOKENS: u32 = 64;

/// The most tokens of a request and of its answer that a model's window has room for, within what is
/// wanted of both.
///
/// An answer may take half of a window at most, so that something can be asked.
pub(crate) fn within_window(can: Capabilities, input: u32, output: u32) -> (u64, u32) {
    let window = can.context_tokens.unwrap_or(u32::MAX);
    let output = output.min(can.max_output_tokens.unwrap_or(u32::MAX));
    let output = output.min(window / 2).max(1);
    (input.min(window.saturating_sub(output)).into(), output)
}

/// What a call takes out of the budget before it is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Quote {
    /// The tokens that its request can have at most: its bytes.
    pub(super) input_tokens: u32,
    /// The most tokens of the answer.
    pub(super) max_output_tokens: u32,
    /// The most tokens of the answer if there were no budget.
    pub(super) wanted_output: u32,
    /// Both together, and what they cost at most.
    pub(super) most: Spend,
    /// What was left when it was made.
    pub(super) left: Budget,
}

/// How much a call may take of what is left.
///
/// The answer is shortened to what the budget leaves, down to `useful` tokens and no further.
///
/// # Errors
/// `OverBudget` if not even a short answer is covered; `Unsupported` with the code `unknown_price`
/// if money is limited and nobody knows what the model costs.
pub(super) fn quote(
    name: &str,
    can: Capabilities,
    request: &LlmRequest,
    useful: u32,
    left: Budget,
) -> Result<Quote, LlmError> {
    let input = u32::try_from(request.bytes()).unwrap_or(u32::MAX);
    let wanted = request.max_output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    let wanted = wanted.min(can.max_output_tokens.unwrap_or(u32::MAX)).max(1);
    if can.prices.is_none() && left.micro_usd().is_some() {
        return Err(unknown_price(name));
    }
    let prices = can.prices.unwrap_or(Prices::FREE);
    let output = wanted.min(room(prices, input, left));
    if output < wanted.min(useful.max(1)) {
        return Err(over_budget(
            name,
            prices,
            input,
            wanted.min(useful.max(1)),
            left,
        ));
    }
    let most = spend(prices, input, output).ok_or_else(|| too_dear(name))?;
    Ok(Quote {
        input_tokens: input,
        max_output_tokens: output,
        wanted_output: wanted,
        most,
        left,
    })
}

/// The most tokens of an answer that what is left covers, beside so many of the request.
fn room(prices: Prices, input: u32, left: Budget) -> u32 {
    let by_tokens = match left.tokens() {
        None => u64::from(u32::MAX - input),
        Some(tokens) => tokens.saturating_sub(input.into()),
    };
    let by_money = match (left.micro_usd(), prices.output) {
        (None, _) => u64::MAX,
        (Some(money), 0) if prices.cost(input, 0) <= money => u64::MAX,
        (Some(_), 0) => 0,
        (Some(money), price) => {
            // The sum is rounded up as a whole, so the parts are compared before the division.
            let money = u128::from(money) * 1_000_000;
            let rest = money.checked_sub(u128::from(prices.input) * u128::from(input));
            rest.map_or(0, |rest| {
                u64::try_from(rest / u128::from(price)).unwrap_or(u64::MAX)
            })
        }
    };
    u32::try_from(by_tokens.min(by_money)).unwrap_or(u32::MAX)
}

/// What so many tokens take; `None` if it is more than one call can take.
pub(super) fn spend(prices: Prices, input: u32, output: u32) -> Option<Spend> {
    Some(Spend {
        tokens: input.checked_add(output)?,
        micro_usd: u32::try_from(prices.cost(input, output)).ok()?,
    })
}

/// That so many tokens are not covered by what is left.
fn over_budget(name: &str, prices: Prices, input: u32, output: u32, left: Budget) -> LlmError {
    let asked = spend(prices, input, output).unwrap_or(Spend {
        tokens: u32::MAX,
        micro_usd: u32::MAX,
    });
    let error = TaskError::over_budget(asked, left);
    carry(ErrorKind::OverBudget, name, error)
}

/// Why an answer is cut off, if it is the budget that made it short.
pub(super) fn cut_by_budget(name: &str, can: Capabilities, quote: Quote) -> Option<LlmError> {
    let Quote {
        input_tokens,
        wanted_output,
        left,
        ..
    } = quote;
    let prices = can.prices.unwrap_or(Prices::FREE);
    let is_short = quote.max_output_tokens < wanted_output;
    is_short.then(|| over_budget(name, prices, input_tokens, wanted_output, left))
}

fn unknown_price(name: &str) -> LlmError {
    let message = format!(
        "money is limited, but nobody knows what {name} costs; give its prices (0 for a model of your own), or limit tokens instead"
    );
    let error = TaskError::refused(message).with_code("unknown_price");
    carry(ErrorKind::Unsupported, name, error)
}

fn too_dear(name: &str) -> LlmError {
    let message = format!(
        "one call of {name} could cost more than 4294 USD or 4 thousand million tokens; ask for a shorter answer"
    );
    let error = TaskError::permanent(message).with_code("call_too_large");
    carry(ErrorKind::BadRequest, name, error)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use zeph_executor::Budget;
    use zeph_llm::{Capabilities, ErrorKind, LlmRequest, Prices};

    use super::{Quote, quote};
    use crate::call::task_error;

    const CLOUD: Capabilities = Capabilities {
        prices: Some(Prices {
            input: 3_000_000,
            output: 15_000_000,
        }),
        ..Capabilities::TEXT
    };

    fn tokens(tokens: u64) -> Budget {
        Budget::of_tokens(tokens)
    }

    #[test]
    fn the_answer_shrinks_to_what_is_left_and_no_further_than_useful() {
        let request = LlmRequest::new("x").max_output_tokens(500);
        let bytes = request.bytes() as u64;
        let output = |left| {
            let quote = quote("m", Capabilities::TEXT, &request, 64, tokens(left));
            quote.map(|quote| quote.max_output_tokens)
        };
        assert_eq!(output(bytes + 501).ok(), Some(500));
        assert_eq!(output(bytes + 70).ok(), Some(70));
        let error = output(bytes + 63).expect_err("too little is left");
        assert_eq!(error.kind(), ErrorKind::OverBudget);
    }

    #[test]
    fn who_wants_little_gets_it() {
        let request = LlmRequest::new("x").max_output_tokens(5);
        let left = tokens(request.bytes() as u64 + 5);
        let quote = quote("m", Capabilities::TEXT, &request, 64, left);
        assert_eq!(quote.map(|quote| quote.max_output_tokens).ok(), Some(5));
    }

    #[test]
    fn money_needs_a_price() {
        let request = LlmRequest::new("x");
        let left = Budget::of_micro_usd(1_000_000);
        let error = quote("m", Capabilities::TEXT, &request, 64, left);
        let error = task_error(&error.expect_err("the price is unknown"));
        assert_eq!(error.code(), "unknown_price");
        let free = Capabilities {
            prices: Some(Prices::FREE),
            ..Capabilities::TEXT
        };
        assert!(quote("m", free, &request, 64, left).is_ok());
    }

    proptest! {
        #[test]
        fn a_quote_is_covered_and_an_exact_fit_is_found(
            wanted in 1u32..5_000,
            useful in 0u32..200,
            left_tokens in prop::option::of(0u64..6_000),
            left_money in prop::option::of(0u64..80_000),
        ) {
            let request = LlmRequest::new("how many?").max_output_tokens(wanted);
            let left = Budget::new(left_tokens, left_money);
            let covers = |output: u32| {
                let spend = super::spend(CLOUD.prices.unwrap_or(Prices::FREE), request.bytes() as u32, output);
                spend.is_some_and(|spend| left.covers(spend.into()))
            };
            match quote("m", CLOUD, &request, useful, left) {
                Ok(Quote { max_output_tokens: output, most, .. }) => {
                    prop_assert!(left.covers(most.into()));
                    prop_assert!(output == wanted || !covers(output + 1));
                    prop_assert!(output >= wanted.min(useful.max(1)));
                }
                Err(error) => {
                    prop_assert_eq!(error.kind(), ErrorKind::OverBudget);
                    prop_assert!(!covers(wanted.min(useful.max(1))));
                }
            }
        }
    }
}
