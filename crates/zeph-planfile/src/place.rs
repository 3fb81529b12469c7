//! Places: where in its source something is written, and the problems collected on the way.

use std::ops::Range;

use crate::errors::PlanCode;

/// The most problems that one plan is told of. A file with more is not a plan.
const MOST: usize = 1_000;
/// How many pairs of names are compared for suggestions, so that misspelling everything costs little.
const MOST_COMPARED: usize = 200_000;

/// Where something is written: in TOML a range of bytes, in JSON the number of a node, twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) start: usize,
    pub(crate) end: usize,
}

impl From<Range<usize>> for Place {
    fn from(range: Range<usize>) -> Self {
        Self {
            start: range.start,
            end: range.end,
        }
    }
}

impl From<Place> for Range<usize> {
    fn from(place: Place) -> Self {
        place.start..place.end
    }
}

/// A problem whose place is not yet told in the words of the source's format.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: PlanCode,
    pub(crate) message: String,
    pub(crate) place: Option<Place>,
    pub(crate) help: Option<String>,
}

/// All problems found so far.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    all: Vec<Problem>,
    /// How many pairs of names have been compared.
    compared: usize,
}

impl Problems {
    /// Notes a problem. What comes after the thousandth is not kept.
    pub(crate) fn add(
        &mut self,
        code: PlanCode,
        place: impl Into<Option<Place>>,
        message: impl Into<String>,
    ) -> Noted<'_> {
        let problem = Problem {
            code,
            message: message.into(),
            place: place.into(),
            help: None,
        };
        if self.is_full() {
            return Noted(None);
        }
        self.all.push(problem);
        Noted(self.all.last_mut())
    }

    /// Whether nothing more is kept, so that costly explanations can be left out.
    pub(crate) fn is_full(&self) -> bool {
        self.all.len() >= MOST
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The name that somebody may have meant: at most a third of its characters differ.
    pub(crate) fn near<'a>(
        &mut self,
        wanted: &str,
        names: impl IntoIterator<Item = &'a str>,
    ) -> Option<&'a str> {
        // Longer texts are no typing errors, and comparing them costs the product of their lengths.
        const LONGEST: usize = 64;
        if wanted.len() > LONGEST || self.compared >= MOST_COMPARED {
            return None;
        }
        let folded = wanted.to_lowercase();
        let most = (wanted.chars().count() / 3).max(1);
        let mut nearest: Option<(usize, &str)> = None;
        for name in names.into_iter().take(MOST_COMPARED - self.compared) {
            self.compared += 1;
            if name.len() > LONGEST || name == wanted {
                continue;
            }
            let distance = strsim::damerau_levenshtein(&folded, &name.to_lowercase());
            if distance <= most && nearest.is_none_or(|best| (distance, name) < best) {
                nearest = Some((distance, name));
            }
        }
        nearest.map(|(_, name)| name)
    }

    /// The problems in the order in which their places come in the source.
    pub(crate) fn sorted(mut self) -> Vec<Problem> {
        self.all
            .sort_by_key(|problem| problem.place.map_or(0, |place| place.start));
        self.all
    }
}

/// The problem just noted, to be given a help.
pub(crate) struct Noted<'a>(Option<&'a mut Problem>);

impl Noted<'_> {
    pub(crate) fn help(self, help: impl Into<String>) {
        if let Some(problem) = self.0 {
            problem.help = Some(help.into());
        }
    }

    pub(crate) fn suggest(self, near: Option<&str>) {
        if let Some(near) = near {
            self.help(format!("did you mean {}?", show(near)));
        }
    }
}

/// A text of the plan as it appears in a message: quoted, escaped and not too long.
pub(crate) fn show(text: &str) -> String {
    const SHOWN: usize = 80;
    let cut = text.char_indices().nth(SHOWN);
    let shown = zeph_common::escape_terminal(cut.map_or(text, |(end, _)| &text[..end]));
    let dots = if cut.is_some() { "…" } else { "" };
    format!("\"{}\"{dots}", shown.replace('"', "\\\""))
}
