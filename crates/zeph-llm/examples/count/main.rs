//! How far the estimate of tokens is off, by kind of text: `cargo run -p zeph-llm --features tiktoken --example count`.
//!
//! Each text of the corpus has two halves, apart by a line of dashes. The weights of the estimate were
//! fitted by hand to the first halves under `o200k_base` (last column); the second halves are what is
//! shown. They are no blind test: each continues the text of its first half, and both lay open while the
//! weights were chosen. The column `learnt` is after the counter has learnt from ten reports of the first
//! half under the other vocabulary, as it would from a service's usage.

use std::io::{self, Write as _};

use zeph_llm::{EstimatingCounter, TiktokenCounter, TokenCounter};

const CORPUS: [(&str, &str); 14] = [
    ("English", include_str!("corpus/english.txt")),
    ("German", include_str!("corpus/german.txt")),
    ("French", include_str!("corpus/french.txt")),
    ("Russian", include_str!("corpus/russian.txt")),
    ("Greek", include_str!("corpus/greek.txt")),
    ("Arabic", include_str!("corpus/arabic.txt")),
    ("Hindi", include_str!("corpus/hindi.txt")),
    ("Chinese", include_str!("corpus/chinese.txt")),
    ("Japanese", include_str!("corpus/japanese.txt")),
    ("Korean", include_str!("corpus/korean.txt")),
    ("Rust", include_str!("corpus/rust.txt")),
    ("JSON", include_str!("corpus/json.txt")),
    ("Table", include_str!("corpus/table.txt")),
    ("Emoji", include_str!("corpus/emoji.txt")),
];

fn main() -> io::Result<()> {
    let mut out = io::stdout().lock();
    let (new, old) = (TiktokenCounter::o200k(), TiktokenCounter::cl100k());
    writeln!(
        out,
        "{:<9} {:>6} {:>8} {:>8} {:>6} {:>8} {:>9} {:>9}",
        "text", "bytes", "o200k", "estimate", "off", "cl100k", "learnt", "fitted"
    )?;
    let (mut worst, mut sum, mut signed) = (0.0f64, 0.0, 0.0);
    for (name, text) in CORPUS {
        let (first, second) = text.split_once("\n---\n").unwrap_or((text, text));
        let exact = new.count(second);
        let estimate = EstimatingCounter::new().count(second);
        let off = percent(estimate, exact);
        worst = worst.max(off.abs());
        sum += off.abs();
        signed += off;
        let learning = EstimatingCounter::new();
        for _ in 0..10 {
            learning.observe(first, old.count(first));
        }
        let other = old.count(second);
        let learnt = percent(learning.count(second), other);
        let fitted = percent(EstimatingCounter::new().count(first), new.count(first));
        writeln!(
            out,
            "{name:<9} {:>6} {exact:>8} {estimate:>8} {off:>+5.0}% {other:>8} {learnt:>+8.0}% {fitted:>+8.0}%",
            second.len()
        )?;
    }
    let count = f64::from(u32::try_from(CORPUS.len()).unwrap_or(u32::MAX));
    writeln!(
        out,
        "mean of the absolute errors {:.0} %, mean error {:+.0} %, worst {worst:.0} %",
        sum / count,
        signed / count
    )
}

fn percent(found: u32, exact: u32) -> f64 {
    (f64::from(found) / f64::from(exact) - 1.0) * 100.0
}
