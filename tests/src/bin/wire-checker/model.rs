//! A real model that is too small to plan well: each answer is parsed, or refused with a diagnostic code.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;
use zeph_llm::{ErrorKind, LlmRequest, OutputFormat, OutputSchema, StopReason};

use crate::report::{Report, claim};
use crate::service::{Family, Service};

/// The number of structured answers that are requested.
const NOTES: u64 = 5;

/// Every case.
pub(crate) async fn check(report: &mut Report, url: &str, name: &str) -> Result<(), String> {
    let checker = Checker {
        service: Service::new(Family::OpenAi, url, name)?,
        stranger: Service::new(Family::OpenAi, url, "no-such-model")?,
    };
    report
        .case(name, "an answer and its usage", checker.answers())
        .await;
    report.case(name, "a stream", checker.streams()).await;
    report
        .case(
            name,
            "an answer cut by its limit",
            checker.notices_the_limit(),
        )
        .await;
    for seed in 1..=NOTES {
        let what = format!("a note by schema, seed {seed}");
        report.case(name, &what, checker.notes(seed)).await;
    }
    report
        .case(name, "a prompt that is too long", checker.is_too_long())
        .await;
    report
        .case(name, "a schema without a grammar", checker.is_refused())
        .await;
    report
        .case(name, "a model that is not there", checker.is_unknown())
        .await;
    report
        .case(name, "too little time", checker.times_out())
        .await;
    Ok(())
}

struct Checker {
    service: Service,
    stranger: Service,
}

impl Checker {
    async fn answers(&self) -> Result<String, String> {
        let request = LlmRequest::new("Name three colours.").max_output_tokens(48);
        let answer = self
            .service
            .complete(&request)
            .await
            .map_err(|err| err.to_string())?;
        claim(!answer.text.trim().is_empty(), || {
            "an empty answer".to_owned()
        })?;
        let counts = (answer.usage.input_tokens, answer.usage.output_tokens);
        let (Some(input), Some(output)) = counts else {
            return Err(format!("usage {counts:?}"));
        };
        claim(output <= 48, || format!("{output} tokens"))?;
        Ok(format!(
            "{input} tokens in, {output} out: {:?}",
            answer.text
        ))
    }

    async fn streams(&self) -> Result<String, String> {
        let request = LlmRequest::new("Count to five.").max_output_tokens(32);
        let streamed = self
            .service
            .stream(&request)
            .await
            .map_err(|err| err.to_string())?;
        let (answer, pieces) = streamed;
        claim(pieces.len() > 1, || format!("{} pieces", pieces.len()))?;
        claim(pieces.concat() == answer.text, || {
            "pieces unlike the answer".to_owned()
        })?;
        Ok(format!("{} pieces", pieces.len()))
    }

    async fn notices_the_limit(&self) -> Result<String, String> {
        let request = LlmRequest::new("Tell a long story about a ship.").max_output_tokens(8);
        let answer = self
            .service
            .complete(&request)
            .await
            .map_err(|err| err.to_string())?;
        claim(answer.stop == StopReason::MaxTokens, || {
            format!("stop {:?}", answer.stop)
        })?;
        Ok("distinguished from an end".to_owned())
    }

    /// With a grammar that constrains the output, even this model can be wrong only in the values.
    async fn notes(&self, seed: u64) -> Result<String, String> {
        let mut request = LlmRequest::new("Write a note about bees, with two or three keywords.")
            .max_output_tokens(400);
        request.seed = Some(seed);
        let answer = self.service.typed::<Note>(&request).await;
        let Note {
            title,
            mood,
            keywords,
        } = answer.map_err(|err| err.to_string())?;
        Ok(format!("{title:?}, {mood:?}, {} keywords", keywords.len()))
    }

    async fn is_too_long(&self) -> Result<String, String> {
        let request = LlmRequest::new("bees and ".repeat(5_000)).max_output_tokens(16);
        self.fails(&request, ErrorKind::ContextTooLong).await
    }

    async fn is_refused(&self) -> Result<String, String> {
        let request =
            LlmRequest::new("Name a colour.").output(OutputFormat::Schema(OutputSchema {
                name: "odd".to_owned(),
                schema: json!({ "not": { "type": "string" } }),
            }));
        let answer = self.service.complete(&request).await;
        let error = answer
            .err()
            .ok_or("an answer to a schema that cannot be served")?;
        let kinds = [
            ErrorKind::SchemaRejected,
            ErrorKind::Unsupported,
            ErrorKind::BadRequest,
        ];
        claim(kinds.contains(&error.kind()), || error.to_string())?;
        Ok(error.to_string())
    }

    async fn is_unknown(&self) -> Result<String, String> {
        let answer = self
            .stranger
            .complete(&LlmRequest::new("Name a colour."))
            .await;
        let error = answer
            .err()
            .ok_or("an answer of a model that is not there")?;
        claim(error.kind() == ErrorKind::UnknownModel, || {
            error.to_string()
        })?;
        Ok(error.to_string())
    }

    async fn times_out(&self) -> Result<String, String> {
        let request = LlmRequest::new("Tell a long story about a ship.")
            .max_output_tokens(1000)
            .timeout(Duration::from_millis(500));
        self.fails(&request, ErrorKind::Timeout).await
    }

    async fn fails(&self, request: &LlmRequest, kind: ErrorKind) -> Result<String, String> {
        let answer = self.service.complete(request).await;
        let error = answer.err().ok_or("an answer instead of an error")?;
        claim(error.kind() == kind, || error.to_string())?;
        Ok(error.to_string())
    }
}

/// The structured answer that a case requests.
#[derive(Debug, Deserialize, JsonSchema)]
struct Note {
    title: String,
    mood: Mood,
    keywords: Vec<String>,
}

#[derive(Debug, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Mood {
    Calm,
    Lively,
}
