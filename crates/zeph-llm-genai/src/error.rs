//! Errors of the builder.

/// The error of building a provider. The text never contains a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BuildError {
    /// The name has no service.
    #[error(
        "`{name}` has no service: write `service::model`, such as `openai::{name}` or `ollama::{name}`"
    )]
    NoService {
        /// The name, shortened.
        name: String,
    },
    /// The service is unknown.
    #[error("there is no service `{service}`{}; known services: {}", hint(*.suggestion), .known.join(", "))]
    UnknownService {
        /// The name, shortened.
        service: String,
        /// The service with the most similar name.
        suggestion: Option<&'static str>,
        /// The names of all services.
        known: Vec<&'static str>,
    },
    /// The name of the model is empty, too long, or contains white space or controls.
    #[error(
        "`{model}` is no valid model name: write `service::model`, with 1 to 256 bytes and no white space"
    )]
    BadModel {
        /// The name, shortened.
        model: String,
    },
    /// The base address is invalid.
    #[error(
        "the base address is invalid: {why}; expected an address like `http://127.0.0.1:8080/v1/`"
    )]
    BadBaseUrl {
        /// The problem.
        why: &'static str,
    },
    /// The service requires a key.
    #[error("the service `{service}` requires a key: pass one{}", usually(*.variable))]
    NoKey {
        /// The service.
        service: &'static str,
        /// The environment variable that usually holds the key.
        variable: Option<&'static str>,
    },
    /// The key is empty, or contains characters that are invalid in a header.
    #[error(
        "the key for `{service}` is empty or contains white space or controls: check its source"
    )]
    BadKey {
        /// The service.
        service: &'static str,
    },
    /// The key would be sent unencrypted to another machine.
    #[error(
        "the key would be sent unencrypted to {host}: use https, set `key_in_clear` if you trust the network, or pass no key{}", unset(*.variable)
    )]
    KeyInClear {
        /// The other machine.
        host: String,
        /// The environment variable that usually holds the key.
        variable: Option<&'static str>,
    },
    /// The name of the token limit is no field of a request.
    #[error("`{field}` is no name of a field; expected one such as `max_completion_tokens`")]
    BadField {
        /// The name.
        field: String,
    },
    /// A time limit is 0.
    #[error("the time limit `{limit}` is 0; it must be longer")]
    ZeroTimeout {
        /// The name of the limit.
        limit: &'static str,
    },
    /// The address of the proxy is invalid.
    #[error(
        "the address of the proxy is invalid; expected an address like `http://127.0.0.1:3128`"
    )]
    BadProxy,
    /// The HTTP client cannot be set up, usually because the system has no certificate authorities.
    #[error(
        "the HTTP client cannot be set up: {why}; are the certificates of authorities installed?"
    )]
    Client {
        /// The reason.
        why: String,
    },
}

fn hint(suggestion: Option<&str>) -> String {
    suggestion.map_or(String::new(), |name| format!(", did you mean `{name}`?"))
}

fn unset(variable: Option<&str>) -> String {
    variable.map_or(String::new(), |name| format!(" (unset {name})"))
}

fn usually(variable: Option<&str>) -> String {
    variable.map_or(String::new(), |name| format!(", usually in {name}"))
}
