//! Converts errors of genai, the network and the services to errors of the port, without keys.

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

use crate::answer::AnswerFault;
use crate::error_body::{ErrorBody, head};
use crate::retry_after::retry_after;

/// The most bytes of a service's text in an error.
const MESSAGE_BYTES: usize = 600;

/// The name of the provider, and the key that must not be in its errors.
#[derive(Debug)]
pub(crate) struct ErrorContext {
    name: String,
    key: Option<SecretString>,
}

impl ErrorContext {
    pub(crate) fn new(name: String, key: Option<SecretString>) -> Self {
        Self { name, key }
    }

    /// An error of that kind. The key and control characters are removed from the text, which may be untrusted.
    pub(crate) fn error(&self, kind: ErrorKind, text: &str) -> LlmError {
        let text = self.redacted(text);
        let text = zeph_common::escape_terminal(text.trim());
        // Once more: removing invisible characters may have completed a key.
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

    /// The error for an answer that cannot be read.
    pub(crate) fn fault(&self, fault: AnswerFault) -> LlmError {
        match fault {
            AnswerFault::Garbled(why) => self.error(ErrorKind::Garbled, why),
            AnswerFault::Reported(error) => {
                self.reported(None, &ErrorBody::of(&error), &HeaderMap::new())
            }
        }
    }

    /// The error of a failed call.
    pub(crate) fn call(&self, error: &genai::Error) -> LlmError {
        use genai::Error::{HttpError, WebModelCall, WebStream};
        if let WebModelCall { webc_error, .. } = error {
            return self.web(webc_error);
        }
        if let WebStream { error, .. } = error {
            return self.interrupted(error.as_ref());
        }
        if let HttpError {
            status,
            body,
            headers,
            ..
        } = error
        {
            return self.reported(Some(*status), &ErrorBody::read(body), headers);
        }
        // Payload and body are left out: both may be long and contain secrets.
        let why = "the answer violates the protocol";
        self.error(ErrorKind::Garbled, why)
    }

    fn web(&self, error: &webc::Error) -> LlmError {
        match error {
            webc::Error::ResponseFailedStatus {
                status,
                body,
                headers,
            } => self.reported(Some(*status), &ErrorBody::read(body), headers),
            webc::Error::ResponseFailedInvalidJson { body, .. } => {
                let parsed = serde_json::from_str::<Value>(body);
                let cut = body.trim().is_empty() || parsed.is_err_and(|error| error.is_eof());
                if cut {
                    return self.error(ErrorKind::Cut, "the answer is incomplete");
                }
                self.error(
                    ErrorKind::Garbled,
                    &format!("the answer is not JSON: {}", head(body)),
                )
            }
            webc::Error::ResponseFailedNotJson { content_type, body } => {
                let what = zeph_common::truncate(content_type, 60, Boundary::Char);
                let said = format!(
                    "the answer is not JSON but `{what}`; is the base address right? It starts with: {}",
                    head(body)
                );
                self.error(ErrorKind::Garbled, &said)
            }
            webc::Error::Reqwest(error) => self.transport(error),
            webc::Error::JsonValueExt(_) => {
                self.error(ErrorKind::Garbled, "the answer violates the protocol")
            }
        }
    }

    /// The error of an interrupted stream.
    fn interrupted(&self, error: &(dyn Error + Send + Sync + 'static)) -> LlmError {
        if let Some(error) = error.downcast_ref::<genai::Error>() {
            return self.call(error);
        }
        if let Some(timeout) = error.downcast_ref::<StreamTimeout>() {
            return self.error(
                ErrorKind::Timeout,
                match timeout {
                    StreamTimeout::Headers => "the service did not start to answer in time",
                    StreamTimeout::Read => "the stream sent no more data in time",
                },
            );
        }
        if let Some(error) = error.downcast_ref::<reqwest::Error>() {
            return self.transport(error);
        }
        self.error(ErrorKind::Garbled, "the stream is not valid text")
    }

    fn transport(&self, error: &reqwest::Error) -> LlmError {
        let (kind, what) = if error.is_timeout() {
            (
                ErrorKind::Timeout,
                "the service could not be reached in time",
            )
        } else if error.is_body() || error.is_decode() {
            (ErrorKind::Cut, "the answer was interrupted")
        } else if error.is_connect() || error.is_builder() {
            (ErrorKind::Network, "the service could not be reached")
        } else {
            // The service may have received the request, processed it, and charged for it.
            (
                ErrorKind::Cut,
                "the service closed the connection before it answered",
            )
        };
        // Without the first error, which contains the address.
        let mut chain: Vec<String> = Vec::new();
        let mut cause: Option<&dyn Error> = error.source();
        while let Some(inner) = cause.filter(|_| chain.len() < 8) {
            chain.push(inner.to_string());
            cause = inner.source();
        }
        self.error(kind, &format!("{what}: {}", chain.join(": ")))
    }

    /// The error that a service reports.
    fn reported(
        &self,
        status: Option<StatusCode>,
        body: &ErrorBody,
        headers: &HeaderMap,
    ) -> LlmError {
        let code = status.map(|status| status.as_u16()).or(body.status);
        let kind = body.kind(code);
        let mut text = Cow::Borrowed(body.message.as_str());
        if status.is_some_and(|status| status.is_redirection()) {
            text = Cow::Owned(format!(
                "the service redirects to {}; redirects are not followed, because the key would be sent along: set the base address",
                redirect_host(headers)
            ));
        } else if kind == ErrorKind::BadRequest && code == Some(404) {
            text = Cow::Owned(format!(
                "the address was not found; is the base address right? {text}"
            ));
        }
        let mut error = self.error(kind, &text);
        if let Some(code) = code {
            error = error.with_status(code);
        }
        let wait = error
            .is_retryable()
            .then(|| retry_after(headers, &body.error, SystemTime::now()));
        match wait.flatten() {
            Some(wait) => error.with_retry_after(wait),
            None => error,
        }
    }
}

/// The host of a redirect; the rest of the address may contain secrets.
fn redirect_host(headers: &HeaderMap) -> String {
    let location = headers
        .get(LOCATION)
        .and_then(|location| location.to_str().ok());
    let url = location.and_then(|location| reqwest::Url::parse(location).ok());
    let host = url.as_ref().and_then(|url| url.host_str());
    host.unwrap_or("another address").to_owned()
}
