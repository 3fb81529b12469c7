//! Defects with their places, as they are found in one text.

use std::ops::Range;

use crate::{AgentDefect, AgentDefects, Spot};

/// The most defects that one text is told of. A file with more is not a definition.
const MOST: usize = 100;

/// All defects found so far in a text.
pub(crate) struct Told<'t> {
    text: &'t str,
    source: String,
    all: Vec<AgentDefect>,
}

impl<'t> Told<'t> {
    pub(crate) fn new(text: &'t str, source: &str) -> Self {
        Self {
            text,
            source: zeph_common::escape_terminal(source).into_owned(),
            all: Vec::new(),
        }
    }

    /// Notes a defect at a place in bytes. What comes after the hundredth is not kept.
    pub(crate) fn add(&mut self, place: Range<usize>, defect: AgentDefect) {
        if self.is_full() {
            return;
        }
        self.all.push(AgentDefect {
            source: self.source.clone(),
            at: Some(spot(self.text, place)),
            ..defect
        });
    }

    /// Whether nothing more is kept, so that costly explanations can be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= MOST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The defects in the order of the text.
    pub(crate) fn into_defects(mut self) -> AgentDefects {
        debug_assert!(!self.all.is_empty(), "refused without a defect");
        self.all
            .sort_by_key(|one| one.at.as_ref().map_or(0, |at| at.span.start));
        AgentDefects::all(self.all)
    }
}

fn spot(text: &str, place: Range<usize>) -> Spot {
    let start = text.floor_char_boundary(place.start);
    let end = text.ceil_char_boundary(place.end.min(text.len()));
    let before = &text[..start];
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    Spot {
        line: before.bytes().filter(|&byte| byte == b'\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        span: start..end.max(start),
    }
}
