//! Lines of Lambda logs -> what they say about an invocation.
//!
//! Text format and JSON format, in one stream if need be. The platform's lines are in `platform` and `record`, the
//! runtimes' errors in `errors`, what functions log in `text` and `application`; this file leads an event to its reader
//! and keeps errors together that come in one event per line. Not whose line it is where the line does not say so: that
//! is the engine's business. Rule: only the runtime's own words are an unhandled error; what a function logs at error
//! level is an error line, and anything else is handed on only if it names other request IDs.

mod application;
mod block;
mod errors;
mod members;
mod mentions;
mod platform;
mod record;
mod said;
mod site;
mod text;

use std::borrow::Cow;
use std::sync::Arc;

use crate::model::event::LogEvent;
use crate::model::hash::FastMap;
use crate::model::id::Id;
use crate::model::invocation::{LambdaLine, LambdaSays, Refs};
use crate::model::text::cut;
use crate::model::time::Timestamp;

use block::{Block, Kind, Part};
use members::Members;
use platform::Platform;
use record::Record;
use said::{Said, TEXT_MAX, Text};

/// Streams in which a block may be open at one time. When there are more, all are taken as they stand: most of them
/// then belong to environments that are gone.
const BLOCKS_MAX: usize = 256;

/// Reads Lambda logs.
#[derive(Debug, Default)]
pub struct LambdaReader {
    /// By stream: an error that has not come to its end yet.
    open: FastMap<Arc<str>, Block>,
    /// Stream and ID of the REPORT that was read last: its XRAY line may stand in the next event.
    reported: Option<(Arc<str>, Id)>,
}

/// Where and when a line stands.
#[derive(Clone, Copy)]
struct At<'a> {
    stream: &'a Arc<str>,
    time: Timestamp,
}

/// Takes what was found.
type Found<'f> = &'f mut dyn FnMut(LambdaLine);

impl LambdaReader {
    /// Reads one event; `found` gets what it says, if anything.
    pub fn read(&mut self, event: LogEvent, mut found: impl FnMut(LambdaLine)) {
        let LogEvent { stream, time, text } = event;
        let Some((says, request_id, refs)) = self.whole(&stream, &text) else {
            self.event(At { stream: &stream, time }, &text, &mut found);
            return;
        };
        let text = if says == LambdaSays::Start { "".into() } else { text.into_boxed_str() };
        found(LambdaLine { stream, time, request_id, says, refs, text });
    }

    /// An event that is one START or REPORT and nothing else, which most are: its text need not be copied.
    fn whole(&mut self, stream: &Arc<str>, text: &str) -> Option<(LambdaSays, Option<Id>, Option<Box<Refs>>)> {
        if !self.open.is_empty() || text.len() > TEXT_MAX || !text.starts_with(['S', 'R']) {
            return None;
        }
        let line = platform::read(text)?;
        let said = line.said.filter(|said| matches!(said.says, LambdaSays::Start | LambdaSays::Report(_)))?;
        if line.lacks_type || !text[line.len..].trim_ascii_start().is_empty() {
            return None;
        }
        let id = said.id.as_deref().map(Id::from);
        self.remember(stream, &said.says, id.as_ref(), said.trace.is_some(), text);
        let refs = said.trace.map(|trace| Box::new(Refs { trace_id: Some(trace), mentions: Vec::new() }));
        Some((said.says, id, refs))
    }

    /// The end of the input.
    pub fn finish(&mut self, mut found: impl FnMut(LambdaLine)) {
        self.close_all(&mut found);
    }

    /// The XRAY line of a REPORT may stand in the next event; one of CloudWatch ends with a line end, and holds it.
    fn remember(&mut self, stream: &Arc<str>, says: &LambdaSays, id: Option<&Id>, traced: bool, text: &str) {
        if let (LambdaSays::Report(_), Some(id), false) = (says, id, traced || text.ends_with('\n')) {
            self.reported = Some((Arc::clone(stream), id.clone()));
        }
    }

    fn event(&mut self, at: At<'_>, text: &str, found: Found<'_>) {
        let Some(first) = platform::read(text) else {
            self.written(at, text, found);
            return;
        };
        let mut rest = text;
        let mut next = Some(first);
        // Several lines may be glued into one event; whatever stands between them is somebody's too.
        loop {
            let len = if let Some(line) = next {
                let len = line.len;
                // The last line keeps its line end, as an event has it.
                let is_last = rest[len..].trim_ascii_start().is_empty();
                self.platform(at, line, &rest[..if is_last { rest.len() } else { len }], found);
                if is_last {
                    return;
                }
                len
            } else {
                let len = platform::next(rest);
                self.written(at, &rest[..len], found);
                len
            };
            rest = rest[len..].trim_start_matches(['\n', '\r']);
            if rest.is_empty() {
                return;
            }
            next = platform::read(rest);
        }
    }

    /// A line of the platform: what its stream had open ends here.
    fn platform(&mut self, at: At<'_>, line: Platform<'_>, text: &str, found: Found<'_>) {
        self.close(at.stream, found);
        if line.lacks_type {
            self.open(at, Kind::Fault, text, found);
            return;
        }
        let Some(mut said) = line.said else { return };
        if said.says == LambdaSays::Line {
            // The XRAY line belongs to the REPORT above it.
            let reported =
                self.reported.as_ref().filter(|(stream, _)| stream == at.stream).map(|(_, id)| id.to_string());
            said.id = reported.map(Cow::Owned);
        }
        self.emit(at, said, text, found);
    }

