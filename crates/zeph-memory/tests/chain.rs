//! The chain: every field is hashed, and framed so that moved bytes change the hash.

#![allow(clippy::unwrap_used)]

use zeph_graph::{ContentId, Timestamp};
use zeph_memory::{Append, Chain, Content, ContentKind, NewRun, Row, RunStatus};

fn new_run(run: &str, title: &str, header: &'static str) -> NewRun {
    NewRun::new(
        run.parse().unwrap(),
        title,
        Timestamp::from_micros(1),
        header,
    )
}

fn sealed(rows: Vec<Row>) -> Append {
    Chain::genesis(&new_run("r", "t", "{}")).seal(rows, RunStatus::open("running"))
}

fn part(id: u32, kind: &'static str, name: &'static str, bytes: &'static str) -> Content {
    Content::named(
        ContentId::new(id).unwrap(),
        ContentKind::new(kind),
        name,
        bytes,
    )
}

#[test]
fn the_beginning_covers_name_title_time_and_header() {
    let base = new_run("r", "ab", "c");
    let others = [
        new_run("s", "ab", "c"),
        new_run("r", "a", "bc"),
        new_run("r", "abc", ""),
        NewRun {
            created_at: Timestamp::from_micros(2),
            ..base.clone()
        },
    ];
    for other in others {
        assert_ne!(
            Chain::genesis(&other).head(),
            Chain::genesis(&base).head(),
            "{other:?}"
        );
    }
    assert_eq!(
        Chain::genesis(&base).head(),
        Chain::genesis(&base.clone()).head()
    );
}

#[test]
fn a_row_covers_time_payload_contents_and_all_before_it() {
    let at = Timestamp::from_micros(5);
    let row = |payload: &str| Row::new(at, payload);
    let heads: Vec<_> = [
        vec![row("ab")],
        vec![row("a"), row("b")],
        vec![row("b"), row("a")],
        vec![Row::new(Timestamp::from_micros(6), "ab")],
        vec![row("ab").with(part(1, "k", "n", "x"))],
        vec![row("ab").with(part(2, "k", "n", "x"))],
        vec![row("ab").with(part(1, "kn", "", "x"))],
        vec![row("ab").with(part(1, "k", "nx", ""))],
        vec![
            row("ab")
                .with(part(1, "k", "n", ""))
                .with(part(1, "k", "n", "x")),
        ],
        vec![
            row("ab")
                .with(part(1, "k", "n", "x"))
                .with(part(1, "k", "n", "")),
        ],
    ]
    .into_iter()
    .map(|rows| sealed(rows).head())
    .collect();
    let distinct: std::collections::BTreeSet<_> = heads.iter().collect();
    assert_eq!(distinct.len(), heads.len());
}

#[test]
fn how_rows_are_grouped_does_not_matter() {
    let new = new_run("r", "t", "{}");
    let rows: Vec<_> = (0..4)
        .map(|n| Row::new(Timestamp::from_micros(n), n.to_string()))
        .collect();
    let mut at_once = Chain::genesis(&new);
    at_once.seal(rows.clone(), RunStatus::open("running"));
    let mut one_by_one = Chain::genesis(&new);
    for row in rows {
        one_by_one.seal(vec![row], RunStatus::open("running"));
    }
    assert_eq!(at_once, one_by_one);
    assert_eq!(at_once.next_seq().get(), 5);
}

/// The hash formula changes only with the schema: programs may have copied heads.
#[test]
fn the_formula_stays() {
    let append = sealed(vec![
        Row::new(Timestamp::from_micros(7), "{}").with(part(1, "output", "", "x")),
    ]);
    assert_eq!(
        append.prev().to_string(),
        "2083eeb1e32b2dff2eb8591d271e14999f2835876076db79c82eb05e637057c6"
    );
    assert_eq!(
        append.head().to_string(),
        "66c6a6ee2991c8f000450a113832674999415ae53385e0b65abbffdfa20d1157"
    );
}
