//! A server with a certificate of its domain, from a real ACME authority: real processes. Apps reach it by its name
//! alone and by its link with the key's hash, and each wrong certificate is refused in words.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod support;

use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use support::authority::{Authority, LOST_NAME, SECOND_NAME};
use support::internet::{Families, Internet, Nat, Router, SERVER_NAME, SERVER_PORT, SERVER_V4, set_hosts};
use support::network::Computer;
use support::poll;
use support::process::{Launch, SOON, Visavis, call};
use support::server::Server;

/// Time of a certificate that a test sees renewed, after two thirds of it, and run out.
const SHORT: Duration = Duration::from_secs(24);

/// The Internet, an authority, and a home.
struct World {
    authority: Authority,
    home: Router,
    folder: tempfile::TempDir,
    internet: Internet,
}

impl World {
    fn build(validity: Duration) -> Option<Self> {
        let internet = Internet::build()?;
        let authority = Authority::start_in(&internet, validity)?;
        let home = internet.router(Nat::Home, Families::V4, 10).expect("a home");
        Some(Self { authority, home, folder: tempfile::tempdir().expect("a folder"), internet })
    }

    fn server(&self, domain: &str, port: u16) -> Server {
        Server::start_for(&self.internet, self.folder.path(), &self.authority, domain, port)
    }

    /// A computer at home that knows the server by two names.
    fn computer(&self) -> Computer {
        let computer = self.home.computer().expect("a computer");
        let names = [(SERVER_V4, SERVER_NAME), (SERVER_V4, SECOND_NAME)];
        set_hosts(computer.namespace(), &names).expect("its hosts file");
        computer
    }
}

/// Somebody who uses the server of this link, and trusts the authorities of this file.
fn person(name: &str, computer: &Computer, link: &str, roots: &Path) -> Visavis {
    let launch =
        Launch::new(name).with_synthetic_devices().option("--server", link).environment("SSL_CERT_FILE", roots);
    computer.give_all_to(launch).start()
}

fn expect_state(person: &mut Visavis, state: &str) -> Value {
    person.expect_where("server", SOON, |server| server["state"] == state)
}

