//! Preview: the tasks of an answer that is still being received, as soon as their text is complete.

use serde_json::Value;

use crate::plan::TaskKind;
use crate::plan::read::shown;

/// Longer tasks are not shown.
const MAX_BYTES: usize = 16 << 10;
/// Deeper nesting ends the preview: no plan has it.
const MAX_DEPTH: usize = 16;

/// Finds complete tasks in text that arrives in pieces: objects in a list in an object. Linear time.
#[derive(Debug, Default)]
pub(super) struct Preview {
    /// The open brackets.
    open: Vec<char>,
    in_string: bool,
    escaped: bool,
    /// The text of the current task.
    task: String,
    /// Whether the text is too deeply nested to go on.
    stopped: bool,
}

impl Preview {
    /// Adds text. Returns each task that it completes, and where in the text the task ends.
    pub(super) fn feed(&mut self, text: &str) -> Vec<Seen> {
        let mut found = Vec::new();
        for (at, c) in text.char_indices() {
            if self.stopped {
                break;
            }
            if self.is_in_task() && self.task.len() <= MAX_BYTES {
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
                    self.stopped = self.open.len() > MAX_DEPTH;
                    if c == '{' && self.open.len() == 3 && self.is_in_task() {
                        self.task.clear();
                        self.task.push(c);
                    }
                }
                '}' | ']' => {
                    if c == '}' && self.open.len() == 3 && self.is_in_task() {
                        found.extend(task(&self.task, at + 1));
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

/// A task whose text is complete.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Seen {
    /// Printable, at most 80 characters.
    pub(super) name: String,
    pub(super) kind: Option<TaskKind>,
    /// The number of bytes of the added text up to the end of the task.
    pub(super) end: usize,
}

fn task(text: &str, end: usize) -> Option<Seen> {
    let task: Value = serde_json::from_str(text).ok()?;
    let (name, kind) = shown(&task)?;
    let name = zeph_common::escape_terminal(&name);
    let name = name.chars().take(80).collect();
    Some(Seen { name, kind, end })
}

#[cfg(test)]
mod tests {
    use super::{Preview, Seen};
    use crate::plan::TaskKind;
    use proptest::prelude::*;

    fn names(seen: Vec<Seen>) -> Vec<(String, Option<TaskKind>)> {
        seen.into_iter().map(|one| (one.name, one.kind)).collect()
    }

    const PLAN: &str = r#"Sure: {"reasoning": "a [b] {c} \"d\"", "tasks": [
        {"name": "one", "needs": [], "kind": "agent"}, {"name": "tw]o", "arguments": [{"name": "x"}]}
    ]}"#;

    #[test]
    fn tasks_are_found_while_text_arrives() {
        let mut preview = Preview::default();
        let seen = preview.feed(PLAN);
        let ends = seen.iter().map(|one| &PLAN[..one.end]);
        assert!(ends.eq([
            &PLAN[..PLAN.find(", {\"name\": \"tw").expect("is there")],
            PLAN[..PLAN.rfind(']').expect("is there")].trim_end(),
        ]));
        let seen = names(seen);
        let wanted = [
            ("one".to_owned(), Some(TaskKind::Agent)),
            ("tw]o".to_owned(), None),
        ];
        assert_eq!(seen, wanted);
    }

    #[test]
    fn a_task_is_shown_under_every_word_for_its_name() {
        let plan = r#"{"steps": [{"id": 1, "Type": "Question"}, {"Task Name": "two", "task_type": null}]}"#;
        let wanted = [
            ("1".to_owned(), Some(TaskKind::Question)),
            ("two".to_owned(), None),
        ];
        assert_eq!(names(Preview::default().feed(plan)), wanted);
    }

    proptest! {
        #[test]
        fn the_size_of_pieces_does_not_matter(size in 1_usize..40) {
            let mut preview = Preview::default();
            let chars: Vec<char> = PLAN.chars().collect();
            let pieces = chars.chunks(size).map(|piece| piece.iter().collect::<String>());
            let seen: Vec<_> = pieces.flat_map(|piece| preview.feed(&piece)).collect();
            let whole = Preview::default().feed(PLAN);
            prop_assert_eq!(names(seen), names(whole));
        }

        #[test]
        fn any_text_gives_the_same_in_pieces_and_whole(
            pieces in prop::collection::vec("[\\[\\]{}\",a\\\\]{0,20}", 0..20),
        ) {
            let whole = Preview::default().feed(&pieces.concat());
            let mut preview = Preview::default();
            let seen: Vec<_> = pieces.iter().flat_map(|piece| preview.feed(piece)).collect();
            prop_assert_eq!(names(seen), names(whole));
        }
    }
}
