//! The captured output of a command, within fixed memory.

use zeph_common::HeadTailBuffer;

/// The most bytes of standard error in an output.
const STDERR_BYTES: usize = 64 << 10;
/// The most bytes of standard output that are kept whole.
const WHOLE_BYTES: usize = 8 << 20;

/// The outputs of one command.
#[derive(Debug)]
pub(crate) struct Capture {
    pub(crate) stdout: Stdout,
    pub(crate) stderr: HeadTailBuffer,
}

impl Capture {
    /// `max_ends` is the most bytes of an output that is not kept whole.
    pub(crate) fn new(max_ends: usize) -> Self {
        Self {
            stdout: Stdout {
                whole: Some(Vec::new()),
                ends: HeadTailBuffer::new(max_ends),
                total: 0,
            },
            stderr: HeadTailBuffer::new(STDERR_BYTES),
        }
    }

    /// Standard error as text, with a marker where it was cut.
    pub(crate) fn stderr_text(&self) -> String {
        String::from_utf8_lossy(&self.stderr.render()).into_owned()
    }
}

/// Standard output: whole up to a limit, and beyond it its head and tail.
#[derive(Debug)]
pub(crate) struct Stdout {
    whole: Option<Vec<u8>>,
    ends: HeadTailBuffer,
    pub(crate) total: u64,
}

impl Stdout {
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        match &mut self.whole {
            Some(whole) if whole.len() + bytes.len() <= WHOLE_BYTES => {
                whole.extend_from_slice(bytes);
            }
            whole => {
                self.ends.push(&whole.take().unwrap_or_default());
                self.ends.push(bytes);
            }
        }
    }

    /// All bytes, or head and tail with a marker between them.
    pub(crate) fn into_bytes(self) -> Result<Vec<u8>, Vec<u8>> {
        self.whole.ok_or_else(|| self.ends.render())
    }
}

#[cfg(test)]
mod tests {
    use super::{Capture, WHOLE_BYTES};

    #[test]
    fn whole_up_to_the_limit_and_then_head_and_tail() {
        let filled = |more: &[u8]| {
            let mut stdout = Capture::new(8).stdout;
            stdout.push(b"head");
            stdout.push(&vec![b'x'; WHOLE_BYTES - 4]);
            stdout.push(more);
            (stdout.total, stdout.into_bytes())
        };
        let (total, bytes) = filled(b"");
        assert_eq!(total, WHOLE_BYTES as u64);
        assert!(bytes.is_ok_and(|bytes| bytes.len() == WHOLE_BYTES));
        let (total, bytes) = filled(b"tail");
        assert_eq!(total, WHOLE_BYTES as u64 + 4);
        let ends = String::from_utf8(bytes.unwrap_err()).unwrap_or_default();
        assert_eq!(ends, "head\n… 8388604 bytes cut …\ntail");
    }
}
