//! Client of llmock's control interface: queues faults, reads the received requests and the verdict.

use serde_json::{Value, json};

/// The control interface of a running llmock.
#[derive(Debug)]
pub(crate) struct Control {
    base: String,
    http: reqwest::Client,
}

/// One request as llmock saw it.
#[derive(Debug)]
pub(crate) struct Seen {
    /// Time of arrival, in seconds on llmock's own clock.
    pub(crate) started: f64,
    pub(crate) ended: f64,
}

impl Control {
    /// A client for the address that llmock prints, which ends with a slash.
    pub(crate) fn new(url: &str) -> Self {
        Self {
            base: format!("{url}_llmock/"),
            http: reqwest::Client::new(),
        }
    }

    /// Resets llmock and queues these behaviours.
    pub(crate) async fn script(&self, behaviours: Vec<Value>) -> Result<(), String> {
        self.post("reset", &json!({})).await?;
        if behaviours.is_empty() {
            return Ok(());
        }
        self.post("scenario", &json!({ "behaviors": behaviours }))
            .await
    }

    /// The requests since the last script, in the order of their arrival.
    pub(crate) async fn seen(&self) -> Result<Vec<Seen>, String> {
        let value = self.get("requests").await?;
        let records = value["requests"].as_array().cloned().unwrap_or_default();
        let seen = records.into_iter().map(|record| Seen {
            started: record["started_at"].as_f64().unwrap_or_default(),
            ended: record["ended_at"].as_f64().unwrap_or_default(),
        });
        Ok(seen.collect())
    }

    /// Reads llmock's verdict. The error lists every finding that is not among the expected ones.
    pub(crate) async fn verdict(&self, expected: &[&str]) -> Result<(), String> {
        let value = self.get("verdict").await?;
        let findings = value["findings"]
            .as_array()
            .ok_or_else(|| format!("a verdict without findings: {value}"))?;
        let unexpected: Vec<String> = findings
            .iter()
            .filter(|each| !expected.iter().any(|code| each["code"] == **code))
            .map(|each| format!("{} {}: {}", each["severity"], each["code"], each["title"]))
            .collect();
        if unexpected.is_empty() {
            return Ok(());
        }
        Err(format!("verdict: {}", unexpected.join("; ")))
    }

    async fn post(&self, what: &str, body: &Value) -> Result<(), String> {
        let url = format!("{}{what}", self.base);
        let failed = |err: reqwest::Error| format!("{url}: {err}");
        let sent = self.http.post(&url).json(body).send().await;
        let answer = sent.map_err(failed)?;
        if answer.status().is_success() {
            return Ok(());
        }
        let status = answer.status();
        let text = answer.text().await.map_err(failed)?;
        Err(format!("{url}: {status}: {text}"))
    }

    async fn get(&self, what: &str) -> Result<Value, String> {
        let url = format!("{}{what}", self.base);
        let failed = |err: reqwest::Error| format!("{url}: {err}");
        let answer = self.http.get(&url).send().await.map_err(failed)?;
        answer.json().await.map_err(failed)
    }
}
