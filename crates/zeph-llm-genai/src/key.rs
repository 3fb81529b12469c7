//! Keys: which ones are secrets, and which ones stand for no key.

/// The shortest key that is a secret.
const MIN_SECRET_BYTES: usize = 8;

/// The longest word that is no secret.
const MAX_WORD_BYTES: usize = 24;

/// Whether a key stands for no key, such as `ollama`, `EMPTY` or `not-needed`: it is short, or made of
/// words. Such a key is no secret: it is not removed from texts, and may travel unencrypted.
///
/// # Examples
/// ```
/// use zeph_llm_genai::is_placeholder_key;
/// assert!(is_placeholder_key("EMPTY") && is_placeholder_key("no-key-required"));
/// assert!(!is_placeholder_key("sk-0123456789abcdef"));
/// ```
#[must_use]
pub fn is_placeholder_key(key: &str) -> bool {
    let key = key.trim();
    let is_words = key
        .bytes()
        .all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_' | b'.'));
    // Real keys mix upper and lower case, or have digits.
    let is_one_case = [u8::is_ascii_uppercase, u8::is_ascii_lowercase]
        .iter()
        .any(|is| !key.bytes().skip(1).any(|byte| is(&byte)));
    key.len() < MIN_SECRET_BYTES || (key.len() <= MAX_WORD_BYTES && is_words && is_one_case)
}

#[cfg(test)]
mod tests {
    use super::is_placeholder_key;

    #[test]
    fn a_placeholder_is_short_or_made_of_words() {
        for key in [
            "",
            "x",
            "EMPTY",
            "ollama",
            "lm-studio",
            "not-needed",
            "dummy_key",
            "Placeholder",
            "sk-1234",
        ] {
            assert!(is_placeholder_key(key), "{key}");
        }
        for key in [
            "sk-12345",
            "AbCdEfGhIjKl",
            "correcthorsebatterystaplecorrect",
            "0123456789",
        ] {
            assert!(!is_placeholder_key(key), "{key}");
        }
    }
}
