//! The parts of Markdown that the checks need: links, headings, code spans and table cells.

/// A link and its line, counted from 1.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) line: usize,
    pub(crate) target: String,
}

/// Lines outside code blocks, with their numbers counted from 1.
pub(crate) fn prose(text: &str) -> Vec<(usize, &str)> {
    let mut lines = Vec::new();
    let mut fence: Option<&str> = None;
    for (index, line) in text.lines().enumerate() {
        let bare = line.trim_start();
        let mark = ["```", "~~~"]
            .into_iter()
            .find(|mark| bare.starts_with(mark));
        match (fence, mark) {
            (None, Some(mark)) => fence = Some(mark),
            (Some(open), Some(mark)) if open == mark => fence = None,
            (None, None) => lines.push((index + 1, line)),
            (Some(_), _) => {}
        }
    }
    lines
}

/// Every link target: `[text](target)`, images, and `[name]: target`.
pub(crate) fn links(text: &str) -> Vec<Link> {
    let mut found = Vec::new();
    for (line, prose) in prose(text) {
        let prose = without_code(prose);
        if let Some((name, target)) = prose.trim().split_once("]: ")
            && name.starts_with('[')
        {
            push(&mut found, line, target);
        }
        for (at, mark) in prose.match_indices("](") {
            if let Some((target, _)) = prose[at + mark.len()..].split_once(')') {
                push(&mut found, line, target);
            }
        }
    }
    found
}

fn push(found: &mut Vec<Link>, line: usize, target: &str) {
    // A title may follow the target.
    let target = target.split_whitespace().next().unwrap_or_default();
    let target = target.trim_matches(['<', '>']).to_owned();
    found.push(Link { line, target });
}

/// The anchors of all headings, as mdBook and GitHub derive them.
pub(crate) fn anchors(text: &str) -> Vec<String> {
    let heading = |line: &str| {
        let title = line.trim_start_matches('#');
        let marked = line.len() != title.len() && title.starts_with(' ');
        marked.then(|| anchor(title.trim()))
    };
    prose(text)
        .into_iter()
        .filter_map(|(_, line)| heading(line))
        .collect()
}

fn anchor(title: &str) -> String {
    let kept = title.chars().filter_map(|c| match c {
        ' ' => Some('-'),
        '-' | '_' => Some(c),
        c if c.is_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    kept.collect()
}

/// The code spans of a line.
pub(crate) fn spans(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// The cells of a table row; `None` for any other line.
pub(crate) fn cells(line: &str) -> Option<Vec<&str>> {
    let row = line.trim().strip_prefix('|')?;
    let row = row.strip_suffix('|').unwrap_or(row);
    Some(row.split('|').map(str::trim).collect())
}

fn without_code(line: &str) -> String {
    line.split('`').step_by(2).collect::<Vec<_>>().join("``")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_are_found_outside_code() {
        let text =
            "See [a](a.md) and ![b](b.png \"B\").\n[c]: c.md\n`[d](d.md)`\n```\n[e](e.md)\n```\n";
        let targets: Vec<String> = links(text).into_iter().map(|link| link.target).collect();
        assert_eq!(targets, ["a.md", "b.png", "c.md"]);
    }

    #[test]
    fn headings_become_anchors() {
        let text = "# Exit codes\n## `run`: a plan\n#no\n```\n# not a heading\n```\n";
        assert_eq!(anchors(text), ["exit-codes", "run-a-plan"]);
    }

    #[test]
    fn rows_have_cells_and_cells_have_spans() {
        assert_eq!(cells("| a | `b`, `c` |"), Some(vec!["a", "`b`, `c`"]));
        assert_eq!(cells("a | b"), None);
        assert_eq!(spans("`b`, `c`"), ["b", "c"]);
    }
}
