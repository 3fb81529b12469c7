//! Texts with the character U+0000, which Postgres does not store.

use std::borrow::Cow;

/// Marks an escape. It is rare, and is escaped itself.
const MARK: char = '\u{1a}';

/// The text as it is stored. The stored form of a prefix of a text is a prefix of its stored form.
pub(crate) fn stored(text: &str) -> Cow<'_, str> {
    if !text.contains(['\0', MARK]) {
        return text.into();
    }
    let mut escaped = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        match character {
            '\0' => escaped.extend([MARK, '0']),
            MARK => escaped.extend([MARK, '1']),
            other => escaped.push(other),
        }
    }
    escaped.into()
}

/// The text as it was given. An escape that [`stored`] does not write stays as it is.
pub(crate) fn given(text: String) -> String {
    if !text.contains(MARK) {
        return text;
    }
    let mut given = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        let escaped = match characters.peek() {
            Some('0') if character == MARK => Some('\0'),
            Some('1') if character == MARK => Some(MARK),
            Some(_) | None => None,
        };
        if escaped.is_some() {
            characters.next();
        }
        given.push(escaped.unwrap_or(character));
    }
    given
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_text_comes_back_and_has_no_zero_when_stored() {
        for text in [
            "",
            "plain",
            "\0",
            "a\0b\u{1a}0\u{1a}",
            "\u{1a}\u{1a}1",
            "é\0",
        ] {
            let stored = stored(text);
            assert!(!stored.contains('\0'), "{text:?}");
            assert_eq!(given(stored.into_owned()), text);
        }
        assert!(matches!(stored("plain"), Cow::Borrowed("plain")));
        assert_eq!(given("\u{1a}x\u{1a}".to_owned()), "\u{1a}x\u{1a}");
    }
}
