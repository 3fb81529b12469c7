//! The providers of this crate conform; doubles with one defect each do not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use futures::StreamExt as _;
use futures::stream;
use serde_json::json;

use super::{Sample, Violations, check};
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

async fn passes(provider: Arc<dyn LlmProvider>) -> Vec<&'static str> {
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
    assert_eq!(passes(Arc::new(scripted())).await.len(), 1);
    let retrying = Retrying::new(scripted(), RetryPolicy::default());
    assert_eq!(passes(Arc::new(retrying)).await.len(), 1);
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
    let skipped = check(Arc::new(scripted().with_capabilities(native)), sample).await;
    assert_eq!(
        skipped.unwrap(),
        [
            "calls name offered tools",
            "unsupported schemas are an error"
        ]
    );
}

/// A provider that conforms except for the named defect.
struct Defective {
    inner: ScriptedProvider,
    defect: &'static str,
    was_dropped: AtomicBool,
}

#[async_trait]
impl LlmProvider for Defective {
    fn name(&self) -> &str {
        let named = self.defect != "no name";
        if named { "defective" } else { "" }
    }

    fn capabilities(&self) -> Capabilities {
        let tools = self.defect != "ignores tools";
        Capabilities {
            tools,
            ..self.inner.capabilities()
        }
    }

    async fn complete(&self, request: &LlmRequest) -> Result<LlmResponse, LlmError> {
        if self.defect == "stuck after a drop" {
            if self.was_dropped.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            tokio::task::yield_now().await;
            self.was_dropped.store(false, Ordering::SeqCst);
        }
        let mut asked = request.clone();
        match self.defect {
            "ignores the limit" => asked.max_output_tokens = None,
            "ignores tools" => asked.tools.clear(),
            "ignores schemas" => asked.output = crate::OutputFormat::Text,
            _ => {}
        }
        let outcome = self.inner.complete(&asked).await;
        let failure = |kind, message| Err(LlmError::new(kind, "defective", message));
        let mut response = match (outcome, self.defect) {
            (Err(_), "wrong kind") => return failure(ErrorKind::BadRequest, "no"),
            (Err(error), "shows a key") => return failure(error.kind(), "key hunter2 is wrong"),
            (outcome, _) => outcome?,
        };
        match self.defect {
            "no text" => response.text.clear(),
            "no usage" => response.usage.output_tokens = Some(0),
            "over the limit" if response.stop == StopReason::MaxTokens => {
                response.usage.output_tokens = Some(21);
            }
            "equal ids" if !response.tool_calls.is_empty() => {
                response.tool_calls[1].id = "1".into();
            }
            "another tool" if !response.tool_calls.is_empty() => {
                response.tool_calls[1].name = "rm".into();
            }
            "misfit" if response.text.starts_with('{') => response.text = "{}".into(),
            _ => {}
        }
        Ok(response)
    }

    async fn stream(&self, request: &LlmRequest) -> Result<LlmStream, LlmError> {
        let response = self.complete(request).await?;
        let text = Ok(StreamPart::Text(response.text.clone()));
        let end = Ok(StreamPart::End(response));
        let parts = match self.defect {
            "no end" => vec![text],
            "another end" => vec![Ok(StreamPart::Text("other".into())), end],
            "a part after the end" => vec![text.clone(), end, text],
            _ => vec![text, end],
        };
        Ok(stream::iter(parts).boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn every_defect_is_found_in_its_case() {
    let cases = [
        ("no name", "has a name and constant capabilities"),
        ("no text", "answers within the limit"),
        ("no usage", "answers within the limit"),
        ("ignores the limit", "max_output_tokens is honoured"),
        ("over the limit", "max_output_tokens is honoured"),
        ("ignores tools", "unsupported tools are an error"),
        ("ignores schemas", "unsupported schemas are an error"),
        ("equal ids", "calls name offered tools"),
        ("another tool", "calls name offered tools"),
        ("misfit", "an answer follows its schema"),
        ("no end", "the parts of a stream are its answer"),
        ("another end", "the parts of a stream are its answer"),
        (
            "a part after the end",
            "the parts of a stream are its answer",
        ),
        ("wrong kind", "an unknown model is an error"),
        ("shows a key", "an unknown model is an error"),
        ("stuck after a drop", "a call after a dropped one"),
    ];
    for (defect, case) in cases {
        let provider = Defective {
            inner: scripted(),
            defect,
            was_dropped: AtomicBool::new(false),
        };
        let Err(Violations(found)) = check(Arc::new(provider), sample()).await else {
            panic!("{defect:?} was not found");
        };
        assert!(found.iter().any(|one| one.case == case), "{found:?}");
    }
}
