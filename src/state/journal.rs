//! A journal: records that were appended, in their order, each on disk once appending it returned.
//!
//! Not what the records mean, and no snapshot: nothing is dropped but by a rewriting. Rule: opening gives every record
//! whose appending returned, also behind damage; what the process was appending when it died is cut off.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::set_aside::{Reason, SetAside};
use super::store::{Held, JOURNAL, StateError, Store};
use super::{files, frames};

/// A journal that can be appended to.
#[derive(Debug)]
pub struct Journal {
    held: Arc<Held>,
    version: u32,
    /// `None` after a failure: what stands at the file's end is then not known.
    file: Option<fs::File>,
    /// Its length in bytes.
    len: u64,
}

/// What opening found.
#[derive(Debug, Default)]
pub struct Recovered {
    /// The records, in the order in which they were appended.
    pub records: Vec<Vec<u8>>,
    /// Bytes of a record that the process was appending when it died; they were cut off.
    pub torn: usize,
    /// The file was damaged or of another version. `records` has what could be read of it.
    pub set_aside: Option<SetAside>,
}

impl Journal {
    /// Opens the journal of a state folder, which stays locked as long as the journal lives. Open one at a time.
    /// `version` is that of the records; those of another version are not read.
    ///
    /// # Errors
    /// When the journal cannot be read or written.
    pub fn open(store: &Store, version: u32) -> Result<(Self, Recovered), StateError> {
        let mut journal = Self { held: Arc::clone(store.held()), version, file: None, len: 0 };
        let failed = |error| StateError::Folder { folder: store.folder().to_owned(), doing: "read", error };
        let recovered = journal.recover().map_err(failed)?;
        Ok((journal, recovered))
    }

    /// The state folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.held.folder
    }

    /// Length of the file, bytes.
    #[must_use]
    #[expect(clippy::len_without_is_empty, reason = "a journal's file is never empty")]
    pub const fn len(&self) -> u64 {
        self.len
    }

    /// Appends records with one write and syncs them. After an error only [`Journal::rewrite`] mends the journal:
    /// it is not known which of them are on disk, and what a system has once failed to sync it may never write.
    ///
    /// # Errors
    /// When the disk is full or fails, after an earlier error, or when a record is longer than 16 MiB.
    pub fn append(&mut self, records: &[&[u8]]) -> io::Result<()> {
        let framed = framed(self.version, Vec::new(), records.iter().copied())?;
        let Some(file) = self.file.take() else {
            return Err(io::Error::other("the journal has to be written anew after a failure"));
        };
        file.write_all_at(&framed, self.len)?;
        file.sync_data()?;
        self.len += framed.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Puts a journal of these records in the place of the old one, in one step.
    ///
    /// # Errors
    /// When the disk is full or fails, or a record is longer than 16 MiB. The old journal then stands as it was, but is
    /// not appended to any more: it may be the new one that has its name after the next crash.
    pub fn rewrite<'a>(&mut self, keep: impl IntoIterator<Item = &'a [u8]>) -> io::Result<()> {
        let bytes = framed(self.version, frames::head(self.version).to_vec(), keep)?;
        self.file = None;
        self.file = Some(files::replace(&self.held.folder, JOURNAL, &[&bytes])?);
        self.len = bytes.len() as u64;
        Ok(())
    }

    /// As after a failed write.
    #[cfg(test)]
    pub(crate) fn fail(&mut self) {
        self.file = None;
    }

    fn path(&self) -> PathBuf {
        self.held.folder.join(JOURNAL)
    }

    /// Room or a device that fails is no reason to give up what can be read: then the journal cannot be appended to,
    /// the first appending says so, and a rewriting mends it.
    fn recover(&mut self) -> io::Result<Recovered> {
        let path = self.path();
        let bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(e) if e.kind() == ErrorKind::NotFound => {
                self.rewrite([]).unwrap_or_default();
                return Ok(Recovered::default());
            }
            Err(e) => return Err(e),
        };
        let (scan, why) = self.understood(&bytes);
        let records: Vec<Vec<u8>> = scan.records.iter().map(|r| r.to_vec()).collect();
        if let Some(why) = why {
            let to = files::aside(&self.held.folder, JOURNAL)?;
            // The old file under a second name, which needs no room: it is still the best there is until the new one
            // has its name.
            fs::hard_link(&path, &to).or_else(|_| fs::copy(&path, &to).map(|_| ()))?;
            self.rewrite(records.iter().map(Vec::as_slice)).unwrap_or_default();
            return Ok(Recovered { records, torn: 0, set_aside: Some(SetAside { file: path, why, to }) });
        }
        let end = frames::HEAD + scan.end;
        self.file = self.cut(end as u64, end < bytes.len()).ok();
        self.len = end as u64;
        Ok(Recovered { records, torn: bytes.len() - end, set_aside: None })
    }

    /// What the file holds, and what is wrong with it, if that is more than a torn end.
    fn understood<'a>(&self, bytes: &'a [u8]) -> (frames::Scan<'a>, Option<Reason>) {
        match frames::version(bytes) {
            Some(version) if version == self.version => {
                let scan = frames::scan(version, &bytes[frames::HEAD..]);
                let why = format!("{} bytes between its records are none", scan.damaged);
                let why = (scan.damaged > 0).then_some(Reason::Damaged(why));
                (scan, why)
            }
            Some(found) => (frames::Scan::default(), Some(Reason::OtherVersion { found, known: self.version })),
            // A new journal gets its name when it is whole: a head that is not was damaged.
            None => {
                let scan = frames::scan(self.version, bytes);
                let ours = frames::is_ours(bytes) || bytes.is_empty() || !scan.records.is_empty();
                let damaged = || Reason::Damaged("its beginning is not what was written".to_owned());
                (scan, Some(if ours { damaged() } else { Reason::Foreign }))
            }
        }
    }

    fn cut(&self, len: u64, longer: bool) -> io::Result<fs::File> {
        let file = fs::OpenOptions::new().read(true).write(true).open(self.path())?;
        if longer {
            file.set_len(len)?;
            file.sync_all()?;
        }
        Ok(file)
    }
}

fn framed<'a>(version: u32, mut out: Vec<u8>, records: impl IntoIterator<Item = &'a [u8]>) -> io::Result<Vec<u8>> {
    for record in records {
        if record.len() > frames::RECORD_MAX {
            let why = format!("a record of {} bytes is too long for the journal", record.len());
            return Err(io::Error::new(ErrorKind::InvalidInput, why));
        }
        frames::push(&mut out, version, record);
    }
    Ok(out)
}
