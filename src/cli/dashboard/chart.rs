//! Training loss against run time, updates or gradients, as curves of Braille dots.

use ratatui::{
    buffer::Buffer,
    layout::Rect,
    style::{Modifier, Style},
    symbols::Marker,
    text::{Line, Span},
    widgets::{
        Widget,
        canvas::{Canvas, Line as Stroke, Points},
    },
};

use super::{
    curve::Evaluated,
    palette::{EntrantStyle, Palette},
    state::State,
    view::{Across, View},
};
use crate::report::plot::axis::Axis;

/// One curve: its look, its places between the axes, and whether it is that of the run in progress.
struct Curve {
    look: EntrantStyle,
    points: Vec<(f64, f64)>,
    current: bool,
}

/// Draws all curves so far.
pub(super) fn draw(buffer: &mut Buffer, area: Rect, state: &State, palette: &Palette, view: &View) {
    let (curves, trace) = curves(state, palette, view);
    let all = || curves.iter().flat_map(|curve| &curve.points).chain(&trace).copied();
    let (across, up) = axes(state, view, all());
    let faint = palette.faint();
    let labels = up.ticks();
    let gutter = labels.iter().map(|(_, label)| label.len()).max().unwrap_or(0) as u16 + 2;
    if area.width < 2 * gutter || area.height < 4 {
        return;
    }
    let (x, y) = (area.x + gutter, area.y + 1);
    let plot = Rect { x, y, width: area.width - gutter, height: area.height - 3 };
    let title = if view.log_up { "training loss, log" } else { "training loss" };
    Line::styled(title, faint).render(Rect { height: 1, ..area }, buffer);
    draw_up(buffer, plot, &up, faint);
    draw_across(buffer, plot, &across, view, faint);
    if all().next().is_none() {
        let text = Line::styled("no loss yet", faint);
        text.render(Rect { x: plot.x + 2, y: plot.y + plot.height / 2, height: 1, ..plot }, buffer);
    }
    let place = |&(x, y): &(f64, f64)| {
        let x = if view.log_across { x.max(across.low()) } else { x };
        (across.place(x).clamp(0.0, 1.0), up.place(y).clamp(0.0, 1.0))
    };
    let dots: Vec<(f64, f64)> = trace.iter().map(place).collect();
    let places: Vec<(&Curve, Vec<(f64, f64)>)> =
        curves.iter().map(|curve| (curve, curve.points.iter().map(place).collect())).collect();
    let canvas = Canvas::default().marker(Marker::Braille);
    let canvas = canvas.x_bounds([0.0, 1.0]).y_bounds([0.0, 1.0]).paint(|canvas| {
        canvas.draw(&Points { coords: &dots, color: palette.grey() });
        canvas.layer();
        for (curve, places) in &places {
            for pair in places.windows(2) {
                let [(x1, y1), (x2, y2)] = [pair[0], pair[1]];
                canvas.draw(&Stroke { x1, y1, x2, y2, color: curve.look.colour });
            }
        }
        for (Curve { look, current, .. }, places) in &places {
            let Some(&(x, y)) = places.last() else { continue };
            let bold = if *current { Modifier::BOLD } else { Modifier::empty() };
            canvas.print(x, y, Span::styled(look.mark, look.style().add_modifier(bold)));
        }
    });
    canvas.render(plot, buffer);
}

/// The curves, that of the run in progress last, and the losses of its minibatches. Where these are
/// all that is known of it, they are its curve.
fn curves(state: &State, palette: &Palette, view: &View) -> (Vec<Curve>, Vec<(f64, f64)>) {
    let known = |point: &Evaluated| point.loss.is_finite() && (point.loss > 0.0 || !view.log_up);
    let place = |point: Evaluated| match view.across {
        Across::Time => (point.time, point.loss),
        Across::Updates => (point.updates, point.loss),
        Across::Gradients => (point.gradients, point.loss),
    };
    let mut curves = Vec::new();
    for (at, entrant) in state.entrants.iter().enumerate() {
        let look = palette.entrant(at);
        for curve in &entrant.curves {
            let points = curve.points().filter(known).map(place).collect();
            curves.push(Curve { look, points, current: false });
        }
    }
    let mut dots = Vec::new();
    if let Some(run) = state.run.as_ref().filter(|run| run.ended.is_none()) {
        let trace = run.trace.points().filter(known).map(place);
        let mut points: Vec<_> = run.evaluated.points().filter(known).map(place).collect();
        if run.evaluated.is_empty() {
            points = trace.collect();
        } else {
            dots = trace.collect();
        }
        curves.push(Curve { look: palette.entrant(run.entrant), points, current: true });
    }
    (curves, dots)
}

