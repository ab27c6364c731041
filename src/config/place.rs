//! Where the configuration stands: in a file, or wholly in a variable of the environment, because a container beside
//! others has no files of its own.
//!
//! Not what stands there. Rule: one place, never a mixture: what the command line names goes before the variable, and
//! that before the usual file; the message about a mistake names the place that was read.

use std::ffi::OsStr;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Config, ConfigError};

/// Where the configuration is looked for when nothing else is said.
pub const DEFAULT_FILE: &str = "/etc/gatewatch/config.toml";
/// Holds the text of a configuration file.
pub const VARIABLE: &str = "GATEWATCH_CONFIG_TOML";

/// Where a configuration stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Place {
    /// A file that was named.
    File(PathBuf),
    /// The value of [`VARIABLE`], which may hold secrets and is not kept.
    Variable,
    /// [`DEFAULT_FILE`], if it is there: nothing was said.
    Default,
}

impl Place {
    /// `named` is the file that the command line names; reads the environment.
    #[must_use]
    pub fn of(named: Option<&Path>) -> Self {
        match named {
            Some(path) => Self::File(path.to_owned()),
            None if std::env::var_os(VARIABLE).is_some() => Self::Variable,
            None => Self::Default,
        }
    }

    /// Whether anything is to be found there: what was named or set has to be good, the usual file may be missing.
    #[must_use]
    pub fn is_given(&self) -> bool {
        match self {
            Self::File(_) | Self::Variable => true,
            Self::Default => Path::new(DEFAULT_FILE).exists(),
        }
    }

    /// Reads what stands there; a file is read anew each time.
    ///
    /// # Errors
    /// What is wrong in it, why it cannot be read, or what to do where there is none.
    pub fn load(&self) -> Result<Config, ConfigError> {
        match self {
            Self::File(path) => Config::load(path),
            Self::Variable => of_variable(&std::env::var_os(VARIABLE).unwrap_or_default()),
            Self::Default => {
                let path = Path::new(DEFAULT_FILE);
                match std::fs::metadata(path) {
                    Err(e) if e.kind() == ErrorKind::NotFound => Err(ConfigError::new(path, None, nothing())),
                    Ok(_) | Err(_) => Config::load(path),
                }
            }
        }
    }
}

/// Messages say `$GATEWATCH_CONFIG_TOML` where they otherwise name a file.
fn of_variable(text: &OsStr) -> Result<Config, ConfigError> {
    let place = format!("${VARIABLE}");
    let wrong = || ConfigError::new(Path::new(&place), None, "is no UTF-8 text".to_owned());
    Config::parse(text.to_str().ok_or_else(wrong)?, Path::new(&place))
}

fn nothing() -> String {
    format!(
        "there is no configuration here: write one (config.example.toml explains every key), name another file with \
         --config, or put its text into ${VARIABLE}; `gatewatch demo` needs none"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mistake_in_the_variable_names_it_with_the_line() {
        let said = |text: &str| of_variable(OsStr::new(text)).expect_err("this is wrong").to_string();
        let message = said("[poll]\ninterval = 5\n");
        assert!(message.starts_with("$GATEWATCH_CONFIG_TOML:2: interval = 5: "), "{message}");
        // Set but empty is a mistake that is said, not a reason to look elsewhere.
        let message = said("");
        assert!(message.starts_with("$GATEWATCH_CONFIG_TOML: ") && message.contains("[[api]]"), "{message}");
    }

    #[cfg(unix)]
    #[test]
    fn a_variable_that_is_no_text_is_said() {
        use std::os::unix::ffi::OsStrExt;
        let latin1 = OsStr::from_bytes(b"name = \"caf\xe9\"");
        let message = of_variable(latin1).expect_err("it is Latin-1").to_string();
        assert_eq!(message, "$GATEWATCH_CONFIG_TOML: is no UTF-8 text");
    }
}
