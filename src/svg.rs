//! Text in SVG, and in the HTML around it.

use std::fmt::Display;

/// Characters of a line that are drawn; no sheet has room for more.
const MOST: usize = 500;
/// Lines of a paragraph that are drawn.
const MOST_LINES: usize = 60;

/// A `text` element with these attributes. No other code of the reports writes one, so that what it
/// holds is escaped wherever it is from.
pub(crate) fn text(attributes: &str, content: impl Display) -> String {
    format!("<text {attributes}>{}</text>", escape(&shortened(&content.to_string())))
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// Text as XML has it, which knows no control characters.
pub(crate) fn escape(text: &str) -> String {
    let text: String = text
        .chars()
        .map(|c| if c.is_control() || ('\u{fffe}'..='\u{ffff}').contains(&c) { ' ' } else { c })
        .collect();
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

/// Breaks `text` into lines of at most `most` characters: at spaces where it can, and within words
/// that are longer.
pub(crate) fn wrap(text: &str, most: usize) -> Vec<String> {
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
