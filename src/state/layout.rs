//! How a snapshot and a segment are laid out in their files; pure.
//!
//! A snapshot: magic, layout, content version, next segment number, the segments named (number and checksum of each),
//! length, content, checksum over all before it. A segment: magic, number, length, bytes, checksum. Numbers are
//! little-endian. Not their files. Rule: bytes that are not exactly what was written are refused, whatever they are.

use xxhash_rust::xxh3::Xxh3Default;

use super::set_aside::Reason;
use super::store::SegmentName;

const SNAPSHOT: [u8; 8] = *b"gwsnap\r\n";
const SEGMENT: [u8; 8] = *b"gwsegm\r\n";
/// Of this file's layout; the caller's content has a version of its own.
const LAYOUT: u32 = 1;
const CHECKSUM: usize = 8;

/// What stands in a snapshot's file.
#[derive(Debug, PartialEq, Eq)]
pub struct Snapshot<'a> {
    pub version: u32,
    /// No segment has had this number or a higher one yet.
    pub next_segment: u64,
    pub segments: Vec<SegmentName>,
    pub content: &'a [u8],
}

impl Snapshot<'_> {
    /// What stands before the content, and the checksum that stands behind it.
    pub fn around(&self) -> (Vec<u8>, [u8; CHECKSUM]) {
        let mut head = SNAPSHOT.to_vec();
        head.extend(LAYOUT.to_le_bytes());
        head.extend(self.version.to_le_bytes());
        head.extend(self.next_segment.to_le_bytes());
        head.extend((self.segments.len() as u64).to_le_bytes());
        for segment in &self.segments {
            head.extend(segment.number.to_le_bytes());
            head.extend(segment.checksum.to_le_bytes());
        }
        head.extend((self.content.len() as u64).to_le_bytes());
        let checksum = checksum(&[&head, self.content]);
        (head, checksum)
    }
}

/// Reads a snapshot's file. The version of its content is the caller's to compare.
pub fn snapshot(file: &[u8]) -> Result<Snapshot<'_>, Reason> {
    let damaged = |what: &str| Reason::Damaged(what.to_owned());
    let mut rest = Rest(whole(file, SNAPSHOT)?);
    let layout = rest.u32()?;
    if layout != LAYOUT {
        return Err(Reason::OtherVersion { found: layout, known: LAYOUT });
    }
    let version = rest.u32()?;
    let next_segment = rest.u64()?;
    let count = rest.u64()?;
    let mut segments = Vec::new();
    for _ in 0..count {
        segments.push(SegmentName { number: rest.u64()?, checksum: rest.u64()? });
    }
    let length = rest.u64()?;
    if rest.0.len() as u64 != length {
        return Err(damaged("its length is wrong"));
    }
    Ok(Snapshot { version, next_segment, segments, content: rest.0 })
}

/// What stands before a segment's bytes, and the checksum that stands behind them.
pub fn around_segment(number: u64, bytes: &[u8]) -> (Vec<u8>, u64) {
    let mut head = SEGMENT.to_vec();
    head.extend(number.to_le_bytes());
    head.extend((bytes.len() as u64).to_le_bytes());
    let checksum = checksum(&[&head, bytes]);
    (head, u64::from_le_bytes(checksum))
}

/// The bytes of the segment of that name.
pub fn segment(name: SegmentName, file: &[u8]) -> Result<&[u8], String> {
    let mut rest = Rest(whole(file, SEGMENT).map_err(|_| "its checksum does not fit".to_owned())?);
    let wrong = |_| "it is too short".to_owned();
    let (number, length) = (rest.u64().map_err(wrong)?, rest.u64().map_err(wrong)?);
    let (_, checksum) = around_segment(number, rest.0);
    if number != name.number || length != rest.0.len() as u64 || checksum != name.checksum {
        return Err("it is another one".to_owned());
    }
    Ok(rest.0)
}

/// What stands between magic and checksum, if both are right.
fn whole(file: &[u8], magic: [u8; 8]) -> Result<&[u8], Reason> {
    if file.is_empty() {
        return Err(Reason::Damaged("it is empty".to_owned()));
    }
    if !file.starts_with(&magic[..file.len().min(magic.len())]) {
        return Err(Reason::Foreign);
    }
    let Some((body, found)) = file.split_last_chunk::<CHECKSUM>().filter(|(body, _)| body.len() >= magic.len()) else {
        return Err(Reason::Damaged("it ends too early".to_owned()));
    };
    if checksum(&[body]) != *found {
        return Err(Reason::Damaged("its checksum does not fit".to_owned()));
    }
    Ok(&body[magic.len()..])
}

fn checksum(parts: &[&[u8]]) -> [u8; CHECKSUM] {
    let mut hash = Xxh3Default::new();
    for part in parts {
        hash.update(part);
    }
    hash.digest().to_le_bytes()
}

/// What is left to read.
struct Rest<'a>(&'a [u8]);

impl Rest<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], Reason> {
        let (taken, rest) =
            self.0.split_first_chunk().ok_or_else(|| Reason::Damaged("it ends too early".to_owned()))?;
        self.0 = rest;
        Ok(*taken)
    }

    fn u32(&mut self) -> Result<u32, Reason> {
        self.take().map(u32::from_le_bytes)
    }

    fn u64(&mut self) -> Result<u64, Reason> {
        self.take().map(u64::from_le_bytes)
    }
}
