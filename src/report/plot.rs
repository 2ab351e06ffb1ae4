//! Charts with axes, drawn as SVG and as PNG.

pub(crate) mod axis;
pub mod bars;
mod chart;
mod frame;
mod labels;
mod line;
mod marker;
mod sheet;

pub use self::{
    chart::{Chart, Scale},
    line::{Dot, Line, Look},
    sheet::Sheet,
};
