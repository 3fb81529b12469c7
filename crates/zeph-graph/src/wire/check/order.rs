//! The order of a graph from outside.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// The smallest topological order of positions, without those on a cycle or downstream of one. A fallback comes
/// before its user.
///
/// A spec that is already in topological order keeps its order, and so its ids.
pub(super) fn topological(needs: &[Vec<u32>], fallbacks: &[Option<u32>]) -> Vec<u32> {
    let (start, children) = reversed(needs, fallbacks);
    let mut missing: Vec<usize> = (needs.iter().zip(fallbacks))
        .map(|(needs, fallback)| needs.len() + usize::from(fallback.is_some()))
        .collect();
    let mut ready: BinaryHeap<Reverse<u32>> = (0..)
        .zip(&missing)
        .filter(|(_, missing)| **missing == 0)
        .map(|(position, _)| Reverse(position))
        .collect();
    let mut order = Vec::with_capacity(needs.len());
    while let Some(Reverse(position)) = ready.pop() {
        order.push(position);
        let here = position as usize;
        for &child in &children[start[here]..start[here + 1]] {
            // A dependency listed twice is counted twice on both sides.
            missing[child as usize] -= 1;
            if missing[child as usize] == 0 {
                ready.push(Reverse(child));
            }
        }
    }
    order
}

/// The dependants and users of each position, as compressed adjacency.
fn reversed(needs: &[Vec<u32>], fallbacks: &[Option<u32>]) -> (Vec<usize>, Vec<u32>) {
    let mut start = vec![0usize; needs.len() + 1];
    for &need in needs.iter().flatten().chain(fallbacks.iter().flatten()) {
        start[need as usize + 1] += 1;
    }
    for i in 1..start.len() {
        start[i] += start[i - 1];
    }
    let mut next = start.clone();
    let mut children = vec![0u32; start[needs.len()]];
    for ((position, needs), fallback) in (0..).zip(needs).zip(fallbacks) {
        for &need in needs.iter().chain(fallback) {
            children[next[need as usize]] = position;
            next[need as usize] += 1;
        }
    }
    (start, children)
}
