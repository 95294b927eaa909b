//! Visavis: a desktop video-call application, and the library that it is made of.
//!
//! ```text
//! SEND     camera/mic -> capture -> encoder -> media_send -> rtc -> network
//! RECEIVE  network -> rtc -> jitter buffer -> media_receive -> tile / playout -> speaker
//!
//! ui (main thread, egui)      reads Arc<Snapshot> and one latest-frame slot a tile; sends Command
//!   |  Command, a bounded channel              ^ Event -> Snapshot, then a repaint
//! controller (one std thread) owns the pure call state, the signaling client, the engine, the devices
//!   |-- signaling: tokio tasks
//!   |-- rtc: tokio tasks, one peer connection a remote participant
//!   |-- camera thread -> video encoder thread
//!   |-- microphone callback (real time, lock-free ring) -> audio thread
//!   `-- media_receive, per participant: video decoder thread -> slot; audio jitter buffer -> mixer -> speaker callback
//! ```
//!
//! Modules in pipeline order; arrows point one way, and nothing imports `ui`.

#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, clippy::panic))]

pub mod call;
pub mod capture;
pub mod cli;
pub mod codec;
pub mod connectivity;
pub mod controller;
pub mod decoder;
pub mod desktop;
pub mod device;
pub mod encoder;
#[doc(hidden)]
pub mod fuzz;
pub mod identity;
pub mod jitter_buffer;
pub mod media;
pub mod media_receive;
pub mod media_send;
pub mod microphone;
pub mod network;
pub mod playout;
pub mod relay;
pub mod rtc;
pub mod server;
pub mod server_protocol;
pub mod signaling;
pub mod sound_device;
pub mod store;
pub mod stun;
pub mod ui;
pub mod voice_processing;
