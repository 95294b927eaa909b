//! Calls between apps that speak no common version of signaling: the whole program says which of the two is too old.

#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod raw_peer;
mod support;

use raw_peer::{Raw, connect, hello_of_version};
use serde_json::json;
use support::process::{Launch, SOON};
use support::sockets::port_of;
use tokio::runtime::Runtime;
use visavis::identity::{Identity, PeerId};

#[test]
fn a_person_of_another_version_is_told_of_and_a_call_to_them_says_which_side_is_too_old() {
    let _machine = support::sharing();
    let mut alice = Launch::new("Alice").with_synthetic_devices().start();
    let (id, port): (PeerId, _) = (alice.id.parse().expect("an ID"), port_of(&alice));
    let runtime = Runtime::new().unwrap();
    for (seed, version, needs_newer, sentence) in [
        (1, Some(2), "far", "Raw needs a newer Visavis before you can call each other."),
        (2, Some(99), "own", "You need a newer Visavis to call Raw."),
    ] {
        let raw = runtime.block_on(async {
            let socket = connect(port).await;
            Raw::meet_saying(Identity::from_seed([seed; 32]), socket, id, &hello_of_version("cd", version)).await
        });
        let raw = raw.expect("it is let in");
        let far = raw.identity.id().to_string();
        let contact = alice.expect_where("contact", SOON, |event| event["id"] == far.as_str());
        assert_eq!((&contact["online"], &contact["needs_newer"]), (&json!(false), &json!(needs_newer)), "{contact}");
        alice.send(json!({"command": "invite", "to": far, "audio": true, "video": false}));
        let error = alice.expect("error");
        assert_eq!((&error["code"], &error["message"]), (&json!(40201), &json!(sentence)), "{error}");
        drop(raw);
        let contact = alice.expect_where("contact", SOON, |event| event["id"] == far.as_str());
        assert_eq!(contact.get("needs_newer"), None, "{contact}");
    }
    alice.quit();
}
