//! Optional fields of a request: which ones a service has rejected, and how its words are recognised.

use std::collections::BTreeSet;

use zeph_llm::{ErrorKind, LlmError};

/// A part of a request that may be left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Optional {
    /// The request for a stream.
    Stream,
    /// The request for the usage at the end of a stream.
    StreamUsage,
    /// The name of the token limit; the other name is used.
    LimitName,
    /// The token limit.
    Limit,
    /// The format JSON without a schema.
    JsonMode,
    /// The schema. The caller puts it into the prompt.
    Schema,
    /// The system role; its text becomes a part of the first user message.
    SystemRole,
    Seed,
    Temperature,
    Effort,
    ToolChoice,
    /// The reasoning of earlier answers.
    Reasoning,
    /// The fields that the service gave beside a tool call.
    CallExtras,
}

/// The parts that are left out.
pub(crate) type Omitted = BTreeSet<Optional>;

/// The rejections that are followed by another request; each leaves out at least one part.
pub(crate) const MAX_REPEATS: usize = 6;

/// The words of a service that knows a field by name and does not take it.
const REJECTED: &[&str] = &[
    "unsupported",
    "not supported",
    "not support",
    "no support",
    "unknown",
    "unrecognized",
    "unrecognised",
    "unexpected",
    "not permitted",
    "not allowed",
    "not accept",
    "forbidden",
    "additional propert",
    "extra",
    "not enabled",
    "not implemented",
    "not available",
    "cannot be used",
    "deprecated",
    "invalid parameter",
    "must alternate",
    "only user",
    "invalid role",
    "no such",
];

impl Optional {
    /// The words that name it, and whether they are enough. Otherwise the service must also say that it
    /// does not take the field: the value may be the problem.
    const fn names(self) -> (&'static [&'static str], bool) {
        match self {
            Self::StreamUsage => (&["stream_options", "include_usage"], true),
            Self::Seed => (&["seed", "random_seed"], true),
            Self::Reasoning => (
                &[
                    "reasoning_content",
                    "reasoning_details",
                    "reasoning",
                    "thinking",
                    "signature",
                ],
                true,
            ),
            Self::CallExtras => (&["extra_content", "thoughtsignature"], true),
            Self::JsonMode => (
                &[
                    "response_format",
                    "json_object",
                    "json_schema",
                    "json mode",
                    "responsemimetype",
                    "response_mime_type",
                ],
                true,
            ),
            Self::Schema => (&[], true),
            Self::Stream => (&["stream", "streaming"], false),
            Self::LimitName | Self::Limit => (
                &[
                    "max_tokens",
                    "max_completion_tokens",
                    "maxoutputtokens",
                    "max_output_tokens",
                ],
                false,
            ),
            Self::SystemRole => (
                &[
                    "system",
                    "roles",
                    "role",
                    "developer instruction",
                    "systeminstruction",
                ],
                false,
            ),
            Self::Temperature => (&["temperature"], false),
            Self::Effort => (
                &[
                    "reasoning_effort",
                    "effort",
                    "thinkinglevel",
                    "thinking_level",
                    "thinkingconfig",
                    "thinking_config",
                ],
                true,
            ),
            Self::ToolChoice => (&["tool_choice", "toolconfig"], false),
        }
    }

    fn is_named(self, text: &str, is_rejected: bool) -> bool {
        let (names, is_enough) = self.names();
        (is_enough || is_rejected) && names.iter().any(|name| has_word(text, name))
    }
}

/// The parts of a request that its error names as rejected; none if leaving out cannot help.
///
/// `sent` has the parts of the request in the order in which they are tried.
pub(crate) fn rejected(error: &LlmError, sent: &[Optional]) -> Vec<Optional> {
    let is_form = matches!(
        error.kind(),
        ErrorKind::BadRequest | ErrorKind::SchemaRejected | ErrorKind::Unsupported
    );
    let is_status = matches!(error.status(), None | Some(400 | 403 | 415 | 422 | 501));
    if !is_form || !is_status {
        return Vec::new();
    }
    if error.kind() == ErrorKind::SchemaRejected && sent.contains(&Optional::Schema) {
        return vec![Optional::Schema];
    }
    let text = error.message().to_lowercase();
    let is_rejected = REJECTED.iter().any(|word| text.contains(word));
    let named = sent.iter().copied();
    let named: Vec<Optional> = named
        .filter(|part| part.is_named(&text, is_rejected))
        .collect();
    // Both stand for the limit: its other name is tried first.
    let swaps = named.contains(&Optional::LimitName);
    named
        .into_iter()
        .filter(|part| !(swaps && *part == Optional::Limit))
        .collect()
}

