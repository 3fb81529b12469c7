//! Tokens of chat templates in square brackets.

use crate::content::ChangeKind;
use crate::neutralize::{Edit, name};

const TOKENS: [&str; 19] = [
    "args",
    "available_tools",
    "b_inst",
    "bos",
    "call_id",
    "e_inst",
    "eos",
    "gmask",
    "img",
    "img_break",
    "img_end",
    "inst",
    "smask",
    "sys",
    "system_prompt",
    "think",
    "tool_calls",
    "tool_content",
    "tool_results",
];

/// Those that are names in code as well: tokens in capitals only.
const WORDS: [&str; 9] = [
    "args",
    "bos",
    "call_id",
    "eos",
    "img",
    "sys",
    "tool_calls",
    "tool_results",
    "available_tools",
];

pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    for (start, bracket) in text.match_indices(['[', '［']) {
        let end = start + bracket.len();
        if is_token(&text[end..]) {
            edits.push(Edit::new(start..end, "⟦", ChangeKind::Token));
        }
    }
}

fn is_token(rest: &str) -> bool {
    let spaced = rest.trim_start();
    let word = spaced
        .strip_prefix(['/', '／'])
        .unwrap_or(spaced)
        .trim_start();
    let name = name::read(word);
    let is_word = WORDS.contains(&name.text.as_str());
    if is_word && word[..name.len].contains(|c: char| c.is_ascii_lowercase()) {
        return false;
    }
    TOKENS.contains(&name.text.as_str()) && word[name.len..].trim_start().starts_with([']', '］'])
}
