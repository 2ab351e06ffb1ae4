//! Who finishes next, as a tournament: a binary tree whose inner nodes hold the earlier of the two
//! times below them. A learner's time is replaced in place, so cancelled work leaves nothing behind.

use crate::ids::LearnerId;

/// The time of a learner that has nothing in hand.
pub(super) const NEVER: u64 = u64::MAX;

/// Finish times by learner.
#[derive(Debug)]
pub(super) struct Earliest {
    /// Node n has the children 2n and 2n + 1; the learners are the leaves, from `leaves` on.
    nodes: Vec<u64>,
    leaves: usize,
}

impl Earliest {
    pub(super) fn new(learners: usize) -> Self {
        let leaves = learners.next_power_of_two();
        Self { nodes: vec![NEVER; 2 * leaves], leaves }
    }

    pub(super) fn set(&mut self, learner: LearnerId, time: u64) {
        let mut node = self.leaves + learner;
        self.nodes[node] = time;
        while node > 1 {
            node /= 2;
            let earlier = self.nodes[2 * node].min(self.nodes[2 * node + 1]);
            if self.nodes[node] == earlier {
                break;
            }
            self.nodes[node] = earlier;
        }
    }

    pub(super) fn clear(&mut self, learner: LearnerId) {
        self.set(learner, NEVER);
    }

    /// The earliest finish, and of several the lowest id.
    pub(super) fn min(&self) -> Option<(LearnerId, u64)> {
        let time = self.nodes[1];
        if time == NEVER {
            return None;
        }
        let mut node = 1;
        while node < self.leaves {
            node *= 2;
            node += usize::from(self.nodes[node] != time);
        }
        Some((node - self.leaves, time))
    }

    /// The first `count` to finish, in order.
    pub(super) fn first(&self, count: usize) -> Vec<LearnerId> {
        let times = self.nodes[self.leaves..].iter().enumerate();
        let mut busy: Vec<_> = times.filter(|(_, time)| **time != NEVER).collect();
        let order = |&(learner, time): &(LearnerId, &u64)| (*time, learner);
        if count < busy.len() {
            busy.select_nth_unstable_by_key(count, order);
            busy.truncate(count);
        }
        busy.sort_unstable_by_key(order);
        busy.into_iter().map(|(learner, _)| learner).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_wins_and_of_equals_the_lowest_id() {
        let mut finish = Earliest::new(5);
        assert_eq!(finish.min(), None);
        for (learner, time) in [(4, 7), (2, 9), (3, 7), (0, 8)] {
            finish.set(learner, time);
        }
        assert_eq!(finish.min(), Some((3, 7)));
        assert_eq!(finish.first(3), [3, 4, 0]);
        assert_eq!(finish.first(9), [3, 4, 0, 2]);
        finish.clear(3);
        finish.set(4, 20);
        assert_eq!(finish.min(), Some((0, 8)));
    }

    #[test]
    fn one_learner_is_a_tournament_too() {
        let mut finish = Earliest::new(1);
        finish.set(0, 3);
        assert_eq!(finish.min(), Some((0, 3)));
        finish.clear(0);
        assert_eq!(finish.min(), None);
    }
}
