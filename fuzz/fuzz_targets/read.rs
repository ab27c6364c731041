//! Fuzzes every reader of log lines with whatever bytes libFuzzer makes.
//!
//! An input is a byte that says how to read, then text: events, with 0x1E between them; where the byte says that the
//! format is known, the first piece is an access-log format. Not a check of what is read: the tests have that. Rule:
//! no input makes a reader panic, and what comes out is bounded by what went in.

#![no_main]

use gatewatch::model::event::{Fact, LogEvent};
use gatewatch::model::inventory::{ApiId, SourceKind};
use gatewatch::model::time::Timestamp;
use gatewatch::read::{Reader, Template};
use libfuzzer_sys::{Corpus, fuzz_target};

/// Between events: no log line has it.
const BETWEEN: char = '\u{1e}';
/// Longest text that a fact keeps, in bytes, and a panic's words before it.
const TEXT_MAX: usize = 2048;

fuzz_target!(|data: &[u8]| -> Corpus {
    let Some((how, text)) = data.split_first() else { return Corpus::Reject };
    let text = String::from_utf8_lossy(text);
    let mut events = text.split(BETWEEN);
    let mut template = None;
    let kind = match how % 4 {
        0 => SourceKind::Access(ApiId(0)),
        1 => {
            let Some(Ok(format)) = events.next().map(Template::compile) else { return Corpus::Reject };
            template = Some(format);
            SourceKind::Access(ApiId(0))
        }
        2 => SourceKind::Lambda,
        _ => SourceKind::Execution(ApiId(0)),
    };
    let (two_streams, unstamped, all_ids) = (how & 4 != 0, how & 8 != 0, how & 16 != 0);
    let mut reader = Reader::of(kind, template, all_ids);
    let mut facts = Vec::new();
    let (mut events_in, mut pieces) = (0, 0);
    for (text, n) in events.zip(0_u32..) {
        let stream = if two_streams && n % 2 == 1 { "two" } else { "one" };
        let time = Timestamp::from_millis(1_795_338_000_000 + i64::from(n));
        let event = LogEvent { stream: stream.into(), time, text: text.to_owned() };
        if unstamped { reader.read_unstamped(event, &mut facts) } else { reader.read(event, &mut facts) }
        events_in += 1;
        // Lines, and objects one behind the other, may be glued into one event.
        pieces += 1 + text.bytes().filter(|b| matches!(b, b'\n' | b'\r' | b'}')).count();
    }
    reader.finish(&mut facts);
    let unread: u64 = reader.unread().values().sum();
    match kind {
        SourceKind::Access(_) => assert_eq!(facts.len() as u64 + unread, events_in, "a line is a fact or is counted"),
        SourceKind::Lambda => assert!(facts.len() <= pieces, "{} facts of {pieces} pieces", facts.len()),
        SourceKind::Execution(_) => assert!(facts.len() as u64 + unread <= events_in, "at most one fact of a line"),
    }
    for fact in facts {
        match fact {
            Fact::Request(request) => assert!((100..=599).contains(&request.status)),
            Fact::Lambda(line) => assert!(line.text.len() <= TEXT_MAX),
            Fact::Execution(line) => assert!(line.text.len() <= TEXT_MAX),
        }
    }
    Corpus::Keep
});
