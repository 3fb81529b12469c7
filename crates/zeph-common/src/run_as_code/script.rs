//! Scripts of a shell that run their input.

use super::{Argument, Inserted, STDIN, contains, run_as_code};

/// Whether a shell script runs its standard input as code: it reads it as a script, starts a program that
/// does, or evaluates what it read.
///
/// Looks at words, not at the grammar of a shell, and knows the programs of [`run_as_code`]. Linear.
///
/// # Examples
/// ```
/// assert!(zeph_common::script_runs_input(". /dev/stdin"));
/// assert!(!zeph_common::script_runs_input("wc -l < /dev/stdin"));
/// ```
#[must_use]
pub fn script_runs_input(script: &str) -> bool {
    const SUBSTITUTIONS: [&str; 6] = [
        "$(cat)",
        "`cat`",
        "$(cat -)",
        "$(cat /dev/stdin)",
        "$(</dev/stdin)",
        "$(< /dev/stdin)",
    ];
    let mut script = script.to_owned();
    for substitution in SUBSTITUTIONS {
        script = script.replace(substitution, INPUT);
    }
    let script = without_quoted_text(&script).unwrap_or(script);
    script.split(SEPARATORS).any(command_runs_input)
}

/// Characters between simple commands.
const SEPARATORS: [char; 7] = ['\n', ';', '|', '&', '(', ')', '`'];

/// The script without comments and quotes, and with one word for each text in single quotes; `None` if a
/// quote is not closed, as in the text of a here-document.
fn without_quoted_text(script: &str) -> Option<String> {
    let is_separator = |c: char| c.is_whitespace() || SEPARATORS.contains(&c);
    let mut out = String::with_capacity(script.len());
    let mut quote = None;
    let mut chars = script.chars();
    while let Some(c) = chars.next() {
        match (quote, c) {
            (None, '#') if out.chars().next_back().is_none_or(is_separator) => {
                chars.by_ref().find(|c| *c == '\n');
                out.push('\n');
            }
            (None | Some('"'), '\\') => match chars.next() {
                Some('\n') => out.push(' '),
                escaped => out.extend(escaped),
            },
            (None, '\'' | '"') => quote = Some(c),
            (Some(open), c) if open == c => quote = None,
            (Some('\''), c) if is_separator(c) => out.push('_'),
            (Some(_), '<' | '>') => out.push('_'),
            (_, c) => out.push(c),
        }
    }
    quote.is_none().then_some(out)
}

/// Stands for the text of the input.
const INPUT: &str = "\0";

/// As [`script_runs_input`], of one simple command.
fn command_runs_input(command: &str) -> bool {
    const BEFORE: &str = "if then else elif do while until ! { exec builtin";
    let words = command.split_whitespace();
    let words = words.map(|word| word.trim_matches(['"', '\'']));
    let words = words.skip_while(|word| contains(BEFORE, word) || is_assignment(word));
    // Where the output goes does not matter.
    let words: Vec<&str> = words.take_while(|word| !word.contains('>')).collect();
    if let ["." | "source", file, ..] = words.as_slice() {
        return STDIN[1..].contains(file);
    }
    let redirected = words.iter().position(|word| word.starts_with('<'));
    let (words, from) = words.split_at(redirected.unwrap_or(words.len()));
    let has_other_input = match from {
        [] => false,
        ["<", file, ..] => !STDIN.contains(file),
        [joined, ..] => !STDIN.contains(&&joined[1..]),
    };
    let found = run_as_code(&words.iter().map(argument).collect::<Vec<_>>());
    !found.arguments.is_empty() || (found.stdin && !has_other_input)
}

fn argument<'a>(word: &&'a str) -> Argument<'a> {
    match word.split_once(INPUT) {
        Some((known, _)) => Argument {
            known,
            inserted: Inserted::Foreign,
        },
        None => Argument {
            known: word,
            inserted: Inserted::Nothing,
        },
    }
}

/// Whether a word sets a variable for the command behind it.
fn is_assignment(word: &str) -> bool {
    let name = word.split_once('=').map_or("", |(name, _)| name);
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    !name.is_empty() && name.chars().all(is_name)
}

#[cfg(test)]
mod tests {
    use super::script_runs_input;

    #[test]
    fn scripts_that_run_their_input_are_found() {
        for script in [
            ". /dev/stdin",
            "set -e\nsource /dev/fd/0",
            "cat | sh",
            "cat | bash -s",
            "bash",
            "python3 /dev/stdin",
            "eval \"$(cat)\"",
            "X=1; eval  $(cat /dev/stdin)",
            "true && sh -",
            "sqlite3 runs.db",
            "psql -d shop > log",
            "A=1 mysql shop",
            "if true; then sh; fi",
            "while read -r x; do ssh host; done",
            "sh < /dev/stdin",
            "sh -c \"$(cat)\"",
            "python3 -c \"`cat`\"",
            "timeout 5 psql -c \"$(cat /dev/stdin)\"",
            "\"$(cat)\" x",
            "cat <<EOF | sh\ndon't\nEOF",
            "echo 'a' \\' | sh",
        ] {
            assert!(script_runs_input(script), "{script}");
        }
        for script in [
            "cat > file",
            "wc -l /dev/stdin",
            "sh x.sh",
            "bash -c true",
            "grep bash",
            "echo . /dev",
            "sqlite3 runs.db 'select 1'",
            "python3 - <<EOF\nimport os\nEOF",
            "sh < x.sh",
            "xargs rm",
            "rm \"$(cat)\"",
            "ssh host uptime",
            "echo \"sh\"",
            "awk '\n  at = match($0, /x/)\n  sh\n' # don't; sh",
            "printf 'a|sh'",
            "sqlite3 runs.db \"select a>b\"",
            "psql -d shop \\\n -c code",
            "# sh\ncat # it isn't; psql",
            "",
            "read line; echo \"$line\"",
        ] {
            assert!(!script_runs_input(script), "{script}");
        }
    }
}
