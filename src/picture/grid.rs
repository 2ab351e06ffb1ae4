//! Yes or no for each pixel of a box: what is ink, what is outside of it, what is near it.

use std::collections::VecDeque;

/// Left, top, right and bottom; all are inside.
pub(super) type Around = [u32; 4];

/// Marks on pixels.
#[derive(Debug, Clone)]
pub(super) struct Grid {
    pub(super) width: usize,
    pub(super) height: usize,
    pub(super) marks: Vec<bool>,
}

impl Grid {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, height, marks: vec![false; width * height] }
    }

    pub(super) fn at(&self, x: usize, y: usize) -> bool {
        self.marks[y * self.width + x]
    }

    pub(super) fn mark(&mut self, x: usize, y: usize) {
        self.marks[y * self.width + x] = true;
    }

    pub(super) fn count(&self) -> usize {
        self.marks.iter().filter(|mark| **mark).count()
    }

    /// The marks of both.
    pub(super) fn and(&self, other: impl Fn(usize) -> bool) -> Self {
        let marks = self.marks.iter().enumerate().map(|(at, mark)| *mark && other(at)).collect();
        Self { marks, ..*self }
    }

    pub(super) fn around(&self) -> Option<Around> {
        let places = (0..self.marks.len()).filter(|at| self.marks[*at]);
        let places = places.map(|at| [(at % self.width) as u32, (at / self.width) as u32]);
        places.map(|[x, y]| [x, y, x, y]).reduce(union)
    }

    /// Steps to the nearest mark, each to one of the four neighbours.
    pub(super) fn steps(&self) -> Vec<u32> {
        let mut steps = vec![u32::MAX; self.marks.len()];
        let mut waiting: VecDeque<usize> =
            (0..self.marks.len()).filter(|at| self.marks[*at]).collect();
        waiting.iter().for_each(|at| steps[*at] = 0);
        while let Some(at) = waiting.pop_front() {
            for next in self.neighbours(at) {
                if steps[next] == u32::MAX {
                    steps[next] = steps[at] + 1;
                    waiting.push_back(next);
                }
            }
        }
        steps
    }

    /// What can be reached from `at` without a step onto another kind of mark.
    pub(super) fn reached(&self, at: usize) -> Self {
        let mut reached = Self::new(self.width, self.height);
        let mut waiting = vec![at];
        reached.marks[at] = true;
        while let Some(at) = waiting.pop() {
            for next in self.neighbours(at) {
                if self.marks[next] == self.marks[at] && !reached.marks[next] {
                    reached.marks[next] = true;
                    waiting.push(next);
                }
            }
        }
        reached
    }

    fn neighbours(&self, at: usize) -> impl Iterator<Item = usize> + use<> {
        let (x, y) = (at % self.width, at / self.width);
        let (width, height) = (self.width, self.height);
        [
            (x > 0).then(|| at - 1),
            (x + 1 < width).then(|| at + 1),
            (y > 0).then(|| at - width),
            (y + 1 < height).then(|| at + width),
        ]
        .into_iter()
        .flatten()
    }
}

pub(super) fn union(a: Around, b: Around) -> Around {
    [a[0].min(b[0]), a[1].min(b[1]), a[2].max(b[2]), a[3].max(b[3])]
}

pub(super) fn width([left, _, right, _]: Around) -> f32 {
    (right - left + 1) as f32
}

pub(super) fn height([_, top, _, bottom]: Around) -> f32 {
    (bottom - top + 1) as f32
}

/// How far two boxes are apart.
pub(super) fn gap(a: Around, b: Around) -> f32 {
    gap_between((a[0], a[2]), (b[0], b[2])).max(gap_between((a[1], a[3]), (b[1], b[3])))
}

/// How far two ranges are apart.
pub(super) fn gap_between(a: (u32, u32), b: (u32, u32)) -> f32 {
    b.0.saturating_sub(a.1).max(a.0.saturating_sub(b.1)) as f32
}
