//! The corpus: attacks and benign texts in two halves, and the figures of the score on each.

use std::fmt;

use zeph_sanitizer::{Content, ContentSanitizer, SUSPICIOUS, Seed, StandardSanitizer};

/// The texts with which the features were written, and those that were written afterwards.
pub(crate) const HALVES: [&str; 2] = ["training", "held-out"];

/// A text of the corpus.
pub(crate) struct Sample {
    /// The class of the attack, or the difficulty of the benign text.
    pub(crate) class: String,
    /// The text, with escapes expanded.
    pub(crate) text: String,
}

/// The figures of the threshold: attacks and benign texts on each side.
pub(crate) struct Figures {
    /// Attacks whose score reaches the threshold.
    pub(crate) found: usize,
    /// Attacks whose score does not.
    pub(crate) missed: Vec<String>,
    /// Benign texts whose score reaches the threshold.
    pub(crate) wrong: Vec<String>,
    /// Benign texts whose score does not.
    pub(crate) passed: usize,
}

impl Figures {
    /// The fraction of suspected texts that are attacks.
    pub(crate) fn precision(&self) -> f64 {
        ratio(self.found, self.wrong.len())
    }

    /// The fraction of attacks that are suspected.
    pub(crate) fn recall(&self) -> f64 {
        ratio(self.found, self.missed.len())
    }
}

fn ratio(part: usize, rest: usize) -> f64 {
    part as f64 / (part + rest) as f64
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "precision {:.2}, recall {:.2} at {SUSPICIOUS} ({} of {} attacks found, {} of {} benign texts suspected)",
            self.precision(),
            self.recall(),
            self.found,
            self.found + self.missed.len(),
            self.wrong.len(),
            self.wrong.len() + self.passed,
        )
    }
}

/// The attacks of a half.
pub(crate) fn attacks(half: &str) -> Vec<Sample> {
    samples(if half == HALVES[0] {
        include_str!("attacks.txt")
    } else {
        include_str!("attacks-held-out.txt")
    })
}

/// The benign texts of a half.
pub(crate) fn benign(half: &str) -> Vec<Sample> {
    samples(if half == HALVES[0] {
        include_str!("benign.txt")
    } else {
        include_str!("benign-held-out.txt")
    })
}

/// Scores a half as the sanitizer would.
pub(crate) fn measure(half: &str) -> Figures {
    figures(attacks(half), benign(half))
}

/// Scores attacks and benign texts as the sanitizer would.
pub(crate) fn figures(attacks: Vec<Sample>, benign: Vec<Sample>) -> Figures {
    let sanitizer = StandardSanitizer::new(Seed::new([0; 32]));
    let scored = |sample: &Sample| {
        let content = Content {
            source: "corpus",
            text: &sample.text,
            max_bytes: 4_096,
        };
        sanitizer.sanitize(&content).score
    };
    let suspicious = |sample: &Sample| scored(sample).is_suspicious();
    let name = |sample: Sample| {
        let start: String = sample.text.chars().take(70).collect();
        let features = scored(&sample).features;
        let names: Vec<_> = features.into_iter().map(|feature| feature.name).collect();
        format!("{} | {start:?} {names:?}", sample.class)
    };
    let (found, missed): (Vec<_>, Vec<_>) = attacks.into_iter().partition(suspicious);
    let (wrong, passed): (Vec<_>, Vec<_>) = benign.into_iter().partition(suspicious);
    Figures {
        found: found.len(),
        missed: missed.into_iter().map(name).collect(),
        wrong: wrong.into_iter().map(name).collect(),
        passed: passed.len(),
    }
}

/// The texts of a file with one `CLASS | TEXT` a line.
pub(crate) fn samples(file: &str) -> Vec<Sample> {
    let lines = file.lines().filter(|line| !line.starts_with('#'));
    let pairs = lines.filter_map(|line| line.split_once(" | "));
    pairs
        .map(|(class, text)| Sample {
            class: class.to_owned(),
            text: expanded(text),
        })
        .collect()
}

fn expanded(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['\\', '{']) {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (meaning, len) = escape(rest);
        out.push_str(&meaning);
        rest = &rest[len..];
    }
    out + rest
}

/// The text for an escape, and the escape's length; unknown escapes stay unchanged.
fn escape(rest: &str) -> (String, usize) {
    let simple = [
        ("\\n", "\n"),
        ("\\r", "\r"),
        ("\\t", "\t"),
        ("\\e", "\u{1b}"),
    ];
    for (escape, meaning) in simple {
        if rest.starts_with(escape) {
            return (meaning.to_owned(), escape.len());
        }
    }
    if rest.starts_with("{pad}") {
        return (
            "The quick brown fox jumps over the lazy dog.\n".repeat(2_300),
            5,
        );
    }
    let number = rest
        .strip_prefix("\\u{")
        .and_then(|rest| rest.split_once('}'));
    let code = number.and_then(|(digits, _)| {
        let code = u32::from_str_radix(digits, 16)
            .ok()
            .and_then(char::from_u32);
        code.map(|c| (c.to_string(), digits.len() + 4))
    });
    code.unwrap_or_else(|| (rest[..1].to_owned(), 1))
}
