//! Which characters show nothing or reorder others, and where a joiner has work to do.

/// Zero width joiner.
pub(crate) const ZWJ: char = '\u{200D}';
/// Zero width non-joiner.
pub(crate) const ZWNJ: char = '\u{200C}';

/// Whether a character shows nothing or reorders its neighbours.
///
/// Bidirectional controls, zero width and filler characters, variation selectors and tags; the
/// list follows `Default_Ignorable_Code_Point` of the Unicode Character Database.
pub(crate) const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a character asks for the text or the emoji form of the one before it.
pub(crate) const fn is_emoji_selector(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a joiner between these two does something that a reader sees.
pub(crate) const fn joins(before: char, joiner: char, after: char) -> bool {
    let scripts = is_joining_script(before) && is_joining_script(after);
    let emoji = (is_emoji(before) || is_emoji_selector(before)) && is_emoji(after);
    scripts || (joiner == ZWJ && emoji)
}

/// Blocks that hold emoji and the symbols that have an emoji form.
pub(crate) const fn is_emoji(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}'
        | '\u{2190}'..='\u{21FF}' | '\u{2300}'..='\u{23FF}' | '\u{24C2}'
        | '\u{25A0}'..='\u{27BF}' | '\u{2900}'..='\u{297F}' | '\u{2B00}'..='\u{2BFF}'
        | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F000}'..='\u{1FAFF}')
}

/// Whether an emoji selector may follow: an emoji, or a key of a key cap.
pub(crate) const fn takes_selector(c: char) -> bool {
    is_emoji(c) || matches!(c, '0'..='9' | '#' | '*')
}

/// Arabic and its relatives, the Indic scripts, Tibetan, Myanmar, Khmer, Mongolian.
const fn is_joining_script(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{DFF}' | '\u{F00}'..='\u{109F}' | '\u{1780}'..='\u{18AF}'
        | '\u{FB50}'..='\u{FDFF}' | '\u{FE70}'..='\u{FEFC}')
}
