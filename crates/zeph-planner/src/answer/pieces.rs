//! Pieces: results in groups of about the size of a request, long ones divided among several groups.

use std::borrow::Cow;

use zeph_common::{Boundary, head_tail};

use super::session::Item;
use crate::prompt_budget::{bytes_within, prefix_within};
use crate::water_fill::water_fill_useful;

/// The fewest tokens of a piece of a result.
const LEAST_PIECE: u64 = 128;

/// What a group may hold, and how texts are measured.
pub(super) struct Groups<'s> {
    /// The tokens of one group, at least 1.
    pub(super) room: u64,
    /// The most groups, at least 1.
    pub(super) most: usize,
    /// Counts the tokens of a text.
    pub(super) count: &'s dyn Fn(&str) -> u64,
    /// Redacts and cleans a text, so that its pieces have no half of a secret.
    pub(super) clean: &'s dyn Fn(&str) -> String,
    /// The tokens of the name, the state and the delimiters of an item.
    pub(super) overhead: &'s dyn Fn(&Item<'_>) -> u64,
}

/// An item with its size.
struct Sized<'a> {
    item: Item<'a>,
    overhead: u64,
    tokens: u64,
}

impl Groups<'_> {
    /// Puts items with texts into groups, in order.
    ///
    /// An item that is larger than a group is divided, so that each part of it is in one. If that needs too
    /// many groups, others are divided as well, and if all groups together are too small, the longest items
    /// lose their middle first.
    pub(super) fn of<'a>(&self, items: Vec<Item<'a>>) -> Vec<Vec<Item<'a>>> {
        let sized: Vec<Sized<'a>> = items.into_iter().map(|item| self.sized(item)).collect();
        let total: u64 = sized.iter().map(|one| one.overhead + one.tokens).sum();
        let capacity = self.room.saturating_mul(self.most as u64);
        if total <= capacity {
            let groups = self.filled(sized.iter().map(Sized::copy).collect(), self.room, false);
            if groups.len() <= self.most {
                return groups;
            }
        }
        let sized = self.shortened(sized, capacity);
        let total: u64 = sized.iter().map(|one| one.overhead + one.tokens).sum();
        // If the names alone are too many, a group is larger than a request, and its texts are cut there.
        let room = self.room.max(total.div_ceil(self.most as u64));
        self.filled(sized, room, true)
    }

    fn sized<'a>(&self, mut item: Item<'a>) -> Sized<'a> {
        let overhead = (self.overhead)(&item);
        let mut tokens = (self.count)(item.text.as_deref().unwrap_or_default());
        if overhead + tokens > self.room {
            self.make_clean(&mut item);
            tokens = (self.count)(item.text.as_deref().unwrap_or_default());
        }
        Sized {
            item,
            overhead,
            tokens,
        }
    }

    /// Cleans the text of an item, once.
    fn make_clean(&self, item: &mut Item<'_>) {
        if !item.is_clean {
            let text = item.text.as_deref().unwrap_or_default();
            item.text = Some(Cow::Owned((self.clean)(text)));
            item.is_clean = true;
        }
    }

    /// The items within the capacity of all groups, those that are final first.
    fn shortened<'a>(&self, mut sized: Vec<Sized<'a>>, capacity: u64) -> Vec<Sized<'a>> {
        let overheads: u64 = sized.iter().map(|one| one.overhead).sum();
        // Each group begins with a piece, and ends where a word ends.
        let longest = sized.iter().map(|one| one.overhead).max().unwrap_or(0);
        let spare = (longest + self.room / 256).saturating_mul(self.most as u64);
        let mut left = capacity.saturating_sub(overheads).saturating_sub(spare);
        for is_final in [true, false] {
            let tier = (0..sized.len()).filter(|&one| sized[one].item.is_final == is_final);
            let tier: Vec<usize> = tier.collect();
            let demands: Vec<u64> = tier.iter().map(|&one| sized[one].tokens).collect();
            let (_, level) = water_fill_useful(&demands, &vec![0; demands.len()], left);
            for one in tier {
                let one = &mut sized[one];
                if one.tokens > level {
                    self.make_clean(&mut one.item);
                    self.shorten(one, level);
                }
                left = left.saturating_sub(one.tokens);
            }
        }
        sized
    }

    /// Takes the middle out of a text.
    fn shorten(&self, one: &mut Sized<'_>, tokens: u64) {
        let text = one.item.text.take().unwrap_or_default();
        let bytes = bytes_within(&text, tokens, self.count);
        let short = head_tail(&text, bytes, Boundary::Char).to_string();
        one.item.keep(bytes as f64 / text.len().max(1) as f64);
        one.tokens = (self.count)(&short);
        one.item.text = Some(Cow::Owned(short));
    }

    /// Fills groups one after the other. With `divides` every item may be divided, and the last group takes
    /// what is left; else only those that are larger than a group.
    fn filled<'a>(&self, sized: Vec<Sized<'a>>, room: u64, divides: bool) -> Vec<Vec<Item<'a>>> {
        let mut groups: Vec<Vec<Item<'a>>> = vec![Vec::new()];
        let mut filled = 0;
        for mut one in sized {
            let whole = one.overhead + one.tokens;
            let is_last = divides && groups.len() >= self.most;
            if filled + whole <= room || is_last {
                push(&mut groups, one.item);
                filled += whole;
            } else if divides || whole > room {
                self.make_clean(&mut one.item);
                filled = self.divide(&one, room, divides, &mut groups, filled);
            } else {
                groups.push(vec![one.item]);
                filled = whole;
            }
        }
        groups.retain(|group| !group.is_empty());
        groups
    }

    /// Puts an item into as many groups as it needs, from the current one. Returns how far the last of them
    /// is filled.
    fn divide<'a>(
        &self,
        one: &Sized<'a>,
        room: u64,
        divides: bool,
        groups: &mut Vec<Vec<Item<'a>>>,
        mut filled: u64,
    ) -> u64 {
        let text = one.item.text.clone().unwrap_or_default();
        let (mut at, mut pieces) = (0, Vec::new());
        while at < text.len() {
            let rest = &text[at..];
            let left = room.saturating_sub(filled).saturating_sub(one.overhead);
            let is_last = divides && groups.len() >= self.most;
            let tokens = (self.count)(rest);
            if left < LEAST_PIECE && filled > 0 && !is_last && tokens > left {
                groups.push(Vec::new());
                filled = 0;
                continue;
            }
            let is_end = is_last || tokens <= left;
            let bytes = match is_end {
                true => rest.len(),
                false => at_a_word(rest, prefix_within(rest, left.max(1), self.count)),
            };
            let mut piece = one.item.clone();
            piece.text = Some(Cow::Owned(rest[..bytes].to_owned()));
            piece.divide(bytes as f64 / text.len() as f64);
            let group = groups.len() - 1;
            groups[group].push(piece);
            pieces.push((group, groups[group].len() - 1));
            filled += one.overhead + tokens.min(left);
            at += bytes;
            if !is_end {
                groups.push(Vec::new());
                filled = 0;
            }
        }
        let count = pieces.len();
        for (number, (group, index)) in pieces.into_iter().enumerate().filter(|_| count > 1) {
            let item = &mut groups[group][index];
            item.state = Cow::Owned(format!("{}, part {} of {count}", item.state, number + 1));
        }
        filled
    }
}

