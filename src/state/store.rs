//! The snapshot and its segments: the state as it was at one moment.
//!
//! A segment is written once and never changed, so that large tables that grow at one end are not written anew with
//! each snapshot. Not their content, and no clock: the caller decides what is saved and when. Rule: a snapshot is
//! replaced in one step, after all that it names is on disk; segments that it does not name go after it is.

use std::collections::BTreeSet;
use std::fmt;
use std::fs::{self, File, TryLockError};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::files;
use super::layout::{self, Snapshot};
use super::set_aside::{Reason, SetAside};

const LOCK: &str = "lock";
const PROBE: &str = "probe";
pub(super) const SNAPSHOT: &str = "snapshot";
pub(super) const JOURNAL: &str = "journal";
const SEGMENT: &str = "segment-";

/// A state folder that cannot be used at all.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// Another process holds it.
    #[error(
        "state folder {} is in use by another gatewatch: stop that one, or give this one a folder of its own",
        folder.display()
    )]
    InUse {
        /// The folder.
        folder: PathBuf,
    },
    /// It cannot be made, read or written.
    #[error("state folder {} cannot be {doing}: {error}; it must belong to the user that gatewatch runs as", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// `made`, `read`, `written`, `locked`.
        doing: &'static str,
        /// What the system said.
        error: io::Error,
    },
}

impl StateError {
    /// There is no room on the disk: the folder may be used later.
    #[must_use]
    pub fn is_full(&self) -> bool {
        matches!(self, Self::Folder { error, .. } if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded))
    }
}

/// A state folder, locked for this process as long as the store or a journal of it lives.
#[derive(Debug)]
pub struct Store {
    held: Arc<Held>,
    version: u32,
    next_segment: u64,
    /// Whole on disk: only these may be named.
    segments: BTreeSet<SegmentName>,
}

/// A folder and the lock on it.
#[derive(Debug)]
pub(super) struct Held {
    pub folder: PathBuf,
    /// The lock goes with it.
    _lock: File,
}

/// What opening did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// The folder was not there.
    pub made: bool,
    /// Files that a process left behind when it died, now removed.
    pub leftovers: usize,
}

/// Names a segment: never given twice, and bound to its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SegmentName {
    pub(super) number: u64,
    pub(super) checksum: u64,
}

/// The name of its file.
impl fmt::Display for SegmentName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SEGMENT}{:016x}", self.number)
    }
}

/// Segments with their bytes.
type Segments = Vec<(SegmentName, Vec<u8>)>;

/// What was saved last.
#[derive(Debug)]
pub enum Loaded {
    /// Nothing was saved.
    Nothing,
    /// The snapshot as it was saved.
    Snapshot {
        /// The content.
        bytes: Vec<u8>,
        /// The segments that it names, in the order in which they were named.
        segments: Vec<(SegmentName, Vec<u8>)>,
    },
    /// It could not be used. The folder is as if nothing had been saved.
    SetAside(SetAside),
}

impl Store {
    /// Opens a folder, makes it if need be (for its owner only), locks it, checks that it can be written, and removes
    /// what a process left that died. `version` is that of the content that the caller writes and reads.
    ///
    /// # Errors
    /// When another process holds the folder, or it cannot be made, read or written.
    pub fn open(folder: &Path, version: u32) -> Result<(Self, Opened), StateError> {
        let failed = |doing| move |error| StateError::Folder { folder: folder.to_owned(), doing, error };
        let made = !folder.exists();
        files::make_folder(folder).map_err(failed("made"))?;
        let lock = files::create(&folder.join(LOCK)).map_err(failed("written"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse { folder: folder.to_owned() }),
            Err(TryLockError::Error(error)) => return Err(failed("locked")(error)),
        }
        let probe = folder.join(PROBE);
        files::create(&probe).and_then(|_| fs::remove_file(probe)).map_err(failed("written"))?;
        let held = Arc::new(Held { folder: folder.to_owned(), _lock: lock });
        let mut store = Self { held, version, next_segment: 0, segments: BTreeSet::new() };
        let leftovers = store.survey().map_err(failed("read"))?;
        Ok((store, Opened { made, leftovers }))
    }

