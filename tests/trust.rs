//! Trust between people, with the real programs: the safety number that both compare, the mark that outlives a restart,
//! strangers who may not ring, and an identity that moves to another profile.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::ffi::OsStr;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use support::clock::WallClock;
use support::process::{Launch, SOON, Visavis, meet, run_to_end_within, text};

/// The work of a passphrase on a machine that is busy with other things.
const LIMIT: Duration = Duration::from_secs(240);
const PASSPHRASE: &str = "correct horse battery staple";

fn person(name: &str) -> Launch {
    Launch::new(name).with_synthetic_devices()
}

/// The state of a contact once a command has changed it.
fn state(person: &mut Visavis, id: &str, verified: bool) -> Value {
    let wanted = |event: &Value| event["id"] == *id && event["contact"] == true && event["verified"] == verified;
    person.expect_where("contact", SOON, wanted)
}

#[test]
fn two_people_see_one_safety_number_and_the_mark_outlives_a_restart() {
    let _machine = support::sharing();
    let home = tempfile::tempdir().expect("a directory");
    let profile = home.path().join("alice");
    let (mut alice, mut bob) = (person("Alice").profile(&profile).start(), person("Bob").start());
    meet(&mut alice, &mut bob);
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());

    let verify = |id: &str, on: bool| json!({"command": "verify_contact", "id": id, "on": on});
    alice.send(verify(&bob_id, true));
    let refused = alice.expect("error");
    assert_eq!((&refused["code"], &refused["command"]), (&json!(40001), &json!("verify_contact")), "a stranger");

    alice.send(json!({"command": "add_contact", "link": bob.link}));
    bob.send(json!({"command": "add_contact", "link": alice.link}));
    let (seen_by_alice, seen_by_bob) = (state(&mut alice, &bob_id, false), state(&mut bob, &alice_id, false));
    let number = text(&seen_by_alice, "safety_number");
    assert_eq!(number, text(&seen_by_bob, "safety_number"));
    assert_eq!(number.split(' ').map(str::len).collect::<Vec<_>>(), [5; 12], "{number}");

    alice.send(verify(&bob_id, true));
    assert_eq!(state(&mut alice, &bob_id, true)["safety_number"], number);
    alice.quit();
    let mut alice = person("Alice").profile(&profile).start();
    alice.say("contacts");
    assert_eq!(state(&mut alice, &bob_id, true)["safety_number"], Value::Null, "one is made when it is asked for");
    alice.send(json!({"command": "contact", "id": bob_id}));
    let asked = |event: &Value| event["id"] == *bob_id && event["safety_number"] == *number;
    alice.expect_where("contact", SOON, asked);
    alice.send(verify(&bob_id, false));
    state(&mut alice, &bob_id, false);
    bob.say("contacts");
    state(&mut bob, &alice_id, false);
    alice.send(verify("hd65ckg3ohc72mecdtvkgjn2jibsr3fc54t36fkt4hasvllgvsrwtn77", true));
    assert_eq!(alice.expect("error")["command"], "verify_contact", "Echo has no key");
}

#[test]
fn a_stranger_who_may_not_ring_hears_nothing_and_a_contact_rings() {
    let _machine = support::sharing();
    let mut alice = person("Alice").start();
    let mut bob = person("Bob").option("--strangers", "refuse").log("debug").start();
    meet(&mut alice, &mut bob);
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    let unheard = alice.invite(&bob_id, json!(false));
    alice.send(json!({"command": "cancel", "invite": unheard}));
    alice.expect_where("invite_canceled", SOON, |event| event["invite"] == *unheard);

    // The first invite is read before its sender becomes a contact.
    bob.expect_log("The invite of a person who may not ring is ignored");
    bob.send(json!({"command": "add_contact", "link": alice.link}));
    state(&mut bob, &alice_id, false);
    let heard = alice.invite(&bob_id, json!(false));
    assert_eq!(bob.expect_invite_from(&alice_id), heard);
    bob.send(json!({"command": "reject", "invite": heard}));
    alice.expect_where("invite_rejected", SOON, |event| event["invite"] == *heard);
    let about = |person: &Visavis, invite: &str| -> Vec<String> {
        let events = person.transcript();
        events.iter().filter(|event| event["invite"] == *invite).map(|event| text(event, "event")).collect()
    };
    assert_eq!(about(&bob, &unheard), [""; 0], "nothing rang, and nothing was missed");
    assert_eq!(about(&alice, &unheard), ["invite_sent", "invite_canceled"], "no answer of any kind");
}

