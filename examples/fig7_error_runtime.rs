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
const END: f64 = 5e5;

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
    // K-async with K = P is sync; gamma' = 1 with gamma = p0 / 2 for async, p0 = 1/P.
    let stale = GammaPrime::new(0.5 / P as f64, 1.0 / P as f64).expect("1 is above 0");
    let trajectories = [
        ("sync", P, GammaPrime::LEMMA_2, Look::Curve),
        ("sync", P, GammaPrime::FRESH, Look::Thin),
        ("async", 1, stale, Look::Curve),
    ];
    let (mut lines, mut rows, mut lowest) = (Vec::new(), Vec::new(), Vec::new());
    for (name, k, gamma_prime, look) in trajectories {
        let step = Step { rate: 1.28e-3, k, minibatch: 1 };
        let bound = Bound::strongly_convex(&constants, step, gamma_prime)
            .expect("the rate is below 1 / (2 L)");
        let time =
            update_time(Variant::KAsync, &distribution, P, k).mean_update_time.unwrap_or(f64::NAN);
        let at = |n: i32| (END * f64::from(n) / 500.0, bound.at(END * f64::from(n) / 500.0, time));
        let (floor, gamma) = (bound.floor.ln(), gamma_prime.value());
        rows.push(format!("{name},{gamma},{time:.4},{floor:.3},{:.6}", bound.decay()));
        let points: Vec<(f64, f64)> = (0..=500).map(at).collect();
        lowest.push(points.clone());
        let points = points.into_iter().map(Dot::from).collect();
        lines.push(Line { name: name.into(), look, points });
    }
    let crossing = |slow: &[(f64, f64)]| {
        let both = slow.iter().zip(&lowest[2]);
        both.skip(1).find(|(slow, fast)| slow.1 <= fast.1).map_or(f64::NAN, |(slow, _)| slow.0)
    };
    rows.push(format!("crossing,1,{:.0},,", crossing(&lowest[0])));
    rows.push(format!("crossing,1.5,{:.0},,", crossing(&lowest[1])));
    let chart = Chart {
        title: String::new(),
        across: Scale::linear("run time (s)"),
        up: Scale::log("bound on E[F(w)] - F*"),
        lines,
    };
    let thin = "theorem 3 with gamma = 0, p0 = 1 in place of lemma 2".to_owned();
    let caption =
        "After figure 7 of Dutta et al. 2018: P=8, exponential times of mean 1".to_owned();
    let sheet = Sheet { charts: vec![chart], thin, caption };
    args.write("fig7-error-runtime", &sheet, "name,gamma_prime,seconds,ln_floor,decay", &rows)
}
