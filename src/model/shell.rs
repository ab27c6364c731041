//! Commands of the AWS CLI that people paste into a shell.
//!
//! Rule: whatever a name holds, it is one word there and nothing in it is carried out.

use std::fmt;

use super::text::shell_word;

/// A command of the AWS CLI.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Aws {
    text: String,
}

impl Aws {
    /// A service's operation, such as `lambda get-policy`, in a Region.
    #[must_use]
    pub fn new(operation: &str, region: &str) -> Self {
        Self { text: format!("aws {operation}") }.with("region", region)
    }

    /// With an option, named without its dashes.
    #[must_use]
    pub fn with(mut self, option: &str, value: &str) -> Self {
        self.text.push_str(&format!(" --{option} {}", shell_word(value)));
        self
    }

    /// This one, and if it went well the next.
    #[must_use]
    pub fn then(mut self, next: &Self) -> Self {
        self.text.push_str(&format!(" && {}", next.text));
        self
    }
}

impl fmt::Display for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands() {
        let get = Aws::new("lambda get-policy", "eu-west-1").with("function-name", "a;b");
        assert_eq!(get.to_string(), "aws lambda get-policy --region eu-west-1 --function-name 'a;b'");
        let both = Aws::new("sts x", "r").then(&get);
        assert_eq!(both.to_string(), format!("aws sts x --region r && {get}"));
    }
}
