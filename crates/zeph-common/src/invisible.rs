//! Classes of characters without a visible form of their own.

use unicode_width::UnicodeWidthChar;

/// Whether a character is invisible, is blank without being white space, or reorders its neighbours.
///
/// Bidirectional controls, zero width and filler characters, variation selectors, tags, controls of
/// shorthand, music and hieroglyphs, and noncharacters. The list follows `Default_Ignorable_Code_Point` of
/// the Unicode Character Database, with the blank characters that are missing there.
///
/// # Examples
/// ```
/// use zeph_common::is_invisible;
/// assert!(is_invisible('\u{200B}') && is_invisible('\u{202E}') && is_invisible('\u{2800}'));
/// assert!(!is_invisible(' ') && !is_invisible('\n'));
/// ```
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{70F}' | '\u{115F}'..='\u{1160}'
        | '\u{17B4}'..='\u{17B5}' | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}'
        | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | BLANK_PATTERN | '\u{3164}'
        | '\u{FDD0}'..='\u{FDEF}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}' | '\u{FFA0}'
        | '\u{FFF0}'..='\u{FFFB}' | '\u{13430}'..='\u{1343F}' | '\u{16FE4}'
        | '\u{1BCA0}'..='\u{1BCA3}' | '\u{1D159}' | '\u{1D173}'..='\u{1D17A}'
        | '\u{E0000}'..='\u{E0FFF}')
        || (c as u32) & 0xFFFE == 0xFFFE
}

/// The Braille pattern without dots, which is as wide as a space.
pub(crate) const BLANK_PATTERN: char = '\u{2800}';

/// Whether a character has no meaning outside of a private agreement.
pub(crate) const fn is_private_use(c: char) -> bool {
    matches!(c, '\u{E000}'..='\u{F8FF}' | '\u{F0000}'..='\u{FFFFD}' | '\u{100000}'..='\u{10FFFD}')
}

/// Whether a character is drawn over or under the one before it.
pub(crate) fn is_mark(c: char) -> bool {
    !c.is_ascii() && c.width() == Some(0) && !is_invisible(c)
}

/// Whether a character controls the direction of the text around it.
pub(crate) const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}')
}