#[test]
fn a_domains_server_is_reached_by_its_name_and_renews_its_certificate_while_people_talk() {
    let _machine = support::measuring();
    let Some(mut world) = World::build(SHORT) else { return };
    let mut server = world.server(SERVER_NAME, SERVER_PORT);
    let first = server.expect("certificate");
    let name = format!("{SERVER_NAME}:{SERVER_PORT}");
    assert_eq!((&first["domain"], &first["link"]), (&json!(SERVER_NAME), &json!(name)), "{first}");

    let (roots, computer) = (world.authority.root(), world.computer());
    let mut by_name = person("Name", &computer, &name, &roots);
    let mut by_hash = person("Hash", &computer, &server.link, Path::new("/nowhere"));
    for person in [&mut by_name, &mut by_hash] {
        expect_state(person, "online");
    }
    // Other names, other keys and computers that do not know the authority.
    let other_hash = format!("{name}*{}", "a".repeat(52));
    for (link, roots, words) in [
        (format!("{SECOND_NAME}:{SERVER_PORT}"), roots.as_path(), "one of another name"),
        (name.clone(), Path::new("/etc/ssl/certs/ca-certificates.crt"), "No authority that this computer trusts"),
        (name.clone(), Path::new("/nowhere"), "No authority that this computer trusts"),
        (other_hash, roots.as_path(), "another key than its link says"),
    ] {
        let mut refused = person("Refused", &computer, &link, roots);
        let status = refused.expect_where("server", SOON, |server| server["detail"] != "");
        assert!(status["detail"].as_str().unwrap().contains(words), "{status}");
        refused.quit();
    }

    let [name_link, hash_link] = [&by_name, &by_hash].map(|side| side.link.clone());
    for (side, other) in [(&mut by_name, hash_link), (&mut by_hash, name_link)] {
        side.send(json!({"command": "add_contact", "link": other}));
    }
    let [name_id, hash_id] = [&by_name, &by_hash].map(|side| side.id.clone());
    by_name.expect_online(&hash_id);
    by_hash.expect_online(&name_id);
    call(&mut by_name, &mut by_hash, &json!("low"));
    let told = |person: &Visavis| person.transcript().iter().filter(|event| event["event"] == "server").count();
    let before = [&by_name, &by_hash].map(told);
    let renewed = server.expect("certificate");
    assert!(renewed["valid_until_ms"].as_u64() > first["valid_until_ms"].as_u64(), "{renewed}");
    let mut late = person("Late", &computer, &name, &roots);
    expect_state(&mut late, "online");
    late.quit();
    let shown = |stats: &Value| stats["received"]["frames_decoded"].as_u64();
    for person in [&mut by_name, &mut by_hash] {
        let now = shown(&person.expect("stats"));
        person.expect_where("stats", SOON, |stats| shown(stats) > now.map(|frames| frames + 20));
    }
    assert_eq!([&by_name, &by_hash].map(told), before, "no connection was cut");
    by_hash.quit();

    let mut files: Vec<_> =
        std::fs::read_dir(world.folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let names: Vec<_> = files.iter().map(|file| file.file_name().unwrap().to_string_lossy().into_owned()).collect();
    assert_eq!(names, ["acme-account.json", "certificate.pem", "server.key"]);
    for file in &files {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{}", file.display());
    }
    // One that was just issued: older news may have waited.
    let now_ms = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as u64;
    let end_ms = loop {
        let end_ms = server.expect("certificate")["valid_until_ms"].as_u64().unwrap();
        if end_ms > now_ms() + SHORT.as_millis() as u64 * 3 / 4 {
            break end_ms;
        }
    };
    let log = server.end();
    assert!(log.is_empty(), "{log}");

    // Without the authority a new start uses the certificate that is kept, for as long as it lasts.
    world.authority.end();
    let mut server = world.server(SERVER_NAME, SERVER_PORT);
    by_name.expect_where("server", SOON, |server| server["state"] == "online");
    by_name.quit();
    let over = loop {
        let news = server.expect("certificate");
        if news["problem"].is_string() {
            break news;
        }
    };
    assert!(over["problem"].as_str().unwrap().contains("directory is not reached"), "{over}");
    // It is valid through the whole of its last second.
    poll(SHORT * 2, || (now_ms() > end_ms + 1000).then_some(())).expect("the certificate's end");
    let mut late = person("Late", &computer, &name, &roots);
    let status = expect_state(&mut late, "refused");
    assert!(status["detail"].as_str().unwrap().contains("out of date"), "{status}");
    let mut by_hash = person("Hash", &computer, &server.link, &roots);
    expect_state(&mut by_hash, "online");
}

#[test]
fn a_server_without_a_certificate_says_why_and_serves_its_key() {
    let _machine = support::sharing();
    let Some(world) = World::build(Duration::from_secs(3600)) else { return };
    let computer = world.computer();
    for (domain, port, words) in [
        // Nothing is at port 443.
        (SERVER_NAME, 8443, "TCP port 443"),
        ("unknown.example", SERVER_PORT, "the name leads to this server"),
        (LOST_NAME, SERVER_PORT, "TCP port 443"),
    ] {
        let mut server = world.server(domain, port);
        let failed = server.expect("certificate");
        assert!(failed["problem"].as_str().is_some_and(|problem| problem.contains(words)), "{domain}: {failed}");
        assert_eq!((&failed["again_s"], failed.get("link")), (&json!(900), None));
        let (_, hash) = server.link.split_once('*').unwrap();
        let mut alice = person("Alice", &computer, &format!("{SERVER_NAME}:{port}*{hash}"), &world.authority.root());
        expect_state(&mut alice, "online");
        alice.quit();
        let log = server.end();
        assert!(log.contains(words) && !log.contains("203.0.113"), "{log}");
    }
}
