//! Sequences in which an invisible character changes what is displayed: flags, selectors, joiners.

/// Zero width joiner.
pub(crate) const ZWJ: char = '\u{200D}';
/// Zero width non-joiner.
pub(crate) const ZWNJ: char = '\u{200C}';
/// The selector of the emoji form.
pub(crate) const EMOJI_FORM: char = '\u{FE0F}';
/// The selector of the text form.
const TEXT_FORM: char = '\u{FE0E}';
/// The flag that tags turn into the flag of a subdivision.
pub(crate) const BLACK_FLAG: char = '\u{1F3F4}';

/// The tags of the subdivision flags that Unicode recommends: England, Scotland, Wales.
const SUBDIVISIONS: [&str; 3] = [
    "\u{E0067}\u{E0062}\u{E0065}\u{E006E}\u{E0067}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0073}\u{E0063}\u{E0074}\u{E007F}",
    "\u{E0067}\u{E0062}\u{E0077}\u{E006C}\u{E0073}\u{E007F}",
];

/// The tags at the front of a text that make a black flag one of the recommended subdivision flags.
pub(crate) fn subdivision(text: &str) -> Option<&'static str> {
    SUBDIVISIONS.into_iter().find(|tags| text.starts_with(tags))
}

/// Whether this is one of the five skin tones, which follow an emoji.
pub(crate) const fn is_skin_tone(c: char) -> bool {
    matches!(c, '\u{1F3FB}'..='\u{1F3FF}')
}

/// Whether a character has another form with this selector.
pub(crate) const fn selects(base: char, selector: char) -> bool {
    match selector {
        EMOJI_FORM => has_emoji_form(base),
        TEXT_FORM => {
            has_emoji_form(base)
                || matches!(base, '\u{231A}'..='\u{2B55}' | '\u{1F000}'..='\u{1F6FF}')
        }
        // The Ideographic Variation Database registers up to 32 forms of a character.
        '\u{E0100}'..='\u{E011F}' => is_han(base),
        '\u{180B}'..='\u{180F}' => matches!(base, '\u{1820}'..='\u{18AA}'),
        '\u{FE00}' => is_han(base) || has_standard_form(base),
        '\u{FE01}' => is_han(base) || is_fullwidth_mark(base),
        '\u{FE02}' => is_han(base),
        _ => false,
    }
}

/// Whether any selector may follow.
pub(crate) const fn has_forms(c: char) -> bool {
    selects(c, TEXT_FORM) || is_han(c) || has_standard_form(c) || selects(c, '\u{180B}')
}

const fn is_han(c: char) -> bool {
    matches!(c, '\u{3400}'..='\u{4DBF}' | '\u{4E00}'..='\u{9FFF}' | '\u{F900}'..='\u{FAFF}'
        | '\u{20000}'..='\u{3FFFF}')
}

/// Punctuation with a corner and a centred form.
const fn is_fullwidth_mark(c: char) -> bool {
    matches!(
        c,
        '\u{3001}'
            | '\u{3002}'
            | '\u{FF01}'
            | '\u{FF0C}'
            | '\u{FF0E}'
            | '\u{FF1A}'
            | '\u{FF1B}'
            | '\u{FF1F}'
    )
}

/// The mathematical, Myanmar and Phags-pa characters of `StandardizedVariants.txt`.
const fn has_standard_form(c: char) -> bool {
    is_fullwidth_mark(c)
        || matches!(c, '\u{2205}' | '\u{2229}' | '\u{222A}' | '\u{2268}' | '\u{2269}' | '\u{2272}' | '\u{2273}'
            | '\u{228A}' | '\u{228B}' | '\u{2293}'..='\u{2295}' | '\u{2297}' | '\u{229C}' | '\u{22DA}' | '\u{22DB}'
            | '\u{2A3C}' | '\u{2A3D}' | '\u{2A9D}' | '\u{2A9E}' | '\u{2AAC}' | '\u{2AAD}' | '\u{2ACB}' | '\u{2ACC}'
            | '\u{1000}' | '\u{1002}' | '\u{1004}' | '\u{1010}' | '\u{1011}' | '\u{1015}' | '\u{1019}' | '\u{101A}'
            | '\u{101C}' | '\u{101D}' | '\u{1022}' | '\u{1031}' | '\u{1075}' | '\u{1078}' | '\u{107A}' | '\u{1080}'
            | '\u{A856}' | '\u{A85C}' | '\u{A85E}'..='\u{A860}' | '\u{A868}' | '\u{AA60}'..='\u{AA66}'
            | '\u{AA6B}' | '\u{AA6C}' | '\u{AA6F}' | '\u{AA7A}')
}

