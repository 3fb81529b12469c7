//! Prints how well the advisory score tells attacks from benign texts, on the corpus in `tests`.

#[path = "../tests/corpus/mod.rs"]
mod corpus;

use corpus::{Figures, HALVES, measure};

fn main() {
    for half in HALVES {
        let figures = measure(half);
        print(half, &figures);
    }
}

#[allow(clippy::print_stdout, reason = "printing is what this example is for")]
fn print(half: &str, figures: &Figures) {
    println!("{half}: {figures}");
    for missed in &figures.missed {
        println!("  missed: {missed}");
    }
    for wrong in &figures.wrong {
        println!("  wrongly suspected: {wrong}");
    }
}
