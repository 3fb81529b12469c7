//! Names after an opening bracket, read leniently.

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
        let Some(folded) = fold(c) else { break };
        if name.text.len() == MAX_BYTES {
            break;
        }
        name.text.push(folded);
        name.len += c.len_utf8();
    }
    name
}

/// The length of the blanks at the start of a text.
pub(crate) fn blanks(text: &str) -> usize {
    text.len() - text.trim_start().len()
}

/// The ASCII character that a character looks like, if it may be part of a name.
///
/// Full width forms, the letters of mathematics, in circles and in small capitals, and the Cyrillic,
/// Armenian and Greek letters that look like Latin ones.
const fn fold(c: char) -> Option<char> {
    let plain = match c {
        '\u{FF01}'..='\u{FF5E}' => ((c as u32 - 0xFEE0) as u8) as char,
        // Thirteen alphabets, each of 26 capitals and 26 small letters.
        '\u{1D400}'..='\u{1D6A3}' => (b'a' + ((c as u32 - 0x1D400) % 26) as u8) as char,
        '\u{24B6}'..='\u{24E9}' => (b'a' + ((c as u32 - 0x24B6) % 26) as u8) as char,
        'ᴅ' => 'd',
        'ᴇ' => 'e',
        'ɴ' => 'n',
        'ʀ' => 'r',
        'ꜱ' => 's',
        'ᴛ' => 't',
        'ᴜ' => 'u',
        'а' | 'А' | 'α' | 'Α' => 'a',
        'В' | 'Β' => 'b',
        'с' | 'С' | 'ϲ' => 'c',
        'ԁ' => 'd',
        'е' | 'Е' | 'Ε' => 'e',
        'һ' | 'Н' | 'Η' => 'h',
        'і' | 'І' | 'ı' | 'ι' | 'Ι' => 'i',
        'ј' | 'Ј' => 'j',
        'к' | 'К' | 'κ' | 'Κ' | 'K' => 'k',
        'М' | 'Μ' => 'm',
        'ո' | 'Ν' => 'n',
        'о' | 'О' | 'ο' | 'Ο' | 'օ' => 'o',
        'р' | 'Р' | 'ρ' | 'Ρ' => 'p',
        'ѕ' | 'Ѕ' | 'ſ' => 's',
        'т' | 'Т' | 'τ' | 'Τ' => 't',
        'г' => 'r',
        'ս' | 'υ' => 'u',
        'х' | 'Х' | 'χ' | 'Χ' => 'x',
        'у' | 'У' | 'Υ' => 'y',
        _ => c,
    };
    match plain {
        'a'..='z' | '0'..='9' | '_' | '-' | ':' => Some(plain),
        'A'..='Z' => Some(plain.to_ascii_lowercase()),
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
        assert_eq!(read("日本").len, 0);
        assert_eq!(read(&"a".repeat(99)).len, 40);
    }
}
