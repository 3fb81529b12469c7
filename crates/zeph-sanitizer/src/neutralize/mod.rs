//! Neutralises markup that loads by itself, tokens of chat templates, and delimiters.

mod address;
mod attribute;
mod image;
mod name;
mod tag;
mod token;

use std::ops::Range;

use crate::content::ChangeKind;

/// A range of bytes to replace, and the kind of change.
#[derive(Debug)]
pub(crate) struct Edit {
    range: Range<usize>,
    with: &'static str,
    kind: ChangeKind,
}

impl Edit {
    fn new(range: Range<usize>, with: &'static str, kind: ChangeKind) -> Self {
        Self { range, with, kind }
    }
}

/// The replacement of an angle bracket that opens a tag.
const ANGLE: &str = "‹";

/// The text with every active opening replaced; `None` if there is none.
///
/// Each scanner is one pass over the text. Overlapping edits are left to the next call.
pub(crate) fn neutralize(text: &str) -> Option<(String, Vec<ChangeKind>)> {
    let mut edits = Vec::new();
    tag::scan(text, &mut edits);
    attribute::scan(text, &mut edits);
    image::scan(text, &mut edits);
    token::scan(text, &mut edits);
    address::scan(text, &mut edits);
    if edits.is_empty() {
        return None;
    }
    edits.sort_by_key(|edit| (edit.range.start, edit.range.end));
    let mut out = String::with_capacity(text.len() + edits.len() * 2);
    let mut kinds = Vec::new();
    let mut at = 0;
    for edit in edits {
        if edit.range.start < at {
            continue;
        }
        out.push_str(&text[at..edit.range.start]);
        out.push_str(edit.with);
        kinds.push(edit.kind);
        at = edit.range.end;
    }
    out.push_str(&text[at..]);
    Some((out, kinds))
}

#[cfg(test)]
mod tests {
    use super::neutralize;

    fn clean(text: &str) -> String {
        let mut text = text.to_owned();
        for _ in 0..8 {
            match neutralize(&text) {
                Some((next, _)) => text = next,
                None => return text,
            }
        }
        panic!("the text still changes: {text:?}");
    }

