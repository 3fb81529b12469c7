//! `zeph man`: manual pages of the tool and of each of its commands.

use std::path::Path;

use clap::CommandFactory as _;
use clap_mangen::{Man, generate_to};

use crate::args::{Cli, ManArgs};
use crate::exit::{CliError, Exit};
use crate::out;

pub(crate) fn run(args: &ManArgs) -> Result<Exit, CliError> {
    let failed = |place: &Path, error: std::io::Error| {
        let text = format!("{} cannot be written: {error}", place.display());
        CliError::new(Exit::Usage, text).code("bad_file")
    };
    let Some(folder) = &args.folder else {
        let mut page = Vec::new();
        let rendered = Man::new(Cli::command()).render(&mut page);
        rendered.map_err(|error| failed(Path::new("-"), error))?;
        out::bytes(&page);
        return Ok(Exit::Completed);
    };
    let made = std::fs::create_dir_all(folder);
    let written = made.and_then(|()| generate_to(Cli::command(), folder));
    written.map_err(|error| failed(folder, error))?;
    Ok(Exit::Completed)
}
