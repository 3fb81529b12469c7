//! Finds all JSON values in a text, in linear time.

use serde_json::Value;

use super::lenient::{Unreadable, rewrite};
use super::parse::{Failure, prefix};
use super::{JsonError, ReadJson, Tolerated};

/// The JSON in a text.
pub(super) struct Scan {
    values: Vec<Found>,
    /// The start of broken JSON, and its error.
    broken: Vec<(usize, JsonError)>,
}

/// A value and its place.
struct Found {
    value: Value,
    start: usize,
    end: usize,
    is_fenced: bool,
    repairs: Vec<Tolerated>,
}

impl Scan {
    /// Scans a text from a place on. If the text is known to be finished, braces that are missing at its
    /// end are added.
    ///
    /// # Errors
    /// A duplicate key or too deep nesting; the text around it is not read then.
    pub(super) fn of(text: &str, start: usize, is_finished: bool) -> Result<Self, JsonError> {
        let mut scan = Self {
            values: Vec::new(),
            broken: Vec::new(),
        };
        let mut from = start;
        while let Some(ahead) = text[from..].find(['{', '[']) {
            let at = from + ahead;
            from = match prefix(&text[at..], |place| at + place) {
                Ok(read) => {
                    let end = at + read.len;
                    scan.add(text, read.value, (at, end), read.tolerated);
                    end
                }
                Err(failure) => match scan.failed(text, at, failure, is_finished)? {
                    Some(next) => next,
                    None => break,
                },
            };
        }
        Ok(scan)
    }

    /// Handles a bracket that starts no valid value. Returns where to continue; `None` if the broken
    /// JSON extends to the end of the text.
    fn failed(
        &mut self,
        text: &str,
        at: usize,
        failure: Failure,
        is_finished: bool,
    ) -> Result<Option<usize>, JsonError> {
        if is_final(&failure.error) {
            return Err(failure.error);
        }
        let strict_at = at + failure.at;
        match rewrite(text, at, is_finished) {
            Ok(rewritten) => {
                let place = |place| rewritten.source_place(place);
                match prefix(&rewritten.text, place) {
                    Ok(read) => {
                        let repairs = [rewritten.repairs, read.tolerated].concat();
                        self.add(text, read.value, (at, rewritten.end), repairs);
                    }
                    Err(failure) if is_final(&failure.error) => return Err(failure.error),
                    Err(failure) => self.broken.push((at, failure.error)),
                }
                Ok(Some(rewritten.end))
            }
            Err(Unreadable::Ended { is_whole }) => {
                // A lone bracket after a value is prose.
                if failure.looks_like_json || self.values.is_empty() {
                    let error = if is_finished && is_whole {
                        JsonError::Unclosed { at }
                    } else {
                        JsonError::CutOff { at }
                    };
                    self.broken.push((at, error));
                }
                Ok(None)
            }
            Err(Unreadable::Unexpected { at: found, wanted }) => {
                if !failure.looks_like_json && found <= strict_at {
                    return Ok(Some(at + failure.at.max(1)));
                }
                let error = if matches!(failure.error, JsonError::NotANumber { .. }) {
                    failure.error
                } else {
                    let why = format!("expected {wanted}");
                    JsonError::Syntax { at: found, why }
                };
                self.broken.push((at, error));
                Ok(balanced_end(text, at))
            }
        }
    }

    fn add(
        &mut self,
        text: &str,
        value: Value,
        (start, end): (usize, usize),
        repairs: Vec<Tolerated>,
    ) {
        self.values.push(Found {
            value,
            start,
            end,
            is_fenced: before_fence(text[..start].trim_end()).is_some(),
            repairs,
        });
    }

    /// The error of the first broken JSON.
    pub(super) fn broken(&self) -> Option<JsonError> {
        self.broken.first().map(|(_, error)| error.clone())
    }

    /// The value that is preferred among the usable ones: one in a code fence, else an object.
    pub(super) fn preferred(&self, usable: impl Fn(&Value) -> bool) -> Option<usize> {
        let rank = |found: &Found| match (found.is_fenced, found.value.is_object()) {
            (true, _) => 0,
            (false, true) => 1,
            (false, false) => 2,
        };
        let usable = |index: &usize| usable(&self.values[*index].value);
        let indices = (0..self.values.len()).filter(usable);
        indices.min_by_key(|index| rank(&self.values[*index]))
    }

    /// All values in order, and what was changed in them.
    pub(super) fn into_values(self) -> (Vec<Value>, Vec<Tolerated>) {
        let (mut values, mut repairs) = (Vec::new(), Vec::new());
        for found in self.values {
            values.push(found.value);
            repairs.extend(found.repairs);
        }
        (values, repairs)
    }

    /// A value, and what was skipped or repaired to read it.
    pub(super) fn take(
        mut self,
        text: &str,
        start: usize,
        index: usize,
        mut tolerated: Vec<Tolerated>,
    ) -> ReadJson {
        let others = self.values.len() - 1;
        let found = self.values.swap_remove(index);
        let mut before = text[start..found.start].trim();
        let mut after = text[found.end..].trim();
        if found.is_fenced {
            tolerated.push(Tolerated::Fence);
            before = before_fence(before).unwrap_or(before).trim_end();
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
        tolerated.extend(found.repairs);
        ReadJson {
            value: found.value,
            tolerated,
        }
    }
}

/// The end of broken JSON: after the bracket that closes the first one; `None` if there is none.
fn balanced_end(text: &str, start: usize) -> Option<usize> {
    let (mut depth, mut in_string, mut is_escaped) = (0_usize, false, false);
    for (offset, c) in text[start..].char_indices() {
        #[cfg(test)]
        super::tests::count_steps(1);
        if in_string {
            in_string = is_escaped || c != '"';
            is_escaped = !is_escaped && c == '\\';
            continue;
        }
        match c {
            '"' => in_string = true,
            '{' | '[' => depth += 1,
            '}' | ']' => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return Some(start + offset + c.len_utf8());
        }
    }
    None
}

/// The text before a code fence that opens at its end; `None` if there is none.
fn before_fence(text: &str) -> Option<&str> {
    let language = |c: char| c.is_ascii_alphanumeric();
    text.trim_end_matches(language).strip_suffix("```")
}

/// Whether the error cannot be repaired or skipped.
fn is_final(error: &JsonError) -> bool {
    matches!(
        error,
        JsonError::DuplicateKey { .. } | JsonError::TooDeep { .. }
    )
}
