//! The four rows on top: what is followed, how bad it is, how many requests come and fail, how far the logs are read.
//!
//! Rule: no traffic and no sight never look alike. A slot that was read and had no request is a low bar; one that is not
//! read is a `?` where reading is in trouble, and a dot where it is only not read yet.

use ratatui::style::Style;

use super::board::{Board, Reach};
use super::canvas::Canvas;
use super::ink::Ink;
use super::rhythm::{Beat, SLOT};
use super::words;
use crate::model::inventory::SourceKind;
use crate::model::report::{Report, SourceReport};
use crate::model::time::{Timestamp, human};
use crate::view::BARS;

/// Cells of the names and figures before a sparkline.
const FIGURES: u16 = 34;

/// Draws it.
pub fn draw(mut on: Canvas<'_>, board: &Board, ink: Ink, now: Timestamp) {
    title(&mut on, board, ink, now);
    let blind = board.is_blind(now);
    let (requests, failures) = totals(board.last_report());
    let covered = board.counted_for(now);
    let known = board.requests() > 0 || board.is_ready();
    let rate = if known { words::rate(requests, covered) } else { words::NONE.to_owned() };
    on.put(1, 1, 9, "requests", ink.label());
    on.put_right(10, 1, 7, &rate, Ink::bold());
    let per = if blind { "/s, not all seen" } else { "/s" };
    on.put(17, 1, FIGURES - 17, per, if blind { ink.bad() } else { ink.dim() });
    on.put(1, 2, 9, "5xx", ink.label());
    let bad = if failures > 0 { ink.bad() } else { Ink::plain() };
    let share = if known { words::share(failures, requests) } else { words::NONE.to_owned() };
    on.put_right(10, 2, 7, &share, bad);
    if known {
        let of = format!("{} of {}", words::count(failures), words::count(requests));
        on.put(18, 2, FIGURES - 18, &of, ink.dim());
    }
    let slots = on.width().saturating_sub(FIGURES + 1);
    let beats: Vec<_> = board.rhythm().last(slots, now).collect();
    bars(&mut on, 1, &beats, board, now, |beat| beat.requests, (Ink::plain(), ink));
    bars(&mut on, 2, &beats, board, now, |beat| beat.failures, (ink.bad(), ink));
    logs(&mut on, board, ink, now);
}

fn title(on: &mut Canvas<'_>, board: &Board, ink: Ink, now: Timestamp) {
    let title = board.title();
    let time = format!("{} UTC ", words::clock(now));
    let right = on.width().saturating_sub(13);
    on.put_right(right, 0, 13, &time, ink.dim());
    let firing = board.last_report().map(|report| &report.firing[..]).unwrap_or_default();
    let (badge, style) = match firing.iter().map(|alert| alert.severity).max() {
        Some(worst) => {
            let noun = if firing.len() == 1 { "alert" } else { "alerts" };
            (format!(" {} {} {noun} ", worst.word().to_uppercase(), firing.len()), ink.severity(worst))
        }
        None if board.is_blind(now) => (" NOT READ ".to_owned(), ink.bad()),
        None if !board.is_ready() => ("reading ".to_owned(), ink.dim()),
        None => ("no alerts ".to_owned(), ink.good()),
    };
    let wide = u16::try_from(badge.len()).unwrap_or(u16::MAX).min(right);
    on.put(right - wide, 0, wide, &badge, style);
    let left = right - wide;
    let x = on.put(1, 0, left.saturating_sub(2), &title.api, Ink::bold());
    let stage = title.stage.as_deref().unwrap_or_default();
    let window = board.last_report().map(|report| format!("last {}", human(report.window))).unwrap_or_default();
    let rest = [stage, &title.region, &window].into_iter().filter(|part| !part.is_empty());
    rest.fold(x, |x, part| on.put(x + 2, 0, left.saturating_sub(x + 3), part, ink.dim()));
}

fn totals(report: Option<&Report>) -> (u64, u64) {
    let summary = report.and_then(|report| report.summary.as_ref());
    summary.map_or((0, 0), |summary| (summary.requests(), summary.failures()))
}

