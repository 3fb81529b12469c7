//! The table of mutants, and how a source file gets all of its mutants at once.
//!
//! A build for each mutant would take most of the time. Instead, every function that has mutants is
//! written once for each of them, and an environment variable selects one at run time ("mutant
//! schemata"). All mutants share one build.

use std::collections::BTreeMap;
use std::ops::Range;
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use serde::Deserialize;

/// The table, relative to the root.
pub(crate) const TABLE: &str = "tests/mutants/scheduler.toml";

/// The folder of the mutated sources, relative to the root.
pub(crate) const SOURCES: &str = "crates/zeph-scheduler/src";

/// The environment variable with the number of the selected mutant; 0 selects none.
pub(crate) const VARIABLE: &str = "ZEPH_MUTANT";

/// A bug that the simulator must find.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Mutant {
    pub(crate) number: u32,
    /// The rule that the mutant breaks.
    pub(crate) breaks: String,
    /// A file below [`SOURCES`].
    pub(crate) file: String,
    /// A text inside of one function, which occurs once in the file.
    pub(crate) find: String,
    pub(crate) replace: String,
    /// Why the simulator cannot find this mutant.
    pub(crate) survives: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    mutant: Vec<Mutant>,
}

/// Reads the table; numbers must be unique and above 0.
pub(crate) fn read(text: &str) -> Result<Vec<Mutant>, String> {
    let table: Table = toml::from_str(text).map_err(|err| format!("{TABLE}: {err}"))?;
    let mut mutants = table.mutant;
    mutants.sort_by_key(|mutant| mutant.number);
    let twice = mutants
        .windows(2)
        .find(|pair| pair[0].number == pair[1].number);
    match twice {
        Some(pair) => Err(format!("{TABLE}: number {} occurs twice", pair[0].number)),
        None if mutants.first().is_some_and(|mutant| mutant.number == 0) => {
            Err(format!("{TABLE}: numbers begin with 1"))
        }
        None => Ok(mutants),
    }
}

/// The text of a file with all of its mutants; an error lists the mutants that do not apply.
pub(crate) fn apply(text: &str, mutants: &[&Mutant]) -> Result<String, String> {
    let bodies = function_bodies(text)?;
    let mut variants: BTreeMap<usize, Vec<(&Mutant, Range<usize>)>> = BTreeMap::new();
    let mut errors = Vec::new();
    for mutant in mutants {
        match locate(text, &bodies, mutant) {
            Ok((body, found)) => variants.entry(body).or_default().push((mutant, found)),
            Err(error) => errors.push(error),
        }
    }
    if !errors.is_empty() {
        return Err(errors.join("\n"));
    }
    let mut output = String::new();
    let mut copied = 0;
    for (index, mutants) in variants {
        let body = bodies[index].clone();
        output.push_str(&text[copied..body.start]);
        output.push_str(" match crate::mutants::selected() {\n");
        for (mutant, found) in mutants {
            let before = &text[body.start..found.start];
            let after = &text[found.end..body.end];
            let (number, replace) = (mutant.number, &mutant.replace);
            output.push_str(&format!("{number} => {{ {before}{replace}{after} }}\n"));
        }
        output.push_str(&format!("_ => {{ {} }}\n}} ", &text[body.clone()]));
        copied = body.end;
    }
    output.push_str(&text[copied..]);
    Ok(output)
}

/// The module that the functions call, for the end of the crate's root.
pub(crate) fn selector() -> String {
    format!(
        r#"
mod mutants {{
    //! Selects a mutant by the environment.
    use std::sync::LazyLock;

    static SELECTED: LazyLock<u32> = LazyLock::new(|| {{
        std::env::var("{VARIABLE}").map_or(0, |number| number.parse().unwrap())
    }});

    pub(crate) fn selected() -> u32 {{
        *SELECTED
    }}
}}
"#
    )
}

