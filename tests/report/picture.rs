//! The steps from a picture to a prepared digit, each by itself, on pictures one can see before one's
//! eyes.

use image::{Luma, Rgb, Rgb32FImage};
use tortoise::picture::{
    Plane,
    field::{SIDE, place, prepared, stroke_width, widened},
    ink::ink,
    paper::{local, surface},
    parts::parts,
    prepare,
    strokes::{self, threshold, together},
};

/// What `of` gives for each pixel.
fn picture(width: u32, height: u32, of: impl Fn(u32, u32) -> [f32; 3]) -> Rgb32FImage {
    Rgb32FImage::from_fn(width, height, |x, y| Rgb(of(x, y)))
}

fn plane(width: u32, height: u32, of: impl Fn(u32, u32) -> f32) -> Plane {
    Plane::from_fn(width, height, |x, y| Luma([of(x, y)]))
}

/// A plane drawn in text: `#` is ink, anything else is none.
fn drawn(rows: &[&str]) -> Plane {
    let ink = |x: u32, y: u32| rows[y as usize].as_bytes()[x as usize] == b'#';
    plane(rows[0].len() as u32, rows.len() as u32, |x, y| f32::from(u8::from(ink(x, y))))
}

/// Whether a pixel is on a bar down the middle third.
fn bar(x: u32, y: u32, side: u32) -> bool {
    (4 * side..6 * side).contains(&(10 * x)) && (2 * side..8 * side).contains(&(10 * y))
}

#[test]
fn the_paper_is_what_is_under_the_ink() {
    let light = |x: u32, y: u32| {
        let (x, y) = (x as f32 / 100.0, y as f32 / 100.0);
        [0.9 - 0.3 * x, 0.8 - 0.2 * y * y, 0.5 + 0.2 * x * y]
    };
    let inked =
        picture(100, 100, |x, y| if bar(x, y, 100) { [0.1, 0.0, 0.3] } else { light(x, y) });
    let paper = surface(&inked);
    for (x, y) in [(0, 0), (99, 0), (50, 50), (45, 30), (99, 99)] {
        let (Rgb(actual), expected) = (*paper.get_pixel(x, y), light(x, y));
        for (actual, expected) in actual.iter().zip(expected) {
            assert!((actual - expected).abs() < 0.01, "{actual} is not {expected} at {x}, {y}");
        }
    }
}

#[test]
fn the_edge_of_a_shadow_is_in_the_paper() {
    let light = |x: u32, y: u32| if x + y < 110 { 0.9 } else { 0.5 };
    let thin = |x: u32, y: u32| x.abs_diff(50) < 4 && (30..70).contains(&y);
    let inked = picture(100, 100, |x, y| [if thin(x, y) { 0.1 } else { light(x, y) }; 3]);
    let paper = local(&inked);
    for (x, y) in [(5, 5), (50, 50), (50, 65), (99, 99), (20, 80), (80, 20)] {
        assert!((paper.get_pixel(x, y).0[0] - light(x, y)).abs() < 0.02, "{x}, {y}");
    }
}

/// A line down the diagonal, with a black speck on it.
fn faint_line(side: u32) -> Plane {
    plane(side, side, |x, y| match (x.abs_diff(y), x.abs_diff(side / 2)) {
        (0..2, 0..2) => 1.0,
        (0..2, _) => 0.02,
        _ => 0.0,
    })
}

#[test]
fn a_speck_on_a_faint_line_takes_no_more_pixels_than_a_digit() {
    // At 120 pixels for the speck, the larger line would have 120000 by 120000.
    for side in [20, 3000] {
        let digit = place(&faint_line(side)).unwrap();
        assert!(digit.0.iter().sum::<f32>() > 5.0, "{side}");
    }
}

