//! The name of the host, for those who get messages from several.
//!
//! In a container it is the container's name. Rule: what cannot be found out is not there; nothing is made up.

use std::sync::Arc;

use crate::model::text::{cut, printable};

/// Longest name, in bytes: that of a domain name.
const NAME_MAX: usize = 253;

/// The name of this host.
#[must_use]
pub fn name() -> Option<Arc<str>> {
    let of_kernel = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    // Elsewhere than on Linux the shell may have told it.
    of_kernel.as_deref().and_then(clean).or_else(|| clean(&std::env::var("HOSTNAME").ok()?))
}

fn clean(name: &str) -> Option<Arc<str>> {
    let name = printable(name.trim());
    (!name.is_empty()).then(|| cut(&name, NAME_MAX).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_word_or_none() {
        assert_eq!(clean("ip-10-0-0-1\n").as_deref(), Some("ip-10-0-0-1"));
        assert_eq!(clean(" \n"), None);
        assert_eq!(clean(&"h".repeat(300)).map(|name| name.len()), Some(NAME_MAX));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn linux_tells_it() {
        let name = name().expect("a name");
        assert!(!name.contains('\n'), "{name:?}");
    }
}
