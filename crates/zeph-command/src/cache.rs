//! The key of a command's result: a hash over everything that the result depends on.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use blake3::Hasher;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;
use zeph_common::FilePattern;
use zeph_executor::{ResultKey, TaskError, TaskInput};

use crate::artifacts;
use crate::find_files::{FoundFile, find_files};
use crate::params::{CommandParams, invalid};
use crate::spawn::{CommandConfig, directory};

/// Changes when the form of the result or of the key does.
const VERSION: &[u8] = b"zeph command result 1";

/// The most input files of a command.
const MAX_FILES: usize = 100_000;

/// The part `cache` of a preparation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CacheParams {
    /// Patterns of the files that the result depends on, relative to the folder of the command.
    inputs: Vec<String>,
    /// The parameters of the command in the form in which equal ones are equal; default: as they are.
    #[serde(default)]
    params: Option<CommandParams>,
    /// Whatever else decides whether a result counts, such as the check that it passed.
    #[serde(default)]
    also: Option<Value>,
}

/// What the key of a command's result is computed from.
#[derive(Clone, Debug)]
pub(crate) struct Cache {
    patterns: Vec<FilePattern>,
    folder: PathBuf,
    /// The hash of everything but the files.
    rest: Hasher,
}

impl Cache {
    /// `None` for a command without a cache.
    ///
    /// # Errors
    /// If its parameters cannot be read.
    pub(crate) fn read(
        config: &CommandConfig,
        params: &CommandParams,
        input: &TaskInput,
        stdin: Option<&Bytes>,
    ) -> Result<Option<Self>, TaskError> {
        let cache = &input.preparation["cache"];
        if cache.is_null() {
            return Ok(None);
        }
        let cache = CacheParams::deserialize(cache)
            .map_err(|why| invalid(&format!("`cache` cannot be read: {why}")))?;
        let patterns = artifacts::patterns("cache.inputs", &cache.inputs)?;
        let folder = directory(config, params).unwrap_or_else(|| ".".into());
        let mut rest = Hasher::new();
        add(&mut rest, VERSION);
        let params = cache.params.as_ref().unwrap_or(params);
        let json = serde_json::to_vec(params)
            .map_err(|why| invalid(&format!("the parameters are not JSON: {why}")))?;
        add(&mut rest, &json);
        add(&mut rest, &(config.max_output as u64).to_le_bytes());
        let from_parent = params.stdin_from.is_some();
        add(
            &mut rest,
            stdin.filter(|_| from_parent).map_or(&[], |bytes| bytes),
        );
        for pattern in &patterns {
            add(&mut rest, pattern.as_str().as_bytes());
        }
        if let Some(also) = &cache.also {
            add(&mut rest, also.to_string().as_bytes());
        }
        Ok(Some(Self {
            patterns,
            folder,
            rest,
        }))
    }

    /// Reads the files. An equal key means an equal result.
    ///
    /// # Errors
    /// If a pattern matches no file, or a file cannot be read.
    pub(crate) async fn key(&self, config: &CommandConfig) -> Result<ResultKey, TaskError> {
        // Only a closed semaphore fails, and nothing closes it.
        let _turn = config.hashing.acquire().await;
        let cache = self.clone();
        tokio::task::spawn_blocking(move || cache.hash()).await?
    }

    fn hash(self) -> Result<ResultKey, TaskError> {
        let unreadable = |why: &dyn std::fmt::Display| {
            let message = format!("the input files of `cache` cannot be read: {why}");
            TaskError::permanent(message).with_code("bad_cache_input")
        };
        let folder = self.folder.canonicalize();
        let folder = folder.map_err(|why| unreadable(&format!("{:?}: {why}", self.folder)))?;
        let found = find_files(&folder, &self.patterns, MAX_FILES);
        let found = found.map_err(|why| unreadable(&why))?;
        if let Some(pattern) = found.unmatched.first() {
            let message = format!(
                "no file matches {pattern:?} of `cache.inputs`; patterns are relative to the folder of the task, and links to folders are not followed"
            );
            return Err(TaskError::permanent(message).with_code("cache_input_missing"));
        }
        let mut hasher = self.rest;
        // A command works on the files of its folder.
        add(&mut hasher, folder.as_os_str().as_encoded_bytes());
        for file in &found.files {
            add_file(&mut hasher, file)
                .map_err(|why| unreadable(&format!("{:?}: {why}", file.name)))?;
        }
        Ok(*hasher.finalize().as_bytes())
    }
}

/// Adds bytes with their length, so that no two lists of bytes are equal when joined.
fn add(hasher: &mut Hasher, bytes: &[u8]) {
    hasher.update(&(bytes.len() as u64).to_le_bytes());
    hasher.update(bytes);
}

fn add_file(hasher: &mut Hasher, file: &FoundFile) -> io::Result<()> {
    add(hasher, file.name.as_bytes());
    hasher.update(&[u8::from(file.executable)]);
    hasher.update(content_hash(&file.path)?.as_bytes());
    Ok(())
}

fn content_hash(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = Hasher::new();
    hasher.update_reader(File::open(path)?)?;
    Ok(hasher.finalize())
}