#[test]
fn the_holder_of_an_invitation_rings_once_although_strangers_may_not() {
    let _machine = support::sharing();
    let folder = tempfile::tempdir().expect("a directory");
    let profile = folder.path().join("alberta");
    let mut bob = person("Bertrand").option("--strangers", "refuse").log("debug").start();
    bob.say("create_invitation");
    let link = text(&bob.expect("invitation"), "link");
    assert!(link.contains("&once="), "{link}");
    let mut alice = person("Alberta").profile(&profile).start();
    alice.send(json!({"command": "add_contact", "link": link}));
    alice.expect_where("contact", SOON, |contact| contact["id"] == *bob.id && contact["contact"] == true);
    alice.quit();

    let mut alice = person("Alberta").profile(&profile).start();
    meet(&mut alice, &mut bob);
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    let invite = alice.invite(&bob_id, json!(false));
    let rung = bob.expect_where("invite", SOON, |rung| rung["invite"] == *invite);
    assert_eq!((&rung["from"], &rung["contact"]), (&json!(alice_id), &json!(false)));
    bob.send(json!({"command": "reject", "invite": invite}));
    alice.expect("invite_rejected");

    let again = alice.invite(&bob_id, json!(false));
    bob.expect_log("The invite of a person who may not ring is ignored");
    alice.send(json!({"command": "cancel", "invite": again}));
    alice.expect_where("invite_canceled", SOON, |event| event["invite"] == *again);
    assert_eq!(bob.transcript().iter().filter(|event| event["event"] == "invite").count(), 1);
}

#[test]
fn an_invitation_that_is_added_in_a_connection_that_stands_rings_at_once() {
    let _machine = support::sharing();
    let mut bob = person("Bertrand").option("--strangers", "refuse").start();
    let mut alice = person("Alberta").start();
    meet(&mut alice, &mut bob);
    bob.say("create_invitation");
    let link = text(&bob.expect("invitation"), "link");
    let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
    alice.send(json!({"command": "add_contact", "link": link}));
    let invite = alice.invite(&bob_id, json!(false));
    assert_eq!(bob.expect_invite_from(&alice_id), invite);
    bob.send(json!({"command": "reject", "invite": invite}));
    alice.expect("invite_rejected");
}

#[test]
fn an_invitation_is_good_for_a_month_although_the_program_that_gave_it_runs_on() {
    let _machine = support::sharing();
    const DAY: i64 = 86_400;
    for (days, rings) in [(29, true), (31, false)] {
        let Some(mut clock) = WallClock::new() else { return };
        let mut bob = clock.give_to(person("Bertrand").option("--strangers", "refuse").log("debug")).start();
        bob.say("create_invitation");
        let link = text(&bob.expect("invitation"), "link");
        let mut alice = person("Alberta").start();
        alice.send(json!({"command": "add_contact", "link": link}));
        let (alice_id, bob_id) = (alice.id.clone(), bob.id.clone());
        alice.expect_online(&bob_id);
        bob.expect_online(&alice_id);
        clock.step(days * DAY);
        let invite = alice.invite(&bob_id, json!(false));
        if rings {
            assert_eq!(bob.expect_invite_from(&alice_id), invite);
        } else {
            bob.expect_log("The invite of a person who may not ring is ignored");
        }
    }
}

