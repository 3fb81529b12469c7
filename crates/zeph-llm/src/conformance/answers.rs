//! Cases: answers and streams.

use std::pin::Pin;
use std::task::Poll;

use futures::StreamExt as _;

use super::Outcome;
use super::harness::{Harness, in_time};
use crate::{LlmProvider, LlmResponse, StopReason, StreamPart};

impl Harness {
    pub(super) fn introduces_itself(&self) -> Result<Outcome, String> {
        if self.provider.name().is_empty() {
            return Err("it has no name".to_owned());
        }
        if self.provider.capabilities() == self.provider.capabilities() {
            Ok(Outcome::Passed)
        } else {
            Err("its capabilities change from call to call".to_owned())
        }
    }

    pub(super) async fn answers(&self) -> Result<Outcome, String> {
        let response = self.answer(&self.sample.short).await?;
        whole(&response)?;
        Ok(Outcome::Passed)
    }

    pub(super) async fn two_at_a_time(&self) -> Result<Outcome, String> {
        let (one, two) = tokio::join!(self.answers(), self.answers());
        one.and(two)
    }

    pub(super) async fn after_a_drop(&self) -> Result<Outcome, String> {
        {
            let mut call = self.provider.complete(&self.sample.short);
            // One poll starts the call; then it is dropped.
            std::future::poll_fn(|cx| {
                let _ = Pin::new(&mut call).poll(cx);
                Poll::Ready(())
            })
            .await;
        }
        self.answers().await
    }

    pub(super) async fn streams(&self) -> Result<Outcome, String> {
        let begun = in_time(self.provider.stream(&self.sample.short)).await?;
        let mut stream = begun.map_err(|error| format!("the stream did not start: {error}"))?;
        let mut text = String::new();
        let mut calls = Vec::new();
        let mut end: Option<LlmResponse> = None;
        while let Some(part) = in_time(stream.next()).await? {
            if end.is_some() {
                return Err("the stream has a part after its end".to_owned());
            }
            match part.map_err(|error| format!("the stream failed: {error}"))? {
                StreamPart::Text(more) => text.push_str(&more),
                StreamPart::ToolCall(call) => calls.push(call),
                StreamPart::End(response) => end = Some(response),
            }
        }
        let end = end.ok_or("the stream has no end part")?;
        whole(&end)?;
        if end.text != text {
            return Err(format!(
                "the parts have the text {text:?}, the end has {:?}",
                end.text
            ));
        }
        if end.tool_calls != calls {
            return Err("the tool calls of the parts are not those of the end".to_owned());
        }
        Ok(Outcome::Passed)
    }

    pub(super) async fn honours_limit(&self) -> Result<Outcome, String> {
        let Some(request) = &self.sample.long else {
            return Ok(Outcome::Skipped);
        };
        let limit = request
            .max_output_tokens
            .ok_or("the sample's long request has no limit")?;
        let response = self.answer(request).await?;
        if response.stop != StopReason::MaxTokens {
            return Err(format!(
                "it stopped with {:?}, not at its limit",
                response.stop
            ));
        }
        match response.usage.output_tokens {
            Some(used) if used > limit => Err(format!("it used {used} tokens of {limit}")),
            _ => Ok(Outcome::Passed),
        }
    }
}

fn whole(response: &LlmResponse) -> Result<(), String> {
    if response.text.is_empty() {
        return Err("the answer has no text".to_owned());
    }
    if response.stop != StopReason::End {
        return Err(format!("it stopped with {:?}", response.stop));
    }
    if response.usage.output_tokens == Some(0) {
        return Err("the usage is 0 tokens; an unknown usage must be absent".to_owned());
    }
    Ok(())
}
