//! Rooms in software to measure the processing in: speech without a file, an echo with a known path, and the figures.
//!
//! `visavis bench echo` prints what this measures; the library's tests hold it to limits. Everything is seeded.

mod measure;
mod room;
mod speech;

pub use measure::{EchoFigures, measure_room};
pub use room::Room;
pub use speech::Speech;
