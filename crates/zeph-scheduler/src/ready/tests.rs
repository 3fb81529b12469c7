//! The ready queue against a naive one: a list, searched from front to back.

use std::cmp::Reverse;

use super::Ready;
use zeph_graph::{LaneId, Task, TaskGraph, TaskId};

/// A seeded generator of pseudo-random numbers.
struct Draw(u64);

impl Draw {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// The naive queue, without any index: tasks in the order in which they became ready.
struct Naive {
    graph: TaskGraph,
    weight: Vec<u64>,
    queued: Vec<TaskId>,
    running: Vec<TaskId>,
}

impl Naive {
    fn has_room(&self, task: TaskId) -> bool {
        self.graph.task(task).rules().lanes.iter().all(|wanted| {
            let others = self.running.iter();
            let used: u32 = others
                .flat_map(|&other| &self.graph.task(other).rules().lanes)
                .filter(|used| used.lane == wanted.lane)
                .map(|used| used.weight)
                .sum();
            used + wanted.weight <= self.graph.lanes()[wanted.lane.index()].capacity
        })
    }

    fn rank(&self, task: TaskId) -> (Reverse<i32>, Reverse<u64>) {
        let priority = self.graph.task(task).rules().priority;
        (Reverse(priority), Reverse(self.weight[task.index()]))
    }

    fn order(&self) -> Vec<TaskId> {
        let mut order = self.queued.clone();
        // A stable sort keeps first in, first out.
        order.sort_by_key(|&task| self.rank(task));
        order
    }

    fn next(&self) -> Option<TaskId> {
        self.order().into_iter().find(|&task| self.has_room(task))
    }
}

fn graph(draw: &mut Draw) -> TaskGraph {
    let mut graph = TaskGraph::new();
    let lanes: Vec<(LaneId, u64)> = (0..3)
        .map(|at| {
            let capacity = 1 + draw.below(4);
            (graph.add_lane(format!("l{at}"), capacity as u32), capacity)
        })
        .collect();
    for at in 0..24 {
        let mut task = Task::new(format!("t{at}")).action("act");
        task = task.priority(draw.below(3) as i32);
        for &(lane, capacity) in &lanes {
            if draw.below(3) == 0 {
                task = task.lane_weight(lane, 1 + draw.below(capacity) as u32);
            }
        }
        graph.add_task(task, []);
    }
    graph
}

#[test]
fn starts_what_a_search_of_the_whole_queue_would_start() {
    for seed in 0..400 {
        let mut draw = Draw(seed);
        let graph = graph(&mut draw);
        let weight: Vec<u64> = (0..graph.len()).map(|_| draw.below(3)).collect();
        let mut ready = Ready::new(&graph, weight.clone());
        let mut naive = Naive {
            graph,
            weight,
            queued: Vec::new(),
            running: Vec::new(),
        };
        for _ in 0..300 {
            turn(&mut draw, &mut ready, &mut naive);
            assert_eq!(ready.order(), naive.order(), "seed {seed}");
        }
    }
}

fn turn(draw: &mut Draw, ready: &mut Ready, naive: &mut Naive) {
    let task = TaskId::from_index(draw.below(24) as u32);
    let queued = naive.queued.iter().position(|&t| t == task);
    let running = naive.running.iter().position(|&t| t == task);
    match (draw.below(3), queued, running) {
        (0, Some(at), _) => {
            naive.queued.remove(at);
            ready.remove(task);
        }
        (_, None, Some(at)) => {
            naive.running.remove(at);
            ready.release(task);
        }
        (_, None, None) => {
            naive.queued.push(task);
            ready.push(task);
        }
        _ => {
            let next = ready.next();
            assert_eq!(next, naive.next());
            if let Some(next) = next {
                naive.queued.retain(|&t| t != next);
                naive.running.push(next);
                ready.remove(next);
                ready.occupy(next);
            }
        }
    }
    let lanes = naive.graph.lanes().len();
    for lane in 0..lanes {
        let uses = naive.running.iter();
        let used: u32 = uses
            .flat_map(|&task| &naive.graph.task(task).rules().lanes)
            .filter(|used| used.lane.index() == lane)
            .map(|used| used.weight)
            .sum();
        assert_eq!(ready.lane_used()[lane], used);
    }
}