#[test]
fn a_digit_is_found_across_the_edge_of_a_shadow_and_on_a_sheet_on_a_table() {
    let seven = |x: u32, y: u32| {
        (100..170).contains(&x) && (90..102).contains(&y)
            || (90..190).contains(&y) && x.abs_diff(164 - 6 * (y - 90) / 10) < 6
    };
    let alone = prepare(&picture(280, 280, |x, y| [if seven(x, y) { 0.1 } else { 0.9 }; 3]));
    let alone = alone.unwrap();
    let shade = |x: u32, y: u32| if x + y < 270 { 1.0 } else { 0.55 };
    let shaded = picture(280, 280, |x, y| [shade(x, y) * if seven(x, y) { 0.1 } else { 0.9 }; 3]);
    let sheet = |x: u32, y: u32| (60..220).contains(&x) && (50..230).contains(&y);
    let on_table = picture(280, 280, |x, y| match (seven(x, y), sheet(x, y)) {
        (true, _) => [0.1; 3],
        (_, true) => [0.9; 3],
        _ => [0.3, 0.2, 0.1],
    });
    for other in [shaded, on_table] {
        let other = prepare(&other).unwrap();
        let apart = other.0.iter().zip(alone.0).map(|(a, b)| (a - b).abs()).sum::<f32>();
        assert!(apart < 0.25 * alone.0.iter().sum::<f32>(), "{apart}");
    }
}

#[test]
fn ink_is_ink_whatever_its_colour_and_that_of_the_paper() {
    let [black, white, red, teal, grey] =
        [[0.0; 3], [1.0; 3], [0.8, 0.1, 0.1], [0.1, 0.5, 0.5], [0.6; 3]];
    for (on, paper, contrast) in [
        (black, white, 1.0),
        (white, black, 1.0),
        (red, teal, 0.52),
        (teal, white, 0.66),
        (grey, white, 0.4),
    ] {
        let picture = picture(50, 50, |x, y| if bar(x, y, 50) { on } else { paper });
        let [ink, _] = ink(&picture, &surface(&picture)).unwrap();
        for (x, y, pixel) in ink.enumerate_pixels() {
            let expected = if bar(x, y, 50) { contrast } else { 0.0 };
            assert!((pixel.0[0] - expected).abs() < 0.01, "{pixel:?} of {on:?} on {paper:?}");
        }
    }
}

#[test]
fn nothing_is_found_on_blank_paper() {
    for side in [1, 2, 5, 28, 300] {
        assert_eq!(prepare(&picture(side, side, |_, _| [0.3, 0.9, 0.5])), None);
        let shaded =
            picture(side, side, |x, y| [0.9 - 0.4 * (x + y) as f32 / (2 * side) as f32; 3]);
        assert_eq!(prepare(&shaded), None);
    }
    assert_eq!(prepare(&picture(400, 1, |_, _| [1.0; 3])), None);
    let speck = picture(100, 100, |x, y| if x == 50 && y / 2 == 30 { [0.0; 3] } else { [1.0; 3] });
    assert_eq!(prepare(&speck), None);
}

#[test]
fn what_touches_even_at_a_corner_hangs_together() {
    let ink = drawn(&[
        "##......", //
        "..#....#", //
        ".......#", //
        "#.......",
    ]);
    let mut parts = parts(&ink, 0.5);
    parts.sort_by_key(|part| part.places.len());
    let found: Vec<_> = parts.iter().map(|part| (part.places.len(), part.around)).collect();
    assert_eq!(found, [(1, [0, 3, 0, 3]), (2, [7, 1, 7, 2]), (3, [0, 0, 2, 1])]);
}

