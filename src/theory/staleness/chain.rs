//! The staleness of all learners together, from update to update: a Markov chain where times are
//! memoryless. The talk on Dutta et al. 2018 begins it for two learners (slide 87).

use std::{collections::BTreeMap, fmt};

use serde::{Serialize, Serializer};

/// The staleness of each learner's parameters, by id: the updates made since it read them. Written
/// `(0,2)`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct State(pub Vec<u64>);

impl Serialize for State {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.0.serialize(serializer)
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all: Vec<_> = self.0.iter().map(u64::to_string).collect();
        write!(f, "({})", all.join(","))
    }
}

/// K-async among P learners with exponential times, async for K = 1: at every update any K learners
/// are equally likely to have made it. They read the new parameters, and are at 0; the others are
/// one update further behind. The gradients of the update were as stale as its learners before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chain {
    p: usize,
    k: usize,
}

impl Chain {
    /// Most learners whose chain can be walked.
    pub const MOST: usize = 20;

    /// Of P = `p` learners.
    ///
    /// # Panics
    /// If K is not from 1 to P, or P is above [`MOST`](Self::MOST): there are C(P, K) ways to go on.
    pub fn new(p: usize, k: usize) -> Self {
        assert!((1..=p).contains(&k), "K is from 1 to P");
        assert!(p <= Self::MOST, "a chain is of at most {} learners", Self::MOST);
        Self { p, k }
    }

    /// Where it starts: all have read w_0.
    pub fn start(&self) -> State {
        State(vec![0; self.p])
    }

    /// The states after the next update, each with its probability.
    ///
    /// # Panics
    /// If the state is not one of P learners.
    pub fn successors(&self, state: &State) -> Vec<(State, f64)> {
        assert_eq!(state.0.len(), self.p, "a state has the staleness of every learner");
        let pushes = |learners: u32, learner: usize| learners >> learner & 1 == 1;
        let next = |learners: u32| {
            let stale = state.0.iter().enumerate();
            State(stale.map(|(i, s)| if pushes(learners, i) { 0 } else { s + 1 }).collect())
        };
        let probability = 1.0 / choose(self.p, self.k);
        (0..1_u32 << self.p)
            .filter(|learners| learners.count_ones() as usize == self.k)
            .map(|learners| (next(learners), probability))
            .collect()
    }

    /// All states that are possible after so many updates from the [start](Self::start), with their
    /// probabilities. Their number grows like the power P - K of the updates at least: for few
    /// learners, or few updates.
    ///
    /// Those in which nobody is as stale as there are updates have reached their
    /// [long-run](Self::stationary) probability.
    pub fn after(&self, updates: u64) -> BTreeMap<State, f64> {
        let mut states = BTreeMap::from([(self.start(), 1.0)]);
        for _ in 0..updates {
            let mut next = BTreeMap::new();
            for (state, before) in &states {
                for (state, probability) in self.successors(state) {
                    *next.entry(state).or_insert(0.0) += before * probability;
                }
            }
            states = next;
        }
        states
    }

    /// Pr(state) in the long run. P = 2, K = 1: 2^-(n+1) for (0,n) and (n,0), n >= 1.
    ///
    /// Looking back from now, the update t updates ago was made by the learners at s = t and by
    /// some, any, of those at s < t, K in all: one of C(P, K) sets, so that Pr(state) is the product
    /// over t of C(learners at s < t, K - learners at s = t) / C(P, K).
    ///
    /// # Panics
    /// If the state is not one of P learners.
    pub fn stationary(&self, state: &State) -> f64 {
        assert_eq!(state.0.len(), self.p, "a state has the staleness of every learner");
        let oldest = state.0.iter().copied().max().unwrap_or(0);
        let (mut probability, mut later) = (1.0, 0);
        for t in 0..=oldest {
            let here = state.0.iter().filter(|s| **s == t).count();
            if here > self.k || probability == 0.0 {
                return 0.0;
            }
            probability *= choose(later, self.k - here) / choose(self.p, self.k);
            later += here;
        }
        probability
    }

    /// The `count` states that are most likely in the long run, each with its probability; equally likely
    /// ones in the order of their staleness. Fewer if there are fewer.
    ///
    /// Walks through all that are [possible](Self::after) after so many updates: for few learners.
    pub fn likeliest(&self, count: usize) -> Vec<(State, f64)> {
        let states = self.after(count as u64).into_keys();
        let mut states: Vec<_> = states
            .map(|state| (self.stationary(&state), state))
            .filter(|one| one.0 > 0.0)
            .collect();
        states.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
        states.into_iter().map(|(probability, state)| (state, probability)).take(count).collect()
    }

    /// Pr(s = 0), Pr(s = 1), ... of a learner, mean over all of them, from states and their
    /// probabilities.
    pub fn marginal<'a>(states: impl IntoIterator<Item = (&'a State, &'a f64)>) -> Vec<f64> {
        let mut marginal = Vec::new();
        for (State(state), probability) in states {
            for &staleness in state {
                let staleness = staleness as usize;
                if staleness >= marginal.len() {
                    marginal.resize(staleness + 1, 0.0);
                }
                marginal[staleness] += probability / state.len() as f64;
            }
        }
        marginal
    }
}

/// C(n, k): the ways to choose k of n.
fn choose(n: usize, k: usize) -> f64 {
    (0..k).map(|i| (n as f64 - i as f64) / (k - i) as f64).product()
}
