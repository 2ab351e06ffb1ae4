//! What kind of file it is, by its first bytes and whatever its name says.

use super::{png, segments};

/// So many bytes tell.
pub(super) const HEAD: usize = 512;

/// What the first bytes of a file say of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Format {
    Png,
    Jpeg,
    /// It ends before it says what it is.
    Cut,
    Empty,
    /// A kind that is not read, by its name.
    Other(&'static str),
    Unknown,
}

/// Kinds that are not read, by what they begin with.
const OTHERS: [(&[u8], &str); 17] = [
    (b"GIF8", "a GIF"),
    (b"BM", "a BMP"),
    (b"II*\0", "a TIFF or a camera's raw file"),
    (b"MM\0*", "a TIFF or a camera's raw file"),
    (b"%PDF", "a PDF"),
    (b"8BPS", "a Photoshop file"),
    (b"\0\0\x01\0", "an icon"),
    (b"qoif", "a QOI"),
    (b"\xff\x0a", "a JPEG XL"),
    (b"\0\0\0\x0cJXL ", "a JPEG XL"),
    (b"\0\0\0\x0cjP  ", "a JPEG 2000"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000"),
    (b"#?RADIANCE", "a Radiance picture"),
    (b"\x76\x2f\x31\x01", "an OpenEXR"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\x1f\x8b", "packed with gzip"),
    (b"\x93NUMPY", "a NumPy array"),
];

/// What a file is that begins with `head`.
pub(super) fn of(head: &[u8]) -> Format {
    if head.is_empty() {
        return Format::Empty;
    }
    for (signature, format) in [(png::SIGNATURE, Format::Png), (segments::SIGNATURE, Format::Jpeg)]
    {
        if head.starts_with(signature) {
            return format;
        }
        if signature.starts_with(head) {
            return Format::Cut;
        }
    }
    if let Some((_, name)) = OTHERS.iter().find(|(signature, _)| head.starts_with(signature)) {
        return Format::Other(name);
    }
    if head.starts_with(b"RIFF") && head.get(8..12) == Some(b"WEBP") {
        return Format::Other("a WebP");
    }
    if let [b'P', b'1'..=b'7', space, ..] = head
        && space.is_ascii_whitespace()
    {
        return Format::Other("a PNM");
    }
    boxed(head).or_else(|| text(head)).map_or(Format::Unknown, Format::Other)
}

/// The kinds that have ISO's boxes; which it is say the brands of the first.
fn boxed(head: &[u8]) -> Option<&'static str> {
    if head.get(4..8) != Some(b"ftyp") {
        return None;
    }
    let length = u32::from_be_bytes(head[..4].try_into().ok()?) as usize;
    let brands = &head[8..length.clamp(8, head.len())];
    let has = |names: &[&[u8]]| brands.chunks(4).any(|brand| names.contains(&brand));
    Some(if has(&[b"avif", b"avis"]) {
        "an AVIF"
    } else if has(&[b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"]) {
        "a HEIC, as many phones take them,"
    } else {
        "a film"
    })
}

/// The kinds that are text.
fn text(head: &[u8]) -> Option<&'static str> {
    let text = String::from_utf8_lossy(head).to_lowercase();
    let text = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    if text.starts_with("<svg") || text.starts_with("<?xml") && text.contains("<svg") {
        return Some("an SVG");
    }
    (text.starts_with("<!doctype html") || text.starts_with("<html")).then_some("a web page")
}
