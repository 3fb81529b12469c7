//! Suggestions for misspelt names, and how names from outside are shown.

/// A longer text is not compared: it is no misspelt name, and a comparison costs the product of the lengths.
const MAX_NAME_BYTES: usize = 64;

/// The known name that is closest to `wanted`, if at most a third of the characters of the longer one
/// differ. Of a name of two characters one may differ.
///
/// Upper and lower case do not matter. The name itself is never suggested. Among equally close names the
/// first in lexicographic order is returned.
///
/// # Examples
/// ```
/// use zeph_diagnostics::suggest;
/// assert_eq!(suggest("serch", ["read_file", "search"]), Some("search"));
/// assert_eq!(suggest("Search", ["search"]), Some("search"));
/// assert_eq!(suggest("x", ["y", "search"]), None);
/// ```
pub fn suggest<'a>(wanted: &str, names: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    if wanted.len() > MAX_NAME_BYTES {
        return None;
    }
    let folded = wanted.to_lowercase();
    let count = wanted.chars().count();
    let near = names.into_iter().filter_map(|name| {
        let length = name.chars().count();
        let allowed = match length.max(count) {
            2 => 1,
            longer => longer / 3,
        };
        let is_candidate = name.len() <= MAX_NAME_BYTES
            && !name.is_empty()
            && name != wanted
            && length.abs_diff(count) <= allowed;
        let distance =
            is_candidate.then(|| strsim::damerau_levenshtein(&folded, &name.to_lowercase()))?;
        (distance <= allowed).then_some((distance, name))
    });
    near.min().map(|(_, name)| name)
}

/// A text from outside as it appears in a message: in quotes, cut after 80 characters, and with every
/// character that is invisible or could act on a terminal as an escape.
///
/// # Examples
/// ```
/// use zeph_diagnostics::quote;
/// assert_eq!(quote("a \"b\"\n\u{202e}é"), r#""a \"b\"\n\u{202e}é""#);
/// assert_eq!(quote(&"x".repeat(100)).chars().count(), 83);
/// ```
#[must_use]
pub fn quote(text: &str) -> String {
    const SHOWN: usize = 80;
    let mut quoted = String::from("\"");
    let mut buffer = [0; 4];
    for c in text.chars().take(SHOWN) {
        let one = &*c.encode_utf8(&mut buffer);
        if c == '"' || c == '\\' || c.is_control() {
            quoted.extend(c.escape_debug());
        } else if c.is_ascii() || zeph_common::escape_terminal(one) == one {
            quoted.push(c);
        } else {
            quoted.extend(c.escape_unicode());
        }
    }
    quoted.push('"');
    if text.chars().nth(SHOWN).is_some() {
        quoted.push('…');
    }
    quoted
}

/// Names in a row for a help text, at most thirty: `` `a`, `b`, … ``.
///
/// # Examples
/// ```
/// assert_eq!(zeph_diagnostics::list(["run", "shell"]), "`run`, `shell`");
/// ```
pub fn list<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    const SHOWN: usize = 30;
    let mut shown: Vec<String> = Vec::new();
    for name in names {
        if shown.len() == SHOWN {
            shown.push("…".to_owned());
            break;
        }
        shown.push(format!("`{}`", zeph_common::escape_terminal(name)));
    }
    shown.join(", ")
}
