//! Figure 7 of Dutta et al. 2018: the bounds on the error of sync and async against run time, at the
//! same learning rate (lemma 2, theorem 3). The paper names no constants; these give its picture.

mod common;

use clap::Parser;
use tortoise::{
    Result,
    cluster::delay::Distribution,
    report::plot::{Chart, Dot, Line, Look, Scale, Sheet},
    sgd::Variant,
    theory::{
        error::{Bound, Constants, GammaPrime, Step},
        runtime::update_time,
    },
};

const P: usize = 8;
/// Run time up to which the bounds are drawn, and in how many points.
const END: f64 = 5e5;
const POINTS: i32 = 500;

/// When the bound of the slower entrant first falls to that of the faster one, in seconds.
fn crossing(slower: &Line, faster: &Line) -> f64 {
    let mut both = slower.points.iter().zip(&faster.points).skip(1);
    both.find(|(slow, fast)| slow.y <= fast.y).map_or(f64::NAN, |(slow, _)| slow.x)
}

fn main() -> Result<()> {
    let args = common::Args::parse();
    let distribution = Distribution::Exponential { mean: 1.0 };
    let constants = Constants {
        smoothness: 1.0,
        convexity: 0.1,
        variance: 0.387,
        gradient_variance: 0.0,
        initial_gap: 7_f64.exp(),
    };
    // gamma' = 1 with gamma = p0 / 2 for async, p0 = 1/P.
    let stale = GammaPrime::new(0.5 / P as f64, 1.0 / P as f64).expect("1 is above 0");
    // K-async with K = P is sync, and with K = 1 it is async.
    let bounds = [
        ("sync", P, GammaPrime::LEMMA_2, Look::Curve),
        ("sync", P, GammaPrime::FRESH, Look::Thin),
        ("async", 1, stale, Look::Curve),
    ];
    let (mut lines, mut rows) = (Vec::new(), Vec::new());
    for (name, k, gamma_prime, look) in bounds {
        let step = Step { rate: 1.28e-3, k, minibatch: 1 };
        let bound = Bound::strongly_convex(&constants, step, gamma_prime)
            .expect("the rate is below 1 / (2 L)");
        let time = update_time(Variant::KAsync, &distribution, P, k).mean_update_time;
        let time = time.expect("it is known for exponential times");
        let (floor, gamma) = (bound.floor.ln(), gamma_prime.value());
        rows.push(format!("{name},{gamma},{time:.4},{floor:.3},{:.6}", bound.decay()));
        let points = (0..=POINTS).map(|n| END * f64::from(n) / f64::from(POINTS));
        let points = points.map(|at| Dot::from((at, bound.at(at, time))));
        lines.push(Line::new(name, look, points));
    }
    rows.push(format!("crossing,1,{:.0},,", crossing(&lines[0], &lines[2])));
    rows.push(format!("crossing,1.5,{:.0},,", crossing(&lines[1], &lines[2])));
    let (across, up) = (Scale::linear("run time (s)"), Scale::log("bound on E[F(w)] - F*"));
    let caption = "After figure 7 of Dutta et al. 2018: P=8, exponential times of mean 1";
    let sheet = Sheet::new(vec![Chart::new(across, up, lines)], caption)
        .with_thin("theorem 3 with gamma = 0, p0 = 1 in place of lemma 2");
    args.write("fig7-error-runtime", &sheet, "name,gamma_prime,seconds,ln_floor,decay", &rows)
}
