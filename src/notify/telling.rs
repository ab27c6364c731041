//! A message as it may leave: without secrets and without what is about persons, and no larger than it may be.
//!
//! All renderings take a `Telling` and nothing else, so what is masked here is masked in each of them. What is too large
//! is not cut in its bytes but rendered again from less: first the examples go, then causes, members and endpoints;
//! counts never. Rule: names that tell alerts apart for machines are made before anything is masked or cut.

use std::sync::Arc;

use super::message::{AlertMessage, Message};
use crate::model::alert::Subject;
use crate::model::cause::Fix;
use crate::model::text::cut;
use crate::model::{personal, secrets};

/// Longest stable name, in bytes; alarms of CloudWatch have 255 characters.
const NAME_MAX: usize = 200;

/// What of a message may be told at most.
struct Bounds {
    /// Bytes of a text of a log or of the service.
    words: usize,
    /// Bytes of a command or query; a longer one is left out, because part of a command is another command.
    command: usize,
    /// Causes that have an example.
    samples: usize,
    /// Causes.
    causes: usize,
    /// Members, endpoints and other lists.
    list: usize,
    /// Bytes of a name.
    name: usize,
}

/// From everything to what always fits: less than 30 names of 128 bytes, each up to 12 times as long when it is
/// escaped twice.
const BOUNDS: [Bounds; 6] = [
    Bounds {
        words: usize::MAX,
        command: usize::MAX,
        samples: usize::MAX,
        causes: usize::MAX,
        list: usize::MAX,
        name: usize::MAX,
    },
    Bounds { words: 1024, command: 8192, samples: usize::MAX, causes: usize::MAX, list: usize::MAX, name: 4096 },
    Bounds { words: 1024, command: 8192, samples: 1, causes: usize::MAX, list: usize::MAX, name: 2048 },
    Bounds { words: 256, command: 2048, samples: 1, causes: 20, list: 20, name: 1024 },
    Bounds { words: 128, command: 0, samples: 0, causes: 5, list: 5, name: 256 },
    Bounds { words: 0, command: 0, samples: 0, causes: 0, list: 0, name: 128 },
];

/// A message that may leave.
#[derive(Clone, Debug)]
pub(super) struct Telling {
    /// What may be said of it.
    pub message: Message,
    /// Names what it is about over all its episodes, in at most 200 bytes; different for what is different.
    pub name: String,
    /// The same as 16 hex digits.
    pub fingerprint: String,
    /// Failures whose cause is known, also where not all causes are told.
    pub explained: u64,
    /// Causes that are not told.
    pub causes_left_out: usize,
}

impl Telling {
    /// The whole message, masked.
    pub fn of(m: &Message) -> Self {
        let fingerprint = m.fingerprint();
        let mut message = m.clone();
        each_text(&mut message, &mut |text| {
            let secret = secrets::mask(text);
            let masked = personal::mask(&secret);
            (masked != text).then(|| masked.into_owned())
        });
        let (whole, masked) = (m.name(), message.name());
        let bounded = cut(&masked, NAME_MAX - fingerprint.len() - 1);
        let name = if bounded == whole { whole } else { format!("{bounded} {fingerprint}") };
        let explained = m.alert().map_or(0, |m| m.alert.explained());
        Self { message, name, fingerprint, explained, causes_left_out: 0 }
    }

    /// Renders as much of it as fits; the last try is handed out as it is.
    pub fn fitting<T>(&self, render: impl Fn(&Self) -> T, fits: impl Fn(&T) -> bool) -> T {
        let [whole, smaller @ ..] = &BOUNDS;
        let mut rendered = render(&self.bounded(whole));
        for bounds in smaller {
            if fits(&rendered) {
                break;
            }
            rendered = render(&self.bounded(bounds));
        }
        rendered
    }

    fn bounded(&self, bounds: &Bounds) -> Self {
        let mut told = self.clone();
        match &mut told.message {
            Message::Alert(m) => {
                told.causes_left_out = m.alert.causes.len().saturating_sub(bounds.causes);
                bound(m, bounds);
            }
            Message::Digest(d) => {
                d.members.truncate(bounds.list);
                d.members.iter_mut().for_each(|m| bound(m, bounds));
            }
            Message::Notice(n) => {
                n.names.truncate(bounds.list);
                n.apis.truncate(bounds.list);
                n.endpoints.truncate(bounds.list);
                n.causes.truncate(bounds.causes);
                n.why.truncate(bounds.list);
            }
            Message::Test(_) => {}
        }
        each_text(&mut told.message, &mut |text| {
            let bounded = cut(text, bounds.name);
            (bounded.len() < text.len()).then(|| bounded.to_owned())
        });
        told
    }
}

