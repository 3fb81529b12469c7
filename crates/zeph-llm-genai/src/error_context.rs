//! Converts errors of the network and the services to errors of the port, without keys.

use std::borrow::Cow;
use std::error::Error;
use std::time::SystemTime;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use secrecy::{ExposeSecret as _, SecretString};
use zeph_common::Boundary;
use zeph_llm::{ErrorKind, LlmError};

use crate::answer::AnswerFault;
use crate::error_body::{ErrorBody, words_of};
use crate::key::is_placeholder_key;
use crate::retry_after::retry_after;

/// The most bytes of a service's text in an error.
const MESSAGE_BYTES: usize = 600;

/// The name and address of the provider, and the key that must not be in its errors.
#[derive(Debug)]
pub(crate) struct ErrorContext {
    name: String,
    address: String,
    /// `None` for a placeholder, which may be a word of any text.
    key: Option<SecretString>,
}

impl ErrorContext {
    pub(crate) fn new(name: String, address: String, key: Option<SecretString>) -> Self {
        let key = key.filter(|key| !is_placeholder_key(key.expose_secret()));
        Self { name, address, key }
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

    /// The base address, without its query.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The error for an answer that cannot be read. An error that comes first cost nothing.
    pub(crate) fn fault(&self, fault: AnswerFault, is_first: bool) -> LlmError {
        match fault {
            AnswerFault::Garbled(why) => {
                let what = format!("{} answered against the protocol: {why}", self.address);
                self.error(ErrorKind::Garbled, &what)
            }
            AnswerFault::Cut => {
                let what = format!("the answer from {} is incomplete", self.address);
                self.error(ErrorKind::Cut, &what)
            }
            AnswerFault::Reported(error) => {
                let error = self.reported(None, &ErrorBody::of(&error), &HeaderMap::new());
                if is_first {
                    error.with_refusal()
                } else {
                    error
                }
            }
        }
    }

    /// The error for a body that is neither JSON nor a stream of events. The model did not work for it.
    pub(crate) fn foreign(&self, kind: ErrorKind, content_type: &str, head: &str) -> LlmError {
        let kind_of_body = match content_type {
            "" => "a body without a type".to_owned(),
            name => format!("`{}`", zeph_common::truncate(name, 60, Boundary::Char)),
        };
        let words = words_of(head);
        let what = format!(
            "{} answered with {kind_of_body} instead of an answer; is the base address right? It says: {words}",
            self.address
        );
        self.error(kind, &what).with_refusal()
    }

    /// The error of a failed connection.
    pub(crate) fn transport(&self, error: &reqwest::Error) -> LlmError {
        let address = &self.address;
        let (kind, what) = if error.is_timeout() {
            (
                ErrorKind::Timeout,
                format!("{address} could not be reached in time"),
            )
        } else if error.is_body() || error.is_decode() {
            (
                ErrorKind::Cut,
                format!("the answer from {address} was interrupted"),
            )
        } else if error.is_connect() || error.is_builder() {
            (ErrorKind::Network, format!("nothing answers at {address}"))
        } else {
            // The service may have received the request, processed it, and charged for it.
            (
                ErrorKind::Cut,
                format!("{address} closed the connection before it answered"),
            )
        };
        // The innermost cause; the outer ones only name layers, and the outermost has the whole address.
        let mut cause: Option<&dyn Error> = error.source();
        let mut innermost = String::new();
        while let Some(inner) = cause {
            innermost = inner.to_string();
            cause = inner.source();
        }
        let is_ollama = kind == ErrorKind::Network && self.name.starts_with("ollama::");
        let hint = if is_ollama {
            "; is Ollama running?"
        } else {
            ""
        };
        self.error(kind, &format!("{what}: {innermost}{hint}"))
    }

    /// The error of a response with an error status. The service refused the request, unless a gateway gave
    /// up waiting for it.
    pub(crate) fn refused(&self, status: StatusCode, headers: &HeaderMap, body: &str) -> LlmError {
        let error = self.reported(Some(status), &ErrorBody::read(body), headers);
        match status.as_u16() {
            408 | 504 | 524 => error,
            _ => error.with_refusal(),
        }
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
        let address = &self.address;
        let words = match body.message.trim() {
            "" => "no reason given",
            words => words,
        };
        // Room for the address, also beside a long text.
        let words = zeph_common::truncate(words, MESSAGE_BYTES - 200, Boundary::Char);
        let text = if status.is_some_and(|status| status.is_redirection()) {
            format!(
                "{address} redirects to {}; redirects are not followed, because the key would be sent along: set the base address",
                redirect_host(headers)
            )
        } else if kind == ErrorKind::BadRequest && code == Some(404) {
            format!("not found at {address}; is the base address right? {words}")
        } else {
            format!("{words}; asked at {address}")
        };
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
