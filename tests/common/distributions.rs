//! A distribution of each kind, two of them with a shift, with a variance that standard errors can be told from.

pub(crate) const DISTRIBUTIONS: [&str; 11] = [
    "exponential:mean=1",
    "shifted-exponential:shift=1,mean=1",
    "uniform:low=0,high=2",
    "weibull:shape=2,scale=1",
    "weibull:shape=0.5,scale=1",
    "hyperexponential:p=0.9,mean1=0.5,mean2=5.5",
    "pareto:shape=3,scale=1",
    "bimodal:fast=1,slow=10,p=0.4",
    "constant:1",
    "weibull:shape=0.5,scale=1,shift=0.5",
    "pareto:shape=3,scale=1,shift=0.5",
];
