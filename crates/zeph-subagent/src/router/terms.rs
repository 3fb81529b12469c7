//! The terms of a text, by which texts in any language are compared.

/// The length of the pieces of a word, in characters.
const PIECE: usize = 4;

/// Gives each term of a text to a function, in the order of the text.
///
/// A word is a run of letters and digits, in lower case. One of up to four characters is a term; a
/// longer one gives all its pieces of four, so that `commit` and `commits` have most of theirs in
/// common without a dictionary (McNamee and Mayfield, "Character N-Gram Tokenization for European
/// Language Text Retrieval", 2004, find four the best length over eight languages). Scripts
/// that put no spaces between words, and Hangul, give pairs of characters instead. Marks that are
/// written onto a letter are ignored. Linear in the text.
pub(crate) fn each(text: &str, mut term: impl FnMut(&str)) {
    let mut word = Word::default();
    let mut run = Run::default();
    for c in text.chars() {
        if is_unspaced(c) {
            word.end(&mut term);
            run.take(c, &mut term);
        } else if c.is_alphanumeric() {
            run.end(&mut term);
            word.take(c);
        } else if !is_mark(c) {
            word.end(&mut term);
            run.end(&mut term);
        }
    }
    word.end(&mut term);
    run.end(&mut term);
}

/// The word that is being read, and the positions of its characters.
#[derive(Default)]
struct Word {
    text: String,
    starts: Vec<usize>,
}

impl Word {
    fn take(&mut self, c: char) {
        for lower in c.to_lowercase().filter(|lower| !is_mark(*lower)) {
            self.starts.push(self.text.len());
            self.text.push(lower);
        }
    }

    fn end(&mut self, term: &mut impl FnMut(&str)) {
        let count = self.starts.len();
        if (1..=PIECE).contains(&count) {
            term(&self.text);
        } else {
            self.starts.push(self.text.len());
            for ends in self.starts.windows(PIECE + 1) {
                term(&self.text[ends[0]..ends[PIECE]]);
            }
        }
        self.text.clear();
        self.starts.clear();
    }
}

/// A run of characters without spaces between words.
#[derive(Default)]
struct Run {
    before: Option<char>,
    /// Whether the last character is part of a pair.
    paired: bool,
}

impl Run {
    fn take(&mut self, c: char, term: &mut impl FnMut(&str)) {
        if let Some(before) = self.before.replace(c) {
            term(String::from_iter([before, c]).as_str());
            self.paired = true;
        }
    }

    /// A single character is a term of its own.
    fn end(&mut self, term: &mut impl FnMut(&str)) {
        if let Some(lone) = self.before.take().filter(|_| !self.paired) {
            term(lone.encode_utf8(&mut [0; 4]));
        }
        self.paired = false;
    }
}

/// Thai, Lao, Myanmar, Khmer, kana, Han and Hangul syllables, with the marks within their words.
const fn is_unspaced(c: char) -> bool {
    matches!(c,
        '\u{E01}'..='\u{E3A}' | '\u{E40}'..='\u{E4E}' | '\u{E81}'..='\u{ECE}'
        | '\u{1000}'..='\u{103F}' | '\u{1780}'..='\u{17D3}'
        | '\u{3041}'..='\u{3096}' | '\u{30A1}'..='\u{30FA}' | '\u{30FC}'
        | '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}' | '\u{AC00}'..='\u{D7A3}')
}

/// Accents, points and signs that are written onto a letter, and joiners.
const fn is_mark(c: char) -> bool {
    matches!(c,
        '\u{300}'..='\u{36F}' | '\u{591}'..='\u{5BD}' | '\u{5BF}' | '\u{5C1}'..='\u{5C2}'
        | '\u{5C4}'..='\u{5C5}' | '\u{64B}'..='\u{65F}' | '\u{670}' | '\u{93C}' | '\u{94D}'
        | '\u{9BC}' | '\u{9CD}' | '\u{A3C}' | '\u{A4D}' | '\u{ABC}' | '\u{ACD}' | '\u{B3C}'
        | '\u{B4D}' | '\u{BCD}' | '\u{C4D}' | '\u{CCD}' | '\u{D4D}' | '\u{200C}' | '\u{200D}')
}

#[cfg(test)]
mod tests {
    use super::each;
    use proptest::prelude::*;

    fn terms(text: &str) -> Vec<String> {
        let mut all = Vec::new();
        each(text, |term| all.push(term.to_owned()));
        all
    }

    #[test]
    fn texts_of_many_scripts_have_their_terms() {
        let table: [(&str, &[&str]); 12] = [
            ("", &[]),
            ("!? … 👩‍👧", &[]),
            ("a B, c3", &["a", "b", "c3"]),
            ("Group", &["grou", "roup"]),
            ("groups", &["grou", "roup", "oups"]),
            ("read_file", &["read", "file"]),
            ("ÉTÉ", &["été"]),
            ("cafe\u{301}", &["cafe"]),
            ("数据分析", &["数据", "据分", "分析"]),
            ("表 x表", &["表", "x", "表"]),
            ("데이터", &["데이", "이터"]),
            ("आदेश", &["आदेश"]),
        ];
        for (text, wanted) in table {
            assert_eq!(terms(text), wanted, "{text}");
        }
    }

    proptest! {
        #[test]
        fn case_and_punctuation_do_not_count(text in "[a-zA-Zäöü ,.]{0,40}") {
            let shouted = text.to_uppercase().replace(' ', " -- ");
            prop_assert_eq!(terms(&shouted), terms(&text));
        }

        #[test]
        fn any_text_has_terms_of_bounded_length(text in any::<String>()) {
            prop_assert!(terms(&text).iter().all(|term| (1..=4).contains(&term.chars().count())));
        }
    }

    #[test]
    fn a_single_huge_word_takes_linear_time() {
        assert_eq!(terms(&"x".repeat(2_000_000)).len(), 1_999_997);
    }
}
