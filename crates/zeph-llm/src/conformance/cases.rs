//! The cases. A case that does not apply to a provider is not called.

use std::collections::BTreeSet;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::time::timeout;

use super::Sample;
use crate::{
    AnswerSchema, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, OutputFormat,
    OutputSchema, StopReason, StreamPart, ToolSpec,
};

/// The time limit of a call.
const CALL_TIMEOUT: Duration = Duration::from_secs(30);

type Check = Result<(), String>;

pub(super) struct Harness {
    pub(super) provider: Arc<dyn LlmProvider>,
    pub(super) sample: Sample,
}

impl Harness {
    pub(super) fn introduces_itself(&self) -> Check {
        ensure(!self.provider.name().is_empty(), || "it has no name".into())?;
        let capabilities = || self.provider.capabilities();
        ensure(capabilities() == capabilities(), || {
            "its capabilities change from call to call".into()
        })
    }

    pub(super) async fn answers(&self) -> Check {
        is_whole(&self.answer(&self.sample.short).await?)
    }

    pub(super) async fn two_at_a_time(&self) -> Check {
        let (one, two) = tokio::join!(self.answers(), self.answers());
        one.and(two)
    }

    pub(super) async fn after_a_drop(&self) -> Check {
        // One poll starts the call; then it is dropped.
        let dropped = self.provider.complete(&self.sample.short).now_or_never();
        drop(dropped);
        self.answers().await
    }

    pub(super) async fn streams(&self) -> Check {
        let begun = in_time(self.provider.stream(&self.sample.short)).await?;
        let mut stream = begun.map_err(|error| format!("the stream did not start: {error}"))?;
        let mut text = String::new();
        let mut calls = Vec::new();
        let mut end: Option<LlmResponse> = None;
        while let Some(part) = in_time(stream.next()).await? {
            ensure(end.is_none(), || {
                "the stream has a part after its end".into()
            })?;
            match part.map_err(|error| format!("the stream failed: {error}"))? {
                StreamPart::Text(more) => text.push_str(&more),
                StreamPart::ToolCall(call) => calls.push(call),
                StreamPart::End(response) => end = Some(response),
            }
        }
        let end = end.ok_or("the stream has no end part")?;
        is_whole(&end)?;
        ensure(end.text == text, || {
            format!(
                "the parts have the text {text:?}, the end has {:?}",
                end.text
            )
        })?;
        ensure(end.tool_calls == calls, || {
            "the tool calls of the parts are not those of the end".into()
        })
    }

    pub(super) async fn honours_limit(&self, request: &LlmRequest) -> Check {
        let limit = request.max_output_tokens;
        let limit = limit.ok_or("the sample's long request has no limit")?;
        let LlmResponse { stop, usage, .. } = self.answer(request).await?;
        ensure(stop == StopReason::MaxTokens, || {
            format!("it stopped with {stop:?}, not at its limit")
        })?;
        let used = usage.output_tokens.unwrap_or_default();
        ensure(used <= limit, || {
            format!("it used {used} tokens of {limit}")
        })
    }

    pub(super) async fn calls_tools(&self, request: &LlmRequest) -> Check {
        let LlmResponse {
            tool_calls, stop, ..
        } = self.answer(request).await?;
        ensure(
            !tool_calls.is_empty() && stop == StopReason::ToolCalls,
            || format!("it called no tool, and stopped with {stop:?}"),
        )?;
        let mut ids = BTreeSet::new();
        for call in &tool_calls {
            let is_offered = request.tools.iter().any(|tool| tool.name == call.name);
            ensure(is_offered, || {
                format!("it called {:?}, which was not offered", call.name)
            })?;
            ensure(!call.id.is_empty() && ids.insert(&call.id), || {
                format!("the id {:?} of a call is empty or not unique", call.id)
            })?;
        }
        Ok(())
    }

    pub(super) async fn fits_schema(&self, (request, schema): &(LlmRequest, Value)) -> Check {
        let schema = AnswerSchema::new("sample", schema.clone());
        let schema = schema.map_err(|error| format!("the sample: {error}"))?;
        let support = self.provider.capabilities().schema;
        let asked = schema.ask(request, support, self.provider.name());
        let request = asked.map_err(|error| error.to_string())?;
        let read = schema.read(&self.answer(&request).await?);
        read.map(drop).map_err(|error| error.to_string())
    }

    pub(super) async fn refuses_tools(&self) -> Check {
        let request = self.sample.short.clone().tool(ToolSpec {
            name: "conformance".to_owned(),
            description: "Does nothing.".to_owned(),
            parameters: json!({"type": "object"}),
        });
        self.is_refused(&request, &[ErrorKind::Unsupported]).await
    }

    pub(super) async fn refuses_schemas(&self) -> Check {
        let output = OutputFormat::Schema(OutputSchema {
            name: "conformance".to_owned(),
            schema: json!({"type": "object", "properties": {}, "additionalProperties": false}),
        });
        let request = self.sample.short.clone().output(output);
        let kinds = [ErrorKind::Unsupported, ErrorKind::SchemaRejected];
        self.is_refused(&request, &kinds).await
    }

    pub(super) async fn reports_unknown_model(&self, request: &LlmRequest) -> Check {
        self.is_refused(request, &[ErrorKind::UnknownModel]).await
    }

    async fn is_refused(&self, request: &LlmRequest, kinds: &[ErrorKind]) -> Check {
        let outcome = self.call(request).await?;
        let error = outcome.err().ok_or("the call succeeded")?;
        ensure(kinds.contains(&error.kind()), || {
            format!("the error has the kind {}: {error}", error.kind().word())
        })?;
        ensure(!error.provider().is_empty(), || {
            "the error has no provider".into()
        })
    }

    /// Makes a call that must succeed.
    async fn answer(&self, request: &LlmRequest) -> Result<LlmResponse, String> {
        let outcome = self.call(request).await?;
        outcome.map_err(|error| format!("it failed: {error}"))
    }

    /// Makes a call within the time limit; its error must not contain a secret.
    async fn call(&self, request: &LlmRequest) -> Result<Result<LlmResponse, LlmError>, String> {
        let outcome = in_time(self.provider.complete(request)).await?;
        if let Err(error) = &outcome {
            let shown = format!("{error} {error:?}");
            let mut secrets = self.sample.secrets.iter();
            if let Some(index) = secrets.position(|secret| shown.contains(secret)) {
                return Err(format!("secret {index} shows in an error"));
            }
        }
        Ok(outcome)
    }
}

async fn in_time<T>(work: impl Future<Output = T>) -> Result<T, String> {
    let late = |_| format!("it did not end within {CALL_TIMEOUT:?}");
    timeout(CALL_TIMEOUT, work).await.map_err(late)
}

fn is_whole(response: &LlmResponse) -> Check {
    ensure(!response.text.is_empty(), || {
        "the answer has no text".into()
    })?;
    ensure(response.stop == StopReason::End, || {
        format!("it stopped with {:?}", response.stop)
    })?;
    ensure(response.usage.output_tokens != Some(0), || {
        "the usage is 0 tokens; an unknown usage must be absent".into()
    })
}

fn ensure(holds: bool, problem: impl FnOnce() -> String) -> Check {
    if holds { Ok(()) } else { Err(problem()) }
}
