//! Fixtures: aimock answers in the protocols of three service families; our adapter must read them alike.

use std::time::{Duration, Instant};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};
use zeph_llm::{ErrorKind, LlmResponse, Message, StopReason};

use crate::report::{Report, claim};
use crate::service::{Family, Service, question, weather};

/// The answers of aimock, with the requests that they match and their number of uses.
const FIXTURES: &str = include_str!("fixtures.json");

const COUNTED: &str = "one two three four five six seven eight nine ten";

/// Every case, for each family of services.
pub(crate) async fn check(report: &mut Report, url: &str) -> Result<(), String> {
    for family in Family::ALL {
        let checker = Checker {
            url,
            http: reqwest::Client::new(),
            service: Service::new(family, &family.base_at_aimock(url), "fixture-model")?,
        };
        let who = family.name();
        report.case(who, "fixtures", checker.load()).await;
        report
            .case(who, "an answer and its usage", checker.answers())
            .await;
        report.case(who, "a stream", checker.streams()).await;
        report
            .case(who, "a stream that is cut", checker.notices_a_cut())
            .await;
        report
            .case(
                who,
                "an answer that is cut by its limit",
                checker.notices_the_limit(),
            )
            .await;
        report
            .case(who, "structured output", checker.reads_data())
            .await;
        report
            .case(who, "prose instead of data", checker.refuses_prose())
            .await;
        report
            .case(who, "a tool, its result, an answer", checker.uses_a_tool())
            .await;
        report
            .case(who, "a bad key", checker.is_unauthorized())
            .await;
        report
            .case(who, "429, Retry-After 1 s", checker.waits())
            .await;
        report
            .case(who, "the journal", checker.is_as_recorded(family))
            .await;
    }
    Ok(())
}

/// One service and aimock's control interface.
struct Checker<'a> {
    url: &'a str,
    http: reqwest::Client,
    service: Service,
}

