//! Spans: ranges of a text to replace.

/// A range of bytes with the secret of that index.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Span {
    pub(crate) start: usize,
    pub(crate) end: usize,
    pub(crate) secret: usize,
}

/// The spans in order; overlapping ones are joined under the secret that starts first.
pub(crate) fn merged(mut spans: Vec<Span>) -> Vec<Span> {
    spans.sort_unstable_by_key(|span| (span.start, usize::MAX - span.end, span.secret));
    let mut out: Vec<Span> = Vec::with_capacity(spans.len());
    for span in spans {
        match out.last_mut() {
            Some(last) if span.start < last.end => last.end = last.end.max(span.end),
            _ => out.push(span),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{Span, merged};

    #[test]
    fn overlaps_are_joined_and_neighbours_are_not() {
        let span = |start, end, secret| Span { start, end, secret };
        let given = vec![span(8, 9, 0), span(2, 5, 1), span(0, 3, 0), span(5, 6, 2)];
        let wanted = vec![span(0, 5, 0), span(5, 6, 2), span(8, 9, 0)];
        assert_eq!(merged(given), wanted);
    }
}
