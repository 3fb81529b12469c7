//! The body of an error response, and the kind of error that it means.

use serde_json::Value;
use zeph_common::Boundary;
use zeph_llm::ErrorKind;

/// An error that a service reports, in any of the formats in use.
#[derive(Debug, Default)]
pub(crate) struct ErrorBody {
    pub(crate) message: String,
    /// Code, type and status, in lower case.
    words: String,
    pub(crate) status: Option<u16>,
    pub(crate) error: Value,
}

impl ErrorBody {
    /// Reads the body of a response with an error status.
    pub(crate) fn read(body: &str) -> Self {
        let Ok(parsed) = serde_json::from_str::<Value>(body) else {
            let message = words_of(head(body));
            return Self {
                message,
                ..Self::default()
            };
        };
        // Gemini sometimes wraps its error in a list.
        let first = parsed.get(0).unwrap_or(&parsed);
        match first.get("error") {
            None | Some(Value::Null) => Self::of(first),
            Some(error) => Self::of(error),
        }
    }

    pub(crate) fn of(error: &Value) -> Self {
        let fields = ["message", "detail", "error", "msg"];
        let message = match error.as_str() {
            Some(_) => error,
            None => fields
                .iter()
                .find_map(|field| error.get(field).filter(|value| !value.is_null()))
                .unwrap_or(error),
        };
        let message = message
            .as_str()
            .map_or_else(|| message.to_string(), str::to_owned);
        let param = error.get("param").and_then(Value::as_str);
        let message = match param.filter(|param| !param.is_empty() && !message.contains(param)) {
            Some(param) => format!("{message} (at {param})"),
            None => message,
        };
        let mut words = String::new();
        let details = error.get("details").and_then(Value::as_array);
        let reasons = details
            .into_iter()
            .flatten()
            .filter_map(|detail| detail.get("reason"));
        let named = ["code", "type", "status"]
            .iter()
            .filter_map(|field| error.get(field));
        for word in named.chain(reasons).filter_map(Value::as_str) {
            words.push_str(&word.to_lowercase());
            words.push(' ');
        }
        let code = error
            .get("code")
            .or_else(|| error.get("status"))
            .and_then(Value::as_u64);
        let status = code.filter(|code| (400..600).contains(code));
        Self {
            message,
            words,
            status: status.and_then(|code| u16::try_from(code).ok()),
            error: error.clone(),
        }
    }

    /// The kind of the error, by status, code and text. The order matters: services use some statuses for
    /// several errors, so codes come first.
    pub(crate) fn kind(&self, status: Option<u16>) -> ErrorKind {
        let text = zeph_common::truncate(&self.message, 4_096, Boundary::Char)
            .text
            .to_lowercase();
        let named = |list: &[&str]| list.iter().any(|word| self.words.contains(word));
        let mentioned = |list: &[&str]| named(list) || list.iter().any(|word| text.contains(word));
        match status {
            Some(402) => return ErrorKind::NoCredit,
            Some(408) => return ErrorKind::Timeout,
            Some(501) => return ErrorKind::Unsupported,
            Some(409 | 425 | 500..) => return ErrorKind::Unavailable,
            Some(_) | None => {}
        }
        if named(NO_CREDIT) || (status != Some(429) && mentioned(NO_CREDIT)) {
            return ErrorKind::NoCredit;
        }
        if named(NO_MODEL) {
            return ErrorKind::UnknownModel;
        }
        match status {
            Some(401 | 403) => return ErrorKind::Unauthorized,
            Some(413) => return ErrorKind::ContextTooLong,
            // A request above the limit per minute never succeeds, however long the wait.
            Some(429) if text.contains("request too large") => return ErrorKind::ContextTooLong,
            Some(429) => return ErrorKind::RateLimited,
            Some(404) if text.contains("model") => return ErrorKind::UnknownModel,
            Some(300..=399 | 404) => return ErrorKind::BadRequest,
            Some(_) | None => {}
        }
        let words: [(&[&str], ErrorKind); 3] = [
            (UNAUTHORIZED, ErrorKind::Unauthorized),
            (TOO_LONG, ErrorKind::ContextTooLong),
            (SCHEMA, ErrorKind::SchemaRejected),
        ];
        if let Some((_, kind)) = words.into_iter().find(|(list, _)| mentioned(list)) {
            return kind;
        }
        if mentioned(NO_MODEL) {
            return ErrorKind::UnknownModel;
        }
        if status.is_some() || named(&["invalid_request", "invalid_argument", "bad_request"]) {
            return ErrorKind::BadRequest;
        }
        if named(LIMITED) {
            return ErrorKind::RateLimited;
        }
        if named(&["not_found"]) && text.contains("model") {
            return ErrorKind::UnknownModel;
        }
        // An error without details inside an answer is a failure of the service.
        ErrorKind::Unavailable
    }
}

