//! Properties of the estimate: bounds, linear time, and the effect of reports.

use proptest::prelude::*;

use super::{EstimatingCounter, TokenCounter};
use crate::{LlmRequest, Message, ToolSpec};

const TEXT: &str = "A planner splits the goal into tasks and says which depends on which. ";

#[test]
fn an_english_text_is_about_a_token_a_word() {
    let count = EstimatingCounter::new().count(&TEXT.repeat(10));
    // 14 words and a full stop, ten times.
    assert!((130..=180).contains(&count), "{count}");
}

#[test]
fn corrections_are_bounded_and_implausible_reports_are_ignored() {
    let text = TEXT.repeat(20);
    let counter = EstimatingCounter::new();
    let first = counter.count(&text);
    for absurd in [0, 1, first / 6, first * 6, u32::MAX] {
        counter.observe(&text, absurd);
        assert_eq!(counter.count(&text), first, "{absurd}");
    }
    for _ in 0..200 {
        let now = counter.count(&text);
        counter.observe(&text, now.saturating_mul(4));
    }
    let most = counter.count(&text);
    assert!(most <= first * 3 + 3, "{first} {most}");
    for _ in 0..40 {
        counter.observe(&text, first);
    }
    assert!(counter.count(&text).abs_diff(first) <= first / 20);
}

#[test]
fn a_correction_of_one_script_does_not_change_the_others() {
    let counter = EstimatingCounter::new();
    let english = counter.count(&TEXT.repeat(20));
    let chinese = "计划器把目标分成任务".repeat(20);
    let before = counter.count(&chinese);
    for _ in 0..20 {
        counter.observe(&chinese, before * 3 / 2);
    }
    assert!(counter.count(&chinese) > before * 4 / 3);
    assert_eq!(counter.count(&TEXT.repeat(20)), english);
}

#[test]
fn the_count_of_a_request_includes_all_parts() {
    let counter = EstimatingCounter::new();
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
    fn a_count_is_at_least_one_and_at_most_the_bytes(text in ".{1,200}", reports in prop::collection::vec(any::<u32>(), 0..10)) {
        let counter = EstimatingCounter::new();
        for report in reports {
            counter.observe(&text.repeat(10), report);
        }
        let count = counter.count(&text);
        prop_assert!(count >= 1 && count as usize <= text.len(), "{count}");
    }
}