/// The characters whose emoji form needs a selector, without the keys of key caps.
const fn has_emoji_form(c: char) -> bool {
    matches!(c,
        '\u{A9}' | '\u{AE}' | '\u{203C}' | '\u{2049}' | '\u{2122}' | '\u{2139}' | '\u{2194}'..='\u{2199}' | '\u{21A9}'..='\u{21AA}' | '\u{2328}' | '\u{23CF}' | '\u{23ED}'..='\u{23EF}' | '\u{23F1}'..='\u{23F2}' | '\u{23F8}'..='\u{23FA}' | '\u{24C2}' | '\u{25AA}'..='\u{25AB}' | '\u{25B6}' | '\u{25C0}' | '\u{25FB}'..='\u{25FC}' | '\u{2600}'..='\u{2604}' | '\u{260E}' | '\u{2611}' | '\u{2618}' | '\u{261D}' | '\u{2620}' | '\u{2622}'..='\u{2623}' | '\u{2626}' | '\u{262A}' | '\u{262E}'..='\u{262F}' | '\u{2638}'..='\u{263A}' | '\u{2640}' | '\u{2642}' | '\u{265F}'..='\u{2660}' | '\u{2663}' | '\u{2665}'..='\u{2666}' | '\u{2668}' | '\u{267B}' | '\u{267E}' | '\u{2692}' | '\u{2694}'..='\u{2697}' | '\u{2699}' | '\u{269B}'..='\u{269C}' | '\u{26A0}' | '\u{26A7}' | '\u{26B0}'..='\u{26B1}' | '\u{26C8}' | '\u{26CF}' | '\u{26D1}' | '\u{26D3}' | '\u{26E9}' | '\u{26F0}'..='\u{26F1}' | '\u{26F4}' | '\u{26F7}'..='\u{26F9}' | '\u{2702}' | '\u{2708}'..='\u{2709}' | '\u{270C}'..='\u{270D}' | '\u{270F}' | '\u{2712}' | '\u{2714}' | '\u{2716}' | '\u{271D}' | '\u{2721}' | '\u{2733}'..='\u{2734}' | '\u{2744}' | '\u{2747}' | '\u{2763}'..='\u{2764}' | '\u{27A1}' | '\u{2934}'..='\u{2935}' | '\u{2B05}'..='\u{2B07}' | '\u{3030}' | '\u{303D}' | '\u{3297}' | '\u{3299}' | '\u{1F170}'..='\u{1F171}' | '\u{1F17E}'..='\u{1F17F}' | '\u{1F202}' | '\u{1F237}' | '\u{1F321}' | '\u{1F324}'..='\u{1F32C}' | '\u{1F336}' | '\u{1F37D}' | '\u{1F396}'..='\u{1F397}' | '\u{1F399}'..='\u{1F39B}' | '\u{1F39E}'..='\u{1F39F}' | '\u{1F3CB}'..='\u{1F3CE}' | '\u{1F3D4}'..='\u{1F3DF}' | '\u{1F3F3}' | '\u{1F3F5}' | '\u{1F3F7}' | '\u{1F43F}' | '\u{1F441}' | '\u{1F4FD}' | '\u{1F549}'..='\u{1F54A}' | '\u{1F56F}'..='\u{1F570}' | '\u{1F573}'..='\u{1F579}' | '\u{1F587}' | '\u{1F58A}'..='\u{1F58D}' | '\u{1F590}' | '\u{1F5A5}' | '\u{1F5A8}' | '\u{1F5B1}'..='\u{1F5B2}' | '\u{1F5BC}' | '\u{1F5C2}'..='\u{1F5C4}' | '\u{1F5D1}'..='\u{1F5D3}' | '\u{1F5DC}'..='\u{1F5DE}' | '\u{1F5E1}' | '\u{1F5E3}' | '\u{1F5E8}' | '\u{1F5EF}' | '\u{1F5F3}' | '\u{1F5FA}' | '\u{1F6CB}' | '\u{1F6CD}'..='\u{1F6CF}' | '\u{1F6E0}'..='\u{1F6E5}' | '\u{1F6E9}' | '\u{1F6F0}' | '\u{1F6F3}')
}

