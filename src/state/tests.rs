//! Laws of the folder: whatever happens to its files, what is read is the old content, the new content, or nothing
//! with a reason.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use proptest::prelude::*;
use tempfile::TempDir;

use super::files::ASIDE_MAX;
use super::journal::{Journal, Recovered};
use super::set_aside::Reason;
use super::store::{JOURNAL, Loaded, SNAPSHOT, SegmentName, StateError, Store};

const VERSION: u32 = 7;

fn open(folder: &Path) -> Store {
    Store::open(folder, VERSION).unwrap().0
}

fn segment(n: u64) -> String {
    SegmentName { number: n, checksum: 0 }.to_string()
}

type Content = (Vec<u8>, Vec<Vec<u8>>);
type Files = BTreeMap<String, Vec<u8>>;

/// What is there, or the sentence about what is not.
fn load(folder: &Path) -> Result<Option<Content>, String> {
    match open(folder).load().unwrap() {
        Loaded::Nothing => Ok(None),
        Loaded::Snapshot { bytes, segments } => {
            Ok(Some((bytes, segments.into_iter().map(|(_, bytes)| bytes).collect())))
        }
        Loaded::SetAside(aside) => {
            assert!(aside.to.exists(), "{aside}");
            Err(aside.to_string())
        }
    }
}

fn files(folder: &Path) -> Files {
    let entries = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path()).filter(|p| p.is_file());
    entries.map(|p| (p.file_name().unwrap().to_str().unwrap().to_owned(), fs::read(&p).unwrap())).collect()
}

fn folder_of(files: &Files) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    folder
}

/// A folder before and after a second snapshot, which shares one segment with the first.
fn two_snapshots() -> (Files, Content, Files, Content) {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let (a, b) = (store.write_segment(b"one").unwrap(), store.write_segment(b"").unwrap());
    store.save(b"old", &[a, b]).unwrap();
    let before = files(folder.path());
    let c = store.write_segment(b"three").unwrap();
    store.save(b"newer", &[c, a]).unwrap();
    let old = (b"old".to_vec(), vec![b"one".to_vec(), vec![]]);
    let new = (b"newer".to_vec(), vec![b"three".to_vec(), b"one".to_vec()]);
    (before, old, files(folder.path()), new)
}

#[test]
fn what_was_saved_is_loaded() {
    let (before, old, after, new) = two_snapshots();
    assert_eq!(load(folder_of(&before).path()), Ok(Some(old)));
    assert_eq!(load(folder_of(&after).path()), Ok(Some(new)));
    let names: Vec<&str> = after.keys().map(String::as_str).collect();
    assert_eq!(names, ["lock", &segment(0), &segment(2), SNAPSHOT], "the segment that nobody names is gone");
    assert_eq!(load(&folder_of(&BTreeMap::new()).path().join("a/b")), Ok(None));
}

#[test]
fn death_while_saving_leaves_the_old_or_the_new() {
    let (before, old, after, new) = two_snapshots();
    let both: BTreeMap<_, _> = before.iter().chain(&after).map(|(k, v)| (k.clone(), v.clone())).collect();
    // Before the rename: the new file is there in part, the new segment in part or whole.
    for cut in 0..=after[SNAPSHOT].len() {
        let mut at = both.clone();
        at.insert(SNAPSHOT.to_owned(), before[SNAPSHOT].clone());
        at.insert("snapshot.new".to_owned(), after[SNAPSHOT][..cut].to_vec());
        let folder = folder_of(&at);
        assert_eq!(load(folder.path()), Ok(Some(old.clone())));
        assert_eq!(files(folder.path()).keys().collect::<Vec<_>>(), before.keys().collect::<Vec<_>>(), "leftovers");
    }
    for cut in 0..after[&segment(2)].len() {
        let mut at = before.clone();
        at.insert(segment(2), after[&segment(2)][..cut].to_vec());
        assert_eq!(load(folder_of(&at).path()), Ok(Some(old.clone())));
    }
    // After it: the old segments are not deleted yet.
    let folder = folder_of(&both);
    assert_eq!(load(folder.path()), Ok(Some(new)));
    assert_eq!(files(folder.path()), after);
}

