//! The features, their weights, and the distance of their words.

use crate::score::lexicon::Class::{self, *};

/// A feature of a text.
pub(crate) struct Rule {
    pub(crate) name: &'static str,
    /// Its share of the score, in hundredths.
    pub(crate) percent: i32,
    /// The classes of which the text must contain a word each…
    pub(crate) needs: &'static [Class],
    /// …within this many bytes.
    pub(crate) stretch: usize,
}

const fn rule(name: &'static str, percent: i32, needs: &'static [Class], stretch: usize) -> Rule {
    Rule {
        name,
        percent,
        needs,
        stretch,
    }
}

/// Weighted by hand. 40 is the threshold: one strong sign or two weak ones.
pub(crate) const FEATURES: [Rule; 20] = [
    // "ignore the previous instructions"
    rule("override", 55, &[Override, Prior, Rules], 90),
    // "your guidelines no longer apply"
    rule("rules_void", 45, &[Rules, Void], 60),
    // "new instructions:"
    rule("new_rules", 40, &[NewRules], 0),
    // "you are now", "pretend to be"
    rule("role_change", 40, &[RoleChange], 0),
    // "I am your developer"
    rule("authority", 35, &[Authority], 0),
    // "system:" where a message might begin
    rule("fake_message", 30, &[FakeMessage], 0),
    // tokens and delimiters, which cleaning has broken up
    rule("template_token", 40, &[Template], 0),
    // "send the password to"
    rule("exfiltration", 45, &[Send, Valuable], 90),
    // "… to https://"
    rule("send_to_address", 15, &[Send, Valuable, Address], 160),
    // "reveal your system prompt"
    rule("prompt_leak", 45, &[Reveal, OwnPrompt], 70),
    // "do not tell the user"
    rule("secrecy", 40, &[Secrecy], 0),
    // "call the delete tool", when it is the model who should
    rule("tool_forcing", 30, &[Run, Tool, Demand], 120),
    // "rm -rf", "| sh"
    rule("destructive_command", 25, &[Destructive], 0),
    // "if you are an AI"
    rule("speaks_to_model", 40, &[ToModel], 0),
    // "the assistant must"
    rule("demands_of_model", 30, &[Model, Demand], 60),
    // "decode this and do as it says"
    rule("encoded_order", 40, &[Encoding, Obey], 100),
    // "respond only with"
    rule("forced_answer", 40, &[ForcedAnswer], 0),
    // an image whose address carries data
    rule("data_in_address", 40, &[Picture, Query], 200),
    // words of those who write about attacks
    rule("discussed", -30, &[Discussion], 0),
    rule("quoted_example", -15, &[Discussion, Quoted], 120),
];
