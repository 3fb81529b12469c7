//! Preview: the tasks of an answer that is still coming. For eyes only; the plan is read when it is whole.

use serde_json::Value;

use crate::plan::TaskKind;

/// A task that is longer is not previewed.
const MOST_BYTES: usize = 16 << 10;
/// What is nested deeper is no plan.
const MOST_DEPTH: usize = 16;

/// Finds whole tasks in text that comes in pieces: objects in a list in an object. Linear in the text.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// The brackets that are open.
    open: Vec<char>,
    in_string: bool,
    escaped: bool,
    /// The task that is open.
    task: String,
    /// The text is nothing that this understands.
    lost: bool,
}

impl Preview {
    /// The name and kind of each task that these characters complete.
    pub(super) fn feed(&mut self, text: &str) -> Vec<(String, Option<TaskKind>)> {
        let mut found = Vec::new();
        for c in text.chars() {
            if self.lost {
                break;
            }
            if self.is_in_task() && self.task.len() <= MOST_BYTES {
                self.task.push(c);
            }
            if self.in_string {
                self.in_string = c != '"' || self.escaped;
                self.escaped = c == '\\' && !self.escaped;
                continue;
            }
            match c {
                '"' if !self.open.is_empty() => self.in_string = true,
                '{' | '[' => {
                    self.open.push(c);
                    self.lost = self.open.len() > MOST_DEPTH;
                    if c == '{' && self.open.len() == 3 && self.is_in_task() {
                        self.task.clear();
                        self.task.push(c);
                    }
                }
                '}' | ']' => {
                    if c == '}' && self.open.len() == 3 && self.is_in_task() {
                        found.extend(task(&self.task));
                    }
                    self.open.pop();
                }
                _ => {}
            }
        }
        found
    }

    fn is_in_task(&self) -> bool {
        self.open.starts_with(&['{', '[', '{'])
    }
}

fn task(text: &str) -> Option<(String, Option<TaskKind>)> {
    let task: Value = serde_json::from_str(text).ok()?;
    let name = task.get("name")?.as_str()?;
    let name: String = zeph_common::escape_terminal(name)
        .chars()
        .take(80)
        .collect();
    let kind = task.get("kind").and_then(Value::as_str);
    let kind = kind.and_then(|word| TaskKind::ALL.into_iter().find(|kind| kind.word() == word));
    Some((name, kind))
}

#[cfg(test)]
mod tests {
    use super::Preview;
    use crate::plan::TaskKind;
    use proptest::prelude::*;

    const PLAN: &str = r#"Sure: {"reasoning": "a [b] {c} \"d\"", "tasks": [
        {"name": "one", "needs": [], "kind": "agent"}, {"name": "tw]o", "arguments": [{"name": "x"}]}
    ]}"#;

    #[test]
    fn tasks_are_seen_as_they_come() {
        let mut preview = Preview::default();
        let seen = preview.feed(PLAN);
        let wanted = [
            ("one".to_owned(), Some(TaskKind::Agent)),
            ("tw]o".to_owned(), None),
        ];
        assert_eq!(seen, wanted);
    }

    proptest! {
        #[test]
        fn pieces_of_any_size_show_the_same(size in 1_usize..40) {
            let mut preview = Preview::default();
            let chars: Vec<char> = PLAN.chars().collect();
            let pieces = chars.chunks(size).map(|piece| piece.iter().collect::<String>());
            let seen: Vec<_> = pieces.flat_map(|piece| preview.feed(&piece)).collect();
            prop_assert_eq!(seen.len(), 2);
        }

        #[test]
        fn no_text_upsets_it(pieces in prop::collection::vec("[\\[\\]{}\",a\\\\]{0,20}", 0..20)) {
            let mut preview = Preview::default();
            for piece in pieces {
                preview.feed(&piece);
            }
        }
    }
}