#[test]
fn specks_edges_and_what_is_far_away_are_no_part_of_a_digit() {
    let ink = drawn(&[
        "####..............", //
        "####..............", //
        "....####..........", //
        "....##.#.#........", //
        "....####.........#", //
        "....####.........#", //
        "....####.##......#", //
        "..................",
    ]);
    let size = ink.dimensions();
    let around: Vec<_> =
        together(parts(&ink, 0.5), size).into_iter().map(|part| part.around).collect();
    // The corner comes in from the edge; the column on the right is far away.
    assert_eq!(around, [[0, 0, 7, 6], [9, 3, 9, 3], [9, 6, 10, 6]]);
    let alone = drawn(&["......##", ".##...##", ".##.....", ".##.....", ".##....."]);
    let around = together(parts(&alone, 0.5), alone.dimensions());
    assert_eq!(around.iter().map(|part| part.around).collect::<Vec<_>>(), [[1, 1, 2, 4]]);
}

#[test]
fn of_what_is_near_a_digit_only_a_fiftieth_of_its_ink_belongs_to_it() {
    for (length, count) in [(3, 1), (4, 2)] {
        let digit = |x: u32, y: u32| (20..30).contains(&x) && (20..40).contains(&y);
        let speck = |x: u32, y: u32| x == 33 && (25..25 + length).contains(&y);
        let ink = plane(60, 60, |x, y| f32::from(u8::from(digit(x, y) || speck(x, y))));
        assert_eq!(together(parts(&ink, 0.5), (60, 60)).len(), count, "{length} of 200");
    }
}

#[test]
fn one_of_many_specks_is_no_digit() {
    let dotted = |dots: u32| {
        let ink = plane(100, 100, |x, y| {
            f32::from(u8::from(x % 12 < 6 && y % 12 < 6 && x / 12 > 1 && x / 12 < 2 + dots))
        });
        strokes::digit(&[ink.clone(), ink])
    };
    assert!(dotted(5).is_none());
    let alone = plane(100, 100, |x, y| f32::from(u8::from(bar(x, y, 100))));
    assert!(strokes::digit(&[alone.clone(), alone]).is_some());
}

#[test]
fn the_threshold_is_above_the_noise_and_below_the_ink() {
    let noise = |x: u32, y: u32| (((x * 7 + y * 13) % 11) as f32 - 5.0) / 100.0;
    let inked = plane(100, 100, |x, y| {
        (if bar(x, y, 100) { 0.6 } else { 0.0 } + noise(x, y)).clamp(0.0, 1.0)
    });
    let found = threshold(&inked).unwrap();
    assert!((0.1..0.5).contains(&found), "{found}");
    assert_eq!(threshold(&plane(100, 100, |x, y| noise(x, y).max(0.0))), None);
    assert_eq!(threshold(&plane(9, 9, |_, _| 0.7)), None);
}

#[test]
fn a_stroke_is_as_wide_as_it_is() {
    for width in [3, 6, 10, 24] {
        let stroke = plane(150, 60, |x, y| {
            f32::from(u8::from((10..140).contains(&x) && (20..20 + width).contains(&y)))
        });
        let measured = stroke_width(&stroke);
        assert!((measured - width as f32).abs() < 0.12 * width as f32 + 0.6, "{measured}: {width}");
        let wider = stroke_width(&widened(&stroke, 2.0));
        assert!((wider - measured - 4.0).abs() < 1.0, "{wider} after {measured}");
    }
    assert_eq!(stroke_width(&plane(5, 5, |_, _| 0.0)), 0.0);
}

/// Left, top, right and bottom of the ink of a field, and its centre of mass as MNIST counts.
fn measured(field: &[f32; SIDE * SIDE]) -> ([usize; 4], [f32; 2]) {
    let inked = || (0..SIDE * SIDE).filter(|at| field[*at] > 0.1);
    let (columns, rows) = (inked().map(|at| at % SIDE), inked().map(|at| at / SIDE));
    let around = [
        columns.clone().min().unwrap(),
        rows.clone().min().unwrap(),
        columns.max().unwrap(),
        rows.max().unwrap(),
    ];
    let mass: f32 = field.iter().sum();
    let mean = |of: &dyn Fn(usize) -> usize| {
        (0..SIDE * SIDE).map(|at| field[at] * of(at) as f32).sum::<f32>() / mass
    };
    (around, [mean(&|at| at % SIDE), mean(&|at| at / SIDE)])
}

