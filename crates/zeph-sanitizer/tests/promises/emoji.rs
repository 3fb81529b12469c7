//! Every emoji sequence and text in any script passes unchanged.

use zeph_sanitizer::{Seed, StandardSanitizer};

/// Fails with all texts that are changed.
fn all_pass<'a>(texts: impl IntoIterator<Item = &'a str>) -> usize {
    let sanitizer = StandardSanitizer::new(Seed::new([1; 32]));
    let mut count = 0;
    let mut changed = Vec::new();
    for text in texts {
        count += 1;
        let cleaned = sanitizer.clean(text);
        if cleaned.text != text || !cleaned.changes.is_empty() {
            changed.push(format!("{text:?} became {:?}", cleaned.text));
        }
    }
    assert!(changed.is_empty(), "{}", changed.join("\n"));
    count
}

#[test]
fn the_recommended_emoji_pass_one_by_one() {
    let tones = |emoji: &'static emojis::Emoji| {
        let tones = emoji.skin_tones().into_iter().flatten();
        std::iter::once(emoji)
            .chain(tones)
            .map(emojis::Emoji::as_str)
    };
    let count = all_pass(emojis::iter().flat_map(tones));
    // Emoji 15 already had more; an incomplete list would prove nothing.
    assert!(count > 3_600, "{count} emoji were tried");
}

#[test]
fn the_recommended_emoji_pass_side_by_side() {
    let all: Vec<_> = emojis::iter().map(emojis::Emoji::as_str).collect();
    assert_eq!(all_pass([all.concat().as_str(), &all.join(" ")]), 2);
}

#[test]
fn sequences_by_rule_pass() {
    let letters = || ('A'..='Z').map(|c| char::from_u32(u32::from(c) + 0x1_F1A5).unwrap_or('?'));
    let mut texts: Vec<String> = letters()
        .flat_map(|a| letters().map(move |b| format!("{a}{b}")))
        .collect();
    for key in "0123456789#*".chars() {
        texts.push(format!("{key}\u{FE0F}\u{20E3}"));
    }
    for id in ["gbeng", "gbsct", "gbwls"] {
        let tag = |c: char| char::from_u32(u32::from(c) + 0xE_0000).unwrap_or('?');
        let tags: String = id.chars().map(tag).collect();
        texts.push(format!("🏴{tags}\u{E007F}"));
    }
    for person in ["🧑", "👩", "👨"] {
        for tone in ["", "🏻", "🏼", "🏽", "🏾", "🏿"] {
            for role in [
                "⚕\u{FE0F}",
                "🌾",
                "🍳",
                "🎓",
                "🚀",
                "✈\u{FE0F}",
                "⚖\u{FE0F}",
                "🦰",
                "🦲",
            ] {
                texts.push(format!("{person}{tone}\u{200D}{role}"));
                texts.push(format!(
                    "{person}{tone}\u{200D}❤\u{FE0F}\u{200D}💋\u{200D}{person}{tone}"
                ));
            }
        }
    }
    let count = all_pass(texts.iter().map(String::as_str));
    assert!(count > 1_000, "{count} sequences were tried");
}

#[test]
fn scripts_of_the_world_pass() {
    all_pass([
        "The quick brown fox jumps over the lazy dog.",
        "Příliš žluťoučký kůň úpěl ďábelské ódy; e\u{301}t\u{e9}.",
        "Съешь же ещё этих мягких французских булок",
        "Ξεσκεπάζω την ψυχοφθόρα βδελυγμία",
        "שלום עולם, נוסח עם נִקּוּד",
        "صِف خَلقَ خَودِ كَمِثلِ الشَمسِ",
        "می\u{200C}خواهم به خانه\u{200C}ام بروم، نمی\u{200C}دانم",
        "به کوردی هه\u{200C}ر",
        "क्\u{200D}ष और क्\u{200C}ष",
        "ක්\u{200D}රියා, ශ්\u{200D}රී ලංකා",
        "র\u{200D}্যাব, ত্\u{200D} ",
        "ന്\u{200D} ര്\u{200D} ല്\u{200D}",
        "ಕನ್ನಡ, తెలుగు, தமிழ், ગુજરાતી, ਪੰਜਾਬੀ, ଓଡ଼ିଆ",
        "ภาษาไทย, ລາວ, ភាសាខ្មែរ, မြန်မာ, བོད་ཡིག",
        "ᠮᠣᠩᠭᠣᠯ\u{180E}ᠠ ᠪᠢᠴᠢᠭ\u{180B}",
        "天地玄黃，宇宙洪荒。葛\u{E0100}飾区",
        "いろはにほへと ちりぬるを、カタカナ、ｶﾀｶﾅ",
        "다람쥐 헌 쳇바퀴에 타고파",
        "አማርኛ, ქართული, Հայերեն, ᏣᎳᎩ, ᐃᓄᒃᑎᑐᑦ",
        "∀x∈ℝ: ⌈x⌉ = −⌊−x⌋, α ∧ ¬β → γ; ∩\u{FE00}",
        "1\t2\n3\n",
    ]);
}
