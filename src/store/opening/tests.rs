use crate::identity::PeerId;
use crate::store::Settings;

use super::*;

#[test]
fn a_newer_file_is_refused_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let newer = Connection::open(&path).unwrap();
    newer.pragma_update(None, "user_version", 99).unwrap();
    drop(newer);
    let before = std::fs::read(&path).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::MadeByNewerVersion)));
    assert_eq!(std::fs::read(&path).unwrap(), before);
}

#[test]
fn a_file_that_is_no_database_is_called_damaged_and_left_as_it_is() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join(FILE_NAME);
    let text = "this is a shopping list, not a database. ".repeat(50);
    std::fs::write(&path, &text).unwrap();
    assert!(matches!(Store::open(dir.path()), Err(StoreError::Damaged(_))));
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[test]
fn a_folder_that_does_not_exist_is_not_writable() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(Store::open(&dir.path().join("absent")), Err(StoreError::NotWritable(_))));
}

#[cfg(unix)]
#[test]
fn nobody_else_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.save_settings(&Settings::default()).unwrap();
    for entry in std::fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o077, 0, "{:?}", entry.file_name());
    }
}

/// A profile with a contact; whether its last changes wait beside the file, as after a crash, or not.
fn used_profile(crashed: bool) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.save_settings(&Settings { max_fps: 15, ..Settings::default() }).unwrap();
    store.add_contact(PeerId::from_bytes([1; 32]), "Ann", 100).unwrap();
    if !crashed {
        return dir;
    }
    let copy = tempfile::tempdir().unwrap();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
    }
    assert!(beside(&copy.path().join(FILE_NAME), "-wal").metadata().unwrap().len() > 0);
    copy
}

fn names(dir: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names.into_iter().map(|name| name.into_string().unwrap()).collect()
}

#[track_caller]
fn assert_has_everything(store: &Store) {
    assert_eq!(store.settings().unwrap().max_fps, 15);
    assert_eq!(store.contacts().unwrap()[0].name, "Ann");
}

#[test]
fn a_store_is_found_again_also_after_a_crash() {
    for crashed in [false, true] {
        let dir = used_profile(crashed);
        let store = Store::open(dir.path()).unwrap();
        assert_has_everything(&store);
        assert!(store.fault().is_none());
        assert!(!names(dir.path()).contains(&"visavis.db-shm".to_owned()), "nothing that reading would need is shared");
        drop(store);
        assert_eq!(names(dir.path()), [FILE_NAME]);
    }
}

#[test]
fn what_cannot_be_written_is_copied_and_left_as_it_is() {
    for crashed in [false, true] {
        let dir = used_profile(crashed);
        let path = dir.path().join(FILE_NAME);
        let before = (names(dir.path()), fs::read(&path).unwrap());
        let mut store = Store { connection: copy_in_memory(&path).unwrap(), fault: None };
        assert_has_everything(&store);
        store.set_blocked(PeerId::from_bytes([2; 32]), true).unwrap();
        store.clear_history().unwrap();
        store.connection.transaction().unwrap().commit().unwrap();
        assert_eq!((names(dir.path()), fs::read(&path).unwrap()), before);
    }
    let dir = tempfile::tempdir().unwrap();
    let odd = dir.path().join("a ?#%20 ü");
    fs::create_dir(&odd).unwrap();
    drop(Store::open(&odd).unwrap());
    fs::copy(used_profile(false).path().join(FILE_NAME), odd.join(FILE_NAME)).unwrap();
    assert_has_everything(&Store { connection: copy_in_memory(&odd.join(FILE_NAME)).unwrap(), fault: None });
    let empty = Store { connection: copy_in_memory(&dir.path().join("absent")).unwrap(), fault: None };
    assert_eq!(empty.settings().unwrap(), Settings::default());
}