    #[test]
    fn markup_that_loads_by_itself_is_neutralised() {
        let table = [
            ("![a](http://x/y.png)", "(image) [a](http://x/y.png)"),
            ("![a [b]](u) ![c] (u)", "(image) [a [b]](u) (image) [c] (u)"),
            ("![c]\n(u)", "(image) [c]\n(u)"),
            ("x![`]`](http://x)", "x(image) [`]`](http://x)"),
            (
                "![a] [R ]\n\n> [r]: http://x",
                "(image) [a] [R ]\n\n> [r]: http://x",
            ),
            (
                "![a][r]\n\n[r]: http://x",
                "(image) [a][r]\n\n[r]: http://x",
            ),
            ("![a\\](u)", "(image) [a\\](u)"),
            ("<img src=x>", "‹img src=x>"),
            ("<ImG/src=x>", "‹ImG/src=x>"),
            ("<svg:image href=x>", "‹svg:image href=x>"),
            ("</ScRiPt >", "‹/ScRiPt >"),
            ("<p oNclick = 'x'>", "‹p oNclick = 'x'>"),
            ("<p title=\">\" style=x>", "‹p title=\">\" style=x>"),
            ("<a t='<b' src=x>", "‹a t='‹b' src=x>"),
            ("<x-y background\n=x", "‹x-y background\n=x"),
            ("<?xml-stylesheet href='x'?>", "‹?xml-stylesheet href='x'?>"),
            ("<!DOCTYPE a SYSTEM 'x'>", "‹!DOCTYPE a SYSTEM 'x'>"),
            (
                "<!doctype a\npublic \"\" 'x' [",
                "‹!doctype a\npublic \"\" 'x' [",
            ),
            ("<!ENTITY % a SYSTEM 'x'>", "‹!ENTITY % a SYSTEM 'x'>"),
            ("a:URL(http://x)", "a:URL (http://x)"),
            ("[x](JavaScript:alert)", "[x](JavaScript(:)alert)"),
            ("'java&#115;cript&colon; x'", "'java&#115;cript(:) x'"),
            ("[x](<java\tscript:a>)", "[x](<java\tscript(:)a>)"),
            ("data:text/html,x", "data(:)text/html,x"),
            ("(data:,x)", "(data(:),x)"),
            (
                "A@{ \"img\": \"http://x\" }",
                "A@ { \"img\": \"http://x\" }",
            ),
            (
                "A@{ \"im\\x67\": \"http://x\" }",
                "A@ { \"im\\x67\": \"http://x\" }",
            ),
            (
                "A[x]@{ l: &k img, *k : \"http://x\" }",
                "A[x]@ { l: &k img, *k : \"http://x\" }",
            ),
            ("a [image=\"http://x\"]", "a [image (=) \"http://x\"]"),
            (
                "a [image/*x*/ = // y\n\"http://x\"]",
                "a [image/*x*/  (=)  // y\n\"http://x\"]",
            ),
            (
                "a [\"im\" + \"age\"=\"http://x\"]",
                "a [\"im\" + \"age\" (=) \"http://x\"]",
            ),
            (
                "graph { styleSheet=\"http://x\" }",
                "graph { styleSheet (=) \"http://x\" }",
            ),
            (
                "a [shapefile=\"ht\" + \"tp&#58;//x\"]",
                "a [shapefile (=) \"ht\" + \"tp&#58;//x\"]",
            ),
            ("[x](java&#13;script:a)", "[x](java&#13;script(:)a)"),
            (
                "[x](javascript&#00000000000000058;a)",
                "[x](javascript(:)a)",
            ),
            ("[x](\" javascript: x\")", "[x](\" javascript(:) x\")"),
            ("data: text/html,x", "data(:) text/html,x"),
            ("<a.b:script>", "‹a.b:script>"),
            (
                "<aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:script>",
                "‹aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa:script>",
            ),
            ("Option<Script></script>", "Option‹Script>‹/script>"),
        ];
        for (given, wanted) in table {
            assert_eq!(clean(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn tokens_and_delimiters_are_broken_up() {
        let table = [
            ("<|im_start|>", "‹|im_start|>"),
            ("<|  im_end  |>", "‹|  im_end  |>"),
            ("<｜begin▁of▁sentence｜>", "‹｜begin▁of▁sentence｜>"),
            ("[INST]x[ / inst ]", "⟦INST]x⟦ / inst ]"),
            ("[THINK]x[/THINK][IMG_BREAK]", "⟦THINK]x⟦/THINK]⟦IMG_BREAK]"),
            ("[gMASK]<sop><tools></tools>", "⟦gMASK]‹sop>‹tools>‹/tools>"),
            ("<<SYS>><</SYS>>", "<‹SYS>><‹/SYS>>"),
            ("<s></s>", "‹s>‹/s>"),
            ("<start_of_turn>user", "‹start_of_turn>user"),
            ("</untrusted id=\"1\">", "‹/untrusted id=\"1\">"),
            ("< / UNTRUSTED >", "‹ / UNTRUSTED >"),
            ("＜/ｕｎtrustеd＞", "‹/ｕｎtrustеd＞"),
            ("</𝐮𝐧𝐭𝐫𝐮𝐬𝐭𝐞𝐝>", "‹/𝐮𝐧𝐭𝐫𝐮𝐬𝐭𝐞𝐝>"),
            ("<𝚄𝙽𝚃𝚁𝚄𝚂𝚃𝙴𝙳>", "‹𝚄𝙽𝚃𝚁𝚄𝚂𝚃𝙴𝙳>"),
            ("</ⓤⓃⓣⓡⓤⓢⓣⓔⓓ>", "‹/ⓤⓃⓣⓡⓤⓢⓣⓔⓓ>"),
            ("</ᴜɴᴛʀᴜꜱᴛᴇᴅ>", "‹/ᴜɴᴛʀᴜꜱᴛᴇᴅ>"),
            ("</untruﬆed>", "‹/untruﬆed>"),
            ("</ᵘⁿᵗʳᵘˢᵗᵉᵈ>", "‹/ᵘⁿᵗʳᵘˢᵗᵉᵈ>"),
            ("</🅄🄽🅃🅁🅄🅂🅃🄴🄳>", "‹/🅄🄽🅃🅁🅄🅂🅃🄴🄳>"),
            ("ᚲ/untrusted>", "‹/untrusted>"),
            ("&lt;/untrusted&gt;", "‹/untrusted&gt;"),
            ("<&#117;ntrusted>", "‹&#117;ntrusted>"),
            ("<invoke name=\"x\">", "‹invoke name=\"x\">"),
            ("![INST](x)", "(image) ⟦INST](x)"),
        ];
        for (given, wanted) in table {
            assert_eq!(clean(given), wanted, "{given:?}");
        }
    }

    #[test]
    fn ordinary_text_is_left_alone() {
        for text in [
            "see [docs](https://example.org/a?b=c) and <https://example.org>",
            "let v = vec![1, 2]; if a <b && c> d { f <| x }",
            "Box<dyn Error>, Vec<String>, Map<K, V>, <b>bold</b>, <br/>, a <s",
            "JavaScript: The Good Parts. data: 5, metadata:text/x, src = 4",
            "get_url(x), !important, wow! [link](u), [x] done, @{u}",
            "<!DOCTYPE html> <?xml version=\"1.0\"?> <!-- SYSTEM -->",
            "<|> and <*> and |> and ‹quoted›",
            "#include <sys/types.h>\n#include <math.h>\n#include <linux/input.h>",
            "vec![a[0], b] Token![<](span) #![doc = \"x\"]\n//! [x](https://example.org)",
            "if ![1, 2].contains(&x) { v[args] = w[img]; }\n[args]\n[sys]",
            "Vec<Object>, Layer<S>, Option<Style>, <Source as Iterator>::Item",
            "Option<::js_sys::Object>, From<untrusted::EndOfInput>, with<System>, |r| < |n| * R",
            "git log HEAD@{1} master@{upstream} x@{2024-01-01 10:00} select!(@{ start=$a; })",
            "fn url(&self) { url(x); url(this: &T) } image = \"logo.png\" data: Vec<u8>, {data:x,y:1}",
            "if (a <sys && b) { c = d[mask]; } A <think",
        ] {
            assert_eq!(neutralize(text).map(|(text, _)| text), None, "{text:?}");
        }
    }
}
