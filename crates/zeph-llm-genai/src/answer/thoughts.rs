//! Reasoning inside the text of an answer: separates it while the text arrives.

use std::mem::take;

/// The tags of reasoning at the start of a text.
const TAGS: &[(&str, &str)] = &[
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<seed:think>", "</seed:think>"),
    ("◁think▷", "◁/think▷"),
];

/// The start of a channel, its name, and the text of the final one, as gpt-oss writes them.
const CHANNEL: &str = "<|channel|>";
const MESSAGE: &str = "<|message|>";

/// Separates the reasoning from a text that arrives in pieces.
///
/// Reasoning is what stands between tags at the start of the text, once or several times. Text after it is
/// the answer, whatever it contains.
#[derive(Debug, Default)]
pub(super) struct Thoughts {
    state: State,
    /// The text that may become a part of either.
    held: String,
    /// Whether a block of reasoning has ended.
    after_block: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    #[default]
    Start,
    /// Inside a block with this end.
    Inside(&'static str),
    Answer,
}

/// A text, separated.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Separated {
    pub(super) answer: String,
    pub(super) reasoning: String,
}

impl Thoughts {
    /// Takes more text.
    pub(super) fn push(&mut self, text: &str) -> Separated {
        let mut out = Separated::default();
        self.held.push_str(text);
        loop {
            match self.state {
                State::Answer => {
                    out.answer.push_str(&take(&mut self.held));
                    return out;
                }
                State::Start => {
                    let start = self.held.trim_start();
                    let offset = self.held.len() - start.len();
                    if let Some((open, close)) =
                        TAGS.iter().find(|(open, _)| start.starts_with(open))
                    {
                        self.held.drain(..offset + open.len());
                        self.state = State::Inside(close);
                    } else if start.is_empty()
                        || TAGS.iter().any(|(open, _)| open.starts_with(start))
                    {
                        return out;
                    } else {
                        if self.after_block {
                            self.held.drain(..offset);
                        }
                        self.state = State::Answer;
                    }
                }
                State::Inside(close) => {
                    if let Some(at) = self.held.find(close) {
                        out.reasoning.push_str(&self.held[..at]);
                        self.held.drain(..at + close.len());
                        self.state = State::Start;
                        self.after_block = true;
                    } else {
                        // The end of the block may have begun.
                        let known = self.held.len().saturating_sub(close.len());
                        let known = self.held.floor_char_boundary(known);
                        out.reasoning.extend(self.held.drain(..known));
                        return out;
                    }
                }
            }
        }
    }

    /// The rest at the end of the text. A block without an end is reasoning to the last.
    pub(super) fn finish(&mut self) -> Separated {
        let held = take(&mut self.held);
        match self.state {
            State::Inside(_) => Separated {
                reasoning: held,
                ..Separated::default()
            },
            State::Start if self.after_block && held.trim().is_empty() => Separated::default(),
            State::Start | State::Answer => Separated {
                answer: held,
                ..Separated::default()
            },
        }
    }
}

/// Separates reasoning that is known only at the end of a text: a block whose first tag is part of the
/// prompt, and channels. `None` if there is none.
pub(super) fn at_the_end(text: &str) -> Option<Separated> {
    channels(text).or_else(|| without_first_tag(text))
}

/// The last tag stands at the end of a line, or on a line of its own: a tag inside a sentence is a word.
fn without_first_tag(text: &str) -> Option<Separated> {
    let ends = TAGS.iter().filter_map(|(open, close)| {
        let at = text.find(close)?;
        let (before, after) = (&text[..at], &text[at + close.len()..]);
        let is_end = after.is_empty() || after.starts_with(['\n', '\r']) || before.ends_with('\n');
        (is_end && !before.contains(open)).then_some((before, after))
    });
    let (before, after) = ends.min_by_key(|(before, _)| before.len())?;
    Some(Separated {
        answer: after.trim_start().to_owned(),
        reasoning: before.to_owned(),
    })
}

fn channels(text: &str) -> Option<Separated> {
    let start = text.trim_start();
    let start = start.strip_prefix("<|start|>assistant").unwrap_or(start);
    if !start.starts_with(CHANNEL) {
        return None;
    }
    let mut out = Separated::default();
    for channel in start.split(CHANNEL) {
        let Some((name, said)) = channel.split_once(MESSAGE) else {
            continue;
        };
        let said = ["<|end|>", "<|return|>", "<|start|>"]
            .iter()
            .fold(said, |said, end| said.split(end).next().unwrap_or(said));
        match name.split_whitespace().next() {
            Some("final") => out.answer.push_str(said),
            // A tool call that is written as text is no reasoning.
            Some("commentary") if name.contains(" to=") => return None,
            Some(_) | None => out.reasoning.push_str(said),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::{Separated, Thoughts, at_the_end};

    fn separated(text: &str, size: usize) -> (String, String) {
        let mut thoughts = Thoughts::default();
        let mut out = Separated::default();
        let chars: Vec<char> = text.chars().collect();
        let pieces = chars
            .chunks(size)
            .map(|piece| piece.iter().collect::<String>());
        let mut add = |part: Separated| {
            out.answer.push_str(&part.answer);
            out.reasoning.push_str(&part.reasoning);
        };
        pieces.for_each(|piece| add(thoughts.push(&piece)));
        add(thoughts.finish());
        (out.answer, out.reasoning)
    }

    #[test]
    fn reasoning_in_front_is_separated_wherever_the_text_is_cut() {
        for (text, answer, reasoning) in [
            ("plain", "plain", ""),
            (" spaced \n", " spaced \n", ""),
            ("", "", ""),
            (" \n", " \n", ""),
            ("<think>a {b}</think>\n\nc", "c", "a {b}"),
            ("\n<think>\na\n</think>b", "b", "\na\n"),
            ("<think>a</think> <think>b</think>c", "c", "ab"),
            ("<thinking>a</thinking>b", "b", "a"),
            ("[THINK]a[/THINK]b", "b", "a"),
            ("<think></think>b", "b", ""),
            ("<think>never ends </thin", "", "never ends </thin"),
            ("<think>all</think>\n", "", "all"),
            ("<thin", "<thin", ""),
            ("<table><think>x</think>", "<table><think>x</think>", ""),
            ("a <think>b</think> c", "a <think>b</think> c", ""),
        ] {
            for size in 1..=text.chars().count().max(1) {
                let found = separated(text, size);
                assert_eq!(
                    found,
                    (answer.to_owned(), reasoning.to_owned()),
                    "{text:?} by {size}"
                );
            }
        }
    }

    #[test]
    fn some_reasoning_is_known_only_at_the_end() {
        for (text, wanted) in [
            ("I think.\n</think>\n\nb", Some(("b", "I think.\n"))),
            ("I think.</think>\nb", Some(("b", "I think."))),
            ("all\n</think>", Some(("", "all\n"))),
            ("the tag `</think>` ends it", None),
            ("{\"a\":\"</think>\"}", None),
            ("x <think> y </think>\n", None),
            ("plain", None),
            (
                "<|channel|>analysis<|message|>Hm.<|end|><|start|>assistant<|channel|>final<|message|>b<|return|>",
                Some(("b", "Hm.")),
            ),
            (
                "<|channel|>commentary to=functions.f <|constrain|>json<|message|>{}<|call|>",
                None,
            ),
        ] {
            let found = at_the_end(text);
            let found = found
                .as_ref()
                .map(|one| (one.answer.as_str(), one.reasoning.as_str()));
            assert_eq!(found, wanted, "{text:?}");
        }
    }
}
