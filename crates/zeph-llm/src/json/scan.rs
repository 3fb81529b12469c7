//! All values in a text, from left to right, each byte looked at a bounded number of times.

use serde_json::Value;

use super::mend::{Mend, mend};
use super::parse::{Failure, prefix};
use super::{JsonError, ReadJson, Tolerated};

/// What a text holds.
pub(super) struct Scan {
    found: Vec<Found>,
    /// Pieces that began like JSON and are none: where, and why.
    broken: Vec<(usize, JsonError)>,
}

/// A value and where it stands.
struct Found {
    value: Value,
    start: usize,
    end: usize,
    is_fenced: bool,
    mends: Vec<Tolerated>,
}

/// What to do after a bracket that begins no value as it stands.
enum Next {
    /// Look on from here.
    From(usize),
    /// The rest of the text belongs to that piece.
    Nothing,
}

impl Scan {
    /// Looks through a text from a place on.
    ///
    /// A key that is there twice, and brackets nested too deep, end the search: those are never passed over.
    pub(super) fn of(text: &str, start: usize, depth: usize) -> Result<Self, JsonError> {
        let mut scan = Self {
            found: Vec::new(),
            broken: Vec::new(),
        };
        let mut from = start;
        while let Some(ahead) = text[from..].find(['{', '[']) {
            let at = from + ahead;
            match prefix(&text[at..], depth) {
                Ok((value, len)) => {
                    from = at + len;
                    scan.keep(text, value, at, from, Vec::new());
                }
                Err(failure) => match scan.fail(text, at, depth, failure)? {
                    Next::From(place) => from = place,
                    Next::Nothing => break,
                },
            }
        }
        Ok(scan)
    }

    fn fail(
        &mut self,
        text: &str,
        at: usize,
        depth: usize,
        failure: Failure,
    ) -> Result<Next, JsonError> {
        match failure.error {
            error @ (JsonError::DuplicateKey { .. } | JsonError::TooDeep { .. }) => {
                return Err(moved(error, |place| at + place));
            }
            JsonError::CutOff { .. } => {
                // A lone bracket at the end of prose is an answer that was about to begin only if
                // there is no other.
                if failure.meant || self.found.is_empty() {
                    self.broken.push((at, JsonError::CutOff { at }));
                }
                return Ok(Next::Nothing);
            }
            _ if !failure.meant && !failure.mendable => {
                return Ok(Next::From(at + failure.at.max(1)));
            }
            JsonError::Empty
            | JsonError::NoJson
            | JsonError::NotANumber { .. }
            | JsonError::TooLarge { .. }
            | JsonError::Syntax { .. } => {}
        }
        let Some(mended) = mend(&text[at..]) else {
            let error = if failure.mendable {
                JsonError::CutOff { at }
            } else {
                moved(failure.error, |place| at + place)
            };
            self.broken.push((at, error));
            return Ok(Next::Nothing);
        };
        let end = at + mended.source_len;
        if !failure.mendable {
            self.broken
                .push((at, moved(failure.error, |place| at + place)));
            return Ok(Next::From(end));
        }
        match prefix(&mended.text, depth) {
            Ok((value, _)) => {
                let mends = mended.mends.iter().map(|mend| told(mend, at)).collect();
                self.keep(text, value, at, end, mends);
            }
            Err(failure) => {
                let error = moved(failure.error, |place| at + mended.source_place(place));
                if matches!(
                    error,
                    JsonError::DuplicateKey { .. } | JsonError::TooDeep { .. }
                ) {
                    return Err(error);
                }
                self.broken.push((at, error));
            }
        }
        Ok(Next::From(end))
    }

    fn keep(&mut self, text: &str, value: Value, start: usize, end: usize, mends: Vec<Tolerated>) {
        let before = text[..start].trim_end();
        let is_fenced = without_fence(before).is_some();
        self.found.push(Found {
            value,
            start,
            end,
            is_fenced,
            mends,
        });
    }

    /// Why the first broken piece is broken.
    pub(super) fn broken(&self) -> Option<JsonError> {
        self.broken.first().map(|(_, error)| error.clone())
    }

    /// The value that wins.
    pub(super) fn first(&self) -> Option<usize> {
        self.first_where(&|_| true)
    }

    /// The value that wins among those that can be used.
    pub(super) fn first_where(&self, usable: &dyn Fn(&Value) -> bool) -> Option<usize> {
        let place = |wanted: &dyn Fn(&Found) -> bool| {
            let mut all = self.found.iter();
            all.position(|found| wanted(found) && usable(&found.value))
        };
        place(&|found| found.is_fenced)
            .or_else(|| place(&|found| found.value.is_object()))
            .or_else(|| place(&|_| true))
    }

    /// One of the values, with all that was passed over for it.
    pub(super) fn take(
        mut self,
        text: &str,
        start: usize,
        index: usize,
        mut tolerated: Vec<Tolerated>,
    ) -> ReadJson {
        let others = self.found.len() - 1;
        let found = self.found.swap_remove(index);
        let mut before = text[start..found.start].trim();
        let mut after = text[found.end..].trim();
        if found.is_fenced {
            tolerated.push(Tolerated::Fence);
            before = without_fence(before).unwrap_or(before).trim_end();
            after = after.strip_prefix("```").unwrap_or(after).trim_start();
        }
        if !before.is_empty() || !after.is_empty() {
            tolerated.push(Tolerated::Prose {
                before: before.len(),
                after: after.len(),
            });
        }
        let broken = self.broken.iter();
        tolerated.extend(broken.map(|(at, _)| Tolerated::Broken { at: *at }));
        if others > 0 {
            tolerated.push(Tolerated::Others { count: others });
        }
        tolerated.extend(found.mends);
        ReadJson {
            value: found.value,
            tolerated,
        }
    }
}

/// A text without the opening of a code fence at its end; `None` if there is none.
fn without_fence(text: &str) -> Option<&str> {
    let word = |c: char| c.is_ascii_alphanumeric();
    text.trim_end_matches(word).strip_suffix("```")
}

fn told(mend: &Mend, start: usize) -> Tolerated {
    let at = start + mend.at;
    if mend.is_comma {
        Tolerated::TrailingComma { at }
    } else {
        Tolerated::RawControl { at }
    }
}

/// An error with its place in the whole text.
fn moved(error: JsonError, place: impl Fn(usize) -> usize) -> JsonError {
    match error {
        JsonError::Syntax { at, why } => JsonError::Syntax { at: place(at), why },
        JsonError::CutOff { at } => JsonError::CutOff { at: place(at) },
        JsonError::NotANumber { text, at } => JsonError::NotANumber {
            text,
            at: place(at),
        },
        JsonError::TooDeep { limit, at } => JsonError::TooDeep {
            limit,
            at: place(at),
        },
        error @ (JsonError::Empty
        | JsonError::NoJson
        | JsonError::DuplicateKey { .. }
        | JsonError::TooLarge { .. }) => error,
    }
}
