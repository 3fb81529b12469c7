//! Openings in angle brackets: tags that load, tokens of templates, delimiters of this crate.

use std::collections::HashSet;

use crate::content::ChangeKind;
use crate::delimit::TAG;
use crate::neutralize::{ANGLE, Edit, name};
use crate::normalized;

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
const LOOK_ALIKES: [char; 12] = [
    '＜', '﹤', '⟨', '〈', '〈', '❮', '❰', '❬', '˂', 'ᐸ', 'ᚲ', '𝈶',
];

pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    let closed = closed_elements(text);
    for (start, bracket) in openings(text) {
        let end = start + bracket.len();
        if let Some(kind) = opening(&text[..start], &text[end..], bracket == "<", &closed) {
            edits.push(Edit::new(start..end, ANGLE, kind));
        }
    }
    if let Some(form) = normalized::entities(text.as_bytes()) {
        let seen = String::from_utf8_lossy(form.bytes());
        for (start, bracket) in openings(&seen) {
            let end = start + bracket.len();
            if seen.len() == form.bytes().len() && is_delimiter(&seen[end..]) {
                let range = form.start_of(start)..form.end_of(end);
                edits.push(Edit::new(range, ANGLE, ChangeKind::Delimiter));
            }
        }
    }
}

/// Angle brackets that open, and those that look so.
fn openings(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.match_indices(|c: char| c == '<' || LOOK_ALIKES.contains(&c))
}

/// The elements of [`LOADING`] with a closing tag.
fn closed_elements(text: &str) -> HashSet<&'static str> {
    let closing = text.match_indices("</");
    let names = closing.map(|(at, _)| name::read(&text[at + 2..]).text);
    let mut closed: HashSet<_> = names
        .filter_map(|name| LOADING.into_iter().find(|known| *known == name))
        .collect();
    // A style sheet needs no closing tag.
    if text.contains('@') && text.to_ascii_lowercase().contains("@import") {
        closed.insert("style");
    }
    closed
}

/// The text after a bracket without blanks and the slash of a closing tag.
fn word(rest: &str) -> &str {
    let spaced = &rest[name::blanks(rest)..];
    let spaced = spaced.strip_prefix(['/', '／']).unwrap_or(spaced);
    &spaced[name::blanks(spaced)..]
}

fn is_delimiter(rest: &str) -> bool {
    is_tag(&name::read(word(rest)).text)
}

/// Whether a name begins with that of the delimiter and is no path of Rust.
fn is_tag(name: &str) -> bool {
    name.strip_prefix(TAG)
        .is_some_and(|rest| !rest.starts_with("::"))
}

/// The kind of the opening between these texts; `None` if it is harmless.
///
/// No step looks behind the next bracket, so all of them together are linear.
fn opening(
    before: &str,
    rest: &str,
    exact: bool,
    closed: &HashSet<&'static str>,
) -> Option<ChangeKind> {
    let word = word(rest);
    if let Some(inside) = word.strip_prefix(['|', '｜']) {
        let spaced = rest.starts_with(char::is_whitespace);
        return is_barred(inside, spaced).then_some(ChangeKind::Token);
    }
    if exact && fetches(rest) {
        return Some(ChangeKind::Tag);
    }
    let name = name::read(word);
    if is_tag(&name.text) {
        return Some(ChangeKind::Delimiter);
    }
    let behind = &word[name.len..];
    let is_type = is_type(before, word, name.len);
    // The type parameter `S` is no token.
    let short = name.text == "s" && !word.starts_with('S');
    let known = short || TOKENS.contains(&name.text.as_str()) || is_unused(&name.text);
    if known && !is_type && ends_token(behind) {
        return Some(ChangeKind::Token);
    }
    let tag = rest.strip_prefix('/').unwrap_or(rest);
    if !exact || tag.len() != word.len() {
        return None;
    }
    // Not a path of Rust, such as `a::Object`.
    let end = tag.find(|c: char| c.is_ascii_whitespace() || matches!(c, '/' | '<' | '>'));
    let qualified = &tag[..end.unwrap_or(tag.len())];
    if qualified.contains("::") {
        return None;
    }
    let local = name::read(qualified.rsplit(':').next().unwrap_or_default()).text;
    let loading = LOADING.into_iter().find(|known| *known == local)?;
    let is_code = is_type || is_header(before, tag);
    (!is_code || closed.contains(loading)).then_some(ChangeKind::Tag)
}

/// Whether a token or the attributes of its tag end here.
fn ends_token(behind: &str) -> bool {
    let next = behind.trim_start();
    let next = next.strip_prefix('/').unwrap_or(next).trim_start();
    if next.starts_with(['>', '＞', '〉', '⟩', '〉', '﹥', '❯', '❱', '❭', '˃', 'ᐳ'])
    {
        return true;
    }
    let part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let value = next.trim_start_matches(part);
    let attribute = value.len() < next.len() && value.trim_start().starts_with('=');
    attribute && next.len() < behind.len()
}

/// Whether a word after a bracket is a type in code, such as the argument in `Vec<Object>`: with a
/// capital, after a name or before `as`, and with nothing that HTML would take for an attribute.
fn is_type(before: &str, word: &str, len: usize) -> bool {
    let camel = word.starts_with(|c: char| c.is_ascii_uppercase());
    let behind = &word[len..];
    let argument = before.ends_with(|c: char| c.is_alphanumeric() || matches!(c, '_' | ':' | '!'))
        && behind.starts_with(['>', ',', '<', ':', '+', '=', ';', '(', '{', '\'']);
    camel && (argument || behind.starts_with(" as "))
}

/// Whether this is the name of a header in C: `#include <sys/types.h>`.
fn is_header(before: &str, tag: &str) -> bool {
    let directive = before.trim_end();
    let includes = directive.ends_with("include") || directive.ends_with("include_next");
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '/' | '.' | '+' | '-');
    includes && tag.trim_start_matches(path).starts_with('>')
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
fn is_barred(inside: &str, spaced: bool) -> bool {
    let part = |c: char| c.is_alphanumeric() || matches!(c, '_' | '▁' | '/' | '-' | '.');
    if !spaced && inside.starts_with(part) {
        return true;
    }
    let word = inside.trim_start();
    let rest = word.trim_start_matches(part);
    let end = rest.trim_start().strip_prefix(['|', '｜']);
    let closes = |end: &str| !spaced || end.trim_start().starts_with(['>', '＞']);
    rest.len() < word.len() && end.is_some_and(closes)
}

/// Reserved places in a vocabulary, such as `unused12`.
fn is_unused(name: &str) -> bool {
    let number = name.strip_prefix("unused");
    number.is_some_and(|digits| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()))
}
