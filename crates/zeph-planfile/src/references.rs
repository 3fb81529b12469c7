//! References: the parameters, tasks and run values that an expression uses, found without evaluation.

use crate::template::Template;

/// A value that an expression uses.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Reference {
    /// `params.NAME`
    Param(String),
    /// `tasks.NAME.FIELD`
    Task {
        /// The task.
        name: String,
        /// `stdout`, `json`, …; empty for all cells of a matrix, as a list.
        field: String,
    },
    /// `run.FIELD`
    Run(String),
    /// `item`: the item of a task with `foreach`.
    Item,
    /// `item_index`: its place in the list.
    ItemIndex,
}

/// The names that an expression may begin with.
pub(crate) const ROOTS: [&str; 3] = ["params", "tasks", "run"];

/// The names of the item of a task with `foreach`, and of its place in the list.
pub(crate) const ITEM: [&str; 2] = ["item", "item_index"];

/// A token of an expression, only as detailed as the search for references requires.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    /// The content of a quoted text, as it is written.
    Quoted(&'a str),
    Number,
    Sign(char),
}

/// Cuts an expression into tokens.
struct Lexer<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Iterator for Lexer<'a> {
    /// The token and where it begins; `None` also when a quoted text does not end.
    type Item = (Token<'a>, usize);

    fn next(&mut self) -> Option<Self::Item> {
        let rest = &self.text[self.at..];
        let start = self.at + (rest.len() - rest.trim_start().len());
        let rest = rest.trim_start();
        let first = rest.chars().next()?;
        let (token, len) = if first == '"' || first == '\'' {
            let len = quoted_len(rest, first)?;
            (Token::Quoted(&rest[1..len - 1]), len)
        } else if first.is_alphabetic() || first == '_' {
            let goes_on = |c: char| c.is_alphanumeric() || c == '_';
            let len = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
            (Token::Name(&rest[..len]), len)
        } else if first.is_ascii_digit() {
            let goes_on = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let len = rest.find(|c| !goes_on(c)).unwrap_or(rest.len());
            (Token::Number, len)
        } else {
            (Token::Sign(first), first.len_utf8())
        };
        self.at = start + len;
        Some((token, start))
    }
}

/// The length of a quoted text with its quotes.
fn quoted_len(text: &str, quote: char) -> Option<usize> {
    let mut escaped = false;
    for (at, c) in text.char_indices().skip(1) {
        if escaped {
            escaped = false;
        } else if c == '\\' {
            escaped = true;
        } else if c == quote {
            return Some(at + 1);
        }
    }
    None
}

/// The position of the `}}` that ends an expression; `}}` inside of its braces and quotes is skipped.
pub(crate) fn end_of_expression(text: &str) -> Option<usize> {
    let mut depth = 0usize;
    for (token, at) in (Lexer { text, at: 0 }) {
        match token {
            Token::Sign('{') => depth += 1,
            Token::Sign('}') if depth > 0 => depth -= 1,
            Token::Sign('}') if text[at..].starts_with("}}") => return Some(at),
            Token::Sign(_) | Token::Name(_) | Token::Quoted(_) | Token::Number => {}
        }
    }
    None
}

/// The filters and the tests that an expression applies, by name.
pub(crate) fn applied(expression: &str) -> (Vec<&str>, Vec<&str>) {
    let lexer = Lexer {
        text: expression,
        at: 0,
    };
    let tokens: Vec<Token<'_>> = lexer.map(|(token, _)| token).collect();
    let (mut filters, mut tests) = (Vec::new(), Vec::new());
    for (at, token) in tokens.iter().enumerate() {
        let attribute = at > 0 && tokens[at - 1] == Token::Sign('.');
        match (token, &tokens[at + 1..]) {
            (Token::Sign('|'), [Token::Name(filter), ..]) => filters.push(*filter),
            (Token::Name("is"), [Token::Name("not"), Token::Name(test), ..])
            | (Token::Name("is"), [Token::Name(test), ..])
                if !attribute =>
            {
                tests.push(*test);
            }
            _ => {}
        }
    }
    (filters, tests)
}

/// What the expressions of a text use; nothing of a text or an expression that cannot be read.
pub(crate) fn references_in(text: &str) -> Vec<Reference> {
    let Ok(template) = Template::parse(text) else {
        return Vec::new();
    };
    let found = template
        .expressions()
        .filter_map(|one| references(one).ok());
    found.flatten().collect()
}