    /// The folder.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.held.folder
    }

    pub(super) const fn held(&self) -> &Arc<Held> {
        &self.held
    }

    /// What was saved last. If it cannot be used it is moved aside together with its segments, and the reason is in
    /// the answer.
    ///
    /// # Errors
    /// When it can neither be used nor moved aside: go on without the store then.
    pub fn load(&mut self) -> Result<Loaded, StateError> {
        let path = self.path(SNAPSHOT);
        let file = match fs::read(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Loaded::Nothing),
            Err(e) => return self.set_aside(Reason::Damaged(format!("it cannot be read: {e}"))).map(Loaded::SetAside),
        };
        match self.understood(&file) {
            Ok((bytes, segments)) => {
                self.segments.extend(segments.iter().map(|(name, _)| *name));
                Ok(Loaded::Snapshot { bytes, segments })
            }
            Err(why) => self.set_aside(why).map(Loaded::SetAside),
        }
    }

    /// Replaces the snapshot. Segments that it does not name are deleted afterwards, also those just written. Load
    /// first: what cannot be used is put aside only by loading it.
    ///
    /// # Errors
    /// When the disk is full, fails, or a segment is named that is not there. The snapshot is then the old one; if only
    /// the last step failed it may be the new one, and all segments of both are kept until the next that succeeds.
    pub fn save(&mut self, content: &[u8], segments: &[SegmentName]) -> io::Result<()> {
        if let Some(lost) = segments.iter().find(|name| !self.segments.contains(name)) {
            return Err(io::Error::new(ErrorKind::InvalidInput, format!("{lost} is not in the state folder")));
        }
        let snapshot =
            Snapshot { version: self.version, next_segment: self.next_segment, segments: segments.to_vec(), content };
        let (head, checksum) = snapshot.around();
        // The names of new segments must be on disk before the name of what names them.
        files::sync_folder(self.folder())?;
        files::replace(self.folder(), SNAPSHOT, &[&head, content, &checksum])?;
        let unnamed: Vec<SegmentName> = self.segments.iter().filter(|name| !segments.contains(name)).copied().collect();
        for name in unnamed {
            // One that cannot be deleted costs room only, and opening the folder tries again.
            let _ = fs::remove_file(self.path(&name.to_string()));
            self.segments.remove(&name);
        }
        Ok(())
    }

    /// Writes a segment and syncs it. It lasts once a snapshot names it.
    ///
    /// # Errors
    /// When the disk is full or fails.
    pub fn write_segment(&mut self, bytes: &[u8]) -> io::Result<SegmentName> {
        let number = self.next_segment;
        // Also if writing fails: what stands under that name then is not what the next one would be.
        self.next_segment = number.saturating_add(1);
        let (head, checksum) = layout::around_segment(number, bytes);
        let name = SegmentName { number, checksum };
        let path = self.path(&name.to_string());
        if let Err(e) = files::write_new(&path, &[&head, bytes, &checksum.to_le_bytes()]) {
            // It may hold the last room on a full disk. If even this fails, the next opening removes it.
            let _ = fs::remove_file(path);
            return Err(e);
        }
        self.segments.insert(name);
        Ok(name)
    }

    /// Reads a segment.
    ///
    /// # Errors
    /// When it is not there (`NotFound`), or is not what was written (`InvalidData`).
    pub fn read_segment(&self, name: SegmentName) -> io::Result<Vec<u8>> {
        let file = fs::read(self.path(&name.to_string()))?;
        let bytes = layout::segment(name, &file);
        bytes.map(<[u8]>::to_vec).map_err(|what| io::Error::new(ErrorKind::InvalidData, what))
    }

    /// Moves the snapshot and all segments aside, into a folder `snapshot.damaged-<n>`, of which the last few are kept.
    /// For a caller that cannot use what [`Store::load`] gave it; `why` is for the sentence.
    ///
    /// # Errors
    /// When it cannot be moved.
    pub fn set_aside(&mut self, why: Reason) -> Result<SetAside, StateError> {
        let file = self.path(SNAPSHOT);
        let moved = || {
            let to = files::aside(self.folder(), SNAPSHOT)?;
            files::make_folder(&to)?;
            // The snapshot last: as long as it is in its place it is found again, with a reason, if we die meanwhile.
            for (name, _) in segment_files(self.folder())? {
                fs::rename(self.path(&name), to.join(&name))?;
            }
            fs::rename(&file, to.join(SNAPSHOT))?;
            files::sync_folder(self.folder())?;
            Ok(to)
        };
        let to = moved().map_err(|error| StateError::Folder {
            folder: self.folder().to_owned(),
            doing: "cleared of a snapshot that is of no use",
            error,
        })?;
        self.segments.clear();
        Ok(SetAside { file, why, to })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.held.folder.join(name)
    }

    fn understood(&self, file: &[u8]) -> Result<(Vec<u8>, Segments), Reason> {
        let snapshot = layout::snapshot(file)?;
        if snapshot.version != self.version {
            return Err(Reason::OtherVersion { found: snapshot.version, known: self.version });
        }
        let mut segments = Vec::new();
        for name in snapshot.segments {
            let bytes = self.read_segment(name).map_err(|e| {
                let missing = e.kind() == ErrorKind::NotFound;
                if missing { Reason::MissingSegment(name) } else { Reason::DamagedSegment(name, e.to_string()) }
            })?;
            segments.push((name, bytes));
        }
        Ok((snapshot.content.to_vec(), segments))
    }

    /// Finds the next segment's number, and removes what a process left that died. Segments of a snapshot that is not
    /// understood stay until that is set aside.
    fn survey(&mut self) -> io::Result<usize> {
        let mut leftovers = 0;
        for name in [SNAPSHOT, JOURNAL] {
            match fs::remove_file(self.path(&format!("{name}{}", files::TEMPORARY))) {
                Ok(()) => leftovers += 1,
                Err(e) if e.kind() == ErrorKind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        let present = segment_files(self.folder())?;
        self.next_segment = present.iter().map(|(_, number)| number.saturating_add(1)).max().unwrap_or(0);
        let named = match fs::read(self.path(SNAPSHOT)) {
            Ok(file) => {
                let Ok(snapshot) = layout::snapshot(&file) else { return Ok(leftovers) };
                self.next_segment = self.next_segment.max(snapshot.next_segment);
                snapshot.segments
            }
            Err(e) if e.kind() == ErrorKind::NotFound => Vec::new(),
            // `load` says what is wrong with it.
            Err(_) => return Ok(leftovers),
        };
        for (name, number) in present {
            if !named.iter().any(|n| n.number == number) {
                fs::remove_file(self.path(&name))?;
                leftovers += 1;
            }
        }
        Ok(leftovers)
    }
}

/// Names and numbers of the segments' files.
fn segment_files(folder: &Path) -> io::Result<Vec<(String, u64)>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder)? {
        let name = entry?.file_name();
        let number = name.to_str().and_then(|n| Some((n, u64::from_str_radix(n.strip_prefix(SEGMENT)?, 16).ok()?)));
        // Only what we would write ourselves: `segment-1` is somebody else's.
        let ours = number.filter(|(n, number)| *n == SegmentName { number: *number, checksum: 0 }.to_string());
        found.extend(ours.map(|(n, number)| (n.to_owned(), number)));
    }
    Ok(found)
}
