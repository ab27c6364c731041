//! An error that comes in one event per line.
//!
//! Managed runtimes write an error as one event; container images, exports and pastes cut it at its line ends. A block
//! collects it until it is whole or something else follows in its stream. Not a buffer of the log: ordinary lines pass
//! beside it. Rule: each event is looked at once, and a block is bounded in bytes and in lines.

use crate::model::invocation::LambdaSays;
use crate::model::time::Timestamp;

use super::errors::{dotnet, java, legacy, node, python, ruby, rust};
use super::members::Braces;
use super::platform;
use super::said::{Said, is_error_type};
use super::text;

/// The longest block, in bytes: more is never shown.
const BYTES_MAX: usize = 16 * 1024;
/// Lines that may stand between a block's first line and what makes it certain: messages have several lines.
const WAIT_MAX: u32 = 24;

/// What a first line may become.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The JSON of an `Invoke Error`.
    Node,
    /// The JSON below Ruby's sentence.
    Ruby,
    /// A message that may go over lines, then the traceback.
    Python {
        /// The traceback has begun.
        traced: bool,
    },
    /// The class, said again with the stack below.
    Java {
        /// What the next line must begin with.
        class: Box<str>,
    },
    /// The traceback below `<message>: <class>`, up to the class said again.
    OldPython {
        /// What the last line begins with.
        class: Box<str>,
    },
    /// Frames.
    Dotnet,
    /// The message of a panic, and the runtime's word that there was one.
    Panic,
    /// The error type of the platform's fault.
    Fault,
}

/// What an event is to a block of its stream.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// It goes on with it.
    More,
    /// It ends it.
    Last,
    /// It may be of it or not: it is kept, and read for itself too.
    Beside,
    /// Something else has begun.
    Not,
}

/// Lines of one stream that belong together.
#[derive(Debug)]
pub(super) struct Block {
    kind: Kind,
    /// Of its first line.
    pub(super) time: Timestamp,
    pub(super) text: String,
    braces: Braces,
    /// Where the JSON stands in the text.
    json: Option<(usize, usize)>,
    lines: u32,
}

impl Block {
    pub(super) fn new(kind: Kind, time: Timestamp, text: &str) -> Self {
        let mut block = Self { kind, time, text: String::new(), braces: Braces::default(), json: None, lines: 0 };
        // Kept up to the bound; the braces go on where it is cut.
        block.push(text);
        if matches!(block.kind, Kind::Node | Kind::Ruby)
            && let Some(at) = block.text.find('{')
        {
            block.json = Some((at, at));
            block.follow(at);
        }
        block
    }

    pub(super) fn is_panic(&self) -> bool {
        self.kind == Kind::Panic
    }

    /// Offers the stream's next event.
    pub(super) fn offer(&mut self, line: &str) -> Part {
        self.lines += 1;
        let part = self.part(line);
        if part != Part::Not {
            let from = self.text.len() + 1;
            self.push("\n");
            self.push(line);
            if matches!(self.kind, Kind::Node | Kind::Ruby) {
                return self.json_part(from);
            }
        }
        part
    }

    fn part(&mut self, line: &str) -> Part {
        let indented = line.starts_with(char::is_whitespace);
        let may_wait = self.lines <= WAIT_MAX && !text::is_start(line) && !line.starts_with("{\"");
        match &mut self.kind {
            Kind::Node | Kind::Ruby => {
                let begins = self.json.is_none() && !line.trim_start().starts_with('{');
                if begins || text::is_start(line) { Part::Not } else { Part::More }
            }
            Kind::Python { traced: true } => {
                if indented {
                    Part::More
                } else {
                    Part::Not
                }
            }
            Kind::Python { traced } if line.starts_with(python::TRACEBACK) => {
                *traced = true;
                Part::More
            }
            Kind::Python { .. } => {
                if may_wait {
                    Part::Beside
                } else {
                    Part::Not
                }
            }
            Kind::Java { class } if self.lines == 1 && line.starts_with(python::TRACEBACK) => {
                // Many lines end in a class; what follows tells whose it is.
                self.kind = Kind::OldPython { class: std::mem::take(class) };
                Part::More
            }
            Kind::OldPython { class } => {
                let is_last = legacy::says_again(line, class);
                match is_last {
                    true => Part::Last,
                    false if may_wait => Part::More,
                    false => Part::Not,
                }
            }
            Kind::Java { class } if self.lines == 1 => {
                let again = line.strip_prefix(&**class).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'));
                if again { Part::More } else { Part::Not }
            }
            Kind::Java { .. } => {
                let of_trace = (indented && line.trim_start().starts_with(['a', '.', 'S', 'C']))
                    || line.starts_with("Caused by: ");
                // Lines of the message stand before the first frame.
                let of_message = may_wait && !self.text.contains("\n\tat ") && !self.text.contains("\n    at ");
                if of_trace || of_message { Part::More } else { Part::Not }
            }
            Kind::Dotnet => {
                if dotnet::is_frame(line) {
                    Part::More
                } else {
                    Part::Not
                }
            }
            Kind::Panic if self.lines == 1 && may_wait => Part::More,
            Kind::Panic if rust::is_backtrace(line) => Part::More,
            // The runtime's word may come behind other lines of the function; those do not belong here.
            Kind::Panic => Part::Not,
            Kind::Fault => {
                if is_error_type(line.trim()) {
                    Part::Last
                } else {
                    Part::Not
                }
            }
        }
    }

    fn push(&mut self, line: &str) {
        let room = BYTES_MAX.saturating_sub(self.text.len());
        self.text.push_str(crate::model::text::cut(line, room));
    }

    fn json_part(&mut self, from: usize) -> Part {
        if self.json.is_none() {
            let Some(at) = self.text[from.min(self.text.len())..].find('{') else { return Part::More };
            self.json = Some((from + at, from + at));
            return self.follow(from + at);
        }
        self.follow(from.min(self.text.len()))
    }

    /// Follows the braces in what was added from `from` on.
    fn follow(&mut self, from: usize) -> Part {
        let end = self.braces.follow(&self.text[from..]).map(|len| from + len);
        if let Some((begin, _)) = self.json {
            self.json = Some((begin, end.unwrap_or(self.text.len())));
        }
        if end.is_some() || self.text.len() >= BYTES_MAX { Part::Last } else { Part::More }
    }

    /// What it says as it stands.
    pub(super) fn said(&self) -> Said<'_> {
        let json = self.json.map_or("", |(from, to)| &self.text[from..to]);
        let plain = || Said::new(LambdaSays::Line);
        match &self.kind {
            Kind::Node => Said::unhandled(node::read(json)).of(self.id()),
            // The sentence alone names nothing; its JSON may come in an order of its own.
            Kind::Ruby if json.is_empty() => Said::new(LambdaSays::LastWords),
            Kind::Ruby => Said::unhandled(ruby::read(json)),
            Kind::Python { .. } => python::read(&self.text).map_or_else(plain, Said::unhandled),
            Kind::Java { .. } => java::read(&self.text).unwrap_or_else(plain),
            Kind::OldPython { .. } => legacy::read(&self.text).unwrap_or_else(plain),
            Kind::Dotnet => text::dotnet_line(&self.text),
            Kind::Panic => Said::new(LambdaSays::LastWords),
            Kind::Fault => {
                let said = platform::read(&self.text).and_then(|p| p.said);
                said.or_else(|| text::cut_fault(&self.text)).unwrap_or_else(plain)
            }
        }
    }

    /// The ID behind the stamp of its first line.
    fn id(&self) -> Option<&str> {
        text::stamped_id(&self.text)
    }
}