/// The index of the function body that contains a mutant's text, and where that text is.
fn locate(
    text: &str,
    bodies: &[Range<usize>],
    mutant: &Mutant,
) -> Result<(usize, Range<usize>), String> {
    let error = |what: String| {
        let (number, file, breaks) = (mutant.number, &mutant.file, &mutant.breaks);
        format!("mutant {number} ({breaks}) {what} {SOURCES}/{file}: update it in {TABLE}")
    };
    let mut places = text.match_indices(&mutant.find).map(|(at, _)| at);
    let (Some(start), None) = (places.next(), places.next()) else {
        let count = text.matches(&mutant.find).count();
        return Err(error(format!("has a `find` that occurs {count} times in")));
    };
    let found = start..start + mutant.find.len();
    let inside = |body: &Range<usize>| body.start <= found.start && found.end <= body.end;
    match bodies.iter().position(inside) {
        Some(body) => Ok((body, found)),
        None => Err(error(
            "has a `find` that is not inside of one function of".to_owned(),
        )),
    }
}

/// The insides of the bodies of all functions, without those inside of other functions, in order.
fn function_bodies(text: &str) -> Result<Vec<Range<usize>>, String> {
    let stream = TokenStream::from_str(text).map_err(|err| err.to_string())?;
    let mut bodies = Vec::new();
    let mut open = vec![stream];
    while let Some(stream) = open.pop() {
        let mut in_function = false;
        for tree in stream {
            match tree {
                TokenTree::Ident(ident) if ident == "fn" => in_function = true,
                TokenTree::Punct(punct) if punct.as_char() == ';' => in_function = false,
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => {
                    if in_function {
                        let start = group.span_open().byte_range().end;
                        bodies.push(start..group.span_close().byte_range().start);
                    } else {
                        open.push(group.stream());
                    }
                    in_function = false;
                }
                TokenTree::Group(_)
                | TokenTree::Ident(_)
                | TokenTree::Punct(_)
                | TokenTree::Literal(_) => {}
            }
        }
    }
    bodies.sort_by_key(|body| body.start);
    Ok(bodies)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
impl A {
    fn one(&self) -> u8 { self.a + 1 }
    fn two() -> u8 { fn inner() {} 2 }
}
";

    fn mutant(number: u32, find: &str, replace: &str) -> Mutant {
        Mutant {
            number,
            breaks: "a rule".to_owned(),
            file: "a.rs".to_owned(),
            find: find.to_owned(),
            replace: replace.to_owned(),
            survives: None,
        }
    }

    #[test]
    fn a_function_is_written_once_for_each_of_its_mutants() {
        let mutants = [mutant(1, "self.a", "0"), mutant(7, "+ 1", "")];
        let output = apply(TEXT, &mutants.each_ref()).unwrap();
        let expected = "\
impl A {
    fn one(&self) -> u8 { match crate::mutants::selected() {
1 => {  0 + 1  }
7 => {  self.a   }
_ => {  self.a + 1  }
} }
    fn two() -> u8 { fn inner() {} 2 }
}
";
        assert_eq!(output, expected);
    }

    #[test]
    fn a_mutant_that_does_not_apply_is_named() {
        let mutants = [
            mutant(1, "u8", "u9"),
            mutant(2, "self.b", "0"),
            mutant(3, "impl A", "impl B"),
        ];
        let error = apply(TEXT, &mutants.each_ref()).unwrap_err();
        let lines: Vec<&str> = error.lines().collect();
        assert_eq!(lines.len(), 3);
        assert!(lines[0].starts_with("mutant 1 (a rule) has a `find` that occurs 2 times in"));
        assert!(lines[1].contains("occurs 0 times"));
        assert!(lines[2].contains("not inside of one function"));
    }

    #[test]
    fn numbers_are_unique() {
        let entry = |number: u32| {
            format!(
                "[[mutant]]\nnumber = {number}\nbreaks = \"\"\nfile = \"\"\nfind = \"\"\nreplace = \"\"\n"
            )
        };
        assert_eq!(read(&(entry(2) + &entry(1))).unwrap().len(), 2);
        assert!(read(&(entry(1) + &entry(1))).is_err());
        assert!(read(&entry(0)).is_err());
    }
}
