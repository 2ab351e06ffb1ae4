//! Charts with axes, drawn as SVG and as PNG.

pub(crate) mod axis;
pub mod bars;
mod chart;
mod frame;
mod labels;
mod marker;
mod sheet;

pub use self::{
    chart::{Chart, Dot, Line, Look, Scale},
    sheet::Sheet,
};
