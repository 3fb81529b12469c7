//! Properties of the estimate: its bounds and parts.

use proptest::prelude::*;

use super::{EstimatingCounter, TokenCounter};
use crate::{LlmRequest, Message, ToolSpec};

const TEXT: &str = "A planner splits the goal into tasks and says which depends on which. ";

#[test]
fn an_english_text_is_about_a_token_a_word() {
    let count = EstimatingCounter.count(&TEXT.repeat(10));
    // 14 words and a full stop, ten times.
    assert!((130..=180).contains(&count), "{count}");
}

#[test]
fn the_count_of_a_request_includes_all_parts() {
    let counter = EstimatingCounter;
    let bare = LlmRequest::new(TEXT);
    let tool = ToolSpec {
        name: "search".into(),
        description: TEXT.into(),
        parameters: serde_json::json!({"type": "object"}),
    };
    let full = LlmRequest::of(vec![Message::system(TEXT), Message::user(TEXT)]).tool(tool);
    let text = counter.count(TEXT);
    assert!(counter.count_request(&bare) > text);
    assert!(counter.count_request(&full) > 3 * text);
    // The upper bound that budgets reserve.
    assert!(u64::from(counter.count_request(&full)) < full.bytes() as u64);
}

proptest! {
    #[test]
    fn a_count_is_at_least_one_and_at_most_the_bytes(text in ".{1,200}") {
        let count = EstimatingCounter.count(&text);
        prop_assert!(count >= 1 && count as usize <= text.len(), "{count}");
    }
}