#[test]
fn somebody_with_a_contacts_name_and_another_key_rings_with_a_warning() {
    let _machine = support::sharing();
    let mut alice = person("Alice").start();
    let mut bob = person("Wilhelmina").start();
    let mut other = person("wilhelmina").start();
    meet(&mut alice, &mut bob);
    alice.send(json!({"command": "add_contact", "link": bob.link}));
    let (alice_id, bob_id, other_id) = (alice.id.clone(), bob.id.clone(), other.id.clone());
    state(&mut alice, &bob_id, false);
    other.send(json!({"command": "add_contact", "link": alice.link}));
    let invite = other.invite(&alice_id, json!(false));
    let warning = alice.expect("key_changed");
    assert_eq!((&warning["id"], &warning["previous"]), (&json!(other_id), &json!(bob_id)));
    let rung = alice.expect_where("invite", SOON, |event| event["invite"] == *invite);
    assert_eq!((&rung["contact"], &rung["from"]), (&json!(false), &json!(other_id)));
    alice.send(json!({"command": "reject", "invite": invite}));
    other.expect("invite_rejected");

    // The contact, under the key that is known, needs no warning.
    let invite = bob.invite(&alice_id, json!(false));
    alice.expect_where("invite", SOON, |event| event["invite"] == *invite);
    assert_eq!(alice.transcript().iter().filter(|event| event["event"] == "key_changed").count(), 1);
}

/// Runs `visavis identity` on a profile: exit status, standard output, standard error.
fn identity(profile: &Path, words: &[&OsStr]) -> (Option<i32>, String, String) {
    let mut arguments: Vec<&OsStr> = vec![OsStr::new("identity")];
    arguments.extend(words);
    arguments.extend([OsStr::new("--profile"), profile.as_os_str()]);
    let (status, output, errors) = run_to_end_within(LIMIT, &arguments);
    (status.code(), output, errors)
}

fn id_of(profile: &Path) -> String {
    let (status, output, errors) =
        run_to_end_within(LIMIT, &[OsStr::new("id"), OsStr::new("--profile"), profile.as_os_str()]);
    assert_eq!(status.code(), Some(0), "{errors}");
    output.lines().next().unwrap_or_default().to_owned()
}

/// A folder with a passphrase file, a wrong one, and a profile with an identity and its backup.
struct Exported {
    folder: tempfile::TempDir,
    id: String,
}

impl Exported {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a directory");
        std::fs::write(folder.path().join("passphrase"), format!("{PASSPHRASE}\r\nsecond line\n")).expect("space");
        std::fs::write(folder.path().join("wrong"), "correct horse battery stable").expect("space");
        let id = id_of(&folder.path().join("old"));
        let exported = Self { folder, id };
        let (status, output, errors) = exported.run("export", "old", "backup", "passphrase", false);
        assert_eq!(status, Some(0), "{errors}");
        assert!(output.contains(&exported.id), "{output}");
        exported
    }

    fn at(&self, name: &str) -> std::path::PathBuf {
        self.folder.path().join(name)
    }

    fn run(
        &self,
        action: &str,
        profile: &str,
        file: &str,
        passphrase: &str,
        replace: bool,
    ) -> (Option<i32>, String, String) {
        let (file, passphrase) = (self.at(file), self.at(passphrase));
        let mut words =
            vec![OsStr::new(action), file.as_os_str(), OsStr::new("--passphrase-file"), passphrase.as_os_str()];
        words.extend(replace.then_some(OsStr::new("--replace")));
        identity(&self.at(profile), &words)
    }
}

