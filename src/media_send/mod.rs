//! Media that this side sends.

mod assign;
mod simulcast;

pub use assign::Receiver;
pub use simulcast::Simulcast;
