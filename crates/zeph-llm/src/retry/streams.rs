//! Streams with time limits: the call succeeds with the first part and fails on silence.

use std::time::Duration;

use futures::StreamExt as _;
use futures::stream;
use tokio::time::Instant;

use super::{after, by, earlier};
use crate::{ErrorKind, LlmError, LlmStream, StreamPart};

/// Waits for the first part, so that a stream that fails before it can be repeated; then passes on all
/// parts, and ends with an error of kind `Timeout` if the stream exceeds a time limit.
pub(super) async fn begun(
    provider: &str,
    mut stream: LlmStream,
    idle: Option<Duration>,
    end: Option<Instant>,
) -> Result<LlmStream, LlmError> {
    let first = next(provider, &mut stream, idle, end).await?;
    let provider = provider.to_owned();
    let rest = stream::unfold(Some(stream), move |open| {
        let provider = provider.clone();
        async move {
            let mut stream = open?;
            let part = next(&provider, &mut stream, idle, end).await;
            // Nothing follows after the end part or an error.
            let is_last = !matches!(part, Ok(StreamPart::Text(_) | StreamPart::ToolCall(_)));
            Some((part, (!is_last).then_some(stream)))
        }
    });
    let is_whole = matches!(first, StreamPart::End(_));
    let first = stream::iter([Ok(first)]);
    if is_whole {
        return Ok(first.boxed());
    }
    Ok(first.chain(rest).boxed())
}

async fn next(
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
