//! A blob with a file of its own beside the snapshot: what may be lost without harm, and is written when it changes.
//!
//! Not part of a snapshot's cut. Rule: replaced in one step; what is not exactly what was written is refused, and stays
//! until it is replaced.

use std::fs;
use std::io::{self, ErrorKind};
use std::sync::Arc;

use super::files;
use super::layout::{self, Snapshot};
use super::set_aside::Reason;
use super::store::{Held, Store};

/// A file of a state folder, which stays locked as long as this lives.
#[derive(Clone, Debug)]
pub struct Blob {
    held: Arc<Held>,
    name: &'static str,
    version: u32,
}

impl Blob {
    /// The one of this name. `version` is that of the content that the caller writes and reads.
    #[must_use]
    pub fn of(store: &Store, name: &'static str, version: u32) -> Self {
        Self { held: Arc::clone(store.held()), name, version }
    }

    /// What was saved last; `None` if nothing was.
    ///
    /// # Errors
    /// When it cannot be read, or is not what was written.
    pub fn load(&self) -> Result<Option<Vec<u8>>, Reason> {
        let file = match fs::read(self.held.folder.join(self.name)) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Reason::Damaged(format!("it cannot be read: {e}"))),
        };
        let Snapshot { version, content, .. } = layout::snapshot(&file)?;
        if version != self.version {
            return Err(Reason::OtherVersion { found: version, known: self.version });
        }
        Ok(Some(content.to_vec()))
    }

    /// Replaces it.
    ///
    /// # Errors
    /// When the disk is full or fails; it is then the old one.
    pub fn save(&self, content: &[u8]) -> io::Result<()> {
        let whole = Snapshot { version: self.version, next_segment: 0, segments: Vec::new(), content };
        let (head, checksum) = whole.around();
        files::replace(&self.held.folder, self.name, &[&head, content, &checksum]).map(|_| ())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_saved_is_loaded_and_what_was_not_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), 1).unwrap();
        let blob = Blob::of(&store, "found", 3);
        assert_eq!(blob.load().unwrap(), None);
        for content in [&b"one"[..], b"", b"another"] {
            blob.save(content).unwrap();
            assert_eq!(blob.load().unwrap().as_deref(), Some(content));
        }
        let other = Blob::of(&store, "found", 4).load().unwrap_err();
        assert_eq!(other, Reason::OtherVersion { found: 3, known: 4 });
        let file = folder.path().join("found");
        let mut bytes = fs::read(&file).unwrap();
        bytes[40] ^= 1;
        fs::write(&file, &bytes).unwrap();
        assert!(matches!(blob.load(), Err(Reason::Damaged(_))));
        blob.save(b"new").unwrap();
        assert_eq!(blob.load().unwrap().as_deref(), Some(&b"new"[..]));
    }

    #[test]
    fn the_folder_is_locked_as_long_as_it_lives() {
        let folder = tempfile::tempdir().unwrap();
        let (store, _) = Store::open(folder.path(), 1).unwrap();
        let blob = Blob::of(&store, "found", 1);
        drop(store);
        assert!(Store::open(folder.path(), 1).is_err());
        drop(blob);
        assert!(Store::open(folder.path(), 1).is_ok());
    }
}
