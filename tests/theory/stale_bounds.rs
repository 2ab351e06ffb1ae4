//! Bounds on the error beside the error itself, with stale gradients: K-async on a quadratic, whose
//! expectation has an exact recursion under exponential times.

use crate::domination::{dominates, means};
use tortoise::theory::error::{
    Bound, Compensated, Constants, GammaPrime, NonConvex, Step, p0_of_gamma,
};

const UPDATES: usize = 2000;

/// Second moments of K-async on lambda w^2 / 2 with exponential times, exactly: every K learners
/// are equally likely to be the next, independent of what they hold.
#[derive(Clone, Copy)]
struct Stale {
    /// E w^2, E w m, E of the mean of h_i^2, E m^2: h_i is what learner i read, m the mean of all.
    moments: [f64; 4],
    lambda: f64,
}

impl Stale {
    fn new(lambda: f64, start: f64) -> Self {
        Self { moments: [start.powi(2); 4], lambda }
    }

    fn step(&mut self, rate: f64, noise: f64, p: f64, k: f64) {
        let [ww, wm, hh, mm] = self.moments;
        let (eta, r) = (rate * self.lambda, k / p);
        let pair = if p > 1.0 { (p * mm - hh) / (p - 1.0) } else { hh };
        let used = hh / k + (k - 1.0) / k * pair;
        let next_ww = ww - 2.0 * eta * wm + eta.powi(2) * used + rate.powi(2) * noise / k;
        if k == p {
            // All hold w. The formulas below say so too, but rounding errors would grow in them.
            self.moments = [next_ww; 4];
            return;
        }
        let (next_m, next_used) = (wm - eta * mm, wm - eta * used);
        self.moments = [
            next_ww,
            next_m + r * (next_ww - next_used),
            (1.0 - r) * hh + r * next_ww,
            mm + 2.0 * r * (next_m - mm) + r.powi(2) * (next_ww - 2.0 * next_used + used),
        ];
    }

    fn gap(&self) -> f64 {
        self.lambda * self.moments[0] / 2.0
    }

    /// E||grad F(w_j)||^2, E||grad F(w_j) - grad F(w_tau)||^2, E||grad F(w_tau)||^2.
    fn gradients(&self) -> [f64; 3] {
        let [ww, _, hh, _] = self.moments;
        [ww, self.drift(), hh].map(|moment| self.lambda.powi(2) * moment)
    }

    /// E||w_j - w_tau||^2.
    fn drift(&self) -> f64 {
        let [ww, wm, hh, _] = self.moments;
        // Zero but for rounding where all learners wait.
        (ww - 2.0 * wm + hh).max(0.0)
    }
}

/// The two coordinates of a quadratic with L = 1, c = 0.2, and noise of variance 1 in each.
fn stale(rates: impl Iterator<Item = f64>, p: usize, k: usize) -> Vec<[Stale; 2]> {
    let mut both = [Stale::new(1.0, 1.0), Stale::new(0.2, 1.0)];
    let mut run = vec![both];
    for rate in rates {
        both.iter_mut().for_each(|coordinate| coordinate.step(rate, 1.0, p as f64, k as f64));
        run.push(both);
    }
    run
}

fn gap(both: &[Stale; 2]) -> f64 {
    both.iter().map(Stale::gap).sum()
}

fn gradients(both: &[Stale; 2]) -> [f64; 3] {
    let [a, b] = both.each_ref().map(Stale::gradients);
    [a[0] + b[0], a[1] + b[1], a[2] + b[2]]
}

const QUADRATIC: Constants = Constants {
    smoothness: 1.0,
    convexity: 0.2,
    variance: 2.0,
    gradient_variance: 0.0,
    initial_gap: 0.6,
};

#[test]
fn no_update_is_above_the_bounds_for_stale_gradients() {
    let (mut bounded, mut without) = (0, 0);
    for (p, k) in [(1, 1), (2, 1), (4, 1), (8, 1), (8, 2), (8, 4), (8, 8), (20, 10)] {
        for rate in [0.5, 0.25, 0.1, 0.05, 0.01] {
            let case = format!("P={p} K={k} rate={rate}");
            let run = stale(std::iter::repeat_n(rate, UPDATES), p, k);
            let moments: Vec<_> = run.iter().map(gradients).collect();
            let gamma = moments.iter().map(|[now, apart, _]| apart / now).fold(0.0, f64::max);
            let p0 = k as f64 / p as f64;
            for [now, apart, then] in moments.iter().copied() {
                let shares = [p0, p0_of_gamma(apart / now)];
                assert!(shares.iter().all(|p0| then >= p0 * now * (1.0 - 1e-9)), "{case}");
            }
            let step = Step { rate, k, minibatch: 1 };
            let Ok(gamma_prime) = GammaPrime::new(gamma, p0.max(p0_of_gamma(gamma))) else {
                without += 1;
                continue;
            };
            let bound = Bound::strongly_convex(&QUADRATIC, step, gamma_prime).unwrap();
            dominates(|j| bound.after(j), run.iter().map(gap), &case);
            let average = NonConvex::new(&QUADRATIC, step, gamma_prime).unwrap();
            dominates(|n| average.after(n + 1.0), means(moments.iter().map(|m| m[0])), &case);
            bounded += 1;
        }
    }
    assert!(bounded > 25 && without > 0, "{bounded} with a bound, {without} without");
}

#[test]
fn compensated_rates_keep_within_their_bound() {
    let mut needed = 0;
    for (p, k) in [(2, 1), (8, 1), (8, 4), (20, 10)] {
        for (first, half) in [(0.5, 100.0), (0.5, 1e5), (0.1, 1000.0)] {
            let rates = move || (0..UPDATES).map(move |j| first / (1.0 + j as f64 / half));
            let run = stale(rates(), p, k);
            let drift = |both: &[Stale; 2]| both.iter().map(Stale::drift).sum::<f64>();
            let c = run.iter().zip(rates()).map(|(both, rate)| rate * drift(both));
            let c = c.fold(0.0, f64::max);
            let p0 = k as f64 / p as f64;
            let compensated = Compensated { c, p0, k, minibatch: 1 };
            let gaps = compensated.gaps(&QUADRATIC, rates()).unwrap();
            assert_eq!(gaps.len(), run.len());
            dominates(
                |j| gaps[j as usize],
                run.iter().map(gap),
                &format!("P={p} K={k} {first} {half}"),
            );
            let still = Compensated { c: 0.0, ..compensated };
            let without = still.gaps(&QUADRATIC, rates()).unwrap();
            needed += usize::from(run.iter().map(gap).zip(without).any(|(gap, bound)| gap > bound));
        }
    }
    assert!(needed > 0, "how far parameters move has to be counted");
}

#[test]
fn parameters_that_move_add_to_the_bound() {
    let constants = Constants { smoothness: 3.0, ..QUADRATIC };
    let gaps = Compensated { c: 0.4, p0: 0.5, k: 1, minibatch: 1 };
    // C L^2 / 2 = 1.8 for each update; nothing else happens where the rate is 0.
    for (j, gap) in gaps.gaps(&constants, [0.0; 5]).unwrap().into_iter().enumerate() {
        assert!((gap - 0.6 - 1.8 * j as f64).abs() < 1e-12, "j={j}: {gap}");
    }
}
