//! Files and folders: what the parts of the state need of the file system.
//!
//! Not what stands in the files. Rule: a function here that returns `Ok` has its effect on disk, not only in the
//! system's cache, unless it says otherwise.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// How a file that is being written ends; whoever opens the folder removes it.
pub const TEMPORARY: &str = ".new";
/// What stands between the name of a file that was put aside and its number.
const ASIDE: &str = ".damaged-";
/// Files of one name that stay aside: enough to look at, too few to fill a disk.
pub const ASIDE_MAX: usize = 3;

/// Makes a folder for its owner only, with those above it. Not synced: an empty folder is worth nothing.
pub fn make_folder(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)
}

/// A new file for its owner only: log lines and what people are told of them stand in it.
pub fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().read(true).write(true).create(true).truncate(true).mode(0o600).open(path)
}

/// Makes renames and removals in a folder last.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path)?.sync_all()
}

/// Puts `bytes` in the place of a file: at every moment, and after an error, it is the old one or the new one, whole.
/// Returns the new file.
pub fn replace(folder: &Path, name: &str, bytes: &[&[u8]]) -> io::Result<File> {
    let temporary = folder.join(format!("{name}{TEMPORARY}"));
    let written = write_new(&temporary, bytes);
    let renamed = written.and_then(|file| fs::rename(&temporary, folder.join(name)).map(|()| file));
    match renamed {
        Ok(file) => sync_folder(folder).map(|()| file),
        Err(e) => {
            // It may hold the last room on a full disk. If even this fails, whoever opens the folder next removes it.
            let _ = fs::remove_file(&temporary);
            Err(e)
        }
    }
}

/// Writes a file and syncs it; its name in the folder is not synced yet.
pub fn write_new(path: &Path, bytes: &[&[u8]]) -> io::Result<File> {
    let mut file = create(path)?;
    for part in bytes {
        file.write_all(part)?;
    }
    file.sync_all()?;
    Ok(file)
}

/// Where the next thing of this name is put aside; makes room by removing the oldest.
pub fn aside(folder: &Path, name: &str) -> io::Result<PathBuf> {
    let prefix = format!("{name}{ASIDE}");
    let mut known: Vec<(u64, PathBuf)> = Vec::new();
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        let number = entry.file_name().to_str().and_then(|n| n.strip_prefix(&prefix)?.parse().ok());
        known.extend(number.map(|n| (n, entry.path())));
    }
    known.sort();
    let next = known.last().map_or(1, |(n, _)| n.saturating_add(1));
    let surplus = (known.len() + 1).saturating_sub(ASIDE_MAX);
    for (_, old) in known.drain(..surplus) {
        if old.is_dir() { fs::remove_dir_all(old)? } else { fs::remove_file(old)? }
    }
    Ok(folder.join(format!("{prefix}{next}")))
}
