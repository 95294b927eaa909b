//! Devices as every part of the program speaks of them: kinds, choices, faults with their reasons, the device that
//! stands in for another, and the consent under which one is opened.
//!
//! A leaf: it imports no other module, so that `capture`, `microphone` and `playout` know neither calls nor settings.

mod choice;
mod consent;
mod error;
mod fault;
mod fault_log;
mod kind;
mod reason;
mod stand_in;

pub use choice::DeviceChoice;
pub use consent::Consent;
pub(crate) use consent::{Grant, Granter};
pub use error::DeviceError;
pub use fault::DeviceFault;
pub(crate) use fault_log::FaultLog;
pub use kind::DeviceKind;
pub use reason::{DeviceReason, Remedy};
pub(crate) use stand_in::{Change, StandIn};
