//! One instance a profile: the first start listens on a socket (a named pipe on Windows) of its profile, a second one
//! hands its request over and ends. The system says who may ask: this user alone.

use std::io;
use std::path::Path;

mod request;
#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

#[cfg(unix)]
use unix as system;
#[cfg(windows)]
use windows as system;

pub use request::Request;
pub use system::Listening;

/// Listens for second starts of the profile in this folder, which the caller holds, until the guard is dropped.
pub fn listen(profile: &Path, take: impl Fn(Request) + Send + 'static) -> io::Result<Listening> {
    system::listen(system::address(profile)?, take)
}

/// Hands a request to the instance that holds the profile in this folder.
pub fn hand_over(profile: &Path, request: &Request) -> io::Result<()> {
    system::hand_over(&system::address(profile)?, request)
}
