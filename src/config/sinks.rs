//! `[[sink]]`: where messages go, and what each place is called.
//!
//! Not which alerts a sink wants: those keys say so themselves. Rule: no two sinks have one name, because messages are
//! kept on disk by it; and none holds a secret, because it stands in logs.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use toml::Spanned;

use super::file::{SeverityWord, Span, between};
use super::format::FormatWord;
use super::notify::{Known, names, rate};
use super::problem::{ConfigError, Source};
use super::word::word;
use super::{SinkConfig, SinkKind};
use crate::model::alert::Severity;
use crate::notify::audience::Audience;
use crate::notify::plan::bucket::Rate;
use crate::notify::sink::stdout::StdoutFormat;
use crate::notify::sink::webhook::{TIMEOUT, WebhookSettings};
use crate::notify::sns::Format;

/// Characters of a sink's name.
const NAME_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SinkWord {
    Stdout,
    Sns,
    Webhook,
}

/// By hand, so that a mistake is told in plain words.
impl<'de> Deserialize<'de> for SinkWord {
    fn deserialize<D: Deserializer<'de>>(de: D) -> Result<Self, D::Error> {
        word(de, "kind of a sink", &[("stdout", Self::Stdout), ("sns", Self::Sns), ("webhook", Self::Webhook)])
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SinkTable {
    kind: Option<SinkWord>,
    name: Option<Spanned<String>>,
    format: Option<Spanned<FormatWord>>,
    topic_arn: Option<Spanned<String>>,
    url: Option<Spanned<String>>,
    headers: Option<Spanned<BTreeMap<Spanned<String>, Spanned<String>>>>,
    timeout: Option<Spanned<Span>>,
    insecure: Option<Spanned<bool>>,
    min_severity: Option<SeverityWord>,
    rules: Option<Vec<Spanned<String>>>,
    apis: Option<Vec<Spanned<String>>>,
    rate: Option<Spanned<f64>>,
    burst: Option<Spanned<u64>>,
}

impl SinkWord {
    const fn word(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Sns => "sns",
            Self::Webhook => "webhook",
        }
    }
}

impl SinkTable {
    /// A key that only other kinds have.
    fn strange_key(&self, kind: SinkWord) -> Option<(&'static str, Range<usize>)> {
        let span = |kinds: &[SinkWord], span: Option<Range<usize>>| span.filter(|_| !kinds.contains(&kind));
        let keys = [
            ("format", span(&[SinkWord::Stdout, SinkWord::Sns], self.format.as_ref().map(Spanned::span))),
            ("topic_arn", span(&[SinkWord::Sns], self.topic_arn.as_ref().map(Spanned::span))),
            ("url", span(&[SinkWord::Webhook], self.url.as_ref().map(Spanned::span))),
            ("headers", span(&[SinkWord::Webhook], self.headers.as_ref().map(Spanned::span))),
            ("timeout", span(&[SinkWord::Webhook], self.timeout.as_ref().map(Spanned::span))),
            ("insecure", span(&[SinkWord::Webhook], self.insecure.as_ref().map(Spanned::span))),
        ];
        keys.into_iter().find_map(|(key, span)| Some((key, span?)))
    }
}

/// The sinks, each with a name of its own: the one it is given, else what it leads to, from the second on with `#2`.
/// `all` is how many messages each of them takes, unless it says otherwise.
pub(super) fn sinks(
    source: &Source<'_>,
    tables: &[Spanned<SinkTable>],
    known: &Known,
    all: Rate,
    default: Vec<SinkConfig>,
) -> Result<Vec<SinkConfig>, ConfigError> {
    if tables.is_empty() {
        return Ok(default);
    }
    let mut names = BTreeSet::new();
    for table in tables {
        if let Some(given) = &table.get_ref().name
            && !names.insert(name(source, given)?)
        {
            let wrong = format!("two sinks are named `{}`: names must differ", given.get_ref());
            return Err(source.wrong(given.span(), wrong));
        }
    }
    let mut sinks: Vec<SinkConfig> = Vec::new();
    let mut unnamed: BTreeMap<String, u32> = BTreeMap::new();
    for table in tables {
        let mut sink = sink(source, table, known, all)?;
        if table.get_ref().name.is_none() {
            let leads_to = sink.kind.name().into_owned();
            let times = unnamed.entry(leads_to.clone()).or_default();
            *times += 1;
            let own: Arc<str> = if *times == 1 { leads_to.into() } else { format!("{leads_to}#{times}").into() };
            if !names.insert(Arc::clone(&own)) {
                let wrong = format!("a sink without a name is called `{own}`, and so is another: name it otherwise");
                return Err(source.wrong(table.span(), wrong));
            }
            sink.audience.name = own;
        }
        sinks.push(sink);
    }
    Ok(sinks)
}

