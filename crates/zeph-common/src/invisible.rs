//! Classes of invisible characters, and where joiners and selectors have an effect.

/// Zero width joiner.
pub(crate) const ZWJ: char = '\u{200D}';
/// Zero width non-joiner.
pub(crate) const ZWNJ: char = '\u{200C}';

/// Whether a character is invisible or reorders its neighbours.
///
/// Bidirectional controls, zero width and filler characters, variation selectors and tags; the
/// list follows `Default_Ignorable_Code_Point` of the Unicode Character Database.
///
/// # Examples
/// ```
/// use zeph_common::is_invisible;
/// assert!(is_invisible('\u{200B}') && is_invisible('\u{202E}'));
/// assert!(!is_invisible(' ') && !is_invisible('\n'));
/// ```
#[must_use]
pub const fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{AD}' | '\u{34F}' | '\u{61C}' | '\u{115F}'..='\u{1160}' | '\u{17B4}'..='\u{17B5}'
        | '\u{180B}'..='\u{180F}' | '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2060}'..='\u{206F}' | '\u{3164}' | '\u{FE00}'..='\u{FE0F}' | '\u{FEFF}'
        | '\u{FFA0}' | '\u{FFF0}'..='\u{FFFB}' | '\u{1BCA0}'..='\u{1BCA3}'
        | '\u{1D173}'..='\u{1D17A}' | '\u{E0000}'..='\u{E0FFF}')
}

/// Whether a character controls the direction of the text around it.
pub(crate) const fn is_bidi(c: char) -> bool {
    matches!(c, '\u{61C}' | '\u{200E}'..='\u{200F}' | '\u{202A}'..='\u{202E}'
        | '\u{2066}'..='\u{2069}')
}

/// Whether a character asks for the text or the emoji form of the one before it.
pub(crate) const fn is_emoji_selector(c: char) -> bool {
    matches!(c, '\u{FE0E}' | '\u{FE0F}')
}

/// Whether a joiner between these two characters changes what is displayed.
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

/// Arabic and its relatives, the Indic scripts, Tibetan, Myanmar, Khmer, Mongolian, and the smaller
/// scripts that join or stack: from Limbu to Balinese, Phags-pa to Meetei, Rohingya, Adlam.
pub(crate) const fn is_joining_script(c: char) -> bool {
    matches!(c,
        '\u{620}'..='\u{DFF}' | '\u{F00}'..='\u{109F}' | '\u{1780}'..='\u{1C4F}'
        | '\u{A800}'..='\u{AADF}' | '\u{ABC0}'..='\u{ABFF}' | '\u{FB50}'..='\u{FDFF}'
        | '\u{FE70}'..='\u{FEFC}' | '\u{10A00}'..='\u{11FFF}' | '\u{1E900}'..='\u{1E95F}')
        && !is_invisible(c)
}

/// The flag that tags turn into the flag of a subdivision.
pub(crate) const BLACK_FLAG: char = '\u{1F3F4}';

/// The bytes of the tags at the front of a text that make a black flag that of a subdivision:
/// two letters, one to four letters or digits, and the end; 0 if there is none.
///
/// The syntax is that of `unicode_subdivision_id`; whether such a subdivision exists is not checked.
pub(crate) fn subdivision_len(text: &str) -> usize {
    let mut id = String::new();
    for c in text.chars().take(7) {
        match u32::from(c).checked_sub(0xE_0000) {
            Some(0x7F) => {
                let fits = id.len() >= 3 && id.bytes().take(2).all(|b| b.is_ascii_lowercase());
                return if fits {
                    (id.len() + 1) * c.len_utf8()
                } else {
                    0
                };
            }
            Some(tag @ (0x30..=0x39 | 0x61..=0x7A)) => id.extend(char::from_u32(tag)),
            _ => return 0,
        }
    }
    0
}

/// Whether a variation selector chooses a form that a character has, beside the emoji.
///
/// By block: what the Unicode Character Database and the Ideographic Variation Database register.
pub(crate) const fn takes_variant(before: char, selector: char) -> bool {
    let han = matches!(before, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}'
        | '\u{F900}'..='\u{FAFF}' | '\u{20000}'..='\u{3FFFF}');
    match selector {
        '\u{E0100}'..='\u{E01EF}' => han,
        '\u{FE00}'..='\u{FE02}' => {
            han || matches!(before, '\u{1000}'..='\u{109F}' | '\u{2200}'..='\u{22FF}'
                | '\u{2A00}'..='\u{2AFF}' | '\u{3001}'..='\u{3002}' | '\u{A840}'..='\u{A87F}'
                | '\u{AA60}'..='\u{AA7F}' | '\u{FF01}'..='\u{FF1F}')
        }
        '\u{180B}'..='\u{180F}' => matches!(before, '\u{1820}'..='\u{18AA}'),
        _ => false,
    }
}
