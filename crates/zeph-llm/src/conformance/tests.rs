//! The providers of this crate conform; doubles with one defect each do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;
use serde_json::json;

use super::{Checked, Sample, Violations, check};
use crate::{
    Capabilities, ErrorKind, LlmError, LlmProvider, LlmRequest, LlmResponse, LlmStream, Reply,
    RetryPolicy, Retrying, SchemaSupport, ScriptedProvider, StopReason, StreamPart, ToolCall,
    ToolSpec, provider_fn,
};

fn sample() -> Sample {
    let tool = ToolSpec {
        name: "search".into(),
        description: "Searches.".into(),
        parameters: json!({"type": "object"}),
    };
    let schema =
        json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]});
    Sample {
        long: Some(LlmRequest::new("long").max_output_tokens(20)),
        tool: Some(LlmRequest::new("tool").tool(tool)),
        typed: Some((LlmRequest::new("typed"), schema)),
        unknown_model: Some(LlmRequest::new("short").model("none")),
        secrets: vec!["hunter2".into()],
        ..Sample::new(LlmRequest::new("short"))
    }
}

fn scripted() -> ScriptedProvider {
    let call = |id: &str| ToolCall {
        id: id.into(),
        name: "search".into(),
        arguments: json!({}),
    };
    let unknown = Reply::error(ErrorKind::UnknownModel, "no such model");
    ScriptedProvider::new("script")
        .rule(
            |request| request.model.as_deref() == Some("none"),
            None,
            unknown,
        )
        .when("long", Reply::text("word ".repeat(100)))
        .when("tool", Reply::calls(vec![call("1"), call("2")]))
        .when("typed", Reply::text(r#"{"n": 1}"#))
        .when("short", Reply::text("an answer in several pieces"))
}

async fn passes(provider: Arc<dyn LlmProvider>) -> Checked {
    check(provider, sample())
        .await
        .unwrap_or_else(|faults| panic!("{faults}"))
}

#[tokio::test(start_paused = true)]
async fn the_providers_of_this_crate_conform() {
    let native = Capabilities {
        schema: SchemaSupport::Schema,
        tools: false,
        ..Capabilities::TEXT
    };
    assert_eq!(passes(Arc::new(scripted())).await.skipped.len(), 1);
    let retrying = Retrying::new(scripted(), RetryPolicy::default());
    assert_eq!(passes(Arc::new(retrying)).await.skipped.len(), 1);
    let (answer, sample) = (
        scripted(),
        Sample {
            tool: None,
            ..sample()
        },
    );
    let closure = provider_fn("closure", move |request| {
        let answer = answer.clone();
        async move { answer.complete(&request).await }
    });
    assert!(check(Arc::new(closure), sample.clone()).await.is_ok());
    let checked = check(Arc::new(scripted().with_capabilities(native)), sample)
        .await
        .unwrap();
    assert_eq!(
        checked.skipped,
        [
            "calls name offered tools",
            "unsupported schemas are an error"
        ]
    );
}

/// A provider that conforms except for one defect.
struct Defective {
    inner: ScriptedProvider,
    defect: Defect,
    was_dropped: AtomicBool,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Defect {
    NoName,
    NoText,
    ZeroUsage,
    IgnoresLimit,
    OverLimit,
    IgnoresTools,
    IgnoresSchemas,
    SameIds,
    OtherTool,
    Misfit,
    NoEnd,
    OtherEnd,
    AfterEnd,
    BadKind,
    TellsKey,
    StuckAfterDrop,
}

#[async_trait]
impl LlmProvider for Defective {
    fn name(&self) -> &str {
        if self.defect == Defect::NoName {
            ""
        } else {
            "defective"
        }
    }

    fn capabilities(&self) -> Capabilities {
        let tools = self.defect != Defect::IgnoresTools;
        Capabilities {
            tools,
            ..self.inner.capabilities()
        }
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        if self.defect == Defect::StuckAfterDrop {
            if self.was_dropped.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            self.was_dropped.store(false, Ordering::SeqCst);
        }
        let mut asked = request.clone();
        if self.defect == Defect::IgnoresLimit {
            asked.max_output_tokens = None;
        } else if self.defect == Defect::IgnoresTools {
            asked.tools.clear();
        } else if self.defect == Defect::IgnoresSchemas {
            asked.output = crate::OutputFormat::Text;
        }
        let mut response = match (self.inner.complete(&asked).await, self.defect) {
            (Err(_), Defect::BadKind) => {
                return Err(LlmError::new(ErrorKind::BadRequest, "defective", "no"));
            }
            (Err(error), Defect::TellsKey) => {
                return Err(LlmError::new(
                    error.kind(),
                    "defective",
                    "key hunter2 is wrong",
                ));
            }
            (outcome, _) => outcome?,
        };
        let has = |defect| self.defect == defect;
        let is_text = response.tool_calls.is_empty();
        if has(Defect::NoText) {
            response.text.clear();
        } else if has(Defect::ZeroUsage) {
            response.usage.output_tokens = Some(0);
        } else if has(Defect::OverLimit) && response.stop == StopReason::MaxTokens {
            response.usage.output_tokens = Some(21);
        } else if has(Defect::SameIds) && !is_text {
            response.tool_calls[1].id = "1".into();
        } else if has(Defect::OtherTool) && !is_text {
            response.tool_calls[1].name = "rm".into();
        } else if has(Defect::Misfit) && response.text.starts_with('{') {
            response.text = "{}".into();
        }
        Ok(response)
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let response = self.complete(request).await?;
        let text = Ok(StreamPart::Text(response.text.clone()));
        let end = Ok(StreamPart::End(response));
        let mut parts = vec![text.clone(), end];
        if self.defect == Defect::NoEnd {
            parts.pop();
        } else if self.defect == Defect::OtherEnd {
            parts[0] = Ok(StreamPart::Text("other".into()));
        } else if self.defect == Defect::AfterEnd {
            parts.push(text);
        }
        Ok(stream::iter(parts).boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn every_defect_is_found_in_its_case() {
    let cases = [
        (Defect::NoName, "has a name and constant capabilities"),
        (Defect::NoText, "answers within the limit"),
        (Defect::ZeroUsage, "answers within the limit"),
        (Defect::IgnoresLimit, "max_output_tokens is honoured"),
        (Defect::OverLimit, "max_output_tokens is honoured"),
        (Defect::IgnoresTools, "unsupported tools are an error"),
        (Defect::IgnoresSchemas, "unsupported schemas are an error"),
        (Defect::SameIds, "calls name offered tools"),
        (Defect::OtherTool, "calls name offered tools"),
        (Defect::Misfit, "an answer follows its schema"),
        (Defect::NoEnd, "the parts of a stream are its answer"),
        (Defect::OtherEnd, "the parts of a stream are its answer"),
        (Defect::AfterEnd, "the parts of a stream are its answer"),
        (Defect::BadKind, "an unknown model is an error"),
        (Defect::TellsKey, "an unknown model is an error"),
        (Defect::StuckAfterDrop, "a call after a dropped one"),
    ];
    for (defect, case) in cases {
        let provider = Defective {
            inner: scripted(),
            defect,
            was_dropped: AtomicBool::new(false),
        };
        let Err(Violations(faults)) = check(Arc::new(provider), sample()).await else {
            panic!("{defect:?} was not found");
        };
        assert!(
            faults.iter().any(|fault| fault.case == case),
            "{defect:?}: {faults:?}"
        );
    }
}
