//! A text that may be secret: itself, or the place where it stands.
//!
//! Not what it is for. Rule: where it stands is checked when the configuration is read, what stands there when a sink is
//! opened; the text itself is never shown.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// Bytes of a text that is not in the configuration.
const TEXT_MAX: u64 = 8192;
/// Set by systemd for a unit with `LoadCredential=`: the folder of its credentials. Source: systemd.exec(5).
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A text as it is configured. It has no `Debug`: it would be shown.
#[derive(Clone, PartialEq, Eq)]
pub(super) enum Secret {
    /// Itself.
    Plain(String),
    /// In a variable of the environment.
    Env(String),
    /// In a file.
    File(PathBuf),
    /// In a credential of the systemd unit.
    Credential(String),
}

impl Secret {
    /// Reads `env:NAME`, `file:/path`, `credential:NAME`; anything else is the text itself. `what` is for messages.
    pub(super) fn parse(text: &str, what: &str) -> Result<Self, String> {
        if let Some(variable) = text.strip_prefix("env:") {
            if variable.is_empty() || variable.contains(['=', '\0']) {
                return Err(format!("{what} names no variable: write \"env:NAME\""));
            }
            return Ok(Self::Env(variable.to_owned()));
        }
        if let Some(path) = text.strip_prefix("file:") {
            if !path.starts_with('/') {
                return Err(format!("{what} names no file: write \"file:/path\""));
            }
            return Ok(Self::File(path.into()));
        }
        if let Some(name) = text.strip_prefix("credential:") {
            // The same names that LoadCredential= takes: those of files in one folder.
            if matches!(name, "" | "." | "..") || name.contains(['/', ':', '\0']) {
                return Err(format!("{what} names no credential: write \"credential:NAME\""));
            }
            return Ok(Self::Credential(name.to_owned()));
        }
        Ok(Self::Plain(text.to_owned()))
    }

    /// The text, without blanks around it: files end in a line end. Reads the environment and files. `what` is for
    /// messages.
    pub(super) fn read(&self, what: &str) -> Result<String, String> {
        let text = match self {
            Self::Plain(text) => text.clone(),
            Self::Env(name) => match std::env::var(name) {
                Ok(text) => text,
                Err(std::env::VarError::NotPresent) => {
                    return Err(format!("{what} is to come from ${name}, which is not set"));
                }
                Err(std::env::VarError::NotUnicode(_)) => {
                    return Err(format!("{what} is to come from ${name}, which is no UTF-8 text"));
                }
            },
            Self::File(path) => read_file(path)
                .map_err(|e| format!("{what} is to come from {}, which cannot be read: {e}", path.display()))?,
            Self::Credential(name) => {
                let folder = std::env::var_os(CREDENTIALS).ok_or_else(|| {
                    format!(
                        "{what} is to come from the credential `{name}`, but ${CREDENTIALS} is not set: write \
                         LoadCredential={name}:/path into the systemd unit, or use \"env:\" or \"file:\""
                    )
                })?;
                read_file(&Path::new(&folder).join(name)).map_err(|e| {
                    format!(
                        "{what} is to come from the credential `{name}`, which cannot be read: {e}; is \
                         LoadCredential={name}:/path in the systemd unit?"
                    )
                })?
            }
        };
        Ok(text.trim().to_owned())
    }

    /// The place where it stands, as it is configured; `None` for the text itself.
    pub(super) fn place(&self) -> Option<String> {
        match self {
            Self::Plain(_) => None,
            Self::Env(name) => Some(format!("env:{name}")),
            Self::File(path) => Some(format!("file:{}", path.display())),
            Self::Credential(name) => Some(format!("credential:{name}")),
        }
    }
}

fn read_file(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    let bytes = File::open(path)?.take(TEXT_MAX + 1).read_to_string(&mut text)?;
    if bytes as u64 > TEXT_MAX {
        return Err(io::Error::other(format!("it is longer than {TEXT_MAX} bytes")));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_read_and_said_as_it_is_configured() {
        for text in ["env:HOOK", "file:/run/hook", "credential:hook-url"] {
            assert_eq!(Secret::parse(text, "the url").ok().and_then(|secret| secret.place()).as_deref(), Some(text));
        }
        let plain = Secret::parse("https://example.com/hook", "the url").expect("an address is itself");
        assert_eq!((plain.place(), plain.read("the url").as_deref()), (None, Ok("https://example.com/hook")));
    }

    #[test]
    fn what_names_no_place_is_said_with_what_would() {
        for (text, right) in [
            ("env:", "\"env:NAME\""),
            ("env:A=b", "\"env:NAME\""),
            ("file:", "\"file:/path\""),
            ("file:token", "\"file:/path\""),
            ("credential:", "\"credential:NAME\""),
            ("credential:..", "\"credential:NAME\""),
            ("credential:../shadow", "\"credential:NAME\""),
            ("credential:hook:/etc/hook", "\"credential:NAME\""),
        ] {
            let said = Secret::parse(text, "the url").err().unwrap_or_else(|| panic!("{text} is taken"));
            assert!(said.starts_with("the url names no ") && said.ends_with(right), "{text}: {said}");
        }
    }

    #[test]
    fn a_credential_needs_a_unit_that_gives_it() {
        // Tests are not run as a unit; what is read from the folder is tested with the program, in tests/it/sinks.rs.
        let said = Secret::Credential("hook".to_owned()).read("the url").expect_err("there is none");
        assert!(said.contains("`hook`") && said.contains("LoadCredential=hook:/path"), "{said}");
    }
}
