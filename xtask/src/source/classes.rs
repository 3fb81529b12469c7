//! Classes: for each character of a Rust file, whether it is code, comment or the inside of a string.

/// What a character belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    Code,
    Comment,
    Text,
}

/// The class of each character.
pub(crate) fn classify(chars: &[char]) -> Vec<Class> {
    let mut classes = vec![Class::Code; chars.len()];
    let mut at = 0;
    while at < chars.len() {
        let (class, end) = token(chars, at);
        if class == Class::Text {
            // The quotes stay: a blanked string is still seen to be one.
            let inside = (at + 1).min(end)..end.saturating_sub(1).max(at + 1);
            classes[inside].fill(Class::Text);
        } else {
            classes[at..end].fill(class);
        }
        at = end;
    }
    classes
}

/// The text with every character of another class blanked; line ends stay.
pub(crate) fn only(chars: &[char], classes: &[Class], class: Class) -> String {
    let blank = |(c, own): (&char, &Class)| match *c {
        '\n' => '\n',
        _ if *own != class => ' ',
        c => c,
    };
    chars.iter().zip(classes).map(blank).collect()
}

/// The class of what starts here, and where it ends.
fn token(chars: &[char], at: usize) -> (Class, usize) {
    let next = chars.get(at + 1).copied();
    match (chars[at], next) {
        ('/', Some('/')) => (Class::Comment, line_end(chars, at)),
        ('/', Some('*')) => (Class::Comment, comment_end(chars, at)),
        ('"', _) => (Class::Text, string_end(chars, at)),
        ('\'', _) => quote(chars, at),
        ('b' | 'c' | 'r', _) => match raw_string_end(chars, at) {
            Some(end) => (Class::Text, end),
            None => (Class::Code, word_end(chars, at)),
        },
        (c, _) if is_word(c) => (Class::Code, word_end(chars, at)),
        _ => (Class::Code, at + 1),
    }
}

fn line_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().position(|c| *c == '\n');
    length.map_or(chars.len(), |length| at + length)
}

fn comment_end(chars: &[char], start: usize) -> usize {
    let mut depth = 0_usize;
    let mut at = start;
    while at < chars.len() {
        match (chars[at], chars.get(at + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                at += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                at += 2;
                if depth == 0 {
                    return at;
                }
            }
            _ => at += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], start: usize) -> usize {
    let mut at = start + 1;
    while at < chars.len() {
        match chars[at] {
            '\\' => at += 2,
            '"' => return at + 1,
            _ => at += 1,
        }
    }
    chars.len()
}

/// A quote starts a character or a lifetime.
fn quote(chars: &[char], at: usize) -> (Class, usize) {
    if chars.get(at + 1) == Some(&'\\') {
        let rest = chars.iter().skip(at + 3).position(|c| *c == '\'');
        let end = rest.map_or(chars.len(), |length| at + 3 + length + 1);
        return (Class::Text, end);
    }
    if chars.get(at + 2) == Some(&'\'') {
        return (Class::Text, at + 3);
    }
    (Class::Code, at + 1)
}

/// Where a raw string that starts here ends; `None` when none starts here.
fn raw_string_end(chars: &[char], start: usize) -> Option<usize> {
    let mut at = start;
    if matches!(chars[at], 'b' | 'c') {
        at += 1;
    }
    if chars.get(at) != Some(&'r') {
        return None;
    }
    at += 1;
    let hashes = chars[at..].iter().take_while(|c| **c == '#').count();
    at += hashes;
    if chars.get(at) != Some(&'"') {
        return None;
    }
    at += 1;
    while at < chars.len() {
        let closed = chars[at + 1..].iter().take(hashes).all(|c| *c == '#');
        if chars[at] == '"' && closed && at + hashes < chars.len() {
            return Some(at + 1 + hashes);
        }
        at += 1;
    }
    Some(chars.len())
}

fn word_end(chars: &[char], at: usize) -> usize {
    let length = chars[at..].iter().take_while(|c| is_word(**c)).count();
    at + length
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(text: &str) -> String {
        let chars: Vec<char> = text.chars().collect();
        only(&chars, &classify(&chars), Class::Code)
    }

    #[test]
    fn comments_are_no_code() {
        assert_eq!(code("a // b"), "a     ");
        assert_eq!(code("a /* b /* c */ d */ e"), "a                   e");
        assert_eq!(code("/* never closed"), "               ");
    }

    #[test]
    fn strings_keep_their_quotes_and_lose_their_insides() {
        assert_eq!(code(r#"f("a // b")"#), r#"f("      ")"#);
        assert_eq!(code(r#"f("\"}")"#), r#"f("   ")"#);
        assert_eq!(code("g(\"a\nb\") + 1"), "g(\" \n \") + 1");
        assert_eq!(code(r##"r#"a"b"# + c"##), r##"r      # + c"##);
        assert_eq!(code("b\"x\" \"\" c"), "b\" \" \"\" c");
    }

    #[test]
    fn a_quote_is_a_character_or_a_lifetime() {
        assert_eq!(code("'{' '\\'' '\\u{41}' }"), "' ' '  ' '      ' }");
        assert_eq!(code("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn a_name_may_end_like_a_string_starts() {
        assert_eq!(code("bar\"x\" r#type"), "bar\" \" r#type");
    }
}
