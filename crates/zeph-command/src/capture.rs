//! The captured output of a command, within fixed memory.

use zeph_common::HeadTailBuffer;

/// The most bytes of standard error in an output.
const STDERR_BYTES: usize = 64 << 10;

/// The outputs of one command.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) stdout: Bounded,
    pub(crate) stderr: HeadTailBuffer,
}

impl Capture {
    pub(crate) fn new(max_stdout: usize) -> Self {
        Self {
            stdout: Bounded::new(max_stdout),
            stderr: HeadTailBuffer::new(STDERR_BYTES),
        }
    }

    /// Standard error as text, with a marker where it was cut.
    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr.render()).into_owned()
    }
}

/// Bytes up to a limit; beyond it they are only counted.
#[derive(Debug)]
pub(crate) struct Bounded {
    bytes: Vec<u8>,
    total: u64,
    limit: usize,
}

impl Bounded {
    fn new(limit: usize) -> Self {
        Self {
            bytes: Vec::new(),
            total: 0,
            limit,
        }
    }

    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if self.total <= self.limit as u64 {
            self.bytes.extend_from_slice(bytes);
        } else {
            // A truncated output is not used, so its memory is freed.
            self.bytes = Vec::new();
        }
    }

    /// All bytes, or their number if they exceed the limit.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, u64> {
        if self.total <= self.limit as u64 {
            Ok(self.bytes)
        } else {
            Err(self.total)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn all_or_a_number() {
        let filled = |chunks: &[&[u8]]| {
            let mut bytes = Bounded::new(4);
            chunks.iter().for_each(|chunk| bytes.push(chunk));
            bytes.into_bytes()
        };
        assert_eq!(filled(&[b"ab", b"cd"]), Ok(b"abcd".to_vec()));
        assert_eq!(filled(&[b"ab", b"cde", b""]), Err(5));
    }
}