impl<'a> Sized<'a> {
    fn copy(&self) -> Self {
        Self {
            item: self.item.clone(),
            ..*self
        }
    }
}

fn push<'a>(groups: &mut Vec<Vec<Item<'a>>>, item: Item<'a>) {
    match groups.last_mut() {
        Some(group) => group.push(item),
        None => groups.push(vec![item]),
    }
}

/// The place at or before a place where a word ends, if there is one near; never 0.
fn at_a_word(text: &str, place: usize) -> usize {
    const NEAR: usize = 80;
    let place = text.floor_char_boundary(place);
    if place == 0 {
        return text.ceil_char_boundary(1);
    }
    let from = text.ceil_char_boundary(place.saturating_sub(NEAR.min(place / 8)));
    match text[from..place].rfind(char::is_whitespace) {
        Some(space) if from + space > 0 => text.ceil_char_boundary(from + space + 1),
        Some(_) | None => place,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::Groups;
    use crate::answer::session::Item;

    /// A token for each byte.
    fn groups(room: u64, most: usize, texts: &[String]) -> Vec<Vec<Item<'static>>> {
        let groups = Groups {
            room,
            most,
            count: &|text| text.len() as u64,
            clean: &str::to_owned,
            overhead: &|_| 10,
        };
        let item = |(index, text): (usize, &String)| Item::test(index, text);
        groups.of(texts.iter().enumerate().map(item).collect())
    }

    /// The text of each item, from its pieces, and the size of each group.
    fn joined(groups: &[Vec<Item<'_>>], items: usize) -> (Vec<String>, Vec<usize>) {
        let mut texts = vec![String::new(); items];
        for item in groups.iter().flatten() {
            texts[item.of[0].task].push_str(item.text.as_deref().unwrap_or_default());
        }
        let size = |group: &Vec<Item<'_>>| {
            let sizes = group
                .iter()
                .map(|one| one.text.as_ref().map_or(0, |text| text.len()) + 10);
            sizes.sum()
        };
        (texts, groups.iter().map(size).collect())
    }

    #[test]
    fn a_long_result_is_divided_and_no_part_is_lost() {
        let texts = [
            "short ".repeat(9),
            "long words ".repeat(300),
            "end".to_owned(),
        ];
        let groups = groups(1_000, 16, &texts);
        let (found, sizes) = joined(&groups, 3);
        assert_eq!(found, texts);
        assert!(sizes.iter().all(|size| *size <= 1_000), "{sizes:?}");
        assert_eq!(groups.len(), 4);
        assert_eq!(groups[1][0].state, "completed, part 2 of 4");
        let share: f64 = groups
            .iter()
            .flatten()
            .filter(|one| one.of[0].task == 1)
            .map(|one| one.of[0].share)
            .sum();
        assert!((share - 1.0).abs() < 1e-9, "{share}");
    }

    #[test]
    fn what_all_groups_cannot_hold_loses_its_middle() {
        let texts = ["a ".repeat(50), "b ".repeat(9_000), "c ".repeat(5_000)];
        let groups = groups(1_000, 4, &texts);
        let (found, sizes) = joined(&groups, 3);
        assert!(
            sizes.len() == 4 && sizes.iter().all(|size| *size <= 1_000),
            "{sizes:?}"
        );
        assert!(sizes.iter().sum::<usize>() > 3_800, "{sizes:?}");
        assert_eq!(found[0], texts[0]);
        let shares = |task: usize| {
            let all = groups.iter().flatten().filter(|one| one.of[0].task == task);
            all.map(|one| one.of[0].share).sum::<f64>()
        };
        assert!((0.10..0.11).contains(&shares(1)) && (0.18..0.20).contains(&shares(2)));
        assert!(
            groups
                .iter()
                .flatten()
                .all(|one| one.of[0].cut == (one.of[0].task > 0))
        );
    }

    proptest! {
        #[test]
        fn what_fits_into_the_groups_is_whole(
            sizes in prop::collection::vec(1usize..3_000, 1..20),
            room in 400u64..2_000,
        ) {
            let texts: Vec<String> = sizes.iter().map(|size| "é word ".repeat(size / 8 + 1)).collect();
            let total: usize = texts.iter().map(|text| text.len() + 10).sum();
            let enough = total / room as usize + 1;
            // Pieces end with a word, and each has a name.
            let most = enough + enough / 4 + 2;
            let groups = groups(room, most, &texts);
            let (found, sizes) = joined(&groups, texts.len());
            prop_assert!(groups.len() <= most);
            prop_assert_eq!(found, texts);
            prop_assert!(sizes.iter().all(|size| *size <= room as usize), "{sizes:?}");
        }
    }
}
