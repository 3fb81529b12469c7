//! Documents with their expected codes, from the files in `defects/`.

use std::collections::BTreeSet;

use zeph_diagnostics::Code;
use zeph_planner::plan::{Reading, code, read_plan, repair};

use crate::support::{Case, cases, request};

const FILES: [&str; 6] = [
    "text.txt",
    "shape.txt",
    "names.txt",
    "graph.txt",
    "host.txt",
    "repaired.txt",
];

fn problems(reading: &Reading) -> String {
    let all = reading.outcome.as_ref().err();
    let words = all.into_iter().flatten().map(|one| one.code.text());
    words.collect::<Vec<_>>().join(" ")
}

/// Each kind of repair once, in order.
fn repairs(reading: &Reading) -> String {
    let mut words: Vec<&str> = Vec::new();
    for one in &reading.repairs {
        if !words.contains(&one.code.text()) {
            words.push(one.code.text());
        }
    }
    words.join(" ")
}

fn check(case: &Case, shown: &mut Vec<String>) {
    let reading = read_plan(&case.text, &request());
    let mut expect = |what: &str, found: String, wanted: &str| {
        if found != wanted {
            shown.push(format!(
                "{}: {what}: found {found:?}, wanted {wanted:?}",
                case.title
            ));
        }
    };
    expect("problems", problems(&reading), &case.problems);
    if let Some(wanted) = &case.repairs {
        expect("repairs", repairs(&reading), wanted);
    }
    for one in reading.outcome.as_ref().err().into_iter().flatten() {
        let has_help = one.help.as_ref().is_some_and(|help| !help.is_empty());
        assert!(has_help, "{}: no help: {one}", case.title);
        assert!(!one.message.contains("at byte"), "{}: {one}", case.title);
    }
    let shown = reading.outcome.err().unwrap_or_default().into_iter();
    let shown = shown.map(|one| one.to_string());
    let shown: Vec<String> = shown
        .chain(reading.repairs.iter().map(ToString::to_string))
        .collect();
    for one in shown {
        let hidden = |c: char| c.is_control() || zeph_common::is_invisible(c);
        assert!(
            !one.contains(hidden),
            "{}: {one:?} is not printable",
            case.title
        );
        assert!(one.len() < 1_000, "{}: {one:?} is too long", case.title);
    }
}

#[test]
fn each_document_has_exactly_its_codes() {
    let mut shown = Vec::new();
    let mut defective = 0;
    for file in FILES {
        for case in cases(file) {
            defective += usize::from(!case.problems.is_empty());
            check(&case, &mut shown);
        }
    }
    assert!(shown.is_empty(), "{}", shown.join("\n"));
    assert!(defective >= 100, "{defective} defective documents");
}

/// Codes without a document in the files: it would be too large, or needs another host or a known end.
const ELSEWHERE: [Code; 6] = [
    code::UNCLOSED,
    code::TOO_LARGE,
    code::KIND_NOT_ALLOWED,
    code::AGENT_NEEDED,
    code::TOO_COSTLY,
    code::UNKNOWN_PRICE,
];

#[test]
fn every_code_has_a_document() {
    let all: Vec<Case> = FILES.iter().flat_map(|file| cases(file)).collect();
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
    let seen: BTreeSet<String> = all.iter().flat_map(|case| words(&case.problems)).collect();
    for code in code::ALL {
        let shown = seen.contains(code.text());
        assert_ne!(shown, ELSEWHERE.contains(code), "{code}");
    }
    let repaired = all.iter().filter_map(|case| case.repairs.as_deref());
    let seen: BTreeSet<String> = repaired.flat_map(words).collect();
    for code in repair::ALL {
        assert!(seen.contains(code.text()), "{code}");
    }
}
