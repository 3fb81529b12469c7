//! The body of an answer, as it came: server-sent events, a JSON document, or a page.

use std::mem::take;

/// The most bytes of a body.
const MAX_BYTES: usize = 64 << 20;

/// The bytes of a body that an error may quote.
const HEAD_BYTES: usize = 2_000;

/// The form of a body, by its first character. The content type is often wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing but white space so far.
    Empty,
    /// Server-sent events.
    Events,
    /// JSON: one document, a list of them, or one per line.
    Json,
    /// A page of HTML or XML.
    Page,
}

/// An event of a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) name: String,
    pub(crate) data: String,
}

/// Splits a body that arrives in pieces.
///
/// Lines end with LF, CR or CR LF; comments and unknown fields are skipped; a byte order mark is removed;
/// bytes that are not UTF-8 become replacement characters. A line with data that follows a whole JSON value
/// begins a new event, because some services omit the empty line.
#[derive(Debug)]
pub(crate) struct Decoder {
    form: Form,
    /// The unread bytes: an incomplete line of events, or all of another form.
    rest: Vec<u8>,
    head: Vec<u8>,
    bytes: usize,
    after_cr: bool,
    name: String,
    data: String,
    has_data: bool,
    /// Whether there was an event.
    saw_event: bool,
    /// Whether there was a line that is no part of an event stream.
    saw_other: bool,
}

/// The body is too long.
#[derive(Debug)]
pub(crate) struct TooLong;

impl Decoder {
    pub(crate) const fn new() -> Self {
        Self {
            form: Form::Empty,
            rest: Vec::new(),
            head: Vec::new(),
            bytes: 0,
            after_cr: false,
            name: String::new(),
            data: String::new(),
            has_data: false,
            saw_event: false,
            saw_other: false,
        }
    }

    pub(crate) const fn form(&self) -> Form {
        self.form
    }

    /// Whether the body is text that is neither JSON nor an event stream.
    pub(crate) const fn is_foreign(&self) -> bool {
        !self.saw_event && self.saw_other
    }

    /// The beginning of the body.
    pub(crate) fn head(&self) -> String {
        String::from_utf8_lossy(&self.head).into_owned()
    }

    /// Takes more bytes, and returns the events that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8]) -> Result<Vec<Event>, TooLong> {
        self.bytes = self.bytes.saturating_add(bytes.len());
        if self.bytes > MAX_BYTES {
            return Err(TooLong);
        }
        let quoted = HEAD_BYTES.saturating_sub(self.head.len()).min(bytes.len());
        self.head.extend_from_slice(&bytes[..quoted]);
        // The line so far has no end; only new bytes are searched.
        let mut known = self.rest.len();
        self.rest.extend_from_slice(bytes);
        if self.form == Form::Empty {
            self.begin();
            known = 0;
        }
        let mut events = Vec::new();
        if self.form == Form::Events {
            let bytes = take(&mut self.rest);
            let mut start = 0;
            for (at, byte) in bytes.iter().enumerate().skip(known) {
                let after_cr = std::mem::replace(&mut self.after_cr, *byte == b'\r');
                if *byte == b'\n' && after_cr {
                    start = at + 1;
                } else if matches!(byte, b'\n' | b'\r') {
                    self.line(&bytes[start..at], &mut events);
                    start = at + 1;
                }
            }
            self.rest = bytes[start..].to_vec();
        }
        Ok(events)
    }

    /// The events at the end of a body that is whole.
    pub(crate) fn finish(&mut self) -> Vec<Event> {
        let mut events = Vec::new();
        if self.form == Form::Events {
            let line = take(&mut self.rest);
            self.line(&line, &mut events);
            self.line(b"", &mut events);
        }
        events
    }

    /// The text of a JSON document.
    pub(crate) fn document(&mut self) -> String {
        String::from_utf8_lossy(&take(&mut self.rest)).into_owned()
    }

    /// Decides about the form, and removes white space and a byte order mark in front.
    fn begin(&mut self) {
        const MARK: &[u8] = b"\xEF\xBB\xBF";
        let is_mark = self.rest.starts_with(MARK);
        // A part of the mark may have arrived.
        if !is_mark && !self.rest.is_empty() && MARK.starts_with(&self.rest) {
            return;
        }
        let after = if is_mark { MARK.len() } else { 0 };
        let Some(first) = self.rest[after..]
            .iter()
            .position(|byte| !byte.is_ascii_whitespace())
        else {
            return;
        };
        self.rest.drain(..after + first);
        self.form = match self.rest.first() {
            Some(b'{' | b'[') => Form::Json,
            Some(b'<') => Form::Page,
            Some(_) | None => Form::Events,
        };
    }

    fn line(&mut self, line: &[u8], events: &mut Vec<Event>) {
        let line = String::from_utf8_lossy(line);
        if line.is_empty() {
            return self.dispatch(events);
        }
        let (field, value) = line.split_once(':').unwrap_or((&line, ""));
        let value = value.trim();
        match field.trim() {
            "data" => {
                if self.has_data && is_whole(&self.data) {
                    self.dispatch(events);
                }
                if self.has_data {
                    self.data.push('\n');
                }
                self.data.push_str(value.trim_start_matches('\u{feff}'));
                self.has_data = true;
            }
            "event" => value.clone_into(&mut self.name),
            // A comment has no name.
            "" | "id" | "retry" => {}
            _ => self.saw_other = true,
        }
    }

    fn dispatch(&mut self, events: &mut Vec<Event>) {
        let (name, data) = (take(&mut self.name), take(&mut self.data));
        self.has_data = false;
        if !data.is_empty() {
            self.saw_event = true;
            events.push(Event { name, data });
        }
    }
}