const PERSONS: &str = "👨👩🧑";

/// The recommended sequences of two emoji with a joiner: those after it, and those before it.
const PAIRS: [(&str, &str); 23] = [
    ("➡", "♀♂🏃🚶🦯🦼🦽🧎"),
    ("💥", "⛓"),
    (
        "♀♂",
        "⛹🏃🏄🏊🏋🏌👮👯👰👱👳👷💁💂💆💇🕵🙅🙆🙇🙋🙍🙎🚣🚴🚵🚶🤦🤵🤷🤸🤹🤼🤽🤾🦸🦹🧍🧎🧏🧔🧖🧗🧘🧙🧚🧛🧜🧝🧞🧟",
    ),
    ("💋🩹", "❤"),
    ("🔥", "❤🐦"),
    ("👩", "❤🐰👨👩💋🤝🫯"),
    ("👨", "❤🐰👨💋🤝🫯"),
    ("🧑", "❤🐰💋🤝🧑🫯"),
    ("🟫", "🍄"),
    ("🟩", "🍋"),
    ("⚧🌈", "🏳"),
    ("☠", "🏴"),
    ("⬛", "🐈🐦"),
    ("🦺", "🐕"),
    ("❄", "🐻"),
    ("🗨", "👁"),
    ("👦👧", "👦👧👨👩"),
    (
        "⚕⚖✈❤🌾🍳🍼🎓🎤🎨🏫🏭🐰💻💼🔧🔬🚀🚒🤝🦯🦰🦱🦲🦳🦼🦽🫯🎄🩰",
        PERSONS,
    ),
    ("💨💫🌫", "😮😵😶"),
    ("↔↕", "🙂"),
    ("🧒", "🧑🧒"),
    ("🫲", "🫱"),
    ("🦰🦱🦲🦳", "👱"),
];

/// Whether a joiner between these two emoji, without tones and selectors, makes a recommended sequence.
pub(crate) fn joins_emoji(before: char, after: char) -> bool {
    let joined = |(last, first): &(&str, &str)| last.contains(after) && first.contains(before);
    PAIRS.iter().any(joined)
}

/// Whether a joiner between two characters of a script changes their shapes.
///
/// `letter` is the last character that is no mark, `before` the last one of any kind.
pub(crate) fn joins_script(letter: char, before: char, joiner: char, after: char) -> bool {
    if is_virama(before) {
        return is_indic(after);
    }
    if joiner == ZWJ {
        let stacks = matches!(
            before,
            '\u{9B0}' | '\u{C30}' | '\u{CB0}' | '\u{D9A}'..='\u{DC6}'
        );
        return stacks && is_virama(after);
    }
    is_dual_joining(letter) && is_cursive(after)
}

/// Whether Bengali or Malayalam writes a final consonant so, whatever follows.
pub(crate) const fn ends_word(before: char, joiner: char) -> bool {
    joiner == ZWJ && matches!(before, '\u{9CD}' | '\u{D4D}')
}