/// Whether a text has a word that is no part of a longer name.
fn has_word(text: &str, word: &str) -> bool {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + word.len()..].chars().next();
        !before.is_some_and(is_name) && !after.is_some_and(is_name)
    })
}

#[cfg(test)]
mod tests {
    use super::{Optional, rejected};
    use Optional::{
        JsonMode, Limit, LimitName, Reasoning, Schema, Seed, Stream, StreamUsage, SystemRole,
        Temperature, ToolChoice,
    };
    use zeph_llm::{ErrorKind, LlmError};

    const SENT: &[Optional] = &[
        Stream,
        StreamUsage,
        LimitName,
        Limit,
        JsonMode,
        SystemRole,
        Seed,
        Temperature,
        Optional::Effort,
        ToolChoice,
        Reasoning,
    ];

    #[test]
    fn the_words_of_services_name_what_they_reject() {
        for (text, parts) in [
            ("Unknown parameter: 'stream_options'.", &[StreamUsage][..]),
            (
                "[{\"loc\":[\"body\",\"stream_options\"],\"msg\":\"Extra inputs are not permitted\"}]",
                &[StreamUsage],
            ),
            (
                "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                &[LimitName],
            ),
            (
                "max_tokens is too large: 99. This model supports at most 9 completion tokens",
                &[],
            ),
            ("System role not supported", &[SystemRole]),
            (
                "Conversation roles must alternate user/assistant/user/assistant/...",
                &[SystemRole],
            ),
            (
                "Only user and assistant roles are supported!",
                &[SystemRole],
            ),
            (
                "Developer instruction is not enabled for models/gemma-3",
                &[SystemRole],
            ),
            ("property 'seed' is unsupported", &[Seed]),
            (
                "'temperature' does not support 0.5 with this model",
                &[Temperature],
            ),
            ("temperature must be at most 1", &[]),
            (
                "Unrecognized request argument supplied: reasoning_effort",
                &[Optional::Effort],
            ),
            (
                "response_format value `json_object` is unavailable",
                &[JsonMode],
            ),
            ("streaming is not supported by this deployment", &[Stream]),
            ("the upstream closed the stream", &[]),
            ("tool_choice 'none' is not supported", &[ToolChoice]),
            (
                "'messages.1' : property 'reasoning_content' is unsupported",
                &[Reasoning],
            ),
            ("nothing of that", &[]),
        ] {
            let error = LlmError::new(ErrorKind::BadRequest, "m", text).with_status(400);
            assert_eq!(rejected(&error, SENT), parts, "{text}");
        }
    }

    #[test]
    fn only_the_form_of_a_request_is_changed() {
        let text = "unknown parameter stream_options";
        for (kind, status) in [
            (ErrorKind::RateLimited, 429),
            (ErrorKind::Unauthorized, 401),
            (ErrorKind::Unavailable, 500),
            (ErrorKind::ContextTooLong, 400),
        ] {
            let error = LlmError::new(kind, "m", text).with_status(status);
            assert_eq!(rejected(&error, SENT), []);
        }
        let error =
            LlmError::new(ErrorKind::SchemaRejected, "m", "json_schema: no").with_status(400);
        assert_eq!(rejected(&error, &[StreamUsage, Schema]), [Schema]);
        // A second complaint about the limit, under its other name, leaves it out.
        let error = LlmError::new(ErrorKind::BadRequest, "m", "max_completion_tokens: unknown");
        assert_eq!(rejected(&error, &[Limit]), [Limit]);
    }
}
