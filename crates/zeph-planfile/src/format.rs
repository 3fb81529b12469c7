//! The formats of a plan file, and the reader that turns a text into a tree.

use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Source, read_json, read_toml};

use crate::{code, foreign};

/// The most bytes of a plan file: 16 MiB.
pub const MAX_PLAN_BYTES: usize = 16 << 20;

/// The format of a plan file. Both formats have the same keys.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Format {
    /// TOML 1.1.
    #[default]
    Toml,
    /// One JSON object.
    Json,
}

impl Format {
    /// The format for a file name: `.json` is JSON, anything else TOML.
    ///
    /// # Examples
    /// ```
    /// use zeph_planfile::Format;
    /// assert_eq!(Format::of_name("plan.JSON"), Format::Json);
    /// assert_eq!(Format::of_name("plan.toml"), Format::Toml);
    /// ```
    #[must_use]
    pub fn of_name(name: &str) -> Self {
        match name.rsplit_once('.') {
            Some((_, ending)) if ending.eq_ignore_ascii_case("json") => Self::Json,
            _ => Self::Toml,
        }
    }

    /// The tree of a text; `None` if a problem was reported.
    pub(crate) fn read(self, source: &Source, problems: &mut Diagnostics) -> Option<Node> {
        let len = source.text().len();
        if len > MAX_PLAN_BYTES {
            let message = format!("the plan has {len} bytes; the limit is {MAX_PLAN_BYTES}");
            problems.push(Diagnostic::new(code::TOO_LARGE, message));
            return None;
        }
        match self {
            Self::Toml => {
                let mut found = Diagnostics::in_source(source);
                let root = read_toml(source, &mut found);
                if root.is_none() && foreign::is_yaml(source.name(), source.text()) {
                    let message = "the plan is YAML, and plan files are TOML or JSON";
                    let one = Diagnostic::new(code::SYNTAX, message).at(0..0);
                    problems.push(one.help("write each task as a table `[tasks.NAME]` with lines such as `run = [\"make\", \"test\"]` and `needs = [\"build\"]`"));
                } else {
                    problems.append(found);
                }
                root
            }
            Self::Json => read_json(source, problems),
        }
    }
}