/// A bar for each slot, as tall as its share of the tallest.
fn bars(
    on: &mut Canvas<'_>,
    y: u16,
    beats: &[(Timestamp, Option<Beat>)],
    board: &Board,
    now: Timestamp,
    of: impl Fn(&Beat) -> u64,
    (high, ink): (Style, Ink),
) {
    let most = beats.iter().filter_map(|(_, beat)| beat.as_ref()).map(&of).max().unwrap_or(0);
    let (reach, is_blind) = (board.reach(), board.is_blind(now));
    for (x, (begin, beat)) in (FIGURES..).zip(beats) {
        let n = beat.as_ref().map_or(0, &of);
        let is_read = match reach {
            Reach::Nowhere => false,
            Reach::To(at) => *begin < at,
        };
        let (sign, style) = if n > 0 {
            (bar(n, most), high)
        } else if begin.plus(SLOT) <= board.since() || beat.is_none() {
            (' ', ink.dim())
        } else if is_read {
            (BARS[0], ink.dim())
        } else if !is_blind {
            ('·', ink.dim())
        } else {
            ('?', ink.bad())
        };
        on.put(x, y, 1, sign.encode_utf8(&mut [0; 4]), style);
    }
}

/// Something is never as low as nothing.
fn bar(n: u64, most: u64) -> char {
    let steps = BARS.len() - 1;
    let share = u128::from(n) * steps as u128;
    let step = usize::try_from(share.div_ceil(u128::from(most.max(1)))).unwrap_or(steps);
    BARS[step.clamp(1, steps)]
}

/// How far each kind of log is read; or what is in trouble.
fn logs(on: &mut Canvas<'_>, board: &Board, ink: Ink, now: Timestamp) {
    let Some(report) = board.last_report() else {
        on.put(1, 3, on.width(), &format!("reading what came since {}", words::clock(board.since())), ink.dim());
        return;
    };
    on.put(1, 3, 9, "logs", ink.label());
    let mut x = 10;
    let troubled: Vec<&SourceReport> =
        report.sources.iter().filter(|source| source.reading.trouble.is_some()).collect();
    let put = |on: &mut Canvas<'_>, x: u16, text: &str, style| {
        let width = on.width().saturating_sub(x);
        on.put(x, 3, width, text, style)
    };
    if !troubled.is_empty() {
        x = put(on, x, &format!("NOT READ {} of {}: ", troubled.len(), report.sources.len()), ink.bad());
        for source in &troubled {
            let why = source.reading.trouble.as_ref().map_or("", |trouble| trouble.problem.phrase());
            x = put(on, x, &format!("{} ({why})  ", source.name), ink.bad());
        }
    }
    if !board.is_ready() {
        let done = report.sources.iter().filter(|source| source.tried).count();
        let all = report.sources.len() + report.unlisted;
        let since = words::clock(board.since());
        x = put(on, x, &format!("reading what came since {since}: {done} of {all} logs done  "), ink.warn());
    }
    for (kind, name) in [(0, "access"), (1, "Lambda"), (2, "execution")] {
        let its = report.sources.iter().filter(|source| rank(source.kind) == kind && source.reading.trouble.is_none());
        let read: Vec<_> = its.filter_map(|source| source.reading.read_to).collect();
        let Some(furthest_behind) = read.iter().min() else { continue };
        let lag = now.since(*furthest_behind);
        let number = if read.len() > 1 { format!("{} ", read.len()) } else { String::new() };
        let behind = board.is_blind(now) && kind != 1;
        x = put(on, x, &format!("{number}{name} read to "), ink.dim());
        x = put(on, x, &format!("{} ago  ", words::long(lag)), if behind { ink.bad() } else { Ink::plain() });
    }
    let dropped = report.dropped.to_string();
    if !dropped.is_empty() {
        put(on, x, &format!("left out: {dropped}"), ink.warn());
    }
}

const fn rank(kind: SourceKind) -> u8 {
    match kind {
        SourceKind::Access(_) => 0,
        SourceKind::Lambda => 1,
        SourceKind::Execution(_) => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_tall_as_its_share_and_one_is_never_nothing() {
        assert_eq!([1, 500, 1000].map(|n| bar(n, 1000)), ['▂', '▅', '█']);
        assert_eq!((bar(1, 1), bar(u64::MAX, u64::MAX)), ('█', '█'));
    }
}
