//! Frames: what a program and a learner's process say to each other.
//!
//! A frame is a kind (u8), the length of its payload (u64), the CRC-32 of its payload, the CRC-32 of
//! what precedes, and the payload; numbers are little endian. A header has a checksum of its own, so
//! that nobody waits for a payload that no header announced: whatever else gets into the stream, such
//! as a driver's messages, is refused at once.

use std::{
    borrow::Cow,
    io::{self, ErrorKind, Read, Write},
};

use bytemuck::Pod;

use crate::Error;

/// Bytes of a header.
const HEADER: usize = 1 + 8 + 4 + 4;
/// The most bytes that are made room for before they arrive.
const STEP: usize = 1 << 20;

/// What a frame is, and so what its payload is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// What to open, and what the data look like: a [`super::EngineSetup`] and [`super::Outlines`] in
    /// JSON.
    Open = 1,
    /// It is open; nothing.
    Ready,
    /// The parameters of the next gradients; f32s. Nobody answers.
    Params,
    /// Of which samples a gradient is wanted: their indices; u64s.
    Minibatch,
    /// The loss of the minibatch and its gradient; f32s.
    Gradient,
    /// More samples of the data, before it is open: their features (u8 or f32), then their labels (u32
    /// or f32).
    Data,
    /// The parameters at which to evaluate over the training set; f32s.
    EvaluateTrain,
    /// The same over the test set.
    EvaluateTest,
    /// Loss and accuracy; f64s.
    Evaluation,
    /// Why there is no answer: a [`crate::Error`] in JSON.
    Failed,
    /// Which kernel to check, in place of what to open: in JSON.
    Check,
    /// How it did on one shape: in JSON. When all are told it is `Ready`.
    Checked,
}

impl Kind {
    const ALL: [Self; 12] = [
        Self::Open,
        Self::Ready,
        Self::Params,
        Self::Minibatch,
        Self::Gradient,
        Self::Data,
        Self::EvaluateTrain,
        Self::EvaluateTest,
        Self::Evaluation,
        Self::Failed,
        Self::Check,
        Self::Checked,
    ];
}

/// What is wrong with a stream of frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum WireFault {
    #[error("the stream ends within a frame")]
    Truncated,
    #[error("a checksum does not fit: damaged, or no frame at all")]
    Damaged,
    #[error("no kind of frame has the number {0}")]
    Unknown(u8),
    #[error("a frame of {length} bytes, but at most {most} may come")]
    TooLong { length: u64, most: u64 },
    #[error("{got} bytes in a {kind:?} frame in place of {expected}")]
    Misshapen { kind: Kind, got: usize, expected: usize },
    #[error("a {0:?} frame where none may come")]
    OutOfPlace(Kind),
    #[error("a {kind:?} frame that cannot be read: {problem}")]
    Unreadable { kind: Kind, problem: serde_json::Error },
    #[error("{0}")]
    Io(io::Error),
}

impl WireFault {
    /// Whether it only says that there is nobody at the other end any more.
    pub(super) fn is_parting(&self) -> bool {
        let parted = [ErrorKind::BrokenPipe, ErrorKind::ConnectionReset, ErrorKind::NotConnected];
        match self {
            Self::Truncated => true,
            Self::Io(error) => parted.contains(&error.kind()),
            _ => false,
        }
    }
}

/// Writes frames; keeps the room of one for the next.
#[derive(Debug)]
pub(super) struct Writer<W> {
    to: W,
    frame: Vec<u8>,
}

impl<W: Write> Writer<W> {
    pub(super) fn new(to: W) -> Self {
        Self { to, frame: Vec::new() }
    }

    /// Writes one frame whose payload is all `parts` together.
    pub(super) fn send(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<(), WireFault> {
        let Self { to, frame } = self;
        frame.clear();
        frame.resize(HEADER, 0);
        parts.iter().for_each(|part| frame.extend_from_slice(part));
        let (header, payload) = frame.split_at_mut(HEADER);
        header[0] = kind as u8;
        header[1..9].copy_from_slice(&(payload.len() as u64).to_le_bytes());
        header[9..13].copy_from_slice(&crc32fast::hash(payload).to_le_bytes());
        let checksum = crc32fast::hash(&header[..13]);
        header[13..].copy_from_slice(&checksum.to_le_bytes());
        to.write_all(frame).and_then(|()| to.flush()).map_err(WireFault::Io)
    }
}

/// Reads frames; keeps the room of one for the next.
#[derive(Debug)]
pub(super) struct Reader<R> {
    from: R,
    /// Both sides know it: the most bytes of a payload.
    most: u64,
    payload: Vec<u8>,
}

impl<R: Read> Reader<R> {
    /// Refuses payloads of more than `most` bytes.
    pub(super) fn new(from: R, most: u64) -> Self {
        Self { from, most, payload: Vec::new() }
    }

