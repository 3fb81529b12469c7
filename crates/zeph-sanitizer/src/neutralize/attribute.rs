//! Tags of any name that load or run something through an attribute.

use crate::content::ChangeKind;
use crate::neutralize::{ANGLE, Edit};

/// Attributes that load, send or restyle; handlers of events (`on…`) beside them.
const LOADING: [&str; 20] = [
    "action",
    "archive",
    "background",
    "classid",
    "code",
    "codebase",
    "dynsrc",
    "formaction",
    "http-equiv",
    "imagesrcset",
    "lowsrc",
    "manifest",
    "ping",
    "poster",
    "profile",
    "src",
    "srcdoc",
    "srcset",
    "style",
    "xlink:href",
];

/// The state of the tokenizer of the HTML standard in a tag.
#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// In the name, between attributes, or in an attribute's name.
    Outside,
    /// After an equals sign.
    BeforeValue,
    /// In a value without quotes.
    Bare,
    /// In a value that ends with this quote.
    Quoted(u8),
}

/// A tag that is not closed yet, with the brackets that open inside of it.
struct Open {
    brackets: Vec<usize>,
    loads: bool,
    state: State,
}

/// A tag extends to the bracket that closes it outside of quotes, or to the end of the text. If it loads,
/// every bracket that opens a tag in this stretch is replaced, because renderers that recover from errors
/// differently start the tag at another of them.
pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    let bytes = text.as_bytes();
    let mut open: Option<Open> = None;
    for (at, &byte) in bytes.iter().enumerate() {
        let opens = byte == b'<' && bytes.get(at + 1).is_some_and(u8::is_ascii_alphabetic);
        match &mut open {
            None if opens => {
                open = Some(Open {
                    brackets: vec![at],
                    loads: false,
                    state: State::Outside,
                });
            }
            None => {}
            Some(tag) => {
                if opens {
                    tag.brackets.push(at);
                }
                if byte == b'>' && !matches!(tag.state, State::Quoted(_)) {
                    close(open.take(), edits);
                    continue;
                }
                tag.state = next(tag.state, byte);
                let boundary = byte.is_ascii_whitespace() || matches!(byte, b'"' | b'\'' | b'/');
                tag.loads |= boundary && is_loading(&bytes[at + 1..]);
            }
        }
    }
    close(open, edits);
}

fn close(open: Option<Open>, edits: &mut Vec<Edit>) {
    let loading = open.filter(|tag| tag.loads).into_iter();
    let brackets = loading.flat_map(|tag| tag.brackets);
    edits.extend(brackets.map(|at| Edit::new(at..at + 1, ANGLE, ChangeKind::Tag)));
}

const fn next(state: State, byte: u8) -> State {
    let blank = byte.is_ascii_whitespace();
    match state {
        State::Outside if byte == b'=' => State::BeforeValue,
        State::BeforeValue if blank => State::BeforeValue,
        State::BeforeValue if byte == b'"' || byte == b'\'' => State::Quoted(byte),
        State::BeforeValue => State::Bare,
        State::Bare if blank => State::Outside,
        State::Quoted(quote) if byte == quote => State::Outside,
        State::Outside | State::Bare | State::Quoted(_) => state,
    }
}

/// Whether these bytes start with the name of a loading attribute and an equals sign.
fn is_loading(bytes: &[u8]) -> bool {
    let part = |b: &&u8| b.is_ascii_alphabetic() || matches!(b, b':' | b'-');
    let len = bytes.iter().take(32).take_while(part).count();
    if len == 0 {
        // Else a long run of blanks would be searched from each blank.
        return false;
    }
    let after = bytes[len..].iter().find(|b| !b.is_ascii_whitespace());
    if after != Some(&b'=') {
        return false;
    }
    let name = bytes[..len].to_ascii_lowercase();
    let handler = len > 4 && name.starts_with(b"on");
    handler || LOADING.iter().any(|word| word.as_bytes() == name)
}
