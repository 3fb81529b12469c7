//! Damages: random changes to the files of a database. Each must be reported, or change nothing that is read.

mod kind;
mod read;
mod rows;
mod scene;

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::damage::read::{Reading, read};
use crate::rng::Rng;

pub use kind::Kind;
pub use scene::Scene;
pub(crate) use scene::copy_folder;

/// How long a damaged database may be read before that counts as hanging.
const PATIENCE: Duration = Duration::from_secs(30);

/// What became of some damages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DamageCounts {
    /// Damages that were reported: by `verify`, by an error, or by a mark in the list.
    pub reported: u64,
    /// Damages that changed nothing that is read.
    pub harmless: u64,
    /// Damages that could not be done, for example to a file that is not there.
    pub none: u64,
}

/// Damages a copy of a scene by a seed, and reads it. The error is a damage that nothing reports.
///
/// # Errors
/// The description of a damage that changes what is read without a word, or that hangs.
pub fn play(
    scene: &Scene,
    folder: &Path,
    seed: u64,
    counts: &mut DamageCounts,
) -> Result<(), String> {
    let mut rng = Rng::new(seed);
    let kind = Kind::draw(&mut rng);
    // A folder that is not there is as good as removed.
    let _ = fs::remove_dir_all(folder);
    scene.copy_to(folder)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("there is no runtime: {error}"))?;
    let (what, reading) = runtime.block_on(async {
        let what = kind.apply(folder, &mut rng).await?;
        let path = folder.join(scene::DATABASE);
        let reading = tokio::time::timeout(PATIENCE, read(&path)).await;
        Ok::<_, String>((what, reading))
    })?;
    let Some(what) = what else {
        counts.none += 1;
        return Ok(());
    };
    let name = scene.name;
    match reading {
        Err(_) => Err(format!("seed {seed}, {name}: {what}: reading hangs")),
        Ok(Reading {
            reported: Some(_), ..
        }) => {
            counts.reported += 1;
            Ok(())
        }
        Ok(reading) if reading.text == scene.reference => {
            counts.harmless += 1;
            Ok(())
        }
        Ok(reading) => Err(format!(
            "seed {seed}, {name}: {what}: nothing reports it, and this is read:\n{}",
            first_difference(&scene.reference, &reading.text)
        )),
    }
}

/// The first lines that differ.
fn first_difference(before: &str, after: &str) -> String {
    let (mut old, mut new) = (before.lines(), after.lines());
    loop {
        match (old.next(), new.next()) {
            (None, None) => return "no line differs".to_owned(),
            (old, new) if old == new => {}
            (old, new) => {
                let short = |line: Option<&str>| {
                    line.unwrap_or("(the end)")
                        .chars()
                        .take(400)
                        .collect::<String>()
                };
                return format!("  before: {}\n  after:  {}", short(old), short(new));
            }
        }
    }
}
