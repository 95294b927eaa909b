//! Common parts of the integration tests: the product run as a script runs it (`process`, `server`), and rigs in
//! software for things that a test machine lacks: a certificate authority (`authority`), a message bus (`bus`), a
//! camera (`camera`), a clock that can be set (`clock`), NATS (`nats`), a sound server (`sound`), a display (`display`,
//! `wayland`), networks (`network`), the Internet (`internet`), a router that maps ports (`port_mapper`), a proxy
//! (`proxy`).
//!
//! Every wait has an end, every process and rig is taken down on drop, and a failing test prints what each program
//! said.

#![allow(dead_code, reason = "each test file uses its own part of this module")]
#![allow(clippy::expect_used, clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]
#![allow(clippy::print_stderr, reason = "what a failing or skipped test has to say goes to standard error")]

pub mod authority;
pub mod bus;
pub mod camera;
pub mod clock;
pub mod display;
pub mod internet;
pub mod nats;
pub mod network;
pub mod port_mapper;
pub mod process;
pub mod proxy;
pub mod server;
mod slow_cable;
pub mod sockets;
pub mod sound;
pub mod sound_call;
pub mod wayland;

use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

static MACHINE: RwLock<()> = RwLock::new(());

/// Holds the machine for a test that measures: no other test of the file runs beside it.
pub fn measuring() -> RwLockWriteGuard<'static, ()> {
    MACHINE.write().unwrap_or_else(PoisonError::into_inner)
}

/// Shares the machine with other tests that do not measure.
pub fn sharing() -> RwLockReadGuard<'static, ()> {
    MACHINE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Looks at something outside of our control (a file, a screen, `/proc`) until it is as wanted; `None` when `limit` has
/// passed. Only for what cannot be waited for in a better way.
pub fn poll<T>(limit: Duration, mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let end = Instant::now() + limit;
    loop {
        if let Some(found) = look() {
            return Some(found);
        }
        if Instant::now() >= end {
            return None;
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Says why a test proves nothing on this machine; the caller returns. Where `VISAVIS_REQUIRE_RIGS` is set (as
/// `scripts/test` does) every rig must run, but for those that need root.
pub fn skip(reason: &str) {
    // SAFETY: it only reads a number of the process.
    let is_root = unsafe { libc::geteuid() } == 0;
    let required = std::env::var_os("VISAVIS_REQUIRE_RIGS").is_some() && (is_root || !reason.contains("root"));
    assert!(!required, "this machine lacks a rig: {reason}");
    eprintln!("skipped: {reason}");
}