#[test]
fn a_digit_fills_twenty_pixels_with_its_mass_at_pixel_fourteen() {
    // An L: its mass is to the left and below the middle of its box.
    let shape = |side: u32| {
        plane(side, side, move |x, y| {
            let (x, y) = (20 * x / side, 20 * y / side);
            f32::from(u8::from(
                (4..6).contains(&x) && (2..18).contains(&y)
                    || (4..14).contains(&x) && (16..18).contains(&y),
            ))
        })
    };
    for side in [20, 40, 100, 640] {
        let field = place(&shape(side)).unwrap().0;
        let ([left, top, right, bottom], centre) = measured(&field);
        assert!((19..=20).contains(&(bottom + 1 - top)), "{side}: {top} to {bottom}");
        assert!((11..=14).contains(&(right + 1 - left)), "{side}: {left} to {right}");
        assert!(centre.iter().all(|at| (at - 14.0).abs() <= 0.6), "{side}: {centre:?}");
        assert!(field.iter().all(|value| (0.0..=1.0).contains(value)));
        assert!(field.iter().fold(0.0_f32, |most, value| most.max(*value)) > 0.95);
    }
}

#[test]
fn strokes_become_as_wide_as_those_of_mnist() {
    let ring = |radius: f32, width: f32| {
        plane(300, 300, move |x, y| {
            let away = ((x as f32 - 150.0).hypot(y as f32 - 150.0) - radius).abs();
            (width / 2.0 - away + 0.5).clamp(0.0, 1.0)
        })
    };
    for (width, low, high) in [(4.0, 1.5, 2.9), (30.0, 2.0, 3.2), (80.0, 3.3, 5.5)] {
        let field = place(&ring(100.0, width)).unwrap().0;
        let side = SIDE as u32;
        let fine = plane(10 * side, 10 * side, |x, y| field[(y / 10 * side + x / 10) as usize]);
        let measured = stroke_width(&fine) / 10.0;
        assert!((low..=high).contains(&measured), "{width} became {measured}");
    }
}

#[test]
fn a_prepared_digit_comes_back_as_it_is() {
    let field = |x: u32, y: u32| {
        let inside = (12..17).contains(&x) && (5..24).contains(&y);
        if inside { x as f32 / 20.0 } else { 0.0 }
    };
    let digit = picture(28, 28, |x, y| [field(x, y); 3]);
    let expected: Vec<f32> = (0..784).map(|at| field(at % 28, at / 28)).collect();
    assert_eq!(prepare(&digit).unwrap().0.to_vec(), expected);
    // On white, off the middle, in colour or of another size it has to be prepared.
    let inverted = picture(28, 28, |x, y| [1.0 - field(x, y); 3]);
    let moved = picture(28, 28, |x, y| [if x < 5 { 0.0 } else { field(x - 5, y) }; 3]);
    let coloured = picture(28, 28, |x, y| [field(x, y), 0.0, 0.0]);
    let larger = picture(30, 30, |x, y| [field(x, y); 3]);
    for other in [inverted, moved, coloured, larger] {
        assert_eq!(prepared(&other), None);
        assert!(prepare(&other).is_some());
    }
}

#[test]
fn the_ink_of_a_digit_is_cut_out_with_a_margin() {
    let ink = plane(100, 80, |x, y| {
        f32::from(u8::from((30..50).contains(&x) && (20..60).contains(&y) || (x == 80 && y == 5)))
    });
    let digit = strokes::digit(&[ink.clone(), ink]).unwrap();
    assert!((digit.width - 0.5).abs() < 0.2, "{}", digit.width);
    let digit = digit.ink;
    let inked = digit.pixels().filter(|pixel| pixel.0[0] > 0.0).count();
    assert_eq!((digit.dimensions(), inked), ((24, 44), 800));
}