#[test]
fn an_identity_moves_to_another_profile_and_replaces_one_only_when_asked() {
    let _machine = support::sharing();
    let exported = Exported::new();
    let text = std::fs::read_to_string(exported.at("backup")).expect("the backup");
    assert!(!text.contains(&exported.id) && text.lines().count() == 3, "{text}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(exported.at("backup")).expect("it is there").permissions().mode() & 0o777, 0o600);
    }
    let (status, _, errors) = exported.run("export", "old", "backup", "passphrase", false);
    assert_eq!(status, Some(1));
    assert!(errors.contains("exists already"), "{errors}");

    let (status, _, errors) = exported.run("import", "new", "backup", "passphrase", false);
    assert_eq!(status, Some(0), "{errors}");
    assert_eq!(id_of(&exported.at("new")), exported.id);

    let third = id_of(&exported.at("third"));
    let (status, _, errors) = exported.run("import", "third", "backup", "passphrase", false);
    assert_eq!((status, id_of(&exported.at("third"))), (Some(1), third.clone()));
    assert!(errors.contains("--replace"), "{errors}");
    let (status, output, errors) = exported.run("import", "third", "backup", "passphrase", true);
    assert_eq!((status, id_of(&exported.at("third"))), (Some(0), exported.id.clone()), "{errors}");
    let kept = std::fs::read_dir(exported.at("third"))
        .expect("the profile")
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension() == Some(OsStr::new("old")))
        .expect("the earlier identity");
    assert!(output.contains(&kept.display().to_string()), "{output}");
    assert!(std::fs::read_to_string(kept).expect("readable").contains(&third));
}

#[test]
fn a_backup_that_cannot_be_opened_has_one_sentence_and_changes_nothing() {
    let _machine = support::sharing();
    let exported = Exported::new();
    let backup = std::fs::read(exported.at("backup")).expect("the backup");
    std::fs::write(exported.at("cut"), &backup[..backup.len() - 9]).expect("space");
    std::fs::write(exported.at("newer"), String::from_utf8_lossy(&backup).replace("backup-1", "backup-2"))
        .expect("space");
    std::fs::write(exported.at("large"), vec![b'0'; 64 << 20]).expect("space");
    std::fs::write(exported.at("noise"), [0xff; 200]).expect("space");
    std::fs::write(exported.at("short"), "horse").expect("space");
    std::fs::write(exported.at("empty"), "\n").expect("space");
    std::fs::create_dir(exported.at("folder")).expect("space");
    assert!(std::process::Command::new("mkfifo").arg(exported.at("pipe")).status().expect("mkfifo").success());
    for (action, file, passphrase, words) in [
        ("import", "backup", "wrong", "passphrase is wrong"),
        ("import", "cut", "passphrase", "no identity backup"),
        ("import", "newer", "passphrase", "newer Visavis"),
        ("import", "large", "passphrase", "more than 4096 bytes"),
        ("import", "noise", "passphrase", "no identity backup"),
        ("import", "folder", "passphrase", "cannot be read"),
        ("import", "pipe", "passphrase", "a pipe or a device"),
        ("import", "absent", "passphrase", "cannot be read"),
        ("import", "backup", "absent", "passphrase file"),
        ("import", "backup", "empty", "first line is empty"),
        ("import", "backup", "large", "more than 4096 bytes"),
        ("export", "second", "passphrase", "no identity yet"),
    ] {
        let (status, output, errors) = exported.run(action, "fresh", file, passphrase, action == "import");
        assert_eq!((status, output.as_str()), (Some(1), ""), "{action} {file} {passphrase}: {errors}");
        assert!(errors.contains(words) && errors.lines().count() == 1, "{action} {file} {passphrase}: {errors}");
        assert!(!exported.at("fresh").join("identity.key").exists(), "{action} {file} {passphrase}");
    }
    let (status, _, errors) = exported.run("export", "old", "second", "short", false);
    assert_eq!((status, exported.at("second").exists()), (Some(1), false));
    assert!(errors.contains("fewer than 10 characters"), "{errors}");
    let (_, _, errors) = exported.run("export", "old", "no/such/folder", "passphrase", false);
    assert!(errors.contains("could not be written"), "{errors}");
}

#[test]
fn a_profile_that_runs_keeps_its_identity() {
    let _machine = support::sharing();
    let exported = Exported::new();
    let running = person("Alice").profile(&exported.at("running")).start();
    let (status, _, errors) = exported.run("import", "running", "backup", "passphrase", true);
    assert_eq!(status, Some(1), "{errors}");
    running.quit();
    assert_ne!(id_of(&exported.at("running")), exported.id);
}
