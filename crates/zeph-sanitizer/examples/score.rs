//! Prints how well the advisory score tells attacks from benign texts: on the corpus in `tests`, or on the
//! attacks in files of your own, with one `CLASS | TEXT` a line.

#[path = "../tests/corpus/mod.rs"]
mod corpus;

use corpus::{Figures, HALVES, figures, measure, samples};

fn main() -> std::io::Result<()> {
    let files: Vec<String> = std::env::args().skip(1).collect();
    for file in &files {
        let attacks = samples(&std::fs::read_to_string(file)?);
        let figures = figures(attacks, Vec::new());
        let all = figures.found + figures.missed.len();
        print(
            file,
            &format!(
                "recall {:.2}, {} of {all} attacks found",
                figures.recall(),
                figures.found
            ),
            &figures,
        );
    }
    for half in HALVES.iter().filter(|_| files.is_empty()) {
        let figures = measure(half);
        print(half, &figures.to_string(), &figures);
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "printing is what this example is for")]
fn print(what: &str, line: &str, figures: &Figures) {
    println!("{what}: {line}");
    for missed in &figures.missed {
        println!("  missed: {missed}");
    }
    for wrong in &figures.wrong {
        println!("  wrongly suspected: {wrong}");
    }
}
