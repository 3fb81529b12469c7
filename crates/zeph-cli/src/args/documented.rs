//! The commands of the documents: the tool accepts each of them, and the plans that they name exist.

use std::path::Path;

use clap::Parser as _;

use super::Cli;

const DOCUMENTS: [&str; 4] = [
    "README.md",
    "docs/src/guide.md",
    "docs/src/plan-file.md",
    "docs/src/models.md",
];

/// The words of a shell command up to a comment, a pipe or a redirection.
fn words(line: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in line.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '<' | ')' | '&' | ';') => break,
            (None, '#') if word.is_none() => break,
            (None, _) if c.is_whitespace() => words.extend(word.take()),
            (Some(_) | None, _) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// The commands of `zeph` in the shell blocks of a document, with their lines.
fn commands(text: &str) -> Vec<(usize, Vec<String>)> {
    let mut found = Vec::new();
    let mut is_shell = false;
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(language) = line.trim_start().strip_prefix("```") {
            is_shell = !is_shell && language == "sh";
            continue;
        }
        let line = line.replace("<(", "");
        let mut all = words(&line);
        let at = all.iter().position(|word| word == "zeph");
        if let (true, Some(at)) = (is_shell, at) {
            all.drain(..at);
            all.retain(|word| word != "--" || !line.starts_with("cargo"));
            found.push((number, all));
        }
    }
    found
}

#[test]
fn every_command_of_the_documents_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut count = 0;
    for document in DOCUMENTS {
        let Ok(text) = std::fs::read_to_string(root.join(document)) else {
            panic!("{document} cannot be read");
        };
        for (line, command) in commands(&text) {
            count += 1;
            if let Err(error) = Cli::try_parse_from(&command) {
                panic!("{document}:{line}: {command:?}: {error}");
            }
            let plans = command
                .iter()
                .filter(|word| word.starts_with("docs/plans/"));
            for plan in plans {
                assert!(
                    root.join(plan).is_file(),
                    "{document}:{line}: no file {plan}"
                );
            }
        }
    }
    assert!(count >= 40, "only {count} commands");
}
