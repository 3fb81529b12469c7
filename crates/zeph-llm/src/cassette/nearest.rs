//! Which recorded request is nearest to one that was not recorded, and where they first differ.

use serde_json::Value;
use zeph_common::{Boundary, escape_terminal, truncate};

/// The most bytes that are shown of a value.
const SHOWN: usize = 80;

/// What to tell about a request that is not on the tape.
pub(super) fn told<'a>(asked: &Value, recorded: impl Iterator<Item = &'a Value>) -> String {
    let text = asked.to_string();
    let alike = |other: &Value| {
        let other = other.to_string();
        text.bytes()
            .zip(other.bytes())
            .take_while(|(one, two)| one == two)
            .count()
    };
    let numbered = recorded.enumerate();
    // The first of equals, so that the answer does not depend on what was recorded later.
    let nearest = numbered
        .map(|(index, other)| (alike(other), index, other))
        .reduce(|best, next| if next.0 > best.0 { next } else { best });
    let Some((_, index, nearest)) = nearest else {
        return "nothing is recorded".to_owned();
    };
    let (pointer, asked, there) = first_difference(asked, nearest);
    format!(
        "this request is not recorded; the nearest is recording {}, which differs at \"{pointer}\": \
         asked {}, recorded {}",
        index + 1,
        shown(asked),
        shown(there)
    )
}

fn shown(value: Option<&Value>) -> String {
    value.map_or_else(
        || "nothing".to_owned(),
        |value| truncate(&escape_terminal(&value.to_string()), SHOWN, Boundary::Char).to_string(),
    )
}

/// The pointer of the first place where two values differ, and what stands there.
fn first_difference<'a>(
    mut one: &'a Value,
    mut two: &'a Value,
) -> (String, Option<&'a Value>, Option<&'a Value>) {
    let mut pointer = String::new();
    loop {
        let step = match (one, two) {
            (Value::Object(a), Value::Object(b)) => {
                let mut names: Vec<&String> = a.keys().chain(b.keys()).collect();
                names.sort_unstable();
                let name = names.into_iter().find(|name| a.get(*name) != b.get(*name));
                name.map(|name| (escape(name), a.get(name), b.get(name)))
            }
            (Value::Array(a), Value::Array(b)) => {
                let index = (0..a.len().max(b.len())).find(|index| a.get(*index) != b.get(*index));
                index.map(|index| (index.to_string(), a.get(index), b.get(index)))
            }
            _ => None,
        };
        let Some((name, a, b)) = step else {
            return (pointer, Some(one), Some(two));
        };
        pointer.push('/');
        pointer.push_str(&name);
        match (a, b) {
            (Some(a), Some(b)) => (one, two) = (a, b),
            (a, b) => return (pointer, a, b),
        }
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
