//! The notes of a call: its request and its reply.

use serde::{Deserialize, Serialize};
use zeph_common::{Boundary, head_tail};
use zeph_executor::{Note, NoteKind, TaskError};
use zeph_graph::Budget;
use zeph_llm::{ErrorKind, LlmError, LlmRequest, LlmResponse};

/// The request of a call; a note of kind `prompt`.
///
/// The calls of an attempt are numbered from 1; a retry has a number of its own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptNote {
    /// The number of the call in its attempt.
    pub call: u32,
    /// The provider.
    pub provider: String,
    /// The hash of the request, by which a replay finds the reply.
    pub hash: String,
    /// The request as it was sent; `None` if it was too long to be stored.
    pub request: Option<LlmRequest>,
    /// The cost that was reserved.
    pub reserved: ReservedCost,
    /// The rest of the budget before the reservation.
    pub left: Budget,
    /// The beginning and the end of a request that was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// The reserved cost of a call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReservedCost {
    /// Tokens, in and out.
    pub tokens: u32,
    /// Millionths of a dollar.
    pub micro_usd: u32,
}

/// How many groups of results a round of summaries may have; a note of kind `answer`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct GroupsNote {
    /// The round, from 1.
    pub(crate) round: u32,
    /// With 0 the budget covers no summary.
    pub(crate) most_groups: usize,
    /// Whether an interrupted attempt has decided it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(crate) reused: bool,
}

/// The reply of a call; a note of kind `reply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyNote {
    /// The number of the call in its attempt.
    pub call: u32,
    /// The provider.
    pub provider: String,
    /// The hash of the request.
    pub hash: String,
    /// The hash of the answer before its secrets were replaced: a different answer is no longer what the model
    /// gave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response_hash: Option<String>,
    /// The answer; `None` if there was none, or if it was too long to be stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LlmResponse>,
    /// The error, if there was no answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
    /// The cost in tokens.
    pub tokens: u32,
    /// The cost in millionths of a dollar.
    pub micro_usd: u32,
    /// The beginning and the end of an answer that was too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
    /// Whether the answer is that of an interrupted attempt: then this attempt made no call, which would have a
    /// note of its request, and it cost nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub reused: bool,
}

/// The stored error of a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    /// Its kind.
    pub kind: ErrorKind,
    /// The message.
    pub message: String,
    /// The HTTP status.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The wait that the service asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl From<&LlmError> for CallError {
    fn from(error: &LlmError) -> Self {
        let millis = |wait: std::time::Duration| u64::try_from(wait.as_millis());
        Self {
            kind: error.kind(),
            message: error.message().to_owned(),
            status: error.status(),
            retry_after_ms: error
                .retry_after()
                .map(|wait| millis(wait).unwrap_or(u64::MAX)),
        }
    }
}

/// The hash of a request, without the limits that depend on the budget and the time of the call: two
/// requests with the same hash ask the same.
pub(crate) fn request_hash(request: &LlmRequest) -> String {
    let request = LlmRequest {
        max_output_tokens: None,
        timeout: None,
        ..request.clone()
    };
    json_hash(&request)
}

/// The hash of an answer.
pub(super) fn response_hash(response: &LlmResponse) -> String {
    json_hash(response)
}

/// The hash of a request with its answer: the same request may have had another one before an interruption.
pub(super) fn reply_hash(request_hash: &str, response: &LlmResponse) -> String {
    json_hash(&(request_hash, response))
}

fn json_hash(value: &impl Serialize) -> String {
    // Requests and answers are plain data with text keys, so their JSON form exists.
    let json = serde_json::to_vec(value).unwrap_or_default();
    blake3::hash(&json).to_hex().to_string()
}

/// The bytes that are stored of a text that is too long for a note. JSON may need six for one of them.
const EXCERPT_BYTES: usize = Note::MAX_BYTES / 8;

/// A note within its size limit. `shorten` gets the beginning and the end of one that is too long.
pub(crate) fn bounded_note<T: Serialize>(
    kind: NoteKind,
    note: T,
    shorten: impl FnOnce(T, String) -> T,
) -> Result<Note, TaskError> {
    let whole = Note::json(kind, &note)?;
    if whole.body.len() <= Note::MAX_BYTES {
        return Ok(whole);
    }
    let text = String::from_utf8_lossy(&whole.body);
    let cut = head_tail(&text, EXCERPT_BYTES, Boundary::Word).to_string();
    Note::json(kind, &shorten(note, cut))
}

impl PromptNote {
    pub(super) fn note(self) -> Result<Note, TaskError> {
        bounded_note(NoteKind::Prompt, self, |note, cut| Self {
            request: None,
            cut: Some(cut),
            ..note
        })
    }
}

impl ReplyNote {
    pub(super) fn note(self) -> Result<Note, TaskError> {
        bounded_note(NoteKind::Reply, self, |note, cut| Self {
            response: None,
            error: note.error.map(|error| CallError {
                message: head_tail(&error.message, 1_000, Boundary::Word).to_string(),
                ..error
            }),
            cut: Some(cut),
            ..note
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{Budget, PromptNote, ReplyNote, ReservedCost};
    use zeph_executor::Note;
    use zeph_llm::{LlmRequest, LlmResponse};

    fn prompt(text: String) -> PromptNote {
        PromptNote {
            call: 1,
            provider: "m".into(),
            hash: String::new(),
            request: Some(LlmRequest::new(text)),
            reserved: ReservedCost::default(),
            left: Budget::default(),
            cut: None,
        }
    }

    #[test]
    fn a_cut_leaves_no_half_of_a_secret() {
        let stored = super::EXCERPT_BYTES / 2;
        for shift in 0..32 {
            // The shift moves the cut through the secret.
            let secret = "S3CRET-KEY-OF-SOME-LENGTH";
            let text = format!("{}{secret} ", "x".repeat(7 + shift));
            let text = text.repeat(2 * Note::MAX_BYTES / text.len());
            let note = prompt(text).note().expect("a note");
            let body = String::from_utf8_lossy(&note.body).into_owned();
            assert!(body.len() > stored, "an excerpt is stored");
            let whole = body.matches(secret).count();
            for part in ["S3C", "GTH"] {
                assert_eq!(
                    body.matches(part).count(),
                    whole,
                    "a part of the secret remains"
                );
            }
        }
    }

    #[test]
    fn a_long_text_keeps_its_beginning_and_end() {
        let long = format!("begin{}end", "\u{1}\"".repeat(Note::MAX_BYTES));
        let reply = ReplyNote {
            call: 1,
            provider: "m".into(),
            hash: String::new(),
            response_hash: None,
            response: Some(LlmResponse::text(long.clone())),
            error: None,
            tokens: 1,
            micro_usd: 0,
            cut: None,
            reused: false,
        };
        for note in [prompt(long).note(), reply.note()] {
            let note = note.expect("notes have a JSON form");
            assert!(note.body.len() <= Note::MAX_BYTES);
            let text = String::from_utf8_lossy(&note.body).into_owned();
            assert!(text.contains("bytes cut") && text.contains("begin") && text.contains("end"));
        }
    }
}
