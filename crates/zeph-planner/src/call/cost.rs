//! The highest possible cost of a call, and the length of its answer within a budget.

use zeph_executor::{Budget, Reservation, ReservationRequest, Spend, TaskError};
use zeph_llm::{Capabilities, ErrorKind, LlmError, LlmRequest, Prices, Purpose};

use super::error::carry;

/// The most tokens of an answer if the request sets no limit.
pub(super) const DEFAULT_OUTPUT_TOKENS: u32 = 1_024;

/// The shortest answer that is worth a call when the budget runs out, unless the request wants less.
const fn min_output(purpose: Purpose) -> u32 {
    match purpose {
        Purpose::Answer | Purpose::Summarize => 256,
        Purpose::Plan | Purpose::RepairPlan | Purpose::Work | Purpose::Judge | Purpose::Other => 64,
    }
}

/// The most tokens of a request and of its answer that fit into a model's context window, at most the
/// wanted ones. The answer takes at most half of the window.
pub(crate) fn within_window(can: Capabilities, input: u32, output: u32) -> (u64, u32) {
    let window = can.context_tokens.unwrap_or(u32::MAX);
    let output = output.min(can.max_output_tokens.unwrap_or(u32::MAX));
    let output = output.min(window / 2).max(1);
    (input.min(window.saturating_sub(output)).into(), output)
}

/// The highest cost of a call, and the least that is worth one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CostBounds {
    prices: Prices,
    /// The most tokens of the request: its size in bytes.
    input: u32,
    /// The most tokens of the answer.
    wanted: u32,
    /// The cost with the shortest answer, and with the longest one.
    least: Spend,
    most: Spend,
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
    /// What is reserved: the highest possible cost, or a little more.
    pub(super) reserved: Spend,
    /// The rest of the budget before the reservation.
    pub(super) left: Budget,
}

/// The bounds of a call's cost.
///
/// # Errors
/// `BadRequest` with the code `call_too_large` if one call could cost more than a reservation can hold.
pub(super) fn bounds(
    name: &str,
    can: Capabilities,
    request: &LlmRequest,
) -> Result<CostBounds, LlmError> {
    let input = u32::try_from(request.bytes()).unwrap_or(u32::MAX);
    let wanted = request.max_output_tokens.unwrap_or(DEFAULT_OUTPUT_TOKENS);
    let wanted = wanted.min(can.max_output_tokens.unwrap_or(u32::MAX)).max(1);
    let prices = can.prices.unwrap_or(Prices::FREE);
    let cost = |output| spend(prices, input, output).ok_or_else(|| too_large(name));
    Ok(CostBounds {
        prices,
        input,
        wanted,
        least: cost(wanted.min(min_output(request.purpose)))?,
        most: cost(wanted)?,
    })
}

impl CostBounds {
    /// The request for a reservation. A call is settled before its attempt reserves for the next one.
    pub(super) const fn request(self) -> ReservationRequest {
        let request = ReservationRequest::new(self.most);
        request.at_least(self.least).independent()
    }

    /// The reservation, with an answer as long as it covers.
    pub(super) fn within(self, granted: Reservation) -> CostReservation {
        let Spend { tokens, micro_usd } = granted.amount;
        let granted_budget = Budget::new(Some(tokens.into()), Some(micro_usd.into()));
        CostReservation {
            input_tokens: self.input,
            max_output_tokens: self
                .wanted
                .min(affordable(self.prices, self.input, granted_budget))
                .max(1),
            wanted_output: self.wanted,
            reserved: granted.amount,
            left: granted.left,
        }
    }
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
            let money = money.saturating_sub(prices.per_call);
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

impl CostReservation {
    /// The error of an answer that is cut off, if the budget reduced its limit.
    pub(super) fn cut_by_budget(self, name: &str, can: Capabilities) -> Option<LlmError> {
        let prices = can.prices.unwrap_or(Prices::FREE);
        let is_reduced = self.max_output_tokens < self.wanted_output;
        is_reduced.then(|| {
            let asked = spend(prices, self.input_tokens, self.wanted_output).unwrap_or(Spend {
                tokens: u32::MAX,
                micro_usd: u32::MAX,
            });
            let error = TaskError::over_budget(asked, self.left);
            carry(ErrorKind::OverBudget, name, error)
        })
    }
}

/// The error of a call whose cost is limited and not known.
pub(super) fn unknown_price(name: &str) -> LlmError {
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
    use zeph_executor::{Budget, Reservation, ReservationId, Spend};
    use zeph_llm::{Capabilities, LlmRequest, Prices, Purpose};

    use super::{bounds, min_output, spend};

    const CLOUD: Capabilities = Capabilities {
        prices: Some(Prices {
            input: 3_000_000,
            output: 15_000_000,
            ..Prices::FREE
        }),
        ..Capabilities::TEXT
    };

    fn granted(amount: Spend, left: Budget) -> Reservation {
        let id = ReservationId::FIRST;
        Reservation { id, amount, left }
    }

    #[test]
    fn the_answer_is_as_long_as_the_reservation_covers() {
        for (wanted, output, longest) in [(500, 501, 500), (500, 70, 70), (5, 5, 5)] {
            let request = LlmRequest::new("x").max_output_tokens(wanted);
            let bounds = bounds("m", Capabilities::TEXT, &request).expect("is small");
            let input = request.bytes() as u32;
            assert_eq!(bounds.request().least.tokens, input + wanted.min(64));
            let amount = Spend {
                tokens: input + output,
                micro_usd: 0,
            };
            let reserved = bounds.within(granted(amount, Budget::UNLIMITED));
            assert_eq!(reserved.max_output_tokens, longest);
        }
    }

    #[test]
    fn an_answer_to_a_person_is_not_worth_a_call_for_a_few_words() {
        let request = LlmRequest::new("x").max_output_tokens(2_048);
        let tokens = |purpose| {
            let request = request.clone().purpose(purpose);
            let bounds = bounds("m", Capabilities::TEXT, &request).expect("is small");
            u64::from(bounds.request().least.tokens) - request.bytes() as u64
        };
        assert_eq!((tokens(Purpose::Answer), tokens(Purpose::Work)), (256, 64));
    }

    proptest! {
        #[test]
        fn a_part_of_the_highest_cost_covers_an_answer_that_is_as_long_as_possible(
            wanted in 1u32..5_000,
            left_tokens in prop::option::of(0u64..6_000),
            left_money in prop::option::of(0u64..80_000),
        ) {
            let request = LlmRequest::new("how many?").max_output_tokens(wanted);
            let left = Budget::new(left_tokens, left_money);
            let cost = |output: u32| {
                spend(CLOUD.prices.unwrap_or(Prices::FREE), request.bytes() as u32, output)
            };
            let covers = |output: u32| cost(output).is_some_and(|spend| left.covers(spend.into()));
            let bounds = bounds("m", CLOUD, &request).expect("is small");
            let asked = bounds.request();
            prop_assert_eq!(left.covers(asked.least.into()), covers(wanted.min(min_output(Purpose::Other))));
            if left.covers(asked.least.into()) {
                let amount = left.part_of(asked.most);
                let reserved = bounds.within(granted(amount, left));
                let output = reserved.max_output_tokens;
                let most = cost(output).expect("is small");
                prop_assert!(most.tokens <= amount.tokens && most.micro_usd <= amount.micro_usd);
                prop_assert!(output == wanted || !covers(output + 1));
                prop_assert!(output >= wanted.min(min_output(Purpose::Other)));
                // A replay finds the same length from the recorded amount.
                prop_assert_eq!(bounds.within(granted(most, left)).max_output_tokens, output);
            }
        }
    }
}
