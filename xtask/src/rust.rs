//! The tokens of a Rust file, as the checks need them: flat, with lines, tests marked.

use std::collections::BTreeSet;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// One token, or one whole attribute.
#[derive(Debug)]
pub(crate) struct Token {
    pub(crate) kind: Kind,
    /// Its text; for an attribute what is between the brackets, without spaces outside of strings.
    pub(crate) text: String,
    /// Counted from 1.
    pub(crate) line: usize,
    /// Whether it is compiled for tests only.
    pub(crate) test: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// A doc comment is an attribute `doc="text"`.
    Attribute,
    Ident,
    Literal,
    Punct,
    Open,
}

/// The tokens of one file.
#[derive(Debug)]
pub(crate) struct Scan {
    pub(crate) tokens: Vec<Token>,
    /// The names of all functions, also of those inside of macro calls.
    pub(crate) functions: BTreeSet<String>,
}

/// Scans a file; an error is text that is not Rust.
pub(crate) fn scan(path: &str, text: &str) -> Result<Scan, String> {
    let stream = TokenStream::from_str(text).map_err(|err| {
        let line = err.span().start().line;
        format!("{path}:{line}: {err}")
    })?;
    let mut tokens = Vec::new();
    flatten(stream, is_test_file(path), &mut tokens);
    let functions = tokens
        .windows(2)
        .filter(|pair| pair[0].text == "fn" && pair[1].kind == Kind::Ident)
        .map(|pair| pair[1].text.clone())
        .collect();
    Ok(Scan { tokens, functions })
}

/// Whether the folder or name of a file says that it holds tests only.
pub(crate) fn is_test_file(path: &str) -> bool {
    path.split('/').any(|part| {
        let stem = part.strip_suffix(".rs").unwrap_or(part);
        matches!(stem, "tests" | "benches" | "fixtures") || stem.ends_with("_tests")
    })
}

fn flatten(stream: TokenStream, test: bool, tokens: &mut Vec<Token>) {
    // Whether the item that begins here has `#[cfg(test)]`.
    let mut test_item = false;
    let mut trees = stream.into_iter().peekable();
    while let Some(tree) = trees.next() {
        let line = tree.span().start().line;
        let mut push = |kind, text: String, test| {
            tokens.push(Token {
                kind,
                text,
                line,
                test,
            });
        };
        match tree {
            TokenTree::Punct(punct) if punct.as_char() == '#' => {
                let is_bang =
                    |tree: &TokenTree| matches!(tree, TokenTree::Punct(p) if p.as_char() == '!');
                let _ = trees.next_if(is_bang);
                let is_attribute = |tree: &TokenTree| matches!(tree, TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket);
                let Some(TokenTree::Group(group)) = trees.next_if(is_attribute) else {
                    continue;
                };
                let text = attribute(group.stream());
                test_item |= text.starts_with("cfg(test") || text.starts_with("cfg(all(test");
                push(Kind::Attribute, text, test || test_item);
            }
            TokenTree::Punct(punct) => {
                push(Kind::Punct, punct.to_string(), test || test_item);
                test_item &= punct.as_char() != ';';
            }
            TokenTree::Ident(ident) => push(Kind::Ident, ident.to_string(), test || test_item),
            TokenTree::Literal(literal) => {
                push(Kind::Literal, literal.to_string(), test || test_item);
            }
            TokenTree::Group(group) => {
                let open = match group.delimiter() {
                    Delimiter::Parenthesis => "(",
                    Delimiter::Brace => "{",
                    Delimiter::Bracket => "[",
                    Delimiter::None => "",
                };
                push(Kind::Open, open.to_owned(), test || test_item);
                flatten(group.stream(), test || test_item, tokens);
                test_item &= group.delimiter() != Delimiter::Brace;
            }
        }
    }
}

fn attribute(stream: TokenStream) -> String {
    let tree = |tree: TokenTree| {
        if let TokenTree::Group(group) = &tree {
            return format!("({})", attribute(group.stream()));
        }
        tree.to_string()
    };
    stream.into_iter().map(tree).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tested(text: &str) -> Vec<(String, bool)> {
        let scan = scan("src/a.rs", text).unwrap();
        let idents = scan.tokens.into_iter();
        let idents = idents.filter(|token| token.kind == Kind::Ident);
        idents.map(|token| (token.text, token.test)).collect()
    }

    #[test]
    fn a_test_item_ends_with_its_braces_or_its_semicolon() {
        let text = "#[cfg(test)]\nmod a { b }\nc; #[cfg(all(test, unix))] use d; e";
        let expected = [
            ("mod", true),
            ("a", true),
            ("b", true),
            ("c", false),
            ("use", true),
            ("d", true),
            ("e", false),
        ];
        assert_eq!(
            tested(text),
            expected.map(|(name, test)| (name.to_owned(), test))
        );
    }

    #[test]
    fn functions_are_found_inside_of_macros() {
        let text = "fn a() {} // fn b()\nproptest! { #[test] fn c(x in 0..1) { \"fn d()\" } }";
        let functions = scan("src/a.rs", text).unwrap().functions;
        assert_eq!(functions, BTreeSet::from(["a", "c"].map(str::to_owned)));
    }

    #[test]
    fn attributes_and_doc_comments_have_their_text_and_line() {
        let scan = scan(
            "src/a.rs",
            "//! One.\n\n#[expect( dead_code )]\nfn f() {}\n",
        )
        .unwrap();
        let attributes = scan.tokens.iter();
        let attributes = attributes.filter(|token| token.kind == Kind::Attribute);
        let found: Vec<(&str, usize)> = attributes
            .map(|token| (token.text.as_str(), token.line))
            .collect();
        assert_eq!(found, [("doc=\" One.\"", 1), ("expect(dead_code)", 3)]);
    }

    #[test]
    fn test_folders_contain_tests_only() {
        assert!(is_test_file("crates/zeph-graph/tests/wire.rs"));
        assert!(is_test_file("crates/zeph-graph/src/wire/tests.rs"));
        assert!(!is_test_file("crates/zeph-tests/src/contest.rs"));
    }

    #[test]
    fn text_that_is_not_rust_is_an_error_with_its_line() {
        let error = scan("src/a.rs", "fn f() {\n").unwrap_err();
        assert!(error.starts_with("src/a.rs:"), "{error}");
    }
}
