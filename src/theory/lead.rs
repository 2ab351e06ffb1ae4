//! Async in which nobody is more than S minibatches ahead of the slowest, the stale synchronous parallel
//! model (Ho et al. 2013): what is known of it.

use std::collections::HashMap;

use super::learners::Learners;
use crate::sgd::scheduler::Rules;

/// States beyond which the values would take long.
const MOST_STATES: usize = 20_000;
/// Sweeps over all states, and the change of the last one that is small enough.
const MOST_SWEEPS: usize = 20_000;
const SMALL: f64 = 1e-13;

/// How many learners are at work in the long run; the others wait for the slowest.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct AtWork {
    /// Their mean number over time.
    pub mean: f64,
    /// At a push, how many others are at work on average. Each of their gradients gets one update staler
    /// by it, so that this is the mean staleness.
    pub others: f64,
}

/// Leads of the learners over the slowest: how many have a lead of 0, 1, ..., S + 1. Who has a lead of S + 1
/// waits.
type Leads = Vec<usize>;

/// How many of these P learners are at work under exponential times; none for other rules, times or learners,
/// or where it would take long to compute.
///
/// Each learner that is at work is the next to push with equal chance, and what comes then depends on the
/// leads alone: they are a Markov chain, of which this is the stationary state.
pub fn at_work(rules: Rules, learners: &Learners, k: usize) -> Option<AtWork> {
    let (most, p) = (rules.most_ahead?, learners.count);
    let known = rules == Rules::stale_synchronous(most) && k == 1 && learners.are_memoryless();
    if !known || states(p, most)? > MOST_STATES {
        return None;
    }
    let chain = Chain::new(p, usize::try_from(most).ok()?);
    let shares = chain.stationary()?;
    let at_work = |power: i32| -> f64 {
        let working =
            chain.leads.iter().map(|leads| ((p - leads[leads.len() - 1]) as f64).powi(power));
        working.zip(&shares).map(|(working, share)| working * share).sum()
    };
    // A push comes at a rate in proportion to those at work.
    Some(AtWork { mean: at_work(1), others: at_work(2) / at_work(1) - 1.0 })
}

/// Of P learners with leads from 0 to S + 1 whose least is 0: as many as ways to put the other P - 1 in
/// S + 2 places. None if that is a large number.
fn states(p: usize, most: u64) -> Option<usize> {
    let places = usize::try_from(most).ok()?.checked_add(1)?;
    (1..p).try_fold(1_usize, |ways, n| {
        let ways = ways.checked_mul(places.checked_add(n)?)? / n;
        (ways <= 100 * MOST_STATES).then_some(ways)
    })
}

struct Chain {
    leads: Vec<Leads>,
    /// From which states each is come to, and how many learners lead there by their push.
    sources: Vec<Vec<(usize, usize)>>,
}

impl Chain {
    fn new(p: usize, most: usize) -> Self {
        let mut start = vec![0; most + 2];
        start[0] = p;
        let mut found = vec![start.clone()];
        let mut index = HashMap::from([(start, 0)]);
        let mut moves = Vec::new();
        let mut from = 0;
        while from < found.len() {
            for (pushing, next) in successors(&found[from]) {
                let to = *index.entry(next.clone()).or_insert_with(|| {
                    found.push(next);
                    found.len() - 1
                });
                moves.push((from, to, pushing));
            }
            from += 1;
        }
        // In the order in which the leads grow, a sweep carries what is known all the way.
        let mut order: Vec<usize> = (0..found.len()).collect();
        let total =
            |leads: &Leads| leads.iter().enumerate().map(|(lead, n)| lead * n).sum::<usize>();
        order.sort_by_key(|at| total(&found[*at]));
        let mut place = vec![0; found.len()];
        order.iter().enumerate().for_each(|(new, old)| place[*old] = new);
        let mut sources = vec![Vec::new(); found.len()];
        for (from, to, pushing) in moves {
            sources[place[to]].push((place[from], pushing));
        }
        Self { leads: order.into_iter().map(|at| found[at].clone()).collect(), sources }
    }

    /// The share of time in each state, by Gauss and Seidel's iteration; none if it does not settle.
    fn stationary(&self) -> Option<Vec<f64>> {
        let mut shares = vec![1.0 / self.leads.len() as f64; self.leads.len()];
        for _ in 0..MOST_SWEEPS {
            let mut change = 0.0;
            for (at, sources) in self.sources.iter().enumerate() {
                let leads = &self.leads[at];
                let leaving: usize = leads[..leads.len() - 1].iter().sum();
                let coming: f64 =
                    sources.iter().map(|(from, pushing)| shares[*from] * *pushing as f64).sum();
                let share = coming / leaving as f64;
                change += (share - shares[at]).abs();
                shares[at] = share;
            }
            let all: f64 = shares.iter().sum();
            shares.iter_mut().for_each(|share| *share /= all);
            if change < SMALL * all {
                return Some(shares);
            }
        }
        None
    }
}

/// What a push makes of the leads, and how many learners would make that of them.
fn successors(leads: &Leads) -> Vec<(usize, Leads)> {
    let working = (0..leads.len() - 1).filter(|lead| leads[*lead] > 0);
    let push = |lead| {
        let mut next = leads.clone();
        next[lead] -= 1;
        next[lead + 1] += 1;
        if next[0] == 0 {
            // The slowest has caught up with the next, and all leads are one less.
            next.rotate_left(1);
        }
        (leads[lead], next)
    };
    working.map(push).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn of(p: usize, lead: u64) -> AtWork {
        let learners = Learners::alike(p, "exponential:mean=1".parse().unwrap());
        at_work(Rules::stale_synchronous(lead), &learners, 1).unwrap()
    }

    #[test]
    fn without_a_lead_everybody_waits_for_the_slowest() {
        // P pushes in the time of the longest of P minibatches, 1 + 1/2 + ... + 1/P.
        for (p, longest) in [(1, 1.0), (2, 1.5), (4, 1.0 + 0.5 + 1.0 / 3.0 + 0.25)] {
            assert!((of(p, 0).mean - p as f64 / longest).abs() < 1e-9);
        }
    }

    #[test]
    fn of_two_learners_each_difference_is_as_likely() {
        // From -(S + 1) to S + 1; at either end one of them waits.
        for lead in [0, 1, 4, 40] {
            let waits = 2.0 / (2 * lead + 3) as f64;
            let AtWork { mean, others } = of(2, lead);
            assert!((mean - (2.0 - waits)).abs() < 1e-9);
            // Of two at work, each push makes the other's gradient staler.
            let both = 2.0 * (1.0 - waits);
            assert!((others - both / (both + waits)).abs() < 1e-9);
        }
    }

    #[test]
    fn with_a_lead_that_is_never_needed_all_are_at_work() {
        let AtWork { mean, others } = of(3, 60);
        assert!(mean > 2.9 && mean < 3.0 && others > 1.9 && others < 2.0, "{mean} {others}");
        assert!(of(8, 4).mean < of(8, 6).mean);
    }

    #[test]
    fn states_are_as_many_as_are_found() {
        for (p, lead) in [(1, 3), (2, 0), (3, 2), (5, 4)] {
            assert_eq!(states(p, lead), Some(Chain::new(p, lead as usize).leads.len()));
        }
        assert_eq!(states(1000, 1000), None);
    }
}
