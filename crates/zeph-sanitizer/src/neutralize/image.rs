//! Images in Markdown and in diagrams.

use crate::content::ChangeKind;
use crate::neutralize::Edit;

/// One pass. A Markdown opening is dropped at the next blank line, where its paragraph ends.
///
/// `![` opens an image if a `](` follows in the paragraph, or if there is a `]:` anywhere, which may
/// define a reference. Nesting, escapes and code are ignored, because renderers differ in them.
pub(crate) fn scan(text: &str, edits: &mut Vec<Edit>) {
    let bytes = text.as_bytes();
    let defines = text.contains("]:");
    let image = |range, with| Edit::new(range, with, ChangeKind::Image);
    let markdown = |start| image(start..start + 2, "(image) [");
    // Openings of images and of the attributes of Mermaid nodes that may hold one.
    let (mut openings, mut shapes) = (Vec::new(), Vec::new());
    let mut line_is_blank = false;
    for (at, &byte) in bytes.iter().enumerate() {
        let rest = &bytes[at..];
        match byte {
            b'!' if rest.starts_with(b"![") && defines => edits.push(markdown(at)),
            b'!' if rest.starts_with(b"![") => openings.push(at),
            b']' if rest.starts_with(b"](") => {
                edits.extend(openings.drain(..).map(markdown));
            }
            b'@' if rest.starts_with(b"@{") => shapes.push(at),
            b'i' | b'I' if is_shape_image(rest) => {
                edits.extend(shapes.drain(..).map(|start| image(start..start + 2, "@ {")));
            }
            b'=' if is_node_image(&bytes[..at], &rest[1..]) => {
                edits.push(image(at..at + 1, " (=) "));
            }
            b'\n' if line_is_blank => openings.clear(),
            _ => {}
        }
        line_is_blank = byte == b'\n' || (line_is_blank && byte.is_ascii_whitespace());
    }
}

/// `img:` among a Mermaid node's attributes, the key with or without quotes.
fn is_shape_image(rest: &[u8]) -> bool {
    let blank = |b: &&u8| b.is_ascii_whitespace() || matches!(b, b'"' | b'\'');
    rest.get(..3)
        .is_some_and(|key| key.eq_ignore_ascii_case(b"img"))
        && rest[3..].iter().find(|b| !blank(b)) == Some(&b':')
}

/// `image=` with an address, as a DOT node has it; a path loads nothing remote.
fn is_node_image(before: &[u8], after: &[u8]) -> bool {
    let key = before.trim_ascii_end();
    let quoted = key.strip_suffix(b"\"").unwrap_or(key);
    let Some(start) = quoted.len().checked_sub(5) else {
        return false;
    };
    let value = after.trim_ascii_start();
    let value = value
        .strip_prefix(b"\"")
        .unwrap_or(value)
        .trim_ascii_start();
    let scheme = value.iter().take(32).position(|b| *b == b':');
    quoted[start..].eq_ignore_ascii_case(b"image")
        && (value.starts_with(b"//")
            || scheme.is_some_and(|at| {
                at > 1 && value[..at].is_ascii() && value[at..].starts_with(b"://")
            }))
}
