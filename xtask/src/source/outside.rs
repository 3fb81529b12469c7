//! Test modules in files of their own: `#[cfg(test)] mod scenes;` makes `scenes.rs` a test.

use super::{Source, blocks};

/// Marks every line of every file that a test-only `mod` line brings in.
pub(crate) fn mark(sources: &mut [Source]) {
    let modules: Vec<String> = sources.iter().flat_map(declared).collect();
    for source in sources {
        let brought = modules.iter().any(|module| {
            let rest = source.path.strip_prefix(module.as_str());
            rest.is_some_and(|rest| rest == ".rs" || rest.starts_with('/'))
        });
        // The bugs that are planted for the simulator's own test are there under their feature only.
        if brought || source.path.ends_with("/src/planted.rs") {
            source.lines.iter_mut().for_each(|line| line.test = true);
        }
    }
}

/// The test modules that a file declares, as paths without their `.rs`.
fn declared(source: &Source) -> Vec<String> {
    let code = source.code();
    let folder = folder(&source.path);
    let name = |item: &str| {
        let (head, _) = item.split_once(';')?;
        let name = head.trim().rsplit_once("mod ")?.1;
        let plain = name.chars().all(|c| c.is_alphanumeric() || c == '_');
        plain.then(|| format!("{folder}/{name}"))
    };
    blocks::TEST_MARKS
        .iter()
        .flat_map(|mark| code.match_indices(mark))
        .filter_map(|(at, _)| name(code[at..].split_once("]")?.1))
        .collect()
}

/// The folder where the modules of a file lie.
fn folder(path: &str) -> &str {
    let whole = path.strip_suffix(".rs").unwrap_or(path);
    for own in ["/lib", "/main", "/mod"] {
        if let Some(folder) = whole.strip_suffix(own) {
            return folder;
        }
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_brought_in_for_tests_is_a_test() {
        let top = "#[cfg(test)]\nmod scenes;\nmod lanes;\n#[cfg(test)]\nmod inner { }\n";
        let mut sources = [
            Source::new("a/src/lib.rs", top),
            Source::new("a/src/scenes.rs", "fn f() {}\n"),
            Source::new("a/src/scenes/one.rs", "fn f() {}\n"),
            Source::new("a/src/lanes.rs", "#[cfg(test)]\nmod deep;\nfn f() {}\n"),
            Source::new("a/src/lanes/deep.rs", "fn f() {}\n"),
            Source::new("a/src/inner.rs", "fn f() {}\n"),
        ];
        mark(&mut sources);
        let last = |source: &Source| source.lines.last().is_some_and(|line| line.test);
        let marked: Vec<bool> = sources.iter().skip(1).map(last).collect();
        assert_eq!(marked, [true, true, false, true, false]);
    }
}