/// Letters of the scripts whose letters connect.
pub(crate) const fn is_cursive(c: char) -> bool {
    matches!(c, '\u{620}' | '\u{622}'..='\u{64A}' | '\u{66E}' | '\u{66F}' | '\u{671}'..='\u{673}'
        | '\u{675}'..='\u{6D3}' | '\u{6D5}' | '\u{6EE}' | '\u{6EF}' | '\u{6FA}'..='\u{6FC}' | '\u{6FF}'
        | '\u{710}'..='\u{72F}' | '\u{74D}'..='\u{77F}' | '\u{7CA}'..='\u{7EA}' | '\u{840}'..='\u{858}'
        | '\u{860}'..='\u{86A}' | '\u{870}'..='\u{88E}' | '\u{8A0}'..='\u{8C8}' | '\u{1820}'..='\u{18AA}'
        | '\u{A840}'..='\u{A872}' | '\u{10AC0}'..='\u{10AE4}' | '\u{10D00}'..='\u{10D23}'
        | '\u{1E900}'..='\u{1E943}')
}

/// Cursive letters that connect to the next one.
const fn is_dual_joining(c: char) -> bool {
    is_cursive(c)
        && !matches!(c, '\u{622}'..='\u{625}' | '\u{627}' | '\u{629}' | '\u{62F}'..='\u{632}' | '\u{648}'
            | '\u{671}'..='\u{677}' | '\u{688}'..='\u{699}' | '\u{6C0}' | '\u{6C3}'..='\u{6CB}' | '\u{6CD}' | '\u{6CF}'
            | '\u{6D2}' | '\u{6D3}' | '\u{6D5}' | '\u{6EE}' | '\u{6EF}' | '\u{710}' | '\u{715}'..='\u{719}' | '\u{71E}'
            | '\u{728}' | '\u{72A}' | '\u{72C}' | '\u{72F}' | '\u{74D}' | '\u{759}'..='\u{75B}' | '\u{76B}' | '\u{76C}'
            | '\u{771}' | '\u{773}' | '\u{774}' | '\u{778}' | '\u{779}')
}

/// The scripts of South and South-East Asia that stack consonants.
pub(crate) const fn is_indic(c: char) -> bool {
    matches!(c, '\u{900}'..='\u{DFF}' | '\u{1000}'..='\u{109F}' | '\u{1780}'..='\u{17FF}'
        | '\u{1A20}'..='\u{1AAF}' | '\u{1B00}'..='\u{1C4F}' | '\u{A800}'..='\u{A82F}' | '\u{A880}'..='\u{A9DF}'
        | '\u{AAE0}'..='\u{AAFF}' | '\u{ABC0}'..='\u{ABFF}' | '\u{11000}'..='\u{11DFF}')
}

/// Signs that take the vowel from a consonant.
const fn is_virama(c: char) -> bool {
    matches!(
        c,
        '\u{94D}'
            | '\u{9CD}'
            | '\u{A4D}'
            | '\u{ACD}'
            | '\u{B4D}'
            | '\u{BCD}'
            | '\u{C4D}'
            | '\u{CCD}'
            | '\u{D3B}'
            | '\u{D3C}'
            | '\u{D4D}'
            | '\u{DCA}'
            | '\u{1039}'
            | '\u{103A}'
            | '\u{17D2}'
            | '\u{1A60}'
            | '\u{1B44}'
            | '\u{1BAA}'
            | '\u{1BAB}'
            | '\u{1BF2}'
            | '\u{1BF3}'
            | '\u{A806}'
            | '\u{A8C4}'
            | '\u{A953}'
            | '\u{A9C0}'
            | '\u{AAF6}'
            | '\u{ABED}'
            | '\u{11046}'
            | '\u{110B9}'
            | '\u{11133}'
            | '\u{11134}'
            | '\u{111C0}'
            | '\u{11235}'
            | '\u{112EA}'
            | '\u{1134D}'
            | '\u{11442}'
            | '\u{114C2}'
            | '\u{115BF}'
            | '\u{1163F}'
            | '\u{116B6}'
            | '\u{11839}'
    )
}
