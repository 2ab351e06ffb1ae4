//! What all pictures share: the document, its text, and numbers as SVG has them.

use std::fmt::{self, Display};

use maud::{Markup, Render, html};

use crate::raster::FONT_FAMILY;

/// Characters of a line that are drawn; no picture has room for more.
const MOST: usize = 500;
/// Lines of a paragraph that are drawn.
const MOST_LINES: usize = 60;

/// A place or a length in logical pixels, with no more digits than can be seen.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Px(pub(crate) f64);

impl Display for Px {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = format!("{:.1}", self.0);
        f.write_str(text.strip_suffix(".0").unwrap_or(&text))
    }
}

impl Render for Px {
    fn render_to(&self, buffer: &mut String) {
        buffer.push_str(&self.to_string());
    }
}

/// A picture on white of this width and height, in logical pixels.
pub(crate) fn picture((width, height): (f64, f64), font_size: f64, content: &Markup) -> String {
    let (width, height) = (Px(width), Px(height));
    document(&html! {
        svg xmlns="http://www.w3.org/2000/svg" width=(width) height=(height)
            viewBox={ "0 0 " (width) " " (height) } font-family={ (FONT_FAMILY) ", sans-serif" }
            font-size=(font_size) fill="#222"
        {
            rect width=(width) height=(height) fill="#fff" {}
            (content)
        }
    })
}

/// The text of a document. XML knows no control characters: where a name has some, there are spaces.
pub(crate) fn document(markup: &Markup) -> String {
    let unknown = |c: char| c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c);
    let allowed = |c: char| matches!(c, '\n' | '\t') || !unknown(c);
    let text = markup.0.chars().map(|c| if allowed(c) { c } else { ' ' });
    text.chain(['\n']).collect()
}

/// How text is set. What is not said is as the picture has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Set {
    anchor: Option<&'static str>,
    size: Option<f64>,
    fill: Option<&'static str>,
    upright: bool,
}

impl Set {
    /// It begins at its place.
    pub(crate) const START: Self = Self { anchor: None, size: None, fill: None, upright: false };
    /// It has its place in the middle.
    pub(crate) const MIDDLE: Self = Self { anchor: Some("middle"), ..Self::START };
    /// It ends at its place.
    pub(crate) const END: Self = Self { anchor: Some("end"), ..Self::START };
    /// It reads upwards, and has its place in the middle.
    pub(crate) const UPRIGHT: Self = Self { upright: true, ..Self::MIDDLE };

    /// The same in this size.
    pub(crate) const fn size(self, size: f64) -> Self {
        Self { size: Some(size), ..self }
    }

    /// The same in this colour.
    pub(crate) const fn fill(self, fill: &'static str) -> Self {
        Self { fill: Some(fill), ..self }
    }
}

/// Text with its base line at a place.
pub(crate) fn text((x, y): (f64, f64), content: impl Display, set: Set) -> Markup {
    let (x, y, Set { anchor, size, fill, upright }) = (Px(x), Px(y), set);
    let turned = upright.then(|| format!("translate({x} {y}) rotate(-90)"));
    let at = |place: Px| (!upright).then_some(place);
    html! {
        text x=[at(x)] y=[at(y)] transform=[turned] font-size=[size] fill=[fill] text-anchor=[anchor] {
            (shortened(&content.to_string()))
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// A paragraph below a picture, in lines of at most `most` characters from `(left, top)` on, and where
/// the next line would be.
pub(crate) fn caption(
    (left, top): (f64, f64),
    paragraph: &str,
    most: usize,
    size: f64,
) -> (Markup, f64) {
    const LINE: f64 = 16.0;
    let lines = wrap(paragraph, most);
    let set = Set::START.size(size).fill("#555");
    let at = |line: usize| (left, top + LINE * line as f64);
    let drawn = html! {
        @for (n, line) in lines.iter().enumerate() { (text(at(n), line, set)) }
    };
    (drawn, at(lines.len()).1)
}

/// Breaks `text` into lines of at most `most` characters: at spaces where it can, and within words
/// that are longer.
fn wrap(text: &str, most: usize) -> Vec<String> {
    let most = most.max(1);
    let (mut lines, mut length) = (vec![String::new()], 0);
    for word in text.split_whitespace() {
        let mut characters = word.chars().peekable();
        while characters.peek().is_some() {
            let part: String = characters.by_ref().take(most).collect();
            let wide = part.chars().count();
            if length > 0 && length + 1 + wide > most {
                if lines.len() == MOST_LINES {
                    lines.push("…".to_owned());
                    return lines;
                }
                lines.push(String::new());
                length = 0;
            }
            let line = lines.last_mut().expect("there is always a line");
            if length > 0 {
                line.push(' ');
                length += 1;
            }
            line.push_str(&part);
            length += wide;
        }
    }
    lines
}