/// Drops and cuts what is longer than it may be, but for names.
fn bound(m: &mut AlertMessage, bounds: &Bounds) {
    let a = &mut m.alert;
    a.causes.truncate(bounds.causes);
    for (n, cause) in a.causes.iter_mut().enumerate() {
        if n >= bounds.samples {
            cause.sample = Arc::default();
        }
        let sample = Arc::make_mut(&mut cause.sample);
        sample.message = sample.message.take().map(|m| words(&m, bounds)).filter(|m| !m.is_empty());
        if let Some(fix) = &sample.fix {
            let command = fix.command.clone().filter(|command| command.len() <= bounds.command);
            sample.fix = Some(Arc::new(Fix { text: cut(&fix.text, bounds.words).to_owned(), command }));
        }
    }
    a.endpoints.truncate(bounds.list);
    if let Some(b) = &mut a.blindness {
        b.rules.truncate(bounds.list);
        b.apis.truncate(bounds.list);
        b.said = words(&b.said, bounds);
    }
    let fits = |groups: &[Arc<str>], text: &str| {
        groups.iter().map(|group| group.len()).sum::<usize>() + text.len() <= bounds.command
    };
    m.query = m.query.take().filter(|query| fits(&query.groups, &query.text));
}

fn words(text: &Arc<str>, bounds: &Bounds) -> Arc<str> {
    if text.len() <= bounds.words { Arc::clone(text) } else { cut(text, bounds.words).into() }
}

/// Hands each text of the message to `new`, which may return another one.
fn each_text(m: &mut Message, new: &mut impl FnMut(&str) -> Option<String>) {
    match m {
        Message::Alert(m) => each_of_alert(m, new),
        Message::Digest(d) => {
            d.rule.iter_mut().chain(&mut d.api).for_each(|text| shared(text, new));
            shared(&mut d.episode, new);
            d.members.iter_mut().for_each(|m| each_of_alert(m, new));
        }
        Message::Notice(n) => {
            n.names.iter_mut().chain(&mut n.apis).for_each(|text| shared(text, new));
            for missed in &mut n.endpoints {
                shared(&mut missed.api, new);
                let endpoint = Arc::make_mut(&mut missed.endpoint);
                shared(&mut endpoint.method, new);
                shared(&mut endpoint.route, new);
            }
            shared(&mut n.episode, new);
        }
        Message::Test(t) => shared(&mut t.episode, new),
    }
}

fn each_of_alert(m: &mut AlertMessage, new: &mut impl FnMut(&str) -> Option<String>) {
    shared(&mut m.api, new);
    let a = &mut m.alert;
    shared(&mut a.key.rule, new);
    shared(&mut a.episode, new);
    match &mut a.key.subject {
        Subject::Api => {}
        Subject::Source(source) => shared(source, new),
        Subject::Endpoint(endpoint) => {
            let endpoint = Arc::make_mut(endpoint);
            shared(&mut endpoint.method, new);
            shared(&mut endpoint.route, new);
        }
    }
    for count in &mut a.endpoints {
        let endpoint = Arc::make_mut(&mut count.endpoint);
        shared(&mut endpoint.method, new);
        shared(&mut endpoint.route, new);
    }
    for cause in &mut a.causes {
        let s = Arc::make_mut(&mut cause.sample);
        let texts = [&mut s.error_type, &mut s.message, &mut s.function, &mut s.request_id, &mut s.lambda_request_id];
        texts.into_iter().flatten().for_each(|text| shared(text, new));
        if let Some(site) = &mut s.site
            && let Some(file) = new(&site.file)
        {
            site.file = file.into();
        }
        if let Some(fix) = &mut s.fix {
            let fix = Arc::make_mut(fix);
            owned(&mut fix.text, new);
            fix.command.iter_mut().for_each(|text| owned(text, new));
        }
    }
    if let Some(b) = &mut a.blindness {
        shared(&mut b.said, new);
        b.rules.iter_mut().chain(&mut b.apis).for_each(|text| shared(text, new));
    }
    if let Some(query) = &mut m.query {
        query.groups.iter_mut().chain(&mut query.region).for_each(|text| shared(text, new));
        owned(&mut query.text, new);
    }
}

fn shared(text: &mut Arc<str>, new: &mut impl FnMut(&str) -> Option<String>) {
    if let Some(other) = new(text) {
        *text = other.into();
    }
}

fn owned(text: &mut String, new: &mut impl FnMut(&str) -> Option<String>) {
    if let Some(other) = new(text) {
        *text = other;
    }
}
