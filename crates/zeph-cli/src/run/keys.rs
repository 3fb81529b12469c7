//! Keys: the mode of the terminal in which they are read one by one, and what a person presses.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::sys::termios::{self, FlushArg, LocalFlags, SetArg, SpecialCharacterIndices, Termios};
use nix::unistd::{getpgrp, tcgetpgrp, ttyname};
use tokio::net::unix::pipe::Receiver;
use tokio::time::timeout;

/// A job in the background does not read: the system would stop its process. No signal comes when the
/// shell moves it to the foreground.
const BACKGROUND_POLL: Duration = Duration::from_millis(200);

/// A hidden value that goes on so soon after a line break was pasted. It is shorter than the time between two
/// pictures of a view, which interrupts the waiting.
const PASTE_GAP: Duration = Duration::from_millis(40);

/// How keys are typed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Typing {
    /// They are read one by one, and the program shows them.
    #[default]
    Keys,
    /// They are read one by one, and are no line for another program afterwards.
    HiddenKeys,
    /// The terminal edits the line, and does not show it.
    HiddenLine,
}

impl Typing {
    pub(super) const fn is_hidden(self) -> bool {
        matches!(self, Self::HiddenKeys | Self::HiddenLine)
    }

    /// What the terminal does not do.
    fn removed(self) -> LocalFlags {
        match self {
            Self::Keys | Self::HiddenKeys => LocalFlags::ICANON | LocalFlags::ECHO,
            Self::HiddenLine => LocalFlags::ECHO,
        }
    }
}

/// The mode of a terminal that shows no typed characters and, unless it is for a line, does not wait for
/// Enter. Ctrl-C, Ctrl-\ and Ctrl-Z stay signals. The mode before is set again when this is dropped.
#[derive(Debug, Default)]
pub(super) struct KeyMode {
    typing: Typing,
    before: Option<Termios>,
}

impl KeyMode {
    /// From the next [`renew`](Self::renew) on keys are typed so.
    pub(super) fn of(typing: Typing) -> Self {
        Self {
            typing,
            before: None,
        }
    }

    pub(super) const fn typing(&self) -> Typing {
        self.typing
    }

    /// Sets the mode if another process, such as a shell after Ctrl-Z, left the terminal in another one.
    /// Returns whether it did.
    pub(super) fn renew(&mut self) -> bool {
        let Ok(mut mode) = termios::tcgetattr(io::stdin()) else {
            return false;
        };
        let removed = self.typing.removed();
        if !mode.local_flags.intersects(removed) || !is_in_foreground() {
            return false;
        }
        self.before.get_or_insert_with(|| mode.clone());
        mode.local_flags.remove(removed);
        if removed.contains(LocalFlags::ICANON) {
            mode.local_flags.remove(LocalFlags::IEXTEN);
            mode.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
            mode.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
        }
        termios::tcsetattr(io::stdin(), SetArg::TCSANOW, &mode).is_ok()
    }

    /// Sets the mode before again. What was typed meanwhile for a hidden value reaches no other program.
    pub(super) fn restore(&mut self) {
        if let Some(before) = self.before.take().filter(|_| is_in_foreground()) {
            let when = if self.typing.is_hidden() {
                SetArg::TCSAFLUSH
            } else {
                SetArg::TCSANOW
            };
            // If this fails, there is no other way to restore the terminal.
            let _ = termios::tcsetattr(io::stdin(), when, &before);
        }
    }
}

impl Drop for KeyMode {
    fn drop(&mut self) {
        self.restore();
    }
}

/// Whether this process may read the terminal and change its mode.
fn is_in_foreground() -> bool {
    // The error is that the terminal controls no process of this session, so it stops none.
    tcgetpgrp(io::stdin()).map_or(true, |group| group == getpgrp())
}

/// A key that a prompt knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Key {
    Char(char),
    Enter,
    /// Several lines at once, which a hidden value cannot have. Their text is dropped.
    Lines,
    Escape,
    Up,
    Down,
    Left,
    Right,
    Home,
    End,
    Backspace,
    Delete,
    /// Ctrl-W.
    DeleteWord,
    /// Ctrl-U.
    DeleteLine,
}

/// The keyboard of the terminal at stdin.
#[derive(Debug)]
pub(super) struct Keyboard {
    /// tokio has no other safe type for a file that it polls; for reading, a terminal is like a pipe.
    terminal: Receiver,
    pending: Vec<u8>,
    /// A line that goes on behind its end is [`Key::Lines`].
    is_hidden: bool,
    /// The rest of several lines is dropped as it comes.
    is_dropping: bool,
}

impl Keyboard {
    /// Opens the terminal once more: a mode of this file without waiting does not change stdin, which other
    /// processes share. Keys that were pressed before are no answer, so they are removed.
    pub(super) fn open(is_hidden: bool) -> io::Result<Self> {
        let open = |path| {
            let flags = OFlag::O_NONBLOCK | OFlag::O_NOCTTY;
            let mut options = OpenOptions::new();
            options.read(true).custom_flags(flags.bits()).open(path)
        };
        let named = ttyname(io::stdin()).map_err(io::Error::from);
        // After `su` the terminal still belongs to the other user, but this process may open its own.
        let terminal = named.and_then(open).or_else(|_| open("/dev/tty".into()))?;
        if is_in_foreground() {
            termios::tcflush(&terminal, FlushArg::TCIFLUSH)?;
        }
        Ok(Self {
            terminal: Receiver::from_file_unchecked(terminal)?,
            pending: Vec::new(),
            is_hidden,
            is_dropping: false,
        })
    }

