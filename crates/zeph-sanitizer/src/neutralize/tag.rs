//! Openings in angle brackets: tags that load, tokens of templates, delimiters of this crate.

use crate::content::ChangeKind;
use crate::delimit::TAG;
use crate::neutralize::{ANGLE, Edit, name};

/// Elements that load or run something, change where others load from, or leave a text context.
const LOADING: [&str; 44] = [
    "applet",
    "audio",
    "base",
    "bgsound",
    "body",
    "button",
    "embed",
    "feimage",
    "form",
    "frame",
    "frameset",
    "iframe",
    "image",
    "img",
    "input",
    "isindex",
    "keygen",
    "layer",
    "link",
    "math",
    "meta",
    "noscript",
    "object",
    "param",
    "picture",
    "plaintext",
    "portal",
    "script",
    "source",
    "style",
    "svg",
    "template",
    "textarea",
    "title",
    "track",
    "use",
    "video",
    "xml",
    "xmp",
    "animate",
    "foreignobject",
    "handler",
    "listener",
    "set",
];

/// Words that a template, or a convention for tools, writes in angle brackets.
const TOKENS: [&str; 33] = [
    "assistant",
    "bos",
    "end_of_turn",
    "end_of_utterance",
    "eop",
    "eos",
    "fim_middle",
    "fim_prefix",
    "fim_suffix",
    "function_call",
    "function_calls",
    "function_response",
    "function_results",
    "im_end",
    "im_start",
    "invoke",
    "mask",
    "pad",
    "sop",
    "start_of_image",
    "start_of_turn",
    "sys",
    "system",
    "think",
    "thinking",
    "tool_call",
    "tool_calls",
    "tool_response",
    "tool_result",
    "tool_results",
    "tool_use",
    "tools",
    "unk",
];

/// Brackets that look like an angle bracket.
const LOOK_ALIKES: [char; 9] = ['＜', '﹤', '⟨', '〈', '〈', '❮', '❰', '˂', 'ᐸ'];

pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    let opens = |c: char| c == '<' || LOOK_ALIKES.contains(&c);
    for (start, bracket) in text.match_indices(opens) {
        let end = start + bracket.len();
        if let Some(kind) = opening(&text[end..], bracket == "<") {
            edits.push(Edit::new(start..end, ANGLE, kind));
        }
    }
}

/// The kind of the opening after a bracket; `None` if it is harmless.
///
/// No step looks behind the next bracket, so all of them together are linear.
fn opening(rest: &str, exact: bool) -> Option<ChangeKind> {
    let spaced = &rest[name::blanks(rest)..];
    let spaced = spaced.strip_prefix(['/', '／']).unwrap_or(spaced);
    let word = &spaced[name::blanks(spaced)..];
    if let Some(inside) = word.strip_prefix(['|', '｜']) {
        return is_barred(inside).then_some(ChangeKind::Token);
    }
    if exact && fetches(rest) {
        return Some(ChangeKind::Tag);
    }
    let name = name::read(word);
    let behind = &word[name.len..];
    if name.text.starts_with(TAG) {
        return Some(ChangeKind::Delimiter);
    }
    let closed = behind.trim_start().starts_with(['>', '＞']);
    let short = name.text == "s" && closed;
    if short || TOKENS.contains(&name.text.as_str()) || is_unused(&name.text) {
        return Some(ChangeKind::Token);
    }
    let adjacent = rest.strip_prefix('/').unwrap_or(rest).len() == word.len();
    let local = name.text.rsplit(':').next().unwrap_or_default();
    (exact && adjacent && LOADING.contains(&local)).then_some(ChangeKind::Tag)
}

/// Whether this is a declaration of XML that names something to fetch: a style sheet, or a document
/// type or an entity of another place.
fn fetches(rest: &str) -> bool {
    let Some(declared) = rest.strip_prefix(['!', '?']) else {
        return false;
    };
    let name = name::read(declared);
    match name.text.as_str() {
        "xml-stylesheet" => true,
        "doctype" | "entity" => {
            let inside = &declared[name.len..];
            let end = inside.find(['<', '>', '[']).unwrap_or(inside.len());
            let is_place = |word: &str| {
                word.eq_ignore_ascii_case("SYSTEM") || word.eq_ignore_ascii_case("PUBLIC")
            };
            inside[..end]
                .split(|c: char| !c.is_alphanumeric())
                .any(is_place)
        }
        _ => false,
    }
}

/// Whether this is the inside of `<|name|>`, or the beginning of it without a blank.
fn is_barred(inside: &str) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '▁' | '/' | '-' | '.');
    if inside.starts_with(part) {
        return true;
    }
    let word = inside.trim_start();
    let rest = word.trim_start_matches(part);
    rest.len() < word.len() && rest.trim_start().starts_with(['|', '｜'])
}

/// Reserved places in a vocabulary, such as `unused12`.
fn is_unused(name: &str) -> bool {
    let number = name.strip_prefix("unused");
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