#[test]
fn damage_is_never_taken_for_content() {
    let (_, _, after, _) = two_snapshots();
    let names: Vec<&String> = after.keys().filter(|n| *n != "lock").collect();
    for name in names {
        let bytes = &after[name];
        let cuts = (0..bytes.len()).map(|n| bytes[..n].to_vec());
        let flips = (0..bytes.len() * 8).map(|bit| {
            let mut bytes = bytes.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            bytes
        });
        let longer = [[bytes.as_slice(), b"x"].concat()];
        for damaged in cuts.chain(flips).chain(longer) {
            let mut at = after.clone();
            at.insert(name.clone(), damaged);
            let folder = folder_of(&at);
            let sentence = load(folder.path()).expect_err("it was set aside");
            assert!(sentence.contains("snapshot") && sentence.contains("snapshot.damaged-1"), "{sentence}");
            assert_eq!(files(folder.path()).len(), 1, "all but the lock is moved aside: {sentence}");
            assert_eq!(files(&folder.path().join("snapshot.damaged-1")).len(), 3, "as it was: {sentence}");
            assert_eq!(load(folder.path()), Ok(None), "and then it starts clean");
        }
    }
}

#[test]
fn what_cannot_be_used_says_why() {
    let (_, _, after, new) = two_snapshots();
    let why = |files: &Files, version| {
        let folder = folder_of(files);
        let mut store = Store::open(folder.path(), version).unwrap().0;
        let Loaded::SetAside(aside) = store.load().unwrap() else { panic!("it was used") };
        assert!(store.write_segment(b"x").is_ok_and(|name| store.save(b"y", &[name]).is_ok()), "it goes on");
        assert_eq!(
            store.read_segment(SegmentName { number: 77, checksum: 0 }).unwrap_err().kind(),
            std::io::ErrorKind::NotFound
        );
        aside.why
    };
    assert_eq!(why(&after, 8), Reason::OtherVersion { found: VERSION, known: 8 });
    let with = |name: &str, bytes: Option<&[u8]>| {
        let mut files = after.clone();
        files.remove(name);
        files.extend(bytes.map(|bytes| (name.to_owned(), bytes.to_vec())));
        files
    };
    assert_eq!(why(&with(SNAPSHOT, Some(b"[api]\nname = 1\n")), VERSION), Reason::Foreign);
    assert_eq!(why(&with(SNAPSHOT, Some(b"")), VERSION), Reason::Damaged("it is empty".to_owned()));
    assert!(matches!(why(&with(&segment(0), None), VERSION), Reason::MissingSegment(_)));
    assert!(matches!(why(&with(&segment(2), Some(&after[&segment(0)])), VERSION), Reason::DamagedSegment(..)));
    // The caller's own reason.
    let folder = folder_of(&after);
    let mut store = open(folder.path());
    let aside = store.set_aside(Reason::Unusable("it is of another configuration".to_owned())).unwrap();
    assert!(aside.to_string().contains("another configuration"));
    assert!(matches!(store.load(), Ok(Loaded::Nothing)));
    // What was put aside is whole.
    assert_eq!(load(&aside.to), Ok(Some(new)));
}

#[test]
fn few_are_kept_aside() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..5 {
        let mut store = open(folder.path());
        store.save(&[round], &[]).unwrap();
        fs::write(folder.path().join(SNAPSHOT), b"x").unwrap();
        assert!(matches!(store.load().unwrap(), Loaded::SetAside(_)));
    }
    let mut aside: Vec<_> = fs::read_dir(folder.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    aside.retain(|name| name.to_str().unwrap().contains("damaged"));
    aside.sort();
    assert_eq!(aside, ["snapshot.damaged-3", "snapshot.damaged-4", "snapshot.damaged-5"]);
    assert_eq!(aside.len(), ASIDE_MAX);
}

#[test]
fn one_process_holds_a_folder() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state");
    let (store, opened) = Store::open(&path, VERSION).unwrap();
    assert!(opened.made);
    let why = Store::open(&path, VERSION).expect_err("it is held");
    assert!(matches!(why, StateError::InUse { .. }));
    assert!(why.to_string().contains(path.to_str().unwrap()) && why.to_string().contains("stop that one"), "{why}");
    let journal = Journal::open(&store, 1).unwrap();
    drop(store);
    assert!(Store::open(&path, VERSION).is_err(), "the journal holds it too");
    drop(journal);
    assert!(!Store::open(&path, VERSION).unwrap().1.made);
    let file = folder.path().join("file");
    fs::write(&file, b"").unwrap();
    let why = Store::open(&file, VERSION).unwrap_err().to_string();
    assert!(why.contains("cannot be made"), "{why}");
    let why = Store::open(Path::new("/proc/gatewatch"), VERSION).unwrap_err().to_string();
    assert!(why.contains("/proc/gatewatch cannot be made"), "{why}");
}

