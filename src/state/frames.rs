//! How records stand in a journal's file; pure.
//!
//! The file begins with a magic, the version of the records and a checksum; each record is a mark, its length, its
//! checksum and its bytes. Not the file. Rule: a record is handed out only as it was written; where one is damaged, the next is
//! looked for by its mark.

use xxhash_rust::xxh3::{xxh3_64, xxh3_64_with_seed};

const MAGIC: &[u8; 8] = b"gwjour\r\n";
/// Begins a record. Not UTF-8, so that no text inside a damaged record can pass for one.
const MARK: [u8; 4] = [0xff, 0xfe, b'g', b'w'];
/// Magic, version, checksum.
pub const HEAD: usize = 20;
/// Mark, length, checksum.
const FRAME: usize = 16;
/// Longest record. A longer length is damage.
pub const RECORD_MAX: usize = 16 << 20;

/// What a file begins with.
pub fn head(version: u32) -> [u8; HEAD] {
    let mut head = [0; HEAD];
    head[..8].copy_from_slice(MAGIC);
    head[8..12].copy_from_slice(&version.to_le_bytes());
    let sum = xxh3_64(&head[..12]);
    head[12..].copy_from_slice(&sum.to_le_bytes());
    head
}

/// The version of the records, if the head is whole.
pub fn version(file: &[u8]) -> Option<u32> {
    let version = file.get(8..12)?.try_into().map(u32::from_le_bytes).ok()?;
    file.starts_with(&head(version)).then_some(version)
}

/// Whether it was a journal once.
pub fn is_ours(file: &[u8]) -> bool {
    !file.is_empty() && file.starts_with(&MAGIC[..file.len().min(MAGIC.len())])
}

/// Appends a record, of [`RECORD_MAX`] bytes at most.
pub fn push(out: &mut Vec<u8>, version: u32, record: &[u8]) {
    let length = u32::try_from(record.len()).expect("its length was checked");
    out.extend(MARK);
    out.extend(length.to_le_bytes());
    out.extend(checksum(version, length, record).to_le_bytes());
    out.extend(record);
}

/// The records of a file behind its head.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan<'a> {
    pub records: Vec<&'a [u8]>,
    /// Where the last of them ends.
    pub end: usize,
    /// Bytes that are no record and have records behind them.
    pub damaged: usize,
}

/// Reads what can be read.
pub fn scan(version: u32, body: &[u8]) -> Scan<'_> {
    let mut scan = Scan::default();
    let mut at = 0;
    while at < body.len() {
        let Some(record) = record(version, &body[at..]) else {
            let next = body[at + 1..].windows(MARK.len()).position(|w| w == MARK);
            at = next.map_or(body.len(), |n| at + 1 + n);
            continue;
        };
        scan.damaged += at - scan.end;
        scan.records.push(record);
        at += FRAME + record.len();
        scan.end = at;
    }
    scan
}

fn record(version: u32, bytes: &[u8]) -> Option<&[u8]> {
    let rest = bytes.strip_prefix(&MARK)?;
    let (length, rest) = rest.split_first_chunk().map(|(n, rest)| (u32::from_le_bytes(*n), rest))?;
    let (sum, rest) = rest.split_first_chunk().map(|(n, rest)| (u64::from_le_bytes(*n), rest))?;
    let record = rest.get(..usize::try_from(length).ok().filter(|n| *n <= RECORD_MAX)?)?;
    (checksum(version, length, record) == sum).then_some(record)
}

/// With the version, so that a damaged head cannot pass records off as those of another one; and with the length, so
/// that a record of zeros is not right by its emptiness alone.
fn checksum(version: u32, length: u32, record: &[u8]) -> u64 {
    xxh3_64_with_seed(record, u64::from(version) << 32 | u64::from(length))
}
