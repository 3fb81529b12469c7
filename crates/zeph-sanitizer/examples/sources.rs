//! Prints how many source files of the crates in cargo's registry the sanitizer leaves unchanged.
//!
//! Takes 3,000 files, or the number given, evenly from all that are there: every C, Python and JavaScript
//! file, and Rust and TOML files. A file counts as unchanged if nothing but control and hidden characters
//! are removed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use zeph_common::plain_text;
use zeph_sanitizer::{ChangeKind, Seed, StandardSanitizer};

const RARE: [&str; 5] = ["c", "h", "py", "js", "mjs"];
const COMMON: [&str; 2] = ["rs", "toml"];

/// Larger files are data.
const MAX_BYTES: u64 = 200_000;

#[derive(Default)]
struct Figures {
    files: usize,
    changed: usize,
    hidden: usize,
}

#[allow(clippy::print_stdout, reason = "printing is what this example is for")]
fn main() {
    let wanted = std::env::args().nth(1);
    let wanted = wanted.and_then(|number| number.parse().ok());
    let mut figures: BTreeMap<String, Figures> = BTreeMap::new();
    let sanitizer = StandardSanitizer::new(Seed::new([7; 32]));
    for path in chosen(wanted.unwrap_or(3_000)) {
        let Ok(text) = std::fs::read_to_string(&path) else {
            continue;
        };
        let extension = extension(&path).to_owned();
        let row = figures.entry(extension).or_default();
        row.files += 1;
        let plain = plain_text(&text).text;
        row.hidden += usize::from(plain != text);
        let cleaned = sanitizer.clean(&text);
        if cleaned.text != plain {
            row.changed += 1;
            println!(
                "{}: {}",
                path.display(),
                first_change(&plain, &cleaned.text)
            );
        }
        let withheld = |change: &zeph_sanitizer::Change| change.kind == ChangeKind::Withheld;
        assert!(!cleaned.changes.iter().any(withheld), "{}", path.display());
    }
    let mut all = Figures::default();
    for (extension, row) in &figures {
        println!(
            "{extension}: {} of {} files changed",
            row.changed, row.files
        );
        all.files += row.files;
        all.changed += row.changed;
        all.hidden += row.hidden;
    }
    let Figures {
        files,
        changed,
        hidden,
    } = all;
    println!("all: {changed} of {files} files changed; {hidden} have control or hidden characters");
}

/// The place where a text changes.
fn first_change(before: &str, after: &str) -> String {
    let mut pairs = before.char_indices().zip(after.chars());
    let at = pairs.find(|((_, a), b)| a != b);
    let at = at.map_or(before.len(), |((at, _), _)| at);
    let line = before[..at].matches('\n').count() + 1;
    let from = before[..at].rfind('\n').map_or(0, |end| end + 1);
    let text: String = before[from..]
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .take(100)
        .collect();
    format!("line {line}: {text}")
}

/// Files of every kind: all of the rare ones, the others evenly.
fn chosen(wanted: usize) -> Vec<PathBuf> {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(std::env::var_os("HOME")?).join(".cargo")));
    let mut files = Vec::new();
    let mut folders = vec![home.unwrap_or_default().join("registry/src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(about) if about.is_dir() => folders.push(entry.path()),
                Ok(about) if about.is_file() && about.len() <= MAX_BYTES => {
                    files.push(entry.path());
                }
                _ => {}
            }
        }
    }
    files.sort();
    let of = |kinds: &[&str]| {
        let those = files.iter().filter(|path| kinds.contains(&extension(path)));
        those.cloned().collect::<Vec<_>>()
    };
    let (mut chosen, common) = (of(&RARE), of(&COMMON));
    chosen.truncate(wanted);
    let missing = (wanted - chosen.len()).min(common.len());
    chosen.extend((0..missing).map(|n| common[n * common.len() / missing].clone()));
    chosen
}

fn extension(path: &Path) -> &str {
    let extension = path.extension().and_then(|extension| extension.to_str());
    extension.unwrap_or_default()
}
