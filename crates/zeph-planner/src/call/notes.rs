//! What is kept of every call: what was asked, and what came back.

use serde::{Deserialize, Serialize};
use zeph_common::{Boundary, head_tail};
use zeph_executor::{Note, NoteKind, TaskError};
use zeph_llm::{LlmError, LlmRequest, LlmResponse};

/// What a model was asked; a note of kind `prompt`.
///
/// Calls of an attempt are numbered from 1; a repeated call is a new one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PromptNote {
    /// The number of the call in its attempt.
    pub call: u32,
    /// The provider that was asked.
    pub provider: String,
    /// The request as it went out; `None` if it was too long to be kept.
    pub request: Option<LlmRequest>,
    /// The ends of a request that was too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// What came back; a note of kind `reply`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ReplyNote {
    /// The number of the call in its attempt.
    pub call: u32,
    /// The provider that was asked.
    pub provider: String,
    /// The answer; `None` if there was none, or if it was too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub response: Option<LlmResponse>,
    /// Why there was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<CallError>,
    /// What was taken from the budget for it, in tokens.
    pub tokens: u32,
    /// What was taken from the budget for it, in millionths of a dollar.
    pub micro_usd: u32,
    /// The ends of an answer that was too long to be kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<String>,
}

/// Why a call gave no answer, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallError {
    /// The word of its [kind](zeph_llm::ErrorKind).
    pub kind: String,
    /// What the service said.
    pub message: String,
    /// Its status code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The shortest wait that it asked for, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
}

impl From<&LlmError> for CallError {
    fn from(error: &LlmError) -> Self {
        let millis = |wait: std::time::Duration| u64::try_from(wait.as_millis());
        Self {
            kind: error.kind().word().to_owned(),
            message: error.message().to_owned(),
            status: error.status(),
            retry_after_ms: error
                .retry_after()
                .map(|wait| millis(wait).unwrap_or(u64::MAX)),
        }
    }
}

/// The bytes that are kept of what is too long for a note. JSON may need six for one of them.
const KEPT_BYTES: usize = Note::MAX_BYTES / 8;

impl PromptNote {
    pub(super) fn note(self) -> Result<Note, TaskError> {
        let note = Note::json(NoteKind::Prompt, &self)?;
        if note.body.len() <= Note::MAX_BYTES {
            return Ok(note);
        }
        let whole = String::from_utf8_lossy(&note.body);
        let short = Self {
            request: None,
            cut: Some(head_tail(&whole, KEPT_BYTES, Boundary::Word).to_string()),
            ..self
        };
        Note::json(NoteKind::Prompt, &short)
    }
}

impl ReplyNote {
    pub(super) fn note(self) -> Result<Note, TaskError> {
        let note = Note::json(NoteKind::Reply, &self)?;
        if note.body.len() <= Note::MAX_BYTES {
            return Ok(note);
        }
        let whole = String::from_utf8_lossy(&note.body);
        let short = Self {
            response: None,
            error: self.error.map(|error| CallError {
                message: head_tail(&error.message, 1_000, Boundary::Word).to_string(),
                ..error
            }),
            cut: Some(head_tail(&whole, KEPT_BYTES, Boundary::Word).to_string()),
            ..self
        };
        Note::json(NoteKind::Reply, &short)
    }
}

#[cfg(test)]
mod tests {
    use super::{PromptNote, ReplyNote};
    use zeph_executor::Note;
    use zeph_llm::{LlmRequest, LlmResponse};

    #[test]
    fn half_a_secret_is_not_kept_beside_a_cut() {
        let kept = super::KEPT_BYTES / 2;
        for shift in 0..32 {
            // Where the head of the note ends, however long its form is.
            let secret = "S3CRET-KEY-OF-SOME-LENGTH";
            let text = format!("{}{secret} ", "x".repeat(7 + shift));
            let prompt = PromptNote {
                call: 1,
                provider: "m".into(),
                request: Some(LlmRequest::new(
                    text.repeat(2 * Note::MAX_BYTES / text.len()),
                )),
                cut: None,
            };
            let note = prompt.note().expect("a note");
            let told = String::from_utf8_lossy(&note.body).into_owned();
            assert!(told.len() > kept, "something is kept");
            let whole = told.matches(secret).count();
            assert_eq!(told.matches("S3C").count(), whole, "a beginning is left");
            assert_eq!(told.matches("GTH").count(), whole, "an end is left");
        }
    }

    #[test]
    fn what_is_too_long_keeps_its_ends() {
        let long = format!("begin{}end", "\u{1}\"".repeat(Note::MAX_BYTES));
        let prompt = PromptNote {
            call: 1,
            provider: "m".into(),
            request: Some(LlmRequest::new(long.clone())),
            cut: None,
        };
        let reply = ReplyNote {
            call: 1,
            provider: "m".into(),
            response: Some(LlmResponse::text(long)),
            error: None,
            tokens: 1,
            micro_usd: 0,
            cut: None,
        };
        for note in [prompt.note(), reply.note()] {
            let note = note.expect("notes have a JSON form");
            assert!(note.body.len() <= Note::MAX_BYTES);
            let text = String::from_utf8_lossy(&note.body).into_owned();
            assert!(text.contains("bytes cut") && text.contains("begin") && text.contains("end"));
        }
    }
}
