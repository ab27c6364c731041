//! What a check found, for people: by API, the worst first, each with what mends it.
//!
//! Rule: what is wrong has lines of its own, and a command stands alone on its line; of what is well there is one line
//! for each thing that was looked at.

use std::sync::Arc;

use super::Paint;
use crate::model::finding::{Finding, Level, Subject, Sums};
use crate::model::text::printable;

/// All of it; ends with the sums.
#[must_use]
pub fn text(findings: &[Finding], paint: Paint) -> String {
    let mut out = String::new();
    let mut apis: Vec<Option<&Arc<str>>> = Vec::new();
    for finding in findings {
        let api = finding.api.as_ref();
        if !apis.contains(&api) {
            apis.push(api);
        }
    }
    for api in apis {
        let title = api.map_or_else(|| "Account".to_owned(), |api| format!("API {}", printable(api)));
        out.push_str(&format!("{}\n", paint.bold(&title)));
        let own: Vec<_> = findings.iter().filter(|f| f.api.as_ref() == api).collect();
        for finding in own.iter().filter(|f| f.level != Level::Ok) {
            out.push_str(&wrong(finding, paint));
        }
        for line in well(&own) {
            out.push_str(&format!("  {}       {}\n", paint.green("ok"), printable(&line)));
        }
        out.push('\n');
    }
    out.push_str(&sums(Sums::of(findings), paint));
    out.push('\n');
    out
}

fn wrong(finding: &Finding, paint: Paint) -> String {
    let level = match finding.level {
        Level::Fault => paint.red("FAULT  "),
        Level::Warning => paint.yellow("warning"),
        Level::Ok => paint.green("ok     "),
    };
    let what = finding.check.word().replace('_', " ");
    let subject = paint.bold(&printable(&finding.subject.to_string()));
    let mut out = format!("  {level}  {subject}: {what}\n           {}\n", printable(&finding.text));
    if let Some(fix) = &finding.fix {
        out.push_str(&format!("           {} {}\n", paint.green("fix"), printable(&fix.text)));
        if let Some(command) = &fix.command {
            out.push_str(&format!("           {}\n", printable(command)));
        }
    }
    out
}

/// One line for each thing that is well, with all that was found of it.
fn well(findings: &[&Finding]) -> Vec<String> {
    let mut lines: Vec<(&Subject, String)> = Vec::new();
    for finding in findings.iter().filter(|f| f.level == Level::Ok) {
        match lines.iter_mut().find(|(subject, _)| **subject == finding.subject) {
            Some((_, line)) => line.push_str(&format!("; {}", finding.text)),
            None => lines.push((&finding.subject, format!("{}: {}", finding.subject, finding.text))),
        }
    }
    lines.into_iter().map(|(_, line)| line).collect()
}

fn sums(sums: Sums, paint: Paint) -> String {
    let Sums { faults, warnings, oks } = sums;
    let count = |n: usize, what: &str| if n == 1 { format!("1 {what}") } else { format!("{n} {what}s") };
    let faults_text = count(faults, "fault");
    let faults_text = if faults > 0 { paint.red(&faults_text) } else { faults_text };
    let warnings_text = count(warnings, "warning");
    let warnings_text = if warnings > 0 { paint.yellow(&warnings_text) } else { warnings_text };
    format!("{faults_text}, {warnings_text}, {oks} ok")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::finding::{Check, SubjectKind};

    #[test]
    fn findings_stand_by_api_with_the_worst_first_and_cannot_set_colours() {
        let shop: Arc<str> = "shop".into();
        let found = [
            Finding::ok(Check::Credentials, SubjectKind::Caller, "arn:x", "known"),
            Finding::fault(Check::Timeout, SubjectKind::Function, "fn\u{1b}[2J", "Too long.")
                .fix("Shorten it.", Some("aws that".to_owned()))
                .of(&shop),
            Finding::warning(Check::FunctionLog, SubjectKind::Function, "fn", "Not read.").of(&shop),
            Finding::ok(Check::LogGroup, SubjectKind::LogGroup, "/g", "exists").of(&shop),
            Finding::ok(Check::Stage, SubjectKind::Stage, "a1/prod", "REST").of(&shop),
            Finding::ok(Check::LogClass, SubjectKind::LogGroup, "/g", "class Standard").of(&shop),
        ];
        let want = "\
Account
  ok       caller arn:x: known

API shop
  FAULT    function fn [2J: timeout
           Too long.
           fix Shorten it.
           aws that
  warning  function fn: function log
           Not read.
  ok       log group /g: exists; class Standard
  ok       stage a1/prod: REST

1 fault, 1 warning, 4 ok
";
        assert_eq!(text(&found, Paint(false)), want);
        let coloured = text(&found, Paint(true));
        assert!(coloured.contains("\u{1b}[31mFAULT  \u{1b}[0m") && !coloured.contains("\u{1b}[2J"));
    }
}