impl Checker<'_> {
    /// Resets aimock and loads the fixtures, so that counted fixtures start at zero.
    async fn load(&self) -> Result<String, String> {
        self.control("reset", "{}").await?;
        let added = self.control("fixtures", FIXTURES).await?;
        claim(added["added"].as_u64() > Some(0), || added.to_string())?;
        Ok(format!("{} loaded", added["added"]))
    }

    async fn answers(&self) -> Result<String, String> {
        let answer = self.ask("count to ten").await?;
        claim(answer.text == COUNTED, || answer.text.clone())?;
        claim(answer.stop == StopReason::End, || {
            format!("stop {:?}", answer.stop)
        })?;
        let usage = (answer.usage.input_tokens, answer.usage.output_tokens);
        claim(usage == (Some(11), Some(10)), || format!("usage {usage:?}"))?;
        Ok(format!("{} tokens in, {} out", 11, 10))
    }

    async fn streams(&self) -> Result<String, String> {
        let request = question("count to ten");
        let (answer, pieces) = self
            .service
            .stream(&request)
            .await
            .map_err(|err| err.to_string())?;
        claim(answer.text == COUNTED, || answer.text.clone())?;
        claim(pieces.concat() == COUNTED, || pieces.concat())?;
        claim(pieces.len() > 1, || format!("{} piece", pieces.len()))?;
        let usage = (answer.usage.input_tokens, answer.usage.output_tokens);
        claim(usage == (Some(11), Some(10)), || format!("usage {usage:?}"))?;
        Ok(format!("{} pieces", pieces.len()))
    }

    /// A cut stream ends with an error if its parts were delivered; a collected stream is requested again.
    async fn notices_a_cut(&self) -> Result<String, String> {
        let request = question("be cut");
        let streamed = self.service.stream(&request).await;
        let error = streamed.err().ok_or("half an answer was taken for one")?;
        claim(error.kind() == ErrorKind::Cut, || error.to_string())?;
        let again = self.service.collect(&request).await;
        let again = again.map_err(|err| err.to_string())?;
        claim(again.text == COUNTED, || again.text.clone())?;
        Ok(error.to_string())
    }

    async fn notices_the_limit(&self) -> Result<String, String> {
        let answer = self.ask("too many words").await?;
        claim(answer.stop == StopReason::MaxTokens, || {
            format!("stop {:?}", answer.stop)
        })?;
        Ok("distinguished from an end".to_owned())
    }

    async fn reads_data(&self) -> Result<String, String> {
        let answer = self.service.typed::<City>(&question("city as data")).await;
        let City { city, degrees } = answer.map_err(|err| err.to_string())?;
        claim(city == "Oslo" && degrees == 7, || {
            format!("{city}, {degrees}")
        })?;
        Ok(city)
    }

    async fn refuses_prose(&self) -> Result<String, String> {
        let answer = self.service.typed::<City>(&question("city as prose")).await;
        let error = answer.err().ok_or("prose was taken for data")?;
        let error = error.to_string();
        claim(error.contains("no valid JSON"), || error.clone())?;
        Ok(error)
    }

    async fn uses_a_tool(&self) -> Result<String, String> {
        let request = question("what is the weather in Oslo").tool(weather());
        let asked = self
            .service
            .complete(&request)
            .await
            .map_err(|err| err.to_string())?;
        claim(asked.stop == StopReason::ToolCalls, || {
            format!("stop {:?}", asked.stop)
        })?;
        let [call] = asked.tool_calls.as_slice() else {
            return Err(format!("{} calls of tools", asked.tool_calls.len()));
        };
        claim(call.id == "call_1", || call.id.clone())?;
        claim(call.arguments == json!({"city": "Oslo"}), || {
            call.arguments.to_string()
        })?;
        let mut next = request.clone();
        next.messages.push(asked.message());
        next.messages.push(Message::tool(call, "7 degrees"));
        let answer = self
            .service
            .complete(&next)
            .await
            .map_err(|err| err.to_string())?;
        claim(answer.text == "It is 7 degrees in Oslo.", || {
            answer.text.clone()
        })?;
        Ok(format!("{}({})", call.name, call.arguments))
    }

    async fn is_unauthorized(&self) -> Result<String, String> {
        let answer = self.service.complete(&question("refuse me")).await;
        let error = answer.err().ok_or("an answer without a key")?;
        claim(error.kind() == ErrorKind::Unauthorized, || {
            error.to_string()
        })?;
        claim(error.attempts() == 1, || error.to_string())?;
        Ok(error.to_string())
    }

    async fn waits(&self) -> Result<String, String> {
        let begin = Instant::now();
        let answer = self.ask("busy once").await?;
        let took = begin.elapsed();
        claim(answer.text == "Thank you for waiting.", || {
            answer.text.clone()
        })?;
        claim(took >= Duration::from_secs(1), || format!("only {took:?}"))?;
        Ok(format!("answered after {:.1} s", took.as_secs_f64()))
    }

    /// Every request used the protocol of its family, and carried the schema.
    async fn is_as_recorded(&self, family: Family) -> Result<String, String> {
        let url = format!("{}__aimock/journal", self.url);
        let failed = |err: reqwest::Error| format!("{url}: {err}");
        let answer = self.http.get(&url).send().await.map_err(failed)?;
        let journal: Vec<Value> = answer.json().await.map_err(failed)?;
        let path = family.path();
        let strays = journal.iter().filter(|each| each["path"] != path);
        let strays: Vec<String> = strays.map(|each| each["path"].to_string()).collect();
        claim(strays.is_empty(), || {
            format!("requests to {}", strays.join(", "))
        })?;
        let lost = journal
            .iter()
            .filter(|each| each["response"]["status"] == 503);
        claim(lost.count() == 0, || {
            "a request that no fixture matches".to_owned()
        })?;
        if family != Family::Anthropic {
            let formats = journal
                .iter()
                .filter(|each| each["body"]["response_format"]["type"] == "json_schema");
            let formats = formats.count();
            claim(formats >= 2, || format!("{formats} requests with a schema"))?;
        }
        Ok(format!("{} requests, all to {path}", journal.len()))
    }

    async fn ask(&self, text: &str) -> Result<LlmResponse, String> {
        self.service
            .complete(&question(text))
            .await
            .map_err(|err| err.to_string())
    }

    async fn control(&self, what: &str, body: &'static str) -> Result<Value, String> {
        let url = format!("{}__aimock/{what}", self.url);
        let failed = |err: reqwest::Error| format!("{url}: {err}");
        let answer = self
            .http
            .post(&url)
            .body(body)
            .send()
            .await
            .map_err(failed)?;
        answer.json().await.map_err(failed)
    }
}

/// The structured answer that a case requests.
#[derive(Debug, Deserialize, JsonSchema)]
struct City {
    city: String,
    degrees: i32,
}