    /// From now on at most `most` bytes.
    pub(super) fn limit(&mut self, most: u64) {
        self.most = most;
    }

    /// The next frame, or none where the stream ends between frames.
    pub(super) fn receive(&mut self) -> Result<Option<(Kind, &[u8])>, WireFault> {
        let Self { from, most, payload } = self;
        let mut header = [0; HEADER];
        if !begins(from, &mut header[0])? {
            return Ok(None);
        }
        fill(from, &mut header[1..])?;
        let (announced, checksum) = header.split_at(13);
        if checksum != crc32fast::hash(announced).to_le_bytes() {
            return Err(WireFault::Damaged);
        }
        let kind = Kind::ALL.into_iter().find(|&kind| kind as u8 == header[0]);
        let kind = kind.ok_or(WireFault::Unknown(header[0]))?;
        let mut length = [0; 8];
        length.copy_from_slice(&header[1..9]);
        let length = u64::from_le_bytes(length);
        if length > *most {
            return Err(WireFault::TooLong { length, most: *most });
        }
        let length = length as usize;
        for start in (0..length).step_by(STEP) {
            let end = length.min(start + STEP);
            payload.resize(payload.len().max(end), 0);
            fill(from, &mut payload[start..end])?;
        }
        let payload = &payload[..length];
        if announced[9..] != crc32fast::hash(payload).to_le_bytes() {
            return Err(WireFault::Damaged);
        }
        Ok(Some((kind, payload)))
    }
}

/// Whether there is a first byte.
fn begins(from: &mut impl Read, first: &mut u8) -> Result<bool, WireFault> {
    loop {
        match from.read(std::slice::from_mut(first)) {
            Ok(read) => return Ok(read == 1),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(WireFault::Io(error)),
        }
    }
}

fn fill(from: &mut impl Read, bytes: &mut [u8]) -> Result<(), WireFault> {
    from.read_exact(bytes).map_err(|error| match error.kind() {
        ErrorKind::UnexpectedEof => WireFault::Truncated,
        _ => WireFault::Io(error),
    })
}

/// Numbers as a payload has them.
pub(super) fn pack<T: Pod>(numbers: &[T]) -> Cow<'_, [u8]> {
    let mut bytes = Cow::Borrowed(bytemuck::cast_slice(numbers));
    if cfg!(target_endian = "big") {
        bytes.to_mut().chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
    bytes
}

/// Takes the numbers of a payload, or of a part of it, which must be as many as `numbers`.
pub(super) fn unpack<T: Pod>(
    kind: Kind,
    payload: &[u8],
    numbers: &mut [T],
) -> Result<(), WireFault> {
    let bytes: &mut [u8] = bytemuck::cast_slice_mut(numbers);
    if payload.len() != bytes.len() {
        return Err(WireFault::Misshapen { kind, got: payload.len(), expected: bytes.len() });
    }
    bytes.copy_from_slice(payload);
    if cfg!(target_endian = "big") {
        bytes.chunks_exact_mut(size_of::<T>()).for_each(<[u8]>::reverse);
    }
    Ok(())
}

/// Answers with the reason why there is no answer.
pub(super) fn fail(to: &mut Writer<impl Write>, error: &Error) -> Result<(), WireFault> {
    let told = serde_json::to_vec(error)
        .map_err(|problem| WireFault::Unreadable { kind: Kind::Failed, problem })?;
    to.send(Kind::Failed, &[&told])
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: u64 = 64;

    fn frame(kind: Kind, parts: &[&[u8]]) -> Vec<u8> {
        let mut bytes = Vec::new();
        Writer::new(&mut bytes).send(kind, parts).unwrap();
        bytes
    }

    fn read(bytes: &[u8]) -> Result<Option<(Kind, Vec<u8>)>, WireFault> {
        let mut reader = Reader::new(bytes, MOST);
        reader.receive().map(|frame| frame.map(|(kind, payload)| (kind, payload.to_vec())))
    }

    #[test]
    fn every_kind_comes_back_as_it_was_sent() {
        let mut stream = Vec::new();
        for kind in Kind::ALL {
            stream.extend(frame(kind, &[&[kind as u8; 3], &[], &[7]]));
            stream.extend(frame(kind, &[]));
        }
        let mut reader = Reader::new(&stream[..], MOST);
        for kind in Kind::ALL {
            let number = kind as u8;
            assert_eq!(reader.receive().unwrap(), Some((kind, &[number, number, number, 7][..])));
            assert_eq!(reader.receive().unwrap(), Some((kind, &[][..])));
        }
        assert_eq!(reader.receive().unwrap(), None);
    }

    #[test]
    fn a_frame_with_any_bit_flipped_is_refused() {
        let whole = frame(Kind::Params, &[&[1, 2, 3, 4, 5, 6, 7, 8]]);
        for at in 0..whole.len() * 8 {
            let mut flipped = whole.clone();
            flipped[at / 8] ^= 1 << (at % 8);
            assert!(matches!(read(&flipped), Err(WireFault::Damaged)), "bit {at}");
        }
    }

    #[test]
    fn a_frame_that_ends_early_is_refused() {
        let whole = frame(Kind::Gradient, &[&[9; 20]]);
        for length in 1..whole.len() {
            let error = read(&whole[..length]).unwrap_err();
            assert!(matches!(error, WireFault::Truncated) && error.is_parting(), "{length} bytes");
        }
        assert!(read(&[]).unwrap().is_none(), "an end between frames is none within one");
    }

    /// A header with a right checksum.
    fn header(kind: u8, length: u64) -> Vec<u8> {
        let mut bytes = vec![kind];
        bytes.extend(length.to_le_bytes());
        bytes.extend([0; 4]);
        bytes.extend(crc32fast::hash(&bytes).to_le_bytes());
        bytes
    }

    #[test]
    fn a_frame_that_is_too_long_is_refused_before_there_is_room_for_it() {
        assert_eq!(read(&frame(Kind::Data, &[&[3; 64]])).unwrap().unwrap().1.len(), 64);
        for length in [MOST + 1, u64::MAX] {
            let bytes = header(Kind::Data as u8, length);
            let mut reader = Reader::new(&bytes[..], MOST);
            let error = reader.receive().unwrap_err();
            assert!(matches!(error, WireFault::TooLong { length: l, most: MOST } if l == length));
            assert_eq!(reader.payload.capacity(), 0);
        }
    }

    #[test]
    fn room_is_made_only_for_what_arrives() {
        let mut bytes = header(Kind::Params as u8, u64::MAX / 4);
        bytes.extend([0; 5]);
        let mut reader = Reader::new(&bytes[..], u64::MAX / 2);
        assert!(matches!(reader.receive(), Err(WireFault::Truncated)));
        assert_eq!(reader.payload.len(), STEP);
    }

    #[test]
    fn a_frame_of_no_known_kind_is_refused() {
        for kind in [0, Kind::ALL.len() as u8 + 1, u8::MAX] {
            assert!(
                matches!(read(&header(kind, 0)), Err(WireFault::Unknown(number)) if number == kind)
            );
        }
    }

    #[test]
    fn what_is_no_frame_is_refused_however_long_it_is() {
        for noise in ["MESA: warning: something on standard output\n", "\u{1}aaaaaaaaaaaaaaaaaaaaa"]
        {
            assert!(matches!(read(noise.as_bytes()), Err(WireFault::Damaged)), "{noise}");
        }
    }

    #[test]
    fn numbers_are_little_endian_and_keep_every_bit() {
        let numbers = [1.0, -0.0, f32::MIN_POSITIVE / 8.0, f32::from_bits(0x7fc0_1234)];
        let packed = pack(&numbers);
        assert_eq!(packed[..4], [0, 0, 0x80, 0x3f]);
        let mut back = [0.0_f32; 4];
        unpack(Kind::Params, &packed, &mut back).unwrap();
        assert_eq!(back.map(f32::to_bits), numbers.map(f32::to_bits));
        let error = unpack(Kind::Params, &packed[1..], &mut back).unwrap_err();
        assert_eq!(error.to_string(), "15 bytes in a Params frame in place of 16");
    }

    #[test]
    fn a_short_frame_after_a_long_one_is_not_the_end_of_that() {
        let stream = [frame(Kind::Params, &[&[1; 60]]), frame(Kind::Params, &[&[2; 2]])].concat();
        let mut reader = Reader::new(&stream[..], MOST);
        assert_eq!(reader.receive().unwrap(), Some((Kind::Params, &[1; 60][..])));
        assert_eq!(reader.receive().unwrap(), Some((Kind::Params, &[2; 2][..])));
    }
}