/// The axes: across as far as the runs may go, up from a round loss to a round loss, so that they
/// seldom move.
fn axes(
    state: &State,
    view: &View,
    points: impl Iterator<Item = (f64, f64)> + Clone,
) -> (Axis, Axis) {
    let race = state.race.as_deref();
    let limit = race.and_then(|race| match view.across {
        Across::Time => race.budget,
        Across::Updates if race.budget.is_none() => race.updates.map(|updates| updates as f64),
        Across::Updates | Across::Gradients => None,
    });
    let right = points.clone().map(|(x, _)| x).fold(0.0, f64::max);
    let right = limit.unwrap_or_else(|| round_up(right));
    let left = points.clone().map(|(x, _)| x).filter(|x| *x > 0.0).fold(f64::INFINITY, f64::min);
    let across = match view.log_across && left < right {
        true => Axis::log(left.max(1e-4 * right), right),
        false => Axis::from_zero(right),
    };
    let losses = points.map(|(_, loss)| loss).filter(|loss| *loss > 0.0);
    let first = losses.clone().next().unwrap_or(1.0);
    // An entrant that diverges does not flatten the others.
    let high = losses.clone().fold(0.0, f64::max).min(3.0 * first);
    let low = losses.fold(f64::INFINITY, f64::min);
    let up = match view.log_up {
        true => Axis::log(round_down(low), round_up(high)),
        false => Axis::from_zero(round_up(high)),
    };
    (across, up)
}

/// The next round number that is not below `value`.
fn round_up(value: f64) -> f64 {
    steps(value).into_iter().find(|step| *step >= value * (1.0 - 1e-9)).unwrap_or(value)
}

/// The next round number that is not above `value`.
fn round_down(value: f64) -> f64 {
    steps(value).into_iter().rfind(|step| *step <= value * (1.0 + 1e-9)).unwrap_or(value)
}

fn steps(value: f64) -> [f64; 7] {
    let decade = 10_f64.powf(value.log10().floor());
    [1.0, 1.5, 2.0, 3.0, 5.0, 7.0, 10.0].map(|step| step * decade)
}

/// The edge on the left with its ticks.
fn draw_up(buffer: &mut Buffer, plot: Rect, up: &Axis, faint: Style) {
    for row in plot.rows() {
        Line::styled("│", faint).render(Rect { x: plot.x - 1, width: 1, ..row }, buffer);
    }
    let mut free = 0;
    for (value, label) in up.ticks().into_iter().rev() {
        let dots = f64::from(4 * plot.height - 1);
        let row = ((1.0 - up.place(value)) * dots / 4.0) as u16;
        if row < free || row >= plot.height {
            continue;
        }
        free = row + 1;
        let width = label.len() as u16 + 2;
        let area = Rect { x: plot.x - width, y: plot.y + row, width, height: 1 };
        Line::styled(format!("{label} ┤"), faint).render(area, buffer);
    }
}

/// The edge below with its ticks, and what it measures at its end.
fn draw_across(buffer: &mut Buffer, plot: Rect, across: &Axis, view: &View, faint: Style) {
    let mut edge: Vec<char> = vec!['─'; plot.width.into()];
    let mut labels: Vec<char> = vec![' '; plot.width.into()];
    let title = match view.across {
        Across::Time => "run time (s)",
        Across::Updates => "updates",
        Across::Gradients => "gradients",
    };
    let end = labels.len().saturating_sub(title.len());
    let mut free = 0;
    for (value, label) in across.ticks() {
        let column = (across.place(value) * f64::from(2 * plot.width - 1) / 2.0) as usize;
        let start = column.saturating_sub(label.len() / 2);
        if column >= edge.len() {
            continue;
        }
        edge[column] = '┬';
        if start >= free && start + label.len() + 1 < end {
            let place = labels[start..].iter_mut();
            place.zip(label.chars()).for_each(|(place, letter)| *place = letter);
            free = start + label.len() + 1;
        }
    }
    labels[end..].iter_mut().zip(title.chars()).for_each(|(place, letter)| *place = letter);
    let below = Rect { y: plot.y + plot.height, height: 1, ..plot };
    let corner = Rect { x: plot.x - 1, width: plot.width + 1, ..below };
    let edge = ['└'].into_iter().chain(edge).collect::<String>();
    Line::styled(edge, faint).render(corner, buffer);
    let labels = Line::styled(labels.into_iter().collect::<String>(), faint);
    labels.render(Rect { y: below.y + 1, ..below }, buffer);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_losses_enclose() {
        for (value, down, up) in
            [(0.4, 0.3, 0.5), (2.3, 2.0, 3.0), (0.2, 0.2, 0.2), (9.0, 7.0, 10.0)]
        {
            assert!((round_down(value) - down).abs() < 1e-9, "{value}: {}", round_down(value));
            assert!((round_up(value) - up).abs() < 1e-9, "{value}: {}", round_up(value));
        }
        assert!(round_up(0.0) == 0.0 && round_down(f64::INFINITY) == f64::INFINITY);
    }
}
