//! The scripts of a text, and the token estimate of a run of each script.

/// Groups of scripts with a weight of their own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Script {
    /// ASCII letters: words of most European languages, identifiers.
    Ascii,
    /// Letters with accents and other Latin ones, Greek.
    Latin,
    /// Cyrillic, Armenian, Georgian.
    Cyrillic,
    /// Hebrew, Arabic and related scripts.
    Arabic,
    /// The scripts of India and South-East Asia.
    Indic,
    /// Han, Kana.
    Han,
    /// Hangul.
    Hangul,
    Digit,
    Mark,
    Blank,
    /// Emoji, symbols, everything else.
    Other,
}

fn script(c: char) -> Script {
    match c {
        'a'..='z' | 'A'..='Z' => Script::Ascii,
        '0'..='9' => Script::Digit,
        c if c.is_whitespace() => Script::Blank,
        '!'..='~' | '\u{2010}'..='\u{2027}' | '\u{3000}'..='\u{303F}' | '\u{FF00}'..='\u{FF0F}' => {
            Script::Mark
        }
        '\u{00C0}'..='\u{03FF}' | '\u{1E00}'..='\u{1FFF}' => Script::Latin,
        '\u{0400}'..='\u{058F}' | '\u{10A0}'..='\u{10FF}' => Script::Cyrillic,
        '\u{0590}'..='\u{08FF}' | '\u{FB1D}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}' => {
            Script::Arabic
        }
        '\u{0900}'..='\u{109F}' | '\u{1780}'..='\u{17FF}' => Script::Indic,
        '\u{1100}'..='\u{11FF}' | '\u{AC00}'..='\u{D7AF}' => Script::Hangul,
        '\u{2E80}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}' => {
            Script::Han
        }
        _ => Script::Other,
    }
}

/// Tokens of a run of `chars` characters with `bytes` bytes.
fn run(script: Script, chars: f64, bytes: f64) -> f64 {
    match script {
        // Short words are one token; longer ones are several.
        Script::Ascii => 1.0 + (chars - 6.0).max(0.0) / 6.0,
        Script::Latin => chars * 0.45,
        Script::Cyrillic => 1.0 + (chars - 4.0).max(0.0) / 4.5,
        Script::Arabic => 1.0 + (chars - 3.0).max(0.0) / 2.6,
        Script::Indic => 1.0 + (chars - 3.0).max(0.0) / 3.0,
        Script::Han => chars * 0.8,
        Script::Hangul => chars * 0.75,
        Script::Digit => (chars / 3.0).ceil(),
        Script::Mark => (chars / 3.0).ceil() * 0.95,
        // A single blank belongs to the word after it.
        Script::Blank if chars < 2.0 => 0.05,
        Script::Blank => 1.0 + (chars - 16.0).max(0.0) / 32.0,
        Script::Other => (bytes / 2.2).ceil(),
    }
}

/// The estimated tokens of a text.
pub(super) fn estimate(text: &str) -> f64 {
    let mut tokens = 0.0;
    let mut open: Option<(Script, f64, f64)> = None;
    let mut close = |open: Option<(Script, f64, f64)>| {
        if let Some((script, chars, bytes)) = open {
            tokens += run(script, chars, bytes);
        }
    };
    for c in text.chars() {
        let its = script(c);
        let bytes = c.len_utf8() as f64;
        open = match open {
            Some((script, chars, total)) if script == its => {
                Some((script, chars + 1.0, total + bytes))
            }
            // A blank is never joined with the digits after it.
            Some((Script::Blank, 1.0, _)) if its == Script::Digit => {
                close(Some((Script::Blank, 2.0, 2.0)));
                Some((its, 1.0, bytes))
            }
            other => {
                close(other);
                Some((its, 1.0, bytes))
            }
        };
    }
    close(open);
    tokens
}