#[test]
fn names_of_segments_are_never_given_twice() {
    let folder = tempfile::tempdir().unwrap();
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..4 {
        let mut store = open(folder.path());
        store.load().unwrap();
        for _ in 0..3 {
            assert!(seen.insert(store.write_segment(b"same").unwrap().number));
        }
        store.save(b"none of them", &[]).unwrap();
    }
    let mut store = open(folder.path());
    let gone = SegmentName { number: 0, checksum: 0 };
    assert!(store.save(b"x", &[gone]).unwrap_err().to_string().contains("is not in the state folder"));
    assert_eq!(load_in(&mut store), Some(b"none of them".to_vec()), "the old one stands");
}

fn load_in(store: &mut Store) -> Option<Vec<u8>> {
    match store.load().unwrap() {
        Loaded::Snapshot { bytes, .. } => Some(bytes),
        Loaded::Nothing | Loaded::SetAside(_) => None,
    }
}

#[test]
fn a_save_that_fails_leaves_the_old_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let mut store = open(folder.path());
    let kept = store.write_segment(b"kept").unwrap();
    store.save(b"old", &[kept]).unwrap();
    // A folder in the place of the temporary file: writing fails as it does on a full disk.
    fs::create_dir(folder.path().join("snapshot.new")).unwrap();
    assert!(store.save(b"new", &[]).is_err());
    fs::remove_dir(folder.path().join("snapshot.new")).unwrap();
    assert_eq!(load_in(&mut store), Some(b"old".to_vec()));
    assert_eq!(store.read_segment(kept).unwrap(), b"kept");
    assert!(store.save(b"new", &[kept]).is_ok());
}

// === The journal ===

fn recovered(folder: &Path) -> Recovered {
    Journal::open(&open(folder), 1).unwrap().1
}

fn journal_of(records: &[&[u8]]) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(&open(folder.path()), 1).unwrap();
    for record in records {
        journal.append(&[record]).unwrap();
    }
    let bytes = fs::read(folder.path().join(JOURNAL)).unwrap();
    assert_eq!(bytes.len() as u64, journal.len());
    bytes
}

fn recover(bytes: &[u8]) -> Recovered {
    let folder = folder_of(&BTreeMap::from([(JOURNAL.to_owned(), bytes.to_vec())]));
    let found = recovered(folder.path());
    if let Some(aside) = &found.set_aside {
        assert_eq!(fs::read(&aside.to).unwrap(), bytes, "the damaged file as it was");
        assert!(aside.to_string().contains("journal.damaged-1"), "{aside}");
    }
    let again = recovered(folder.path());
    assert_eq!(
        (again.records, again.torn, again.set_aside.is_none()),
        (found.records.clone(), 0, true),
        "it is mended"
    );
    let (mut journal, _) = Journal::open(&open(folder.path()), 1).unwrap();
    journal.append(&[b"more"]).unwrap();
    drop(journal);
    assert_eq!(recovered(folder.path()).records.last().unwrap(), b"more", "it goes on");
    found
}

const RECORDS: [&[u8]; 4] = [b"first", b"", b"third \xff\xfegw", b"fourth"];

#[test]
fn a_torn_end_is_cut_off() {
    let whole = journal_of(&RECORDS);
    let head = journal_of(&[]).len();
    let mut ends = vec![head];
    ends.extend(RECORDS.iter().scan(head, |end, r| {
        *end += 16 + r.len();
        Some(*end)
    }));
    for cut in head..=whole.len() {
        let found = recover(&whole[..cut]);
        let kept = ends.iter().filter(|end| **end <= cut).count() - 1;
        assert_eq!(found.records, RECORDS[..kept]);
        assert_eq!((found.torn, found.set_aside.is_none()), (cut - ends[kept], true));
    }
}

