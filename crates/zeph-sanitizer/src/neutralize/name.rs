//! Names after an opening bracket, read leniently.

use unicode_normalization::char::{decompose_compatible, is_combining_mark};

/// The longest name that is read.
const MAX_BYTES: usize = 40;

/// A name with its letters folded, and its length in the text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Name {
    pub(crate) text: String,
    pub(crate) len: usize,
}

/// The name at the start of a text, which may be empty; a longer one is cut at 40 bytes.
pub(crate) fn read(text: &str) -> Name {
    let mut name = Name {
        text: String::new(),
        len: 0,
    };
    for c in text.chars() {
        let before = name.text.len();
        let mut is_part = true;
        if c.is_ascii() {
            is_part = fold(c).map(|c| name.text.push(c)).is_some();
        } else {
            decompose_compatible(look_alike(c), |c| {
                // An accent changes the letter too little.
                if !is_combining_mark(c) {
                    is_part &= fold(look_alike(c)).map(|c| name.text.push(c)).is_some();
                }
            });
        }
        if !is_part || name.text.len() > MAX_BYTES {
            name.text.truncate(before);
            break;
        }
        name.len += c.len_utf8();
    }
    name
}

/// The length of the blanks at the start of a text.
pub(crate) fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The letter that a character looks like, beyond the compatibility forms of Unicode.
///
/// Letters in circles and squares, small capitals, and the letters of other scripts that look like Latin
/// ones.
const fn look_alike(c: char) -> char {
    match c {
        '\u{1F150}'..='\u{1F169}' => (b'a' + (c as u32 - 0x1F150) as u8) as char,
        '\u{1F170}'..='\u{1F189}' => (b'a' + (c as u32 - 0x1F170) as u8) as char,
        '\u{1F1E6}'..='\u{1F1FF}' => (b'a' + (c as u32 - 0x1F1E6) as u8) as char,
        'а' | 'А' | 'α' | 'Α' | 'ᴀ' | 'ɑ' | 'Ꭺ' => 'a',
        'В' | 'Β' | 'ʙ' | 'Ᏼ' => 'b',
        'с' | 'С' | 'ϲ' | 'ᴄ' | 'Ꮯ' | 'ⅽ' => 'c',
        'ԁ' | 'ᴅ' | 'Ꭰ' | 'Ꮷ' | 'ᗞ' | 'ᗪ' | 'ᑯ' | 'ꓓ' | 'ꓒ' | 'ɖ' | 'đ' => 'd',
        'е' | 'Е' | 'Ε' | 'ᴇ' | 'ҽ' | '℮' | 'ꬲ' | 'Ꭼ' | 'ⴹ' | 'ꓰ' | 'ε' => 'e',
        'ɢ' => 'g',
        'һ' | 'Н' | 'Η' | 'ʜ' => 'h',
        'і' | 'І' | 'ı' | 'ι' | 'Ι' | 'ɪ' => 'i',
        'ј' | 'Ј' | 'ᴊ' => 'j',
        'к' | 'К' | 'κ' | 'Κ' | 'ᴋ' => 'k',
        'ʟ' | 'ⅼ' => 'l',
        'М' | 'Μ' | 'м' | 'ᴍ' => 'm',
        'ո' | 'ռ' | 'Ν' | 'ɴ' | 'п' | 'η' | 'Ⲛ' | 'ꓠ' | 'ŋ' => 'n',
        'о' | 'О' | 'ο' | 'Ο' | 'օ' | 'ᴏ' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' | 'ᴘ' => 'p',
        'г' | 'ʀ' | 'Ʀ' | 'ᴦ' | 'ꭇ' | 'ꭈ' | 'ⲅ' | 'ꮁ' | 'Ꭱ' | 'Ꮢ' | 'ᖇ' | 'ꓣ' | 'ɾ' | 'ɼ' => {
            'r'
        }
        'ѕ' | 'Ѕ' | 'ꜱ' | 'ƽ' | 'ꮪ' | '𐑈' | 'Տ' | 'Ꮥ' | 'Ꮪ' | 'ꓢ' => 's',
        'т' | 'Т' | 'ᴛ' | 'Τ' | 'τ' | 'Ꭲ' | 'ꓔ' | '⊤' | '⟙' | 'ŧ' => 't',
        'ս' | 'υ' | 'ᴜ' | 'ʋ' | 'ꭎ' | 'ꭒ' | '𐓶' | 'Ս' | '∪' | '⋃' | 'ሀ' | 'ᑌ' | 'ꓴ' => {
            'u'
        }
        'ᴠ' => 'v',
        'ᴡ' => 'w',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' | 'ʏ' => 'y',
        'ᴢ' => 'z',
        _ => c,
    }
}

/// A character of a name, in lower case.
const fn fold(c: char) -> Option<char> {
    match c {
        'a'..='z' | '0'..='9' | '_' | '-' | ':' => Some(c),
        'A'..='Z' => Some(c.to_ascii_lowercase()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn look_alikes_are_read_as_what_they_look_like() {
        let name = read("Ｕｎtrustеd>");
        assert_eq!((name.text.as_str(), name.len), ("untrusted", 14));
        for written in [
            "untruﬆed",
            "ᵘⁿᵗʳᵘˢᵗᵉᵈ",
            "🅄🄽🅃🅁🅄🅂🅃🄴🄳",
            "🆄🅝🆃🆁🆄🆂🆃🅴🅳",
            "uₙₜᵣᵤₛₜₑd",
            "ùñtrüsted",
        ] {
            assert_eq!(read(written).text, "untrusted", "{written}");
        }
        assert_eq!(read("日本").len, 0);
        assert_eq!(read(&"a".repeat(99)).len, 40);
    }
}
