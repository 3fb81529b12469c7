//! The protocols of services.

/// The protocol of a service: the format of requests and answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Wire {
    /// `POST …/chat/completions`, as OpenAI defined it and most other services adopted it.
    OpenAi,
    /// `POST …/messages`, as Anthropic defined it.
    Anthropic,
    /// `POST …/models/MODEL:generateContent`, as Gemini defined it.
    Gemini,
}