    /// The next key. A terminal at its end counts as Esc. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Key> {
        loop {
            if self.is_dropping {
                self.pending.clear();
                if self.goes_on().await? {
                    continue;
                }
                self.is_dropping = false;
                return Ok(Key::Lines);
            }
            if let Some((key, used)) = parse(&self.pending) {
                if key == Some(Key::Enter) && self.is_hidden {
                    let is_break = |byte: &u8| matches!(byte, b'\r' | b'\n');
                    if !self.pending.iter().all(is_break) {
                        self.is_dropping = true;
                    } else if !self.goes_on().await? {
                        self.pending.clear();
                        return Ok(Key::Enter);
                    }
                    continue;
                }
                self.pending.drain(..used);
                match key {
                    Some(key) => return Ok(key),
                    None => continue,
                }
            }
            if self.read().await? == 0 {
                return Ok(Key::Escape);
            }
        }
    }

    /// Whether more is typed at once.
    async fn goes_on(&mut self) -> io::Result<bool> {
        match timeout(PASTE_GAP, self.read()).await {
            Ok(read) => Ok(read? > 0),
            Err(_) => Ok(false),
        }
    }

    /// Reads what is typed; returns the number of bytes, 0 at the end of the terminal.
    async fn read(&mut self) -> io::Result<usize> {
        loop {
            self.terminal.readable().await?;
            while !is_in_foreground() {
                tokio::time::sleep(BACKGROUND_POLL).await;
            }
            let mut bytes = [0; 1024];
            match self.terminal.try_read(&mut bytes) {
                Ok(count) => {
                    self.pending.extend_from_slice(&bytes[..count]);
                    return Ok(count);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// The first key of the bytes, and its length. The key is `None` if a prompt does not know it, the whole
/// is `None` if it is not complete. Esc alone is complete, because a terminal sends a sequence at once.
fn parse(bytes: &[u8]) -> Option<(Option<Key>, usize)> {
    Some(match bytes {
        [] | [0x1b, b'O'] => return None,
        [0x1b] | [0x1b, 0x1b | b'\r' | b'\n', ..] => (Some(Key::Escape), 1),
        [0x1b, b'[', rest @ ..] => {
            let end = rest.iter().position(|byte| (0x40..=0x7e).contains(byte))?;
            (sequence(&rest[..end], rest[end]), end + 3)
        }
        [0x1b, b'O', last, ..] => (sequence(&[], *last), 3),
        [0x1b, _, ..] => (None, 2),
        [b'\r' | b'\n', ..] => (Some(Key::Enter), 1),
        [0x7f | 0x08, ..] => (Some(Key::Backspace), 1),
        [0x01, ..] => (Some(Key::Home), 1),
        [0x05, ..] => (Some(Key::End), 1),
        [0x15, ..] => (Some(Key::DeleteLine), 1),
        [0x17, ..] => (Some(Key::DeleteWord), 1),
        [first, ..] => {
            let length = match first {
                0xc2..=0xdf => 2,
                0xe0..=0xef => 3,
                0xf0..=0xf4 => 4,
                _ => 1,
            };
            let text = str::from_utf8(bytes.get(..length)?).ok();
            let typed = text.and_then(|text| text.chars().next());
            match typed {
                Some(c) => (Some(Key::Char(c)).filter(|_| !c.is_control()), length),
                None => (None, 1),
            }
        }
    })
}

fn sequence(parameters: &[u8], last: u8) -> Option<Key> {
    Some(match (parameters, last) {
        (_, b'A') => Key::Up,
        (_, b'B') => Key::Down,
        (_, b'C') => Key::Right,
        (_, b'D') => Key::Left,
        (_, b'H') | (b"1" | b"7", b'~') => Key::Home,
        (_, b'F') | (b"4" | b"8", b'~') => Key::End,
        (b"3", b'~') => Key::Delete,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::{Key, parse};

    fn keys(mut bytes: &[u8]) -> (Vec<Key>, &[u8]) {
        let mut keys = Vec::new();
        while let Some((key, used)) = parse(bytes) {
            keys.extend(key);
            bytes = &bytes[used..];
        }
        (keys, bytes)
    }

    #[test]
    fn keys_are_read_from_the_bytes_of_a_terminal() {
        let table: [(&[u8], &[Key], &[u8]); 8] = [
            (
                b"a\xc3\xa4\r",
                &[Key::Char('a'), Key::Char('ä'), Key::Enter],
                b"",
            ),
            (b"\x1b", &[Key::Escape], b""),
            (b"\x1b\n", &[Key::Escape, Key::Enter], b""),
            (
                b"\x1b[A\x1bOB\x1b[3~\x1b[1;5C",
                &[Key::Up, Key::Down, Key::Delete, Key::Right],
                b"",
            ),
            (
                b"\x7f\x15\x17",
                &[Key::Backspace, Key::DeleteLine, Key::DeleteWord],
                b"",
            ),
            // Alt-b, F5, Ctrl-G, a byte that is no text, and a control character of two bytes do nothing.
            (b"\x1bb\x1b[15~\x07\xff\xc2\x9bx", &[Key::Char('x')], b""),
            // What is not complete waits for the rest.
            (b"x\xe2\x82", &[Key::Char('x')], b"\xe2\x82"),
            (b"\x1b[1;", &[], b"\x1b[1;"),
        ];
        for (bytes, wanted, rest) in table {
            assert_eq!(keys(bytes), (wanted.to_vec(), rest), "{bytes:?}");
        }
    }
}
