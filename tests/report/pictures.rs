//! Pictures of anything that a race can come to: never a panic, always whole, the same bytes for the
//! same race, and every curve inside its frame.

use std::fs;

use resvg::usvg::{Options, Tree};
use tempfile::tempdir;
use tortoise::{
    Error,
    report::{
        figures::race::{Point, Series, draw},
        plot::{Chart, Dot, Line, Look, Scale, Sheet},
    },
};

fn course(name: &str, losses: &[f64], time_per_update: f64) -> Series {
    let point = |(at, &loss): (usize, &f64)| Point {
        time: 10.0 * at as f64,
        updates: (10.0 * at as f64 / time_per_update).floor(),
        loss,
        loss_se: (at % 2 == 1).then_some(0.05 * loss),
    };
    let points = losses.iter().enumerate().map(point).collect();
    Series { name: name.into(), points, time_per_update, bound: Vec::new() }
}

fn races() -> Vec<Vec<Series>> {
    let falling = [2.3, 1.0, 0.5, 0.3];
    vec![
        Vec::new(),
        vec![course("sync", &falling, 2.7)],
        vec![course("sync", &[2.3], 2.7), course("async", &[], f64::NAN)],
        vec![course("sync", &falling, 2.7), course("async", &[2.3, 9e9, f64::NAN, 0.4], 0.125)],
        vec![course("async", &[f64::NAN, f64::INFINITY], 0.0), course("sync", &[0.0, -1.0], -1.0)],
        vec![course("k-sync:2", &[0.5, 0.5], 1.0), course("k-sync:4", &[0.5, 0.5], 1.0)],
        (1..31).map(|k| course(&format!("k-async:{k}"), &falling, k as f64 / 8.0)).collect(),
        vec![course("<&\"weird\">", &falling, 1.0)],
        vec![course("control \u{0} \u{1b} \u{ffff}", &falling, 1.0)],
    ]
}

#[test]
fn whatever_a_race_comes_to_there_are_whole_pictures_of_it() {
    for race in races() {
        let folder = tempdir().unwrap();
        let files =
            draw(&race, "caption with <, & and \"quotes\" ".repeat(9).as_str(), folder.path());
        let files = files.unwrap();
        assert_eq!(files.len(), 8);
        for file in files {
            let bytes = fs::read(&file).unwrap();
            if file.extension().is_some_and(|extension| extension == "png") {
                let picture = image::load_from_memory(&bytes).unwrap();
                assert!(picture.width() > 900 && picture.height() > 600);
            } else {
                let svg = String::from_utf8(bytes).unwrap();
                Tree::from_str(&svg, &Options::default()).unwrap();
                assert!(!svg.contains("NaN") && !svg.contains("inf"), "{svg}");
            }
        }
    }
}

#[test]
fn the_same_race_gives_the_same_bytes() {
    let folders = [tempdir().unwrap(), tempdir().unwrap()];
    let [first, second] =
        folders.each_ref().map(|folder| draw(&races()[3], "twice", folder.path()).unwrap());
    for (first, second) in first.iter().zip(&second) {
        assert_eq!(fs::read(first).unwrap(), fs::read(second).unwrap());
    }
}

#[test]
fn every_entrant_is_named_in_the_legend() {
    let folder = tempdir().unwrap();
    let race = &races()[6];
    draw(race, "", folder.path()).unwrap();
    for picture in ["loss-time", "loss-updates", "frontier", "race"] {
        let svg = fs::read_to_string(folder.path().join(format!("{picture}.svg"))).unwrap();
        assert!(race.iter().all(|series| svg.contains(&format!(">{}</text>", series.name))));
    }
}

