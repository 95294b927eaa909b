//! Visavis server: signaling for people who are not on one network. It knows boxes, watches and sealed letters, in
//! memory alone, and stores nothing but its key and, for a domain, its certificate and its account with the authority.
//!
//! ```text
//! listener (TCP, TLS 1.3) -- pages: /healthz, /metrics
//!     |-- relay (`crate::relay`): TURN over TLS; its UDP sockets are beside the listener
//!     `-- connection (one task an app): WebSocket, proof of the key
//!             | inputs                    ^ frames, by a bounded queue
//!             v                           |
//!         exchange (one lock) -- directory (pure): boxes, watches, presence, letters, limits
//!             |  ^
//!             v  |
//!         nodes: the other computers of the same server, over NATS, where it has some
//! ```

mod allowance;
mod certificate;
mod certificate_words;
mod connection;
mod directory;
mod exchange;
mod key;
mod listener;
mod nodes;
mod options;
mod page;
mod port_mapping;
mod relay;
mod rewound;
mod run;
mod screen;
mod self_test;
mod sorted_set;
mod tls;

pub use certificate::{ContactAddress, DirectoryUrl, Domain};
pub use key::{KeyError, ServerKey};
pub use nodes::{BusError, fuzz as fuzz_nodes};
pub use options::{Action, Arguments, KeyAction, PublicAddress};
pub use run::{ServerError, run};
pub use tls::TlsError;