    /// What a runtime or a function wrote.
    fn written(&mut self, at: At<'_>, text: &str, found: Found<'_>) {
        let text = newlines(text.trim_ascii_end());
        if text.is_empty() {
            return;
        }
        if !self.open.is_empty()
            && let Some(block) = self.open.get_mut(at.stream)
        {
            match block.offer(&text) {
                Part::More => return,
                Part::Last => return self.close(at.stream, found),
                Part::Beside => {
                    self.look(at, &text, true, found);
                    return;
                }
                // A panic waits for the runtime's word that there was one.
                Part::Not if text.contains("user handler panicked") => {}
                Part::Not => self.close(at.stream, found),
            }
        }
        self.look(at, &text, false, found);
    }

    /// Reads text for itself; `beside` an open block it opens none.
    fn look(&mut self, at: At<'_>, text: &str, beside: bool, found: Found<'_>) {
        if text.starts_with('{') && self.json(at, text, found) {
            return;
        }
        match text::look(text) {
            Text::Says(said) => self.emit(at, said, text, found),
            Text::Opens(_) if beside => self.emit(at, Said::new(LambdaSays::Line), text, found),
            Text::Opens(kind) => self.open(at, kind, text, found),
            Text::Plain => {
                // Text without a line end of its own and the JSON that was written after it.
                let glued = if text.contains('\n') { text.find("\n{") } else { None };
                let glued = glued.filter(|at| Members::parse_first(&text[at + 1..]).is_some());
                let (text, json) = glued.map_or((text, ""), |at| text.split_at(at));
                self.emit(at, Said::new(LambdaSays::Line), text, found);
                if !json.is_empty() {
                    self.json(at, json.trim_start(), found);
                }
            }
        }
    }

    /// Reads one JSON object after the other; false when there is none.
    fn json(&mut self, at: At<'_>, text: &str, found: Found<'_>) -> bool {
        let mut rest = text;
        while let Some((members, len)) = Members::parse_first(rest) {
            let object = &rest[..len];
            match record::read(&members) {
                Some(Record::Platform(said)) => {
                    self.close(at.stream, found);
                    if let Some(said) = said {
                        self.emit(at, said, object, found);
                    }
                }
                Some(Record::Text(text)) => {
                    // It cannot hold another: text that is a record again is taken as the function's.
                    let text = newlines(text.trim_ascii_end());
                    if let Text::Says(said) = text::look(&text) {
                        self.emit(at, said, &text, found);
                    } else if !text.is_empty() {
                        self.emit(at, Said::new(LambdaSays::Line), &text, found);
                    }
                }
                Some(Record::Logged(logged)) => {
                    let said = Members::parse(logged).map(|m| application::read(&m));
                    self.emit(at, said.unwrap_or_else(|| Said::new(LambdaSays::Line)), logged, found);
                }
                None => self.emit(at, application::read(&members), object, found),
            }
            rest = rest[len..].trim_ascii_start();
            if rest.is_empty() {
                return true;
            }
        }
        if rest.len() == text.len() {
            return false;
        }
        self.emit(at, Said::new(LambdaSays::Line), rest, found);
        true
    }

    fn open(&mut self, at: At<'_>, kind: Kind, text: &str, found: Found<'_>) {
        self.close(at.stream, found);
        if self.open.len() >= BLOCKS_MAX {
            self.close_all(found);
        }
        self.open.insert(Arc::clone(at.stream), Block::new(kind, at.time, text));
    }

    fn close(&mut self, stream: &Arc<str>, found: Found<'_>) {
        if !self.open.is_empty()
            && let Some(block) = self.open.remove(stream)
        {
            self.emit(At { stream, time: block.time }, block.said(), &block.text, found);
        }
    }

    fn close_all(&mut self, found: Found<'_>) {
        let mut open: Vec<_> = self.open.drain().collect();
        open.sort_by(|a, b| a.0.cmp(&b.0));
        for (stream, block) in open {
            self.emit(At { stream: &stream, time: block.time }, block.said(), &block.text, found);
        }
    }

    /// Hands a line on, with the IDs it names.
    fn emit(&mut self, at: At<'_>, said: Said<'_>, text: &str, found: Found<'_>) {
        let Said { mut says, id, trace } = said;
        let mut text = Cow::Borrowed(text);
        let logged = match &mut says {
            LambdaSays::Line | LambdaSays::ErrorLine | LambdaSays::PerhapsUnhandled(_) | LambdaSays::LastWords => true,
            LambdaSays::Unhandled(error) => {
                if error.error_type.as_deref() == Some(errors::rust::PANIC)
                    && !self.open.is_empty()
                    && self.open.get(at.stream).is_some_and(Block::is_panic)
                    && let Some(panic) = self.open.remove(at.stream)
                {
                    *error = errors::rust::panic(&panic.text);
                    text = format!("{}\n{text}", panic.text).into();
                }
                true
            }
            LambdaSays::Start
            | LambdaSays::Report(_)
            | LambdaSays::TimedOut { .. }
            | LambdaSays::Fault { .. }
            | LambdaSays::InitFailed { .. } => false,
        };
        let mentions = if logged { mentions::mentions(&text, id.as_deref()) } else { Vec::new() };
        let has_refs = trace.is_some() || !mentions.is_empty();
        if says == LambdaSays::Line && !has_refs {
            return;
        }
        let request_id = id.as_deref().map(Id::from);
        self.remember(at.stream, &says, request_id.as_ref(), trace.is_some(), &text);
        let text = if says == LambdaSays::Start { "".into() } else { cut(&text, TEXT_MAX).into() };
        found(LambdaLine {
            stream: Arc::clone(at.stream),
            time: at.time,
            request_id,
            says,
            refs: has_refs.then(|| Box::new(Refs { trace_id: trace, mentions })),
            text,
        });
    }
}

/// Container images turn inner newlines into carriage returns.
fn newlines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') { text.replace("\r\n", "\n").replace('\r', "\n").into() } else { text.into() }
}

#[cfg(test)]
mod tests;