#[test]
fn an_empty_file_beside_an_identity_is_a_loss_and_is_told() {
    let dir = used_profile(false);
    let path = dir.path().join(FILE_NAME);
    fs::write(&path, "").unwrap();
    Identity::load_or_create(dir.path()).unwrap();
    let error = Store::open(dir.path()).unwrap_err();
    assert!(matches!(error, StoreError::Emptied), "{error}");
    assert_eq!(path.metadata().unwrap().len(), 0);
    fs::remove_file(&path).unwrap();
    assert_eq!(Store::open(dir.path()).unwrap().contacts().unwrap(), []);
    let fresh = tempfile::tempdir().unwrap();
    fs::write(fresh.path().join(FILE_NAME), "").unwrap();
    assert!(Store::open(fresh.path()).unwrap().fault().is_none());
}

#[test]
fn a_first_start_that_was_cut_off_leaves_nothing_in_the_way() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("visavis.db.new"), "half of it").unwrap();
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(names(dir.path()), [FILE_NAME]);
}

#[test]
fn damage_is_called_damage_whatever_it_hits() {
    let dir = used_profile(false);
    let path = dir.path().join(FILE_NAME);
    let whole = fs::read(&path).unwrap();
    let mut damaged: Vec<Vec<u8>> = vec![whole[..whole.len() / 2].to_vec(), whole[..100].to_vec(), vec![0; 4096]];
    // Pages of tables, the list of tables, a name in it, the header.
    for (at, bytes) in [(4096, &[7; 64][..]), (100, &[9; 12]), (16, &[0, 0]), (40, &[255; 4])] {
        let mut copy = whole.clone();
        copy[at..at + bytes.len()].copy_from_slice(bytes);
        damaged.push(copy);
    }
    for (word, other) in [("contacts", "contagts"), ("CREATE TABLE blocked", "CRXATE TABLE blocked")] {
        let mut copy = whole.clone();
        let places: Vec<usize> =
            (0..copy.len() - word.len()).filter(|&at| &copy[at..at + word.len()] == word.as_bytes()).collect();
        assert!(!places.is_empty());
        places.iter().for_each(|&at| copy[at..at + word.len()].copy_from_slice(other.as_bytes()));
        damaged.push(copy);
    }
    for (number, bytes) in damaged.iter().enumerate() {
        fs::write(&path, bytes).unwrap();
        let opened = Store::open(dir.path());
        let read = opened.and_then(|store| store.contacts().map(|contacts| contacts.len()));
        assert!(matches!(read, Err(StoreError::Damaged(_)) | Ok(1)), "{number}: {read:?}");
        if read.is_err() {
            assert_eq!(&fs::read(&path).unwrap(), bytes, "{number}");
        }
        for ending in SIDE_FILES {
            let _ = fs::remove_file(beside(&path, ending));
        }
    }
}

#[cfg(unix)]
#[test]
fn what_stands_in_a_files_place_is_told_and_left_alone() {
    use std::os::unix::fs::symlink;
    let elsewhere = used_profile(false);
    for name in [FILE_NAME, "visavis.db-wal", "visavis.db-journal"] {
        for kind in ["folder", "link", "link to nothing", "socket"] {
            let dir = tempfile::tempdir().unwrap();
            let path = dir.path().join(name);
            match kind {
                "folder" => fs::create_dir(&path).unwrap(),
                "link" => symlink(elsewhere.path().join(FILE_NAME), &path).unwrap(),
                "link to nothing" => symlink(dir.path().join("absent"), &path).unwrap(),
                _ => drop(std::os::unix::net::UnixListener::bind(&path).unwrap()),
            }
            let error = Store::open(dir.path()).unwrap_err();
            assert!(matches!(&error, StoreError::NotAFile { path: told } if *told == path), "{name}, {kind}: {error}");
            assert_eq!(names(dir.path()), [name], "{kind}");
        }
    }
}

#[test]
fn a_copy_that_was_made_by_way_of_sql_goes_on() {
    let dir = used_profile(false);
    let path = dir.path().join(FILE_NAME);
    let copy = Connection::open(&path).unwrap();
    copy.pragma_update(None, "journal_mode", "DELETE").unwrap();
    copy.pragma_update(None, "user_version", 0).unwrap();
    drop(copy);
    assert_has_everything(&Store::open(dir.path()).unwrap());
    let connection = Connection::open(&path).unwrap();
    assert!(version(&connection).unwrap() > 0);
}
