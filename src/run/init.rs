//! `init`: a configuration file for a live API.
//!
//! Not what stands in it: that is [`written`]. Rule: a file that is there is never overwritten unasked, and never left
//! half written.

use std::fs::{self, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;

use super::failure::Failure;
use super::named::{NO_REGION, describe, unwatchable};
use crate::aws::clients::Clients;
use crate::config::found::Found;
use crate::config::written::written;
use crate::model::deployed::Wanted;
use crate::model::text::printable;

/// What was said at the command line.
#[derive(Debug)]
pub struct Init {
    /// The API.
    pub api: String,
    /// The Region, where it is said.
    pub region: Option<String>,
    /// Where it is written; `None` is standard output.
    pub file: Option<PathBuf>,
    /// A file that is there is replaced.
    pub force: bool,
}

/// Writes it. What could not be found out, and what to do next, goes to `notes`.
///
/// # Errors
/// When the API is not found, or cannot be watched, or the file is there or cannot be written.
pub async fn run(init: &Init, out: &mut impl Write, notes: &mut impl Write) -> Result<(), Failure> {
    let wrong = || format!("`{}` names no API: write NAME_OR_ID or NAME_OR_ID/STAGE", printable(&init.api));
    let wanted = Wanted::parse(&init.api).ok_or_else(|| Failure::Usage(wrong()))?;
    if let Some(file) = init.file.as_deref().filter(|file| !init.force && file.exists()) {
        return Err(there(file));
    }
    let mut clients = Clients::load(init.region.as_deref()).await;
    let region = clients.region().ok_or_else(|| Failure::Usage(NO_REGION.to_owned()))?.to_owned();
    let control = clients.control(&region, None).await;
    let deployed = describe(&control, &wanted).await.map_err(|error| Failure::Usage(error.to_string()))?;
    let (found, gaps) = Found::of(&deployed);
    if !found.is_watchable() {
        return Err(Failure::Usage(unwatchable(&found, &gaps)));
    }
    let text = written(&found, &gaps, None);
    match &init.file {
        Some(file) => write(file, &text, init.force)?,
        None => out.write_all(text.as_bytes()).and_then(|()| out.flush()).context("standard output")?,
    }
    let which = printable(&found.wanted().to_string());
    let mut note = |line: String| writeln!(notes, "gatewatch: {line}").context("standard error");
    for gap in &gaps {
        note(format!("{which}: {gap}"))?;
    }
    if let Some(file) = &init.file {
        let file = file.display();
        note(format!("{which} stands in {file}; next: gatewatch --config {file}"))?;
    }
    Ok(())
}

fn there(file: &Path) -> Failure {
    Failure::Usage(format!(
        "{} is there already: name another file with -o, or replace it with --force",
        file.display()
    ))
}

/// Writes a new file, or with `force` puts a whole one in the place of what is there.
fn write(file: &Path, text: &str, force: bool) -> Result<(), Failure> {
    let cannot = |e: &io::Error| Failure::Usage(format!("{} cannot be written: {e}", file.display()));
    if !force {
        let mut new = match OpenOptions::new().write(true).create_new(true).open(file) {
            Ok(new) => new,
            Err(e) if e.kind() == ErrorKind::AlreadyExists => return Err(there(file)),
            Err(e) => return Err(cannot(&e)),
        };
        return new.write_all(text.as_bytes()).map_err(|e| {
            // Half a configuration is worse than none.
            let _ = fs::remove_file(file);
            cannot(&e)
        });
    }
    let mut name = file.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = file.with_file_name(name);
    fs::write(&beside, text).and_then(|()| fs::rename(&beside, file)).map_err(|e| {
        let _ = fs::remove_file(&beside);
        cannot(&e)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_is_there_is_replaced_only_by_force_and_whole() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("g.toml");
        write(&file, "one", false).unwrap();
        let Err(Failure::Usage(said)) = write(&file, "two", false) else { panic!("it was overwritten") };
        assert!(said.contains("g.toml is there already") && said.contains("--force"), "{said}");
        assert_eq!(fs::read_to_string(&file).unwrap(), "one");
        write(&file, "three", true).unwrap();
        assert_eq!(fs::read_to_string(&file).unwrap(), "three");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left beside it");
        let nowhere = folder.path().join("no/g.toml");
        assert!(
            matches!(write(&nowhere, "x", false), Err(Failure::Usage(said)) if said.contains("no/g.toml cannot be"))
        );
        // A folder of that name stays.
        let busy = folder.path().join("busy");
        fs::create_dir_all(busy.join("x")).unwrap();
        assert!(write(&busy, "x", true).is_err());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2);
    }
}