fn sink(source: &Source<'_>, table: &Spanned<SinkTable>, known: &Known, all: Rate) -> Result<SinkConfig, ConfigError> {
    let sink = table.get_ref();
    let Some(kind) = sink.kind else {
        return Err(source.wrong(table.span(), "a sink needs kind: \"stdout\", \"sns\" or \"webhook\""));
    };
    if let Some((key, span)) = sink.strange_key(kind) {
        return Err(source.wrong(span, format!("a sink of kind \"{}\" has no {key}", kind.word())));
    }
    let kind = match kind {
        SinkWord::Stdout => stdout(source, sink)?,
        SinkWord::Sns => sns(source, table)?,
        SinkWord::Webhook => SinkKind::Webhook(webhook(source, table)?),
    };
    let name = match &sink.name {
        Some(given) => name(source, given)?,
        None => kind.name().as_ref().into(),
    };
    let min_severity = sink.min_severity.map_or(Severity::Elevated, SeverityWord::severity);
    let rules = names(source, sink.rules.as_ref(), &known.rules, "rule")?;
    let apis = names(source, sink.apis.as_ref(), &known.apis, "API")?;
    let own = rate(source, sink.rate.as_ref(), sink.burst.as_ref(), all)?;
    let rate = Some(own).filter(|_| sink.rate.is_some() || sink.burst.is_some());
    Ok(SinkConfig { audience: Audience { min_severity, rules, apis, rate, ..Audience::of_all(&name) }, kind })
}

fn name(source: &Source<'_>, given: &Spanned<String>) -> Result<Arc<str>, ConfigError> {
    let name = given.get_ref();
    let odd = name.trim() != name || name.is_empty() || name.chars().any(char::is_control);
    if odd || name.chars().count() > NAME_MAX {
        let right = format!("1 to {NAME_MAX} characters, no blanks around them");
        return Err(source.wrong(given.span(), format!("`{}` is no name of a sink: {right}", name.escape_debug())));
    }
    Ok(name.as_str().into())
}

fn stdout(source: &Source<'_>, sink: &SinkTable) -> Result<SinkKind, ConfigError> {
    let Some(format) = &sink.format else { return Ok(SinkKind::Stdout(StdoutFormat::Auto)) };
    let known = format.get_ref().of_stdout().map_err(|why| source.wrong(format.span(), why))?;
    Ok(SinkKind::Stdout(known))
}

fn sns(source: &Source<'_>, table: &Spanned<SinkTable>) -> Result<SinkKind, ConfigError> {
    let sink = table.get_ref();
    let Some(arn) = &sink.topic_arn else {
        return Err(source.wrong(table.span(), "a sink of kind \"sns\" needs topic_arn"));
    };
    let format = match &sink.format {
        Some(format) => format.get_ref().of_sns().map_err(|why| source.wrong(format.span(), why))?,
        None => Format::Text,
    };
    let region = topic_region(arn.get_ref()).ok_or_else(|| {
        let right = "arn:aws:sns:REGION:ACCOUNT:NAME";
        source.wrong(arn.span(), format!("`{}` is no topic ARN: it looks like {right}", arn.get_ref()))
    })?;
    Ok(SinkKind::Sns { topic_arn: arn.get_ref().clone(), region, format })
}

fn topic_region(arn: &str) -> Option<String> {
    let parts: Vec<_> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, "sns", region, _, name] if !region.is_empty() && !name.is_empty() => Some(region.to_owned()),
        _ => None,
    }
}

fn webhook(source: &Source<'_>, table: &Spanned<SinkTable>) -> Result<WebhookSettings, ConfigError> {
    let sink = table.get_ref();
    let Some(url) = &sink.url else {
        return Err(source.wrong(table.span(), "a sink of kind \"webhook\" needs url"));
    };
    let insecure = sink.insecure.as_ref().is_some_and(|i| *i.get_ref());
    let settings = WebhookSettings::new(url.get_ref(), insecure).map_err(|e| source.wrong(url.span(), e))?;
    let mut settings = settings.with_timeout(between(source, sink.timeout.as_ref(), "1s", "1m", TIMEOUT)?);
    for (name, value) in sink.headers.iter().flat_map(Spanned::get_ref) {
        let headed = settings.with_header(name.get_ref(), value.get_ref());
        settings = headed.map_err(|e| source.wrong(name.span(), e))?;
    }
    Ok(settings)
}
