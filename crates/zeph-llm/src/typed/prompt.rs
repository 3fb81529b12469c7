//! The schema in the prompt, for providers that take none.

use serde_json::Value;

use crate::{LlmRequest, Message};

/// The request with the schema behind its system message, or as one if it has none.
pub(super) fn with_schema(request: &LlmRequest, schema: &Value) -> LlmRequest {
    let order = format!(
        "Answer with one JSON value and nothing else: no prose, no code fence. \
         Its JSON Schema is:\n{schema}"
    );
    let mut request = request.clone();
    match request.messages.first_mut() {
        Some(Message::System { text }) => {
            text.push_str("\n\n");
            text.push_str(&order);
            request
        }
        Some(Message::User { .. } | Message::Assistant { .. } | Message::Tool { .. }) | None => {
            request.system(order)
        }
    }
}