/// The params, tasks and run values that an expression uses, or why they cannot be determined.
///
/// Names must be literal: a name that the expression computes cannot be checked.
pub(crate) fn references(expression: &str) -> Result<Vec<Reference>, String> {
    let lexer = Lexer {
        text: expression,
        at: 0,
    };
    let tokens: Vec<Token<'_>> = lexer.map(|(token, _)| token).collect();
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate() {
        let Token::Name(root) = token else { continue };
        if ROOTS.contains(root) && is_variable(&tokens, at) {
            found.push(reference(root, &tokens[at + 1..])?);
        } else if ITEM.contains(root) && is_variable(&tokens, at) {
            found.push(match *root {
                "item" => Reference::Item,
                _ => Reference::ItemIndex,
            });
        }
    }
    Ok(found)
}

/// The task and the field, if the expression names them and does nothing else.
pub(crate) fn sole_field(expression: &str) -> Option<(String, String)> {
    let lexer = Lexer {
        text: expression,
        at: 0,
    };
    let tokens: Vec<Token<'_>> = lexer.map(|(token, _)| token).collect();
    let (root, rest) = tokens.split_first()?;
    let (name, used) = step(rest)?;
    let (field, more) = step(&rest[used..])?;
    let is_sole = *root == Token::Name("tasks") && rest.len() == used + more;
    is_sole.then_some((name, field))
}

/// The name, if the expression is `root.NAME` and nothing else.
pub(crate) fn only_member(expression: &str, root: &str) -> Option<String> {
    let lexer = Lexer {
        text: expression,
        at: 0,
    };
    let tokens: Vec<Token<'_>> = lexer.map(|(token, _)| token).collect();
    let (first, rest) = tokens.split_first()?;
    let (name, used) = step(rest)?;
    (*first == Token::Name(root) && used == rest.len()).then_some(name)
}

/// The expression with each `root.NAME` replaced for which there is a replacement.
pub(crate) fn replace_members(
    expression: &str,
    root: &str,
    mut replacement: impl FnMut(&str) -> Option<String>,
) -> String {
    replace_variables(expression, root, |rest| {
        let (name, used) = step(rest)?;
        Some((replacement(&name)?, used))
    })
}

/// The expression with each `tasks.NAME.NEXT` as `tasks["NAME.NEXT"]` for which `joined` gives that name, and
/// so on for what follows.
pub(crate) fn replace_tasks(
    expression: &str,
    joined: impl Fn(&str, &str) -> Option<String>,
) -> String {
    replace_variables(expression, "tasks", |rest| {
        let (mut name, first) = step(rest)?;
        let mut used = first;
        while let Some((next, more)) = step(&rest[used..])
            && let Some(longer) = joined(&name, &next)
        {
            (name, used) = (longer, used + more);
        }
        let text = format!("tasks[{}]", serde_json::Value::from(name));
        (used > first).then_some((text, used))
    })
}

/// The name of the result of the task itself in its `check`.
const RESULT: &str = "result";

/// The expression of a `check` with the result of the task as that of any task.
pub(crate) fn with_result(expression: &str, task: &str) -> String {
    let text = format!("tasks[{}]", serde_json::Value::from(task));
    replace_variables(expression, RESULT, |_| Some((text.clone(), 0)))
}

/// Whether the expression uses the result of its own task.
pub(crate) fn uses_result(expression: &str) -> bool {
    let lexer = Lexer {
        text: expression,
        at: 0,
    };
    let tokens: Vec<Token<'_>> = lexer.map(|(token, _)| token).collect();
    let mut at = 0..tokens.len();
    at.any(|at| tokens[at] == Token::Name(RESULT) && is_variable(&tokens, at))
}

