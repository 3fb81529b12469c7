//! `zeph new` and `zeph schema`: a plan to begin with, and the schema of plan files for editors.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};

use serde_json::json;
use zeph_common::escape_terminal;
use zeph_orchestration::planfile;

use crate::args::NewArgs;
use crate::context::command;
use crate::exit::{CliError, Exit};
use crate::out::{self, Channel};

/// Writes the starter plan.
pub(crate) fn new(args: &NewArgs, is_json: bool) -> Result<Exit, CliError> {
    let mut path = args.name.clone();
    match path.extension() {
        None => path = path.with_extension("toml"),
        Some(ending) if ending == "toml" => {}
        Some(_) => {
            let text = format!("{} is not the name of a TOML file", shown(&path));
            return Err(CliError::new(Exit::Usage, text)
                .code("bad_name")
                .help("the starter plan is TOML; name it NAME.toml"));
        }
    }
    let name = path.display().to_string();
    let file = OpenOptions::new().write(true).create_new(true).open(&path);
    let written = file.and_then(|mut file| file.write_all(planfile::starter(&name).as_bytes()));
    if let Err(error) = written {
        let text = format!("{} cannot be written: {error}", shown(&path));
        let help = if error.kind() == ErrorKind::AlreadyExists {
            "nothing was changed; choose another name: `zeph new NAME`"
        } else {
            "name a file in a folder that exists and that you can write to"
        };
        return Err(CliError::new(Exit::Usage, text)
            .code("cannot_write")
            .help(help));
    }
    if is_json {
        out::json(&json!({ "file": name }));
        return Ok(Exit::Completed);
    }
    out::line(format!("wrote {}", shown(&path)));
    Channel::new(false, false).commands(&[
        (command(&["validate", &name]), "check it"),
        (command(&["graph", &name]), "draw it"),
        (command(&["run", &name]), "run it"),
    ]);
    Ok(Exit::Completed)
}

fn shown(path: &std::path::Path) -> String {
    escape_terminal(&path.display().to_string()).into_owned()
}

/// Prints the JSON Schema.
pub(crate) fn schema(is_json: bool) -> Exit {
    let schema = planfile::schema();
    if is_json {
        out::json(&schema);
    } else {
        out::line(format!("{schema:#}"));
    }
    Exit::Completed
}
