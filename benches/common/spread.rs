//! Median and range of what many rounds measured.
//!
//! Not a test of significance: the range is shown so that whoever reads a figure sees how restless the machine was.
//! Rule: it never hides a round; the range is of all values that were put in.

use std::fmt;

/// Of one value per round.
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// Half of the rounds lie below it.
    pub median: f64,
    /// The largest.
    pub most: f64,
}

/// Of at least one value.
pub fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let (middle, odd) = (values.len() / 2, values.len() % 2 == 1);
    let median = if odd { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) };
    Spread { least: values[0], median, most: values[values.len() - 1] }
}

/// With as many decimals as asked for, three if none are.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let n = f.precision().unwrap_or(3);
        let text = format!("{:.n$} ({:.n$} .. {:.n$})", self.median, self.least, self.most);
        // `pad` would take the decimals for a length.
        write!(f, "{text:>width$}", width = f.width().unwrap_or(0))
    }
}
