//! Profiles on disks that are full or may only be read, and things in the place of their files: the program starts
//! where it can, says what is wrong, and loses nothing.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::{Value, json};
use support::process::{Launch, Visavis, run_to_end_within, text};

const SOON: Duration = Duration::from_secs(30);

/// Runs `$2 ...` with a small disk of its own at `$0`, on which the profile `$1` was copied, and which was then made
/// so.
const FULL: &str = "mount -t tmpfs -o size=512k tmpfs \"$0\" && cp -r \"$1\" \"$0\" && shift && \
                    { cat /dev/zero > \"$0/fill\" 2>/dev/null; exec \"$@\"; }";
const FULL_AND_EMPTY: &str = "mount -t tmpfs -o size=16k tmpfs \"$0\" && shift && mkdir \"$0/profile\" && \
                              { cat /dev/zero > \"$0/fill\" 2>/dev/null; exec \"$@\"; }";
const READ_ONLY: &str = "mount -t tmpfs -o size=512k tmpfs \"$0\" && cp -r \"$1\" \"$0\" && shift && \
                         mount -o remount,ro \"$0\" && exec \"$@\"";

/// The words that make such a disk, for a program that follows.
fn on_disk(script: &'static str, disk: &Path, profile: &Path) -> Option<Vec<std::ffi::OsString>> {
    let words = ["unshare", "--map-root-user", "--mount", "sh", "-c"];
    let possible = Command::new(words[0]).args(&words[1..3]).args(["mount", "-t", "tmpfs", "tmpfs"]).arg(disk).output();
    if !possible.is_ok_and(|output| output.status.success()) {
        support::skip("a disk cannot be mounted here without root");
        return None;
    }
    let mut words: Vec<std::ffi::OsString> = words.map(Into::into).to_vec();
    words.extend([script.into(), disk.into(), profile.into()]);
    Some(words)
}

/// A profile that has been used: of whom, and with whom among the contacts.
struct Used {
    home: tempfile::TempDir,
    id: String,
    contact: String,
}

impl Used {
    fn new(killed: bool) -> Self {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join("disk")).unwrap();
        let contact = Launch::new("Bob").with_synthetic_devices().start();
        let contact_id = contact.id.clone();
        let mut alice = Launch::new("Alice").with_synthetic_devices().profile(&home.path().join("profile")).start();
        alice.send(json!({"command": "add_contact", "link": format!("visavis:{contact_id}?name=Zoe")}));
        alice.expect_where("contact", SOON, |contact| contact["id"] == json!(contact_id) && contact["contact"] == true);
        contact.quit();
        let id = alice.id.clone();
        if killed {
            alice.kill()
        } else {
            alice.quit()
        }
        Self { home, id, contact: contact_id }
    }

    fn start_on(&self, script: &'static str) -> Option<Visavis> {
        let disk = self.home.path().join("disk");
        let words = on_disk(script, &disk, &self.home.path().join("profile"))?;
        Some(Launch::new("Alice").with_synthetic_devices().profile(&disk.join("profile")).after(words).start())
    }
}

/// An error of the program itself, not of a command, which is not about the network.
fn fault(program: &mut Visavis) -> Value {
    program.expect_where("error", SOON, |error| error["code"] == json!(40001) && error["command"] == json!(""))
}

#[test]
fn on_a_full_disk_it_starts_says_so_and_has_everything() {
    for killed in [false, true] {
        let used = Used::new(killed);
        let Some(mut alice) = used.start_on(FULL) else { return };
        assert_eq!(alice.id, used.id);
        alice.expect_where("contact", SOON, |contact| contact["id"] == json!(used.contact));
        let error = fault(&mut alice);
        assert!(text(&error, "message").starts_with("The disk is full"), "{error}");
        alice.close_input();
        assert_eq!(alice.wait(SOON).code(), Some(0));
        assert!(alice.log_after_end().iter().any(|line| line.contains("The disk is full")));
    }
}

#[test]
fn on_a_disk_that_may_only_be_read_it_starts_says_so_and_has_everything() {
    for killed in [false, true] {
        let used = Used::new(killed);
        let Some(mut alice) = used.start_on(READ_ONLY) else { return };
        assert_eq!(alice.id, used.id);
        alice.expect_where("contact", SOON, |contact| contact["id"] == json!(used.contact));
        let error = fault(&mut alice);
        assert!(text(&error, "message").contains("nothing is saved"), "{error}");
        // A change holds for this run.
        alice.send(json!({"command": "rename_contact", "id": used.contact, "name": "Zed"}));
        alice.expect_where("contact", SOON, |contact| contact["name"] == "Zed");
        alice.close_input();
        assert_eq!(alice.wait(SOON).code(), Some(0));
    }
}

#[test]
fn a_first_start_on_a_full_disk_says_so_and_ends() {
    let home = tempfile::tempdir().unwrap();
    let Some(words) = on_disk(FULL_AND_EMPTY, home.path(), home.path()) else { return };
    let profile = home.path().join("profile");
    let (mut command, ..) = Launch::new("Alice").profile(&profile).after(words).command();
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{errors}");
    assert!(errors.contains("visavis: The disk is full"), "{errors}");
}

#[cfg(unix)]
#[test]
fn what_stands_in_a_files_place_is_told_at_once() {
    for name in ["identity.key", "visavis.db", "visavis.db-wal", "lock"] {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join(name);
        let made = Command::new("mkfifo").arg(&path).status().unwrap();
        assert!(made.success());
        let arguments = ["--headless", "--profile", home.path().to_str().unwrap()].map(OsStr::new);
        let (status, output, errors) = run_to_end_within(SOON, &arguments);
        assert_eq!((status.code(), output.as_str()), (Some(1), ""), "{name}: {errors}");
        assert!(errors.contains("is a link, a pipe or a folder") && errors.contains(name), "{name}: {errors}");
    }
}

#[cfg(unix)]
#[test]
fn the_doctor_says_that_others_can_write_to_the_profile() {
    use std::os::unix::fs::PermissionsExt;
    let home = tempfile::tempdir().unwrap();
    std::fs::set_permissions(home.path(), PermissionsExt::from_mode(0o777)).unwrap();
    let arguments = ["doctor", "--camera", "none", "--microphone", "none", "--speaker", "none", "--bind", "127.0.0.1"];
    let mut arguments = arguments.map(OsStr::new).to_vec();
    arguments.extend([OsStr::new("--profile"), home.path().as_os_str()]);
    let (status, output, errors) = run_to_end_within(Duration::from_secs(240), &arguments);
    assert_eq!(status.code(), Some(1), "{output}{errors}");
    assert!(output.starts_with("problem  profile") && output.contains("make it yours alone"), "{output}");
    assert!(errors.contains("others can write to the profile folder"), "{errors}");
}