#[test]
fn curves_within_the_range_stay_within_the_frame() {
    let folder = tempdir().unwrap();
    draw(&races()[1], "", folder.path()).unwrap();
    let svg = fs::read_to_string(folder.path().join("loss-time.svg")).unwrap();
    let points = svg.split("<polyline points=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(points.split(' ').count(), 4);
    for point in points.split(' ') {
        let (x, y) = point.split_once(',').unwrap();
        let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
        assert!((68.0..=498.0).contains(&x) && (24.0..=354.0).contains(&y), "{point}");
    }
}

#[test]
fn no_line_joins_dots() {
    let points = || [1.0, 2.0, 3.0].map(|x| Dot { x, y: x, error: Some(0.1) }).to_vec();
    let svg = |look| {
        let (across, up) = (Scale::linear("x"), Scale::linear("y"));
        let lines = vec![Line { name: "sync".into(), look, points: points() }];
        let charts = vec![Chart { title: String::new(), across, up, lines }];
        let folder = tempdir().unwrap();
        let sheet = Sheet { charts, thin: String::new(), caption: String::new() };
        fs::read_to_string(&sheet.draw(&folder.path().join("dots")).unwrap()[0]).unwrap()
    };
    let [points, dots] = [Look::Points, Look::Dots].map(svg);
    assert_eq!(points.matches("<polyline").count(), 1);
    assert_eq!(dots.matches("<polyline").count(), 0);
    // A bar and a marker at each point, and the marker of the legend.
    assert_eq!(dots.matches("<path").count(), points.matches("<path").count());
}

#[test]
fn no_text_keeps_a_sheet_from_being_drawn() {
    let long = ["word ".repeat(100_000), "x".repeat(100_000)];
    let texts = [
        "",
        " ",
        "loss & error",
        "a < b > c",
        "\"double\" 'single'",
        "]]> <!-- &#0; &nope; <![CDATA[",
        "</text></svg>",
        "\u{0}\u{8}\u{1b}\u{7f}\u{85}\u{fffe}\u{ffff}",
        "\u{202e}right to left \u{5d0}\u{5d1} a\u{301}\u{302} \u{1f469}\u{200d}\u{1f52c} \u{10ffff}",
        &long[0],
        &long[1],
    ];
    for text in texts {
        let line = |look| Line {
            name: text.into(),
            look,
            points: vec![Dot::from((1.0, 1.0)), Dot::from((2.0, 3.0))],
        };
        let looks = [Look::Curve, Look::Thin, Look::Points, Look::Dots, Look::Place];
        let chart = Chart {
            title: text.to_owned(),
            across: Scale::log(text),
            up: Scale::fitting(text),
            lines: looks.map(line).to_vec(),
        };
        let empty = Chart { lines: Vec::new(), ..chart.clone() };
        let charts = vec![chart, empty];
        let sheet = Sheet { charts, thin: text.to_owned(), caption: text.to_owned() };
        let folder = tempdir().unwrap();
        let files = sheet.draw(&folder.path().join("sheet")).unwrap();
        let svg = fs::read_to_string(&files[0]).unwrap();
        Tree::from_str(&svg, &Options::default()).unwrap();
        image::open(&files[1]).unwrap();
        // Title, both axes, the labels, the legend and the caption.
        let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let drawn = svg.matches(&format!(">{}</text>", escaped.replace('"', "&quot;"))).count();
        let plain = text.len() > 1 && text.len() < 1000 && !text.contains(char::is_control);
        assert!(!plain || drawn >= 9, "{text:?} is drawn {drawn} times");
        assert!(svg.len() < 200_000, "{} bytes", svg.len());
    }
}

/// What the text elements of a picture say.
fn said(svg: &str) -> Vec<&str> {
    let texts = svg.split("<text ").skip(1);
    texts.map(|text| text.split_once('>').unwrap().1.split_once('<').unwrap().0).collect()
}

#[test]
fn where_all_diverged_there_is_no_axis_to_place_anybody_on() {
    let frontier = |ends: [f64; 2]| {
        let folder = tempdir().unwrap();
        let [a, b] = ends;
        let race = [course("sync", &[2.3, a], 2.0), course("async", &[2.3, b], 1.0)];
        draw(&race, "caption", folder.path()).unwrap();
        fs::read_to_string(folder.path().join("frontier.svg")).unwrap()
    };
    for ends in [[f64::NAN, f64::NAN], [f64::INFINITY, f64::NAN], [9e9, 1e30]] {
        let svg = frontier(ends);
        let expected =
            ["time per update (s)", "training loss at the end", "all diverged", "caption"];
        assert_eq!(said(&svg), expected, "{ends:?}");
        assert_eq!(svg.matches("<path").count(), 0, "{ends:?}: no marker and no grid");
    }
    let svg = frontier([0.5, f64::NAN]);
    let texts = said(&svg);
    assert!(texts.contains(&"sync") && texts.contains(&"async (diverged)"), "{texts:?}");
    assert!(texts.contains(&"0.5"), "{texts:?}");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let error = draw(&races()[1], "", "tests/nowhere/folder".as_ref()).unwrap_err();
    assert!(matches!(error, Error::Io { .. }));
}
