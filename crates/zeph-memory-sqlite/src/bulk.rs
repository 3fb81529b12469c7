//! Bulk parameters: one statement for any number of rows, with numbers as JSON and all texts and bytes in
//! one blob.

use std::fmt::Write;

use zeph_graph::RunId;
use zeph_memory::{ChainHash, StoreError};

use crate::sqlite_error::MAX_BYTES;

/// The two parameters of a bulk statement: `?1` is an array of arrays of numbers, `?2` the bytes that
/// they point into.
#[derive(Debug, Default)]
pub(crate) struct Bulk {
    json: String,
    blob: Vec<u8>,
    rows: u64,
}

impl Bulk {
    pub(crate) fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// The number of rows.
    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }

    /// Begins a row; fields follow in the order in which the statement numbers them from 0.
    pub(crate) fn row(&mut self) -> Fields<'_> {
        self.json
            .push_str(if self.rows == 0 { "[[" } else { "],[" });
        self.rows += 1;
        Fields {
            bulk: self,
            first: true,
        }
    }

    /// The name of a run, which many rows share.
    pub(crate) fn shared(&mut self, run: &RunId) -> Slice {
        self.slice(run.as_str().as_bytes())
    }

    /// The parameters, if SQLite accepts their size.
    pub(crate) fn finish(mut self) -> Result<(String, Vec<u8>), StoreError> {
        self.json.push_str(if self.rows == 0 { "[]" } else { "]]" });
        let bytes = self.blob.len().max(self.json.len()) as u64;
        if bytes > MAX_BYTES {
            return Err(StoreError::TooLarge {
                bytes,
                limit: MAX_BYTES,
            });
        }
        Ok((self.json, self.blob))
    }

    fn slice(&mut self, bytes: &[u8]) -> Slice {
        let offset = self.blob.len();
        self.blob.extend_from_slice(bytes);
        Slice {
            offset,
            length: bytes.len(),
        }
    }
}

/// A range of bytes in the blob.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Slice {
    offset: usize,
    length: usize,
}

/// The fields of one row.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    bulk: &'a mut Bulk,
    first: bool,
}

impl Fields<'_> {
    /// One field: a number.
    pub(crate) fn number(mut self, number: u64) -> Self {
        self.push(number);
        self
    }

    /// Two fields: the offset of the bytes, counted from 1 as in SQL, and their length.
    pub(crate) fn bytes(self, bytes: &[u8]) -> Self {
        let slice = self.bulk.slice(bytes);
        self.at(slice)
    }

    /// Two fields for bytes that are in the blob already.
    pub(crate) fn at(mut self, slice: Slice) -> Self {
        self.push(slice.offset as u64 + 1);
        self.push(slice.length as u64);
        self
    }

    /// One field: the offset of the hashes, 32 bytes each, without gaps.
    pub(crate) fn hashes(mut self, hashes: &[ChainHash]) -> Self {
        let start = self.bulk.blob.len() as u64 + 1;
        for hash in hashes {
            self.bulk.slice(hash.as_bytes());
        }
        self.push(start);
        self
    }

    fn push(&mut self, number: u64) {
        let comma = if self.first { "" } else { "," };
        self.first = false;
        // Writing to a string cannot fail.
        let _ = write!(self.bulk.json, "{comma}{number}");
    }
}
