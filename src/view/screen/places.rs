//! Where each part of the screen stands, at a size.
//!
//! Not what stands there. Rule: the same answer for drawing and for keys, so that a page is as long as what is seen.

use ratatui::layout::Rect;

/// The smallest screen on which something can be shown.
pub const WIDTH_MIN: u16 = 40;
/// Its rows.
pub const HEIGHT_MIN: u16 = 12;

/// Rows of the header and of the footer.
const HEADER: u16 = 4;
const FOOTER: u16 = 1;
/// Title and headings of the endpoints; title of each other part.
const ENDPOINTS_HEAD: u16 = 2;
const HEAD: u16 = 1;
/// From these sizes on the picked failure is shown beside the list.
const WIDE: u16 = 120;
const TALL: u16 = 30;

/// The parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Places {
    /// What is followed and how it is.
    pub header: Rect,
    /// Alerts that fire, if there are any.
    pub alerts: Rect,
    /// The table of endpoints.
    pub endpoints: Rect,
    /// The list of failures.
    pub failures: Rect,
    /// The picked failure, where there is room for it beside the list.
    pub beside: Option<Rect>,
    /// All between header and footer.
    pub body: Rect,
    /// Keys, or what is typed.
    pub footer: Rect,
}

/// The parts of a screen of this size with so many alerts and endpoints; `None` if it is too small.
#[must_use]
pub fn places(area: Rect, alerts: usize, endpoints: usize) -> Option<Places> {
    if area.width < WIDTH_MIN || area.height < HEIGHT_MIN {
        return None;
    }
    let rows = |n: usize| u16::try_from(n).unwrap_or(u16::MAX);
    let band = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    let left = area.height - HEADER - FOOTER;
    let alerts_max = if area.height >= TALL { 6 } else { 2 };
    let for_alerts = if alerts == 0 { 0 } else { (HEAD + rows(alerts).min(alerts_max)).min((left / 4).max(2)) };
    let lists = left - for_alerts;
    // No more than it has, and no more than its half: failures are why somebody looks.
    let for_endpoints = (ENDPOINTS_HEAD.saturating_add(rows(endpoints.max(1)))).min((lists / 2).max(3));
    let failures = band(HEADER + for_alerts + for_endpoints, lists - for_endpoints);
    let (failures, beside) = if area.width >= WIDE && area.height >= TALL {
        let list = area.width * 11 / 20;
        let beside = Rect { x: failures.x + list + 1, width: area.width - list - 1, ..failures };
        (Rect { width: list, ..failures }, Some(beside))
    } else {
        (failures, None)
    };
    Some(Places {
        header: band(0, HEADER),
        alerts: band(HEADER, for_alerts),
        endpoints: band(HEADER + for_alerts, for_endpoints),
        failures,
        beside,
        body: band(HEADER, left),
        footer: band(area.height - FOOTER, FOOTER),
    })
}

impl Places {
    /// Rows of endpoints that are seen at once.
    #[must_use]
    pub const fn endpoint_rows(&self) -> u16 {
        self.endpoints.height.saturating_sub(ENDPOINTS_HEAD)
    }

    /// Rows of failures.
    #[must_use]
    pub const fn failure_rows(&self) -> u16 {
        self.failures.height.saturating_sub(HEAD)
    }

    /// Rows of alerts.
    #[must_use]
    pub const fn alert_rows(&self) -> u16 {
        self.alerts.height.saturating_sub(HEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_fill_the_screen_and_none_lies_over_another() {
        for (width, height) in [(40, 12), (80, 24), (119, 30), (160, 48), (500, 300)] {
            for (alerts, endpoints) in [(0, 0), (1, 6), (100, 1000)] {
                let area = Rect::new(0, 0, width, height);
                let p = places(area, alerts, endpoints).unwrap();
                let bands = [p.header, p.alerts, p.endpoints, p.failures, p.footer];
                assert_eq!(
                    bands.iter().map(|band| band.height).sum::<u16>(),
                    height,
                    "{width}x{height} {alerts} {endpoints}"
                );
                assert!(bands.windows(2).all(|pair| pair[0].bottom() == pair[1].y));
                assert!(p.endpoint_rows() >= 1 && p.failure_rows() >= 1, "{p:?}");
                assert_eq!(p.alert_rows() > 0, alerts > 0);
                assert!(p.beside.is_none_or(|beside| beside.right() == width && beside.x == p.failures.right() + 1));
            }
        }
        assert_eq!(places(Rect::new(0, 0, 39, 24), 0, 0), None);
        assert_eq!(places(Rect::new(0, 0, 80, 11), 0, 0), None);
    }
}
