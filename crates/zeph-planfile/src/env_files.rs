//! Env files: the key `env_file`, and the variables of the files that it names.

use std::collections::BTreeMap;

use zeph_diagnostics::{Diagnostic, Diagnostics, Node};

use crate::code;
use crate::plan::Plan;
use crate::values::in_folder;

impl Plan {
    /// The variables of its env files; of a variable in two of them the last value counts. Without
    /// `all`, files that do not exist are skipped.
    ///
    /// # Errors
    /// All files that cannot be read, or have a line that is not `NAME=value`.
    pub fn env_file_variables(&self, all: bool) -> Result<BTreeMap<String, String>, Diagnostics> {
        let mut problems = self.0.problems();
        let mut variables = BTreeMap::new();
        let folder = self.0.folder.as_deref().unwrap_or_default();
        for path in in_folder(folder, &self.0.env_files) {
            match zeph_common::read_env_file(&path) {
                Ok(read) => variables.extend(read),
                Err(error) if error.is_missing() && !all => {}
                Err(error) => {
                    let one = Diagnostic::new(code::BAD_ENV_FILE, error.to_string());
                    problems.push(one.at(self.0.env_files_place).help(
                        "write a file of lines NAME=value; its path is relative to the folder of the plan",
                    ));
                }
            }
        }
        self.0.finish(problems)?;
        Ok(variables)
    }

    /// The env files as the plan names them.
    #[must_use]
    pub fn env_files(&self) -> &[String] {
        &self.0.env_files
    }
}

/// Reads `env_file`: a path, or a list of paths.
pub(crate) fn read(node: &Node, problems: &mut Diagnostics) -> Vec<String> {
    let path = |item: &Node| {
        let path = item.string("`env_file`", problems)?;
        if path.is_empty() || path.contains("${{") {
            let message = "`env_file` must be a path, without expressions";
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(item.span));
            return None;
        }
        Some(path.to_owned())
    };
    node.one_or_more().iter().filter_map(path).collect()
}