/// The expression with each use of the variable replaced for which `replacement` gives a text. It gets the
/// tokens behind the variable, and says how many of them the text replaces, too.
fn replace_variables(
    expression: &str,
    variable: &str,
    mut replacement: impl FnMut(&[Token<'_>]) -> Option<(String, usize)>,
) -> String {
    let mut lexer = Lexer {
        text: expression,
        at: 0,
    };
    let (mut tokens, mut spans) = (Vec::new(), Vec::new());
    while let Some((token, start)) = lexer.next() {
        tokens.push(token);
        spans.push(start..lexer.at);
    }
    let (mut made, mut copied) = (String::new(), 0);
    for (at, token) in tokens.iter().enumerate() {
        if *token == Token::Name(variable)
            && is_variable(&tokens, at)
            && let Some((text, used)) = replacement(&tokens[at + 1..])
        {
            made.push_str(&expression[copied..spans[at].start]);
            made.push_str(&text);
            copied = spans[at + used].end;
        }
    }
    made.push_str(&expression[copied..]);
    made
}

/// Whether the name there is a variable, not an attribute, a filter or the name of an argument.
fn is_variable(tokens: &[Token<'_>], at: usize) -> bool {
    let attribute = at > 0 && matches!(tokens[at - 1], Token::Sign('.' | '|'));
    let assigned = tokens.get(at + 1) == Some(&Token::Sign('='))
        && tokens.get(at + 2) != Some(&Token::Sign('='));
    !attribute && !assigned
}

fn reference(root: &str, rest: &[Token<'_>]) -> Result<Reference, String> {
    let (name, used) = step(rest).ok_or_else(|| {
        let example = match root {
            "params" => "params.NAME",
            "tasks" => "tasks.NAME.stdout or tasks[\"NAME\"].stdout",
            _ => "run.id or run.goal",
        };
        format!("`{root}` is used as a whole or by a computed name; write {example}")
    })?;
    match root {
        "params" => Ok(Reference::Param(name)),
        "tasks" => {
            let field = step(&rest[used..]).map(|(field, _)| field);
            let field = field.unwrap_or_default();
            Ok(Reference::Task { name, field })
        }
        _ => Ok(Reference::Run(name)),
    }
}

/// `.name` or `["name"]`, and how many tokens that is.
fn step(tokens: &[Token<'_>]) -> Option<(String, usize)> {
    match tokens {
        [Token::Sign('.'), Token::Name(name), ..] => Some(((*name).to_owned(), 2)),
        [Token::Sign('['), Token::Quoted(name), Token::Sign(']'), ..] => {
            Some(((*name).to_owned(), 3))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::{Reference, only_member, references, replace_members, sole_field};

    fn task(name: &str, field: &str) -> Reference {
        Reference::Task {
            name: name.into(),
            field: field.into(),
        }
    }

    #[test]
    fn references_are_found_wherever_they_stand() {
        let param = |name: &str| Reference::Param(name.into());
        let table = [
            ("params.a", vec![param("a")]),
            ("params['a-b']|upper", vec![param("a-b")]),
            ("params . a + params.b.c", vec![param("a"), param("b")]),
            ("tasks.x.stdout", vec![task("x", "stdout")]),
            ("tasks[\"x-y\"]['json'].n[0]", vec![task("x-y", "json")]),
            ("[run.id, {'tasks': 1}]", vec![Reference::Run("id".into())]),
            ("{'run': 'params.a'}", vec![]),
            ("f(tasks=params.a)", vec![param("a")]),
            ("1 if tasks.x.exit==0 else 2", vec![task("x", "exit")]),
            ("a.params.b", vec![]),
            ("tasks.x|map(attribute='exit')", vec![task("x", "")]),
            (
                "item.url ~ item_index",
                vec![Reference::Item, Reference::ItemIndex],
            ),
            ("params.item", vec![param("item")]),
        ];
        for (expression, expected) in table {
            assert_eq!(references(expression), Ok(expected), "{expression}");
        }
    }

    #[test]
    fn a_field_alone_is_no_expression_with_it() {
        for (expression, expected) in [
            ("tasks.x.stdout", Some(("x", "stdout"))),
            ("tasks[\"x-y\"]['stdout']", Some(("x-y", "stdout"))),
            ("tasks.x.stdout|trim", None),
            ("tasks.x.json.n", None),
            ("params.x.stdout", None),
            ("tasks.x", None),
        ] {
            let found = sole_field(expression);
            let found = found.as_ref().map(|(name, field)| (&**name, &**field));
            assert_eq!(found, expected, "{expression}");
        }
    }

    #[test]
    fn members_are_replaced_where_they_are_variables() {
        let replaced = |expression| {
            let literal = |name: &str| (name != "none").then(|| format!("<{name}>"));
            replace_members(expression, "matrix", literal)
        };
        for (expression, expected) in [
            ("matrix.os ~ matrix [ 'a-b' ].c", "<os> ~ <a-b>.c"),
            ("'matrix.os' ~ x.matrix.os", "'matrix.os' ~ x.matrix.os"),
            ("matrix.none ~ matrix", "matrix.none ~ matrix"),
        ] {
            assert_eq!(replaced(expression), expected);
        }
        assert_eq!(only_member("matrix.os", "matrix").as_deref(), Some("os"));
        assert_eq!(only_member("matrix.os.x", "matrix"), None);
        assert_eq!(only_member("matrix", "matrix"), None);
    }

    #[test]
    fn an_ambiguous_reference_is_refused() {
        for expression in [
            "params",
            "params[params.a]",
            "tasks|length",
            "tasks['x':'y']",
            "run",
            "(tasks).x.stdout",
        ] {
            assert!(references(expression).is_err(), "{expression}");
        }
    }
}
