//! Streams with time limits: a call returns when the first part arrives, and too long a silence is an error.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::time::Instant;

use super::{after, by, earlier};
use crate::{ErrorKind, LlmError, LlmStream, StreamPart};

/// Waits for the first part, then returns a stream of all parts. An error before the first part is an error
/// of the call, which can be retried.
///
/// The returned stream ends with an error of kind `Timeout` if no part arrives for `idle`, or at `end`.
pub(super) async fn after_first_part(
    provider: &str,
    mut stream: LlmStream,
    idle: Option<Duration>,
    end: Option<Instant>,
) -> Result<LlmStream, LlmError> {
    let first = next_part(provider, &mut stream, idle, end).await?;
    let provider = provider.to_owned();
    let rest = stream::unfold(Some(stream), move |open| {
        let provider = provider.clone();
        async move {
            let mut stream = open?;
            let part = next_part(&provider, &mut stream, idle, end).await;
            // The end part and an error are the last items.
            let is_last = !matches!(part, Ok(StreamPart::Text(_) | StreamPart::ToolCall(_)));
            Some((part, (!is_last).then_some(stream)))
        }
    });
    let is_end = matches!(first, StreamPart::End(_));
    let first = stream::iter([Ok(first)]);
    if is_end {
        return Ok(first.boxed());
    }
    Ok(first.chain(rest).boxed())
}

async fn next_part(
    provider: &str,
    stream: &mut LlmStream,
    idle: Option<Duration>,
    end: Option<Instant>,
) -> Result<StreamPart, LlmError> {
    match by(earlier(after(idle), end), stream.next()).await {
        Ok(Some(part)) => part,
        Ok(None) => {
            let message = "the stream ended before the answer was complete";
            Err(LlmError::new(ErrorKind::Cut, provider, message))
        }
        Err(_) => {
            let message = "the stream sent no more data within the time limit";
            Err(LlmError::new(ErrorKind::Timeout, provider, message))
        }
    }
}
