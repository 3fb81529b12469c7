//! The glyph and the colours of each state, in all formats.

/// How a state is drawn: its mark in a text, and the colours of its box.
pub(super) struct Style {
    pub(super) word: &'static str,
    pub(super) glyph: &'static str,
    pub(super) fill: &'static str,
    pub(super) stroke: &'static str,
    pub(super) text: &'static str,
}

pub(super) const STYLES: [Style; 11] = [
    style("pending", "·", ["#f4f4f4", "#999", "#333"]),
    style("ready", "○", ["#e8f0fe", "#4a7bd0", "#123"]),
    style("running", "▶", ["#cfe2ff", "#1f5fbf", "#012"]),
    style("backing_off", "↻", ["#fff3cd", "#b58900", "#320"]),
    style("falling_back", "↪", ["#fff3cd", "#b58900", "#320"]),
    style("asking", "?", ["#f3e5f9", "#8e44ad", "#304"]),
    style("canceling", "◌", ["#fde3cf", "#c8641b", "#310"]),
    style("completed", "✓", ["#d4edda", "#2e7d32", "#021"]),
    style("failed", "✗", ["#f8d7da", "#b71c1c", "#300"]),
    style("skipped", "»", ["#eeeeee", "#aaaaaa", "#666"]),
    style("canceled", "■", ["#e6e0d8", "#8d6e63", "#420"]),
];

const fn style(word: &'static str, glyph: &'static str, colours: [&'static str; 3]) -> Style {
    let [fill, stroke, text] = colours;
    Style {
        word,
        glyph,
        fill,
        stroke,
        text,
    }
}

/// The position in [`STYLES`] of a state's [word](crate::TaskState::word).
pub(super) fn find(word: &str) -> Option<usize> {
    STYLES.iter().position(|style| style.word == word)
}