fn is_whole(data: &str) -> bool {
    data == "[DONE]" || serde_json::from_str::<serde::de::IgnoredAny>(data).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Decoder, Form};

    fn events(body: &[u8], size: usize) -> Vec<(String, String)> {
        let mut decoder = Decoder::new();
        let mut events = Vec::new();
        for piece in body.chunks(size) {
            events.extend(decoder.push(piece).unwrap());
        }
        events.extend(decoder.finish());
        let events = events.into_iter();
        events.map(|event| (event.name, event.data)).collect()
    }

    #[test]
    fn a_stream_is_split_in_the_same_way_wherever_it_is_cut() {
        let wanted = |data: &[&str]| -> Vec<(String, String)> {
            let pairs = data.iter().map(|data| match data.split_once('|') {
                Some((name, data)) => (name.to_owned(), data.to_owned()),
                None => (String::new(), (*data).to_owned()),
            });
            pairs.collect()
        };
        for (body, data) in [
            (
                "data: {\"a\":1}\n\ndata: [DONE]\n\n",
                &["{\"a\":1}", "[DONE]"][..],
            ),
            ("\u{feff}data: 1\r\n\r\ndata: 2", &["1", "2"]),
            ("\n\n: ping\r\rdata:1\r\rdata:2\r\r", &["1", "2"]),
            ("data: \u{feff}1\n\n", &["1"]),
            (
                "event: error\nid: 7\nretry: 5\ndata: {\"message\":\"é\"}\n\n",
                &["error|{\"message\":\"é\"}"],
            ),
            // Without empty lines.
            (
                "data: {\"a\":1}\ndata: {\"b\":2}\ndata: [DONE]\n",
                &["{\"a\":1}", "{\"b\":2}", "[DONE]"],
            ),
            // One value over several lines.
            ("data: {\"a\":\ndata: 1}\n\n", &["{\"a\":\n1}"]),
            ("event: ping\ndata:\n\ndata: 1\n\n", &["1"]),
        ] {
            for size in 1..=body.len() {
                assert_eq!(
                    events(body.as_bytes(), size),
                    wanted(data),
                    "{body:?} by {size}"
                );
            }
        }
        assert_eq!(
            events(b"data: a\xED\xA0\xBDb\n\n", 1)[0].1,
            "a\u{fffd}\u{fffd}\u{fffd}b"
        );
    }

    #[test]
    fn the_form_is_known_by_the_first_character() {
        for (body, form, is_foreign) in [
            (&b""[..], Form::Empty, false),
            (b" \r\n", Form::Empty, false),
            (b"\xEF\xBB\xBF\n {", Form::Json, false),
            (b"[", Form::Json, false),
            (b"<!doctype html>", Form::Page, false),
            (b": ping\n\n", Form::Events, false),
            (b"upstream is down\n", Form::Events, true),
            (b"oops\ndata: 1\n\n", Form::Events, false),
        ] {
            let mut decoder = Decoder::new();
            for piece in body.chunks(1) {
                decoder.push(piece).unwrap();
            }
            assert_eq!(
                (decoder.form(), decoder.is_foreign()),
                (form, is_foreign),
                "{body:?}"
            );
            assert_eq!(
                decoder.head().as_bytes(),
                String::from_utf8_lossy(body).as_bytes()
            );
        }
    }

    #[test]
    fn a_body_has_a_limit() {
        let mut decoder = Decoder::new();
        let piece = vec![b'['; 1 << 20];
        let read = (0..100)
            .take_while(|_| decoder.push(&piece).is_ok())
            .count();
        assert_eq!(read, 64);
    }
}
