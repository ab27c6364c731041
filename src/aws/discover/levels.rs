//! Levels of an execution log: what is logged of which methods.
//!
//! Rule: an override says the level of its method, else the stage's own does, else nothing is logged.

use std::collections::BTreeMap;

use crate::model::deployed::ExecutionLog;

/// What is logged of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Level {
    Off,
    /// Failures.
    Error,
    /// All of it.
    Info,
}

impl Level {
    /// `OFF`, `ERROR`, `INFO`; nothing is as good as `OFF`.
    pub(super) fn parse(word: Option<&str>) -> Self {
        match word {
            Some("INFO") => Self::Info,
            Some("ERROR") => Self::Error,
            Some(_) | None => Self::Off,
        }
    }
}

/// Levels of a stage.
#[derive(Clone, Debug)]
pub(super) struct Levels {
    /// Of what has none of its own.
    pub(super) stage: Level,
    /// By method, named as the stage's methods are.
    pub(super) overrides: BTreeMap<String, Level>,
}

impl Levels {
    /// What is logged to `group` of these methods. Where no method is known, what is set says it.
    pub(super) fn execution_log(&self, group: &str, methods: &[String]) -> ExecutionLog {
        let known = methods.iter().map(|method| self.overrides.get(method).copied().unwrap_or(self.stage));
        let mut levels: Vec<Level> = known.collect();
        if levels.is_empty() {
            levels = self.overrides.values().copied().chain([self.stage]).collect();
        }
        if levels.iter().all(|level| *level == Level::Off) {
            return ExecutionLog::Off;
        }
        ExecutionLog::On {
            group: group.into(),
            all: levels.iter().all(|level| *level != Level::Error),
            every_method: levels.iter().all(|level| *level != Level::Off),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(stage: Level, overrides: &[(&str, Level)], methods: &[&str]) -> ExecutionLog {
        let overrides = overrides.iter().map(|(method, level)| ((*method).to_owned(), *level)).collect();
        let methods: Vec<_> = methods.iter().map(|&method| method.to_owned()).collect();
        Levels { stage, overrides }.execution_log("g", &methods)
    }

    fn on(all: bool, every_method: bool) -> ExecutionLog {
        ExecutionLog::On { group: "g".into(), all, every_method }
    }

    #[test]
    fn an_override_says_the_level_of_its_method() {
        use Level::{Error, Info, Off};
        assert_eq!(log(Info, &[], &["a", "b"]), on(true, true));
        assert_eq!(log(Error, &[], &["a", "b"]), on(false, true));
        assert_eq!(log(Off, &[], &["a", "b"]), ExecutionLog::Off);
        assert_eq!(log(Off, &[("a", Info)], &["a", "b"]), on(true, false));
        assert_eq!(log(Info, &[("a", Off)], &["a", "b"]), on(true, false));
        assert_eq!(log(Info, &[("a", Error)], &["a", "b"]), on(false, true));
        assert_eq!(log(Off, &[("a", Info), ("b", Info)], &["a", "b"]), on(true, true));
        assert_eq!(log(Off, &[("gone", Info)], &["a"]), ExecutionLog::Off, "a method that is no more");
        assert_eq!(log(Off, &[("a", Info)], &[]), on(true, false), "methods are not known");
        assert_eq!(log(Info, &[], &[]), on(true, true));
    }

    #[test]
    fn a_level_is_a_word() {
        let levels = [Some("INFO"), Some("ERROR"), Some("OFF"), None].map(Level::parse);
        assert_eq!(levels, [Level::Info, Level::Error, Level::Off, Level::Off]);
    }
}
