//! The segments of a JPEG, looked at on their way to the decoder, which takes as grey whatever is
//! missing at the end. Here it is an error.

use std::io::{self, BufRead, ErrorKind, Read};

use super::check_size;

pub(super) const SIGNATURE: &[u8] = b"\xff\xd8";
/// The most bytes that the coefficients of a progressive JPEG may take: all of them are kept until the
/// last scan.
const MOST_BYTES: u64 = 160 << 20;
/// Put behind the data of a scan: ones, which are no code, so that a decoder that has not come to its
/// last block by then finds an error in place of the marker. Whoever has skips them.
const NO_CODE: [u8; 128] = {
    let mut bytes = [0xff; 128];
    let mut at = 1;
    while at < bytes.len() {
        bytes[at] = 0;
        at += 2;
    }
    bytes
};

/// Where in the file we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Between segments.
    Between,
    /// After 0xff, between segments.
    Code,
    /// In the length of the segment with this code.
    Length(u8),
    /// In its bytes, of which so many are still to come.
    Body(u8, usize),
    /// In the data of a scan.
    Data,
    /// After 0xff in them.
    DataCode,
    /// After the picture; what else a camera has put there is no part of it.
    End,
}

/// A component: its name, and the coefficients that no scan has told to the last bit.
#[derive(Debug, Clone, Copy)]
struct Component {
    id: u8,
    missing: u64,
}

/// A JPEG to its end; an error where it has none.
#[derive(Debug)]
pub(super) struct Whole<R> {
    from: R,
    place: Place,
    /// Of the segment that is read, where it matters.
    body: Vec<u8>,
    components: Vec<Component>,
    progressive: bool,
    /// What has been looked at, and how much of it was handed on.
    seen: Vec<u8>,
    handed: usize,
}

impl<R: BufRead> Whole<R> {
    pub(super) fn new(from: R) -> Self {
        Self {
            from,
            place: Place::Between,
            body: Vec::new(),
            components: Vec::new(),
            progressive: false,
            seen: Vec::new(),
            handed: 0,
        }
    }

    /// Whether the end of the picture has been seen.
    pub(super) fn has_ended(&self) -> bool {
        self.place == Place::End
    }

    fn look_at(&mut self, byte: u8) -> io::Result<()> {
        match (self.place, byte) {
            (Place::Data, 0xff) => self.place = Place::DataCode,
            (Place::Data, _) => self.seen.push(byte),
            (Place::DataCode, 0xff) => {}
            // A byte of data, or a restart.
            (Place::DataCode, 0 | 0xd0..=0xd7) => {
                self.seen.extend([0xff, byte]);
                self.place = Place::Data;
            }
            (Place::DataCode, _) => {
                self.seen.extend(NO_CODE);
                self.seen.extend([0xff, byte]);
                self.marker(byte)?;
            }
            (place, _) => {
                self.seen.push(byte);
                self.between(place, byte)?;
            }
        }
        Ok(())
    }

    /// A byte outside of the data of a scan.
    fn between(&mut self, place: Place, byte: u8) -> io::Result<()> {
        match place {
            Place::Between if byte == 0xff => self.place = Place::Code,
            Place::Code if byte == 0 => self.place = Place::Between,
            Place::Code if byte != 0xff => self.marker(byte)?,
            Place::Length(code) => {
                self.body.push(byte);
                if let [high, low] = self.body[..] {
                    self.body.clear();
                    let rest = usize::from(u16::from_be_bytes([high, low])).saturating_sub(2);
                    self.place = Place::Body(code, rest);
                    self.end_of_body(code, rest)?;
                }
            }
            Place::Body(code, rest) => {
                self.body.push(byte);
                self.place = Place::Body(code, rest - 1);
                self.end_of_body(code, rest - 1)?;
            }
            _ => {}
        }
        Ok(())
    }

