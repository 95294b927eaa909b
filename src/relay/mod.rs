//! The closed relay: a STUN and TURN server (RFC 8489, RFC 8656) whose relayed addresses are numbers, not sockets. Data
//! passes between two of its own clients that have permitted each other, and goes nowhere else.
//!
//! ```text
//! client A --Send, ChannelData--> Relay: A's allocation permits B, B's permits A? --Data, ChannelData--> client B
//! anybody  --Binding, Allocate--> Relay: an answer at most; nothing is kept before a valid MESSAGE-INTEGRITY
//! ```
//!
//! [`Relay`] has no I/O; time is an argument. [`Server`] gives it UDP sockets, and streams that somebody else accepts.

mod accounts;
mod allocation;
mod answer;
mod credential;
#[doc(hidden)]
pub mod fuzz;
mod limits;
mod nonce;
mod server;
mod state;

#[cfg(test)]
mod interop_tests;
#[cfg(test)]
mod tests;

pub use credential::mint_credential;
pub use limits::{Config, Limits};
pub use server::Server;
pub use state::{Client, Figures, Moment, Output, Relay, Transport};
