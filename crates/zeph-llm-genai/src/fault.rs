//! Faults: what genai, the network and the services report, as errors of the port, without keys.

use std::borrow::Cow;
use std::error::Error;
use std::time::SystemTime;

use genai::webc::{self, StreamTimeout};
use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use zeph_common::Boundary;
use zeph_llm::{ErrorKind, LlmError};

use crate::answer::Fault;
use crate::said::{Said, head};
use crate::wait;

/// The most bytes of a service's words that an error repeats.
const MESSAGE_BYTES: usize = 600;

/// Who reports errors, and the key that must not be in them.
#[derive(Debug)]
pub(crate) struct Origin {
    name: String,
    key: Option<SecretString>,
}

impl Origin {
    pub(crate) fn new(name: String, key: Option<SecretString>) -> Self {
        Self { name, key }
    }

    /// An error of that kind. Its text may be a stranger's: the key goes out of it, and what is no text.
    pub(crate) fn error(&self, kind: ErrorKind, text: &str) -> LlmError {
        let text = self.redacted(text);
        let text = zeph_common::escape_terminal(text.trim());
        // Once more: a key with something invisible in it has become one.
        let text = self.redacted(&text);
        let text = zeph_common::truncate(&text, MESSAGE_BYTES, Boundary::Char).to_string();
        LlmError::new(kind, self.name.as_str(), text)
    }

    fn redacted<'a>(&self, text: &'a str) -> Cow<'a, str> {
        match &self.key {
            Some(key) if text.contains(key.expose_secret()) => {
                Cow::Owned(text.replace(key.expose_secret(), "[key]"))
            }
            _ => Cow::Borrowed(text),
        }
    }

    /// The error that a well-formed answer turned out to be.
    pub(crate) fn fault(&self, fault: Fault) -> LlmError {
        match fault {
            Fault::Garbled(why) => self.error(ErrorKind::Garbled, why),
            Fault::Said(error) => self.said(None, &Said::of(&error), &HeaderMap::new()),
        }
    }

    /// The error that kept a call from an answer.
    pub(crate) fn call(&self, error: &genai::Error) -> LlmError {
        use genai::Error::{HttpError, WebModelCall, WebStream};
        if let WebModelCall { webc_error, .. } = error {
            return self.web(webc_error);
        }
        if let WebStream { error, .. } = error {
            return self.broken(error.as_ref());
        }
        if let HttpError {
            status,
            body,
            headers,
            ..
        } = error
        {
            return self.said(Some(*status), &Said::read(body), headers);
        }
        // Neither a payload nor a body is repeated: both may be long, and hold what is secret.
        let why = "the answer is not what the service prescribes";
        self.error(ErrorKind::Garbled, why)
    }

    fn web(&self, error: &webc::Error) -> LlmError {
        match error {
            webc::Error::ResponseFailedStatus {
                status,
                body,
                headers,
            } => self.said(Some(*status), &Said::read(body), headers),
            webc::Error::ResponseFailedInvalidJson { body, .. } => {
                let parsed = serde_json::from_str::<Value>(body);
                let cut = body.trim().is_empty() || parsed.is_err_and(|error| error.is_eof());
                if cut {
                    return self.error(ErrorKind::Cut, "the answer ended in the middle");
                }
                self.error(
                    ErrorKind::Garbled,
                    &format!("the answer is no JSON: {}", head(body)),
                )
            }
            webc::Error::ResponseFailedNotJson { content_type, body } => {
                let what = zeph_common::truncate(content_type, 60, Boundary::Char);
                let said = format!(
                    "the answer is no JSON but `{what}`; is the base address right? It begins: {}",
                    head(body)
                );
                self.error(ErrorKind::Garbled, &said)
            }
            webc::Error::Reqwest(error) => self.transport(error),
            webc::Error::JsonValueExt(_) => self.error(
                ErrorKind::Garbled,
                "the answer is not what the service prescribes",
            ),
        }
    }

    /// What broke a stream.
    fn broken(&self, error: &(dyn Error + Send + Sync + 'static)) -> LlmError {
        if let Some(error) = error.downcast_ref::<genai::Error>() {
            return self.call(error);
        }
        if let Some(timeout) = error.downcast_ref::<StreamTimeout>() {
            return self.error(
                ErrorKind::Timeout,
                match timeout {
                    StreamTimeout::Headers => "the service did not begin to answer in time",
                    StreamTimeout::Read => "the stream stopped flowing",
                },
            );
        }
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return self.transport(error);
        }
        self.error(ErrorKind::Garbled, "the stream is no text")
    }

    fn transport(&self, error: &reqwest::Error) -> LlmError {
        let (kind, what) = if error.is_timeout() {
            (
                ErrorKind::Timeout,
                "the service could not be reached in time",
            )
        } else if error.is_body() || error.is_decode() {
            (ErrorKind::Cut, "the answer broke off")
        } else if error.is_connect() || error.is_builder() {
            (ErrorKind::Network, "the service could not be reached")
        } else {
            // The request may have arrived, been worked on, and been charged for.
            (ErrorKind::Cut, "the service hung up before it answered")
        };
        // Without the first link, which shows the address.
        let mut chain: Vec<String> = Vec::new();
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(inner) = cause.filter(|_| chain.len() < 8) {
            chain.push(inner.to_string());
            cause = inner.source();
        }
        self.error(kind, &format!("{what}: {}", chain.join(": ")))
    }

    /// What the service says went wrong.
    fn said(&self, status: Option<StatusCode>, said: &Said, headers: &HeaderMap) -> LlmError {
        let code = status.map(|status| status.as_u16()).or(said.status);
        let kind = said.kind(code);
        let mut text = Cow::Borrowed(said.message.as_str());
        if status.is_some_and(|status| status.is_redirection()) {
            text = Cow::Owned(format!(
                "the service has moved to {}; redirects are not followed, since the key would go along: set the base address",
                place(headers)
            ));
        } else if kind == ErrorKind::BadRequest && code == Some(404) {
            text = Cow::Owned(format!(
                "nothing is at this address; is the base address right? {text}"
            ));
        }
        let mut error = self.error(kind, &text);
        if let Some(code) = code {
            error = error.with_status(code);
        }
        let wait = error
            .is_retryable()
            .then(|| wait::retry_after(headers, &said.error, SystemTime::now()));
        match wait.flatten() {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}

/// The host that a redirect points to; the rest of the address may hold what is secret.
fn place(headers: &HeaderMap) -> String {
    let location = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    let url = location.and_then(|location| reqwest::Url::parse(location).ok());
    let host = url.as_ref().and_then(|url| url.host_str());
    host.unwrap_or("another address").to_owned()
}