    fn marker(&mut self, code: u8) -> io::Result<()> {
        self.body.clear();
        self.place = match code {
            // They stand alone.
            0x01 | 0xd0..=0xd8 => Place::Between,
            0xd9 => {
                if self.components.iter().any(|component| component.missing != 0) {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
                Place::End
            }
            _ => Place::Length(code),
        };
        Ok(())
    }

    fn end_of_body(&mut self, code: u8, rest: usize) -> io::Result<()> {
        if rest > 0 {
            return Ok(());
        }
        self.place = if code == 0xda { Place::Data } else { Place::Between };
        match code {
            0xda => self.scan(),
            0xc0..=0xcf if !matches!(code, 0xc4 | 0xc8 | 0xcc) => self.frame(code)?,
            _ => {}
        }
        Ok(())
    }

    /// The size of the picture and its components.
    fn frame(&mut self, code: u8) -> io::Result<()> {
        if !matches!(code, 0xc0..=0xc2) {
            return Err(io::Error::other(
                "a JPEG that is lossless, hierarchical or arithmetically coded; baseline and \
                 progressive ones are read",
            ));
        }
        // What is wrong with the segment itself the decoder says.
        let [_, h1, h0, w1, w0, _, components @ ..] = &self.body[..] else { return Ok(()) };
        let [width, height] = [[*w1, *w0], [*h1, *h0]].map(|side| u16::from_be_bytes(side).into());
        check_size(width, height).map_err(io::Error::other)?;
        self.progressive = code == 0xc2;
        let (components, _) = components.as_chunks::<3>();
        let part = |&[id, ..]: &[u8; 3]| Component { id, missing: !0 };
        self.components = components.iter().map(part).collect();
        let sampling =
            |of: fn(u8) -> u8| components.iter().map(move |[_, both, _]| of(*both).into());
        let [across, down] = [|both| both >> 4, |both| both & 15].map(sampling);
        let most = |of: &mut dyn Iterator<Item = u32>| 8 * of.max().unwrap_or(1).max(1);
        let [mcu_width, mcu_height] = [most(&mut across.clone()), most(&mut down.clone())];
        let mcus = u64::from(width.div_ceil(mcu_width)) * u64::from(height.div_ceil(mcu_height));
        let blocks: u64 = across.zip(down).map(|(across, down)| u64::from(across * down)).sum();
        let bytes = mcus * blocks * 64 * 2;
        if self.progressive && bytes > MOST_BYTES {
            return Err(io::Error::other(format!(
                "a progressive JPEG of {width} x {height} pixels takes {} MiB to decode, and may \
                 take {}; a baseline JPEG or a PNG takes less",
                bytes >> 20,
                MOST_BYTES >> 20
            )));
        }
        Ok(())
    }

    /// Which coefficients a scan tells, and whether to the last bit.
    fn scan(&mut self) {
        let Some((&count, rest)) = self.body.split_first() else { return };
        let Some((named, rest)) = rest.split_at_checked(2 * usize::from(count)) else { return };
        let &[first, last, bits] = rest else { return };
        let told = match self.progressive {
            true if bits & 15 != 0 => 0,
            true => (first..=last.min(63)).fold(0, |told, at| told | 1_u64 << at),
            false => !0,
        };
        for id in named.iter().step_by(2) {
            let of = self.components.iter_mut().filter(|component| component.id == *id);
            of.for_each(|component| component.missing &= !told);
        }
    }
}

impl<R: BufRead> Read for Whole<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.handed == self.seen.len() {
            self.seen.clear();
            self.handed = 0;
            let bytes = self.from.fill_buf()?;
            if bytes.is_empty() || self.place == Place::End {
                return Ok(0);
            }
            // Looking changes what the bytes are borrowed from.
            let bytes = bytes[..bytes.len().min(1 << 13)].to_vec();
            for &byte in bytes.iter() {
                if self.place != Place::End {
                    self.look_at(byte)?;
                }
            }
            self.from.consume(bytes.len());
        }
        let count = buffer.len().min(self.seen.len() - self.handed);
        buffer[..count].copy_from_slice(&self.seen[self.handed..][..count]);
        self.handed += count;
        Ok(count)
    }
}