/// The start of a body.
pub(crate) fn head(body: &str) -> &str {
    zeph_common::truncate(body.trim_start(), 2_000, Boundary::Char).text
}

/// The words of a text that may be a page: without tags, scripts and styles, in one line.
pub(crate) fn words_of(text: &str) -> String {
    if !text.trim_start().starts_with('<') {
        return text.trim().to_owned();
    }
    let mut words = String::new();
    let mut skipped: Option<&str> = None;
    for part in text.split('<') {
        let (tag, said) = part.split_once('>').unwrap_or((part, ""));
        let name = tag
            .split(|c: char| c.is_whitespace() || c == '/')
            .find(|name| !name.is_empty());
        let is_end = tag.starts_with('/');
        match (skipped, name) {
            (Some(inside), Some(name)) if is_end && name == inside => skipped = None,
            (Some(_), _) => continue,
            (None, Some(name @ ("script" | "style"))) if !is_end => skipped = Some(name),
            (None, _) => {}
        }
        if skipped.is_none() {
            words.push_str(said);
            words.push(' ');
        }
    }
    words.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Codes and texts of errors for which the status is ambiguous.
const NO_CREDIT: &[&str] = &[
    "insufficient_quota",
    "billing",
    "payment_required",
    "insufficient_balance",
    "insufficient balance",
    "insufficient credits",
    "credit balance is too low",
    "requires more credits",
];
const UNAUTHORIZED: &[&str] = &[
    "authentication_error",
    "permission_error",
    "invalid_api_key",
    "unauthenticated",
    "permission_denied",
    "api_key_invalid",
    "api key not valid",
];
const NO_MODEL: &[&str] = &[
    "model_not_found",
    "unknown_model",
    "invalid_model",
    "not a valid model",
    "model not found",
    "unknown model",
    "no such model",
];
const TOO_LONG: &[&str] = &[
    "context_length",
    "context length",
    "context window",
    "context size",
    "context_window",
    "prompt is too long",
    "exceed_context",
    "input token count",
    "too many tokens",
    "maximum number of tokens",
    "request too large",
    "request_too_large",
    "input is too long",
];
const SCHEMA: &[&str] = &[
    "invalid_schema",
    "invalid schema",
    "json_schema",
    "json schema",
    "response_format",
    "response_schema",
    "responsejsonschema",
    "output_config",
    "output_format",
    "grammar",
    "function_declarations",
    "input_schema",
];
const LIMITED: &[&str] = &[
    "rate_limit",
    "resource_exhausted",
    "too_many_requests",
    "throttl",
];

#[cfg(test)]
mod tests {
    use super::{ErrorBody, words_of};

    #[test]
    fn a_page_is_reported_by_its_words() {
        for (text, words) in [
            ("slow down\n", "slow down"),
            (
                "<html><head><title>502 Bad Gateway</title><style>b{a:1}</style></head>\n<body><h1>502</h1><script>x<y</script></body>",
                "502 Bad Gateway 502",
            ),
            ("<!doctype html>", ""),
            ("<p>a</p", "a"),
            ("a < b", "a < b"),
        ] {
            assert_eq!(words_of(text), words, "{text}");
        }
    }

    #[test]
    fn the_parameter_of_an_error_is_named() {
        let body = r#"{"error":{"message":"Unknown parameter","param":"stream_options"}}"#;
        assert_eq!(
            ErrorBody::read(body).message,
            "Unknown parameter (at stream_options)"
        );
        let body = r#"{"error":{"message":"Unknown parameter 'seed'","param":"seed"}}"#;
        assert_eq!(ErrorBody::read(body).message, "Unknown parameter 'seed'");
    }
}