#[test]
fn damage_costs_the_record_that_it_hits_and_is_said() {
    let whole = journal_of(&RECORDS);
    let head = journal_of(&[]).len();
    let last = whole.len() - 16 - RECORDS[3].len();
    for bit in 0..whole.len() * 8 {
        let mut bytes = whole.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let found = recover(&bytes);
        let missing: Vec<_> = RECORDS.iter().filter(|r| !found.records.iter().any(|f| f == *r)).collect();
        assert!(found.records.iter().all(|f| RECORDS.contains(&f.as_slice())), "never wrong content");
        if bit / 8 < head {
            assert!(missing.is_empty() && found.set_aside.is_some());
        } else {
            assert_eq!(missing.len(), 1);
            assert_eq!((found.set_aside.is_some(), found.torn > 0), (bit / 8 < last, bit / 8 >= last));
        }
    }
}

#[test]
fn foreign_and_other_versions_are_put_aside() {
    assert_eq!(recover(b"hello, this is something else").set_aside.unwrap().why, Reason::Foreign);
    assert!(matches!(recover(b"").set_aside.unwrap().why, Reason::Damaged(_)));
    let folder = tempfile::tempdir().unwrap();
    Journal::open(&open(folder.path()), 2).unwrap().0.append(&[b"of two"]).unwrap();
    let found = recovered(folder.path());
    assert_eq!(found.set_aside.unwrap().why, Reason::OtherVersion { found: 2, known: 1 });
    assert!(found.records.is_empty());
}

#[test]
fn a_journal_that_failed_is_mended_by_rewriting() {
    let folder = tempfile::tempdir().unwrap();
    let (mut journal, _) = Journal::open(&open(folder.path()), 1).unwrap();
    journal.append(&[b"a", b"b"]).unwrap();
    journal.fail();
    assert!(journal.append(&[b"c"]).is_err());
    assert!(journal.append(&[b"c"]).is_err(), "and it stays so");
    let blocked = folder.path().join("journal.new");
    fs::create_dir(&blocked).unwrap();
    assert!(journal.rewrite([b"b".as_slice()]).is_err());
    fs::remove_dir(&blocked).unwrap();
    journal.rewrite([b"b".as_slice(), b"c"]).unwrap();
    journal.append(&[b"d"]).unwrap();
    assert!(journal.append(&[&vec![0; 17 << 20]]).is_err());
    journal.append(&[b"e"]).unwrap();
    drop(journal);
    assert_eq!(recovered(folder.path()).records, [b"b", b"c", b"d", b"e"]);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    /// Bytes may be overwritten, removed or put in anywhere: what is read was written, in its order, and only records
    /// that the damage touched are missing.
    #[test]
    fn a_journal_keeps_what_damage_did_not_touch(
        records in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..8),
        at in any::<proptest::sample::Index>(),
        removed in 0_usize..30,
        put in proptest::collection::vec(any::<u8>(), 0..30),
    ) {
        let refs: Vec<&[u8]> = records.iter().map(Vec::as_slice).collect();
        let whole = journal_of(&refs);
        let from = at.index(whole.len());
        let to = (from + removed).min(whole.len());
        let found = recover(&[&whole[..from], &put, &whole[to..]].concat());
        let head = journal_of(&[]).len();
        let mut end = head;
        let mut expected = Vec::new();
        for record in &records {
            let start = end;
            end += 16 + record.len();
            if end <= from || start >= to {
                expected.push(record.clone());
            }
        }
        // Damage may happen to put back what was there: then more is found, never less and never other things.
        let mut rest = found.records.iter();
        prop_assert!(expected.iter().all(|e| rest.any(|f| f == e)), "{expected:?} of {:?}", found.records);
        let mut rest = records.iter();
        prop_assert!(found.records.iter().all(|f| rest.any(|r| r == f)));
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200), magic in 0..3) {
        let whole = match magic {
            0 => bytes.clone(),
            1 => [b"gwsnap\r\n\x01\0\0\0".as_slice(), &bytes].concat(),
            _ => [&journal_of(&[]), bytes.as_slice()].concat(),
        };
        recover(&whole);
        let folder = folder_of(&BTreeMap::from([(SNAPSHOT.to_owned(), whole)]));
        prop_assert!(load(folder.path()).is_err());
    }
}
