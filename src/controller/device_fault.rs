//! Device errors in the words of events and notices.

use crate::call::{CallError, DeviceKind};
use crate::store::DeviceChoice;

use super::{DeviceFault, Event};

/// The kind of fault that `error` is.
pub(super) fn fault_of(error: &CallError) -> DeviceFault {
    match error {
        CallError::DeviceMissing { .. } => DeviceFault::Missing,
        CallError::DeviceBusy { .. } => DeviceFault::Busy,
        CallError::DeviceForbidden { .. } => DeviceFault::Forbidden,
        CallError::DeviceUnplugged { .. } => DeviceFault::Unplugged,
        CallError::DeviceStalled { .. } => DeviceFault::Stalled,
        CallError::DeviceFailed { .. }
        | CallError::BadArgument(_)
        | CallError::InviteFailed
        | CallError::ParticipantFailed
        | CallError::TooManyConversations => DeviceFault::Failed,
    }
}

/// The event that reports `error` of the `chosen` device, by its name where that may be what is wrong.
pub(super) fn device_error(device: DeviceKind, error: &CallError, chosen: &DeviceChoice) -> Event {
    let message = match (error, chosen) {
        (CallError::DeviceMissing { device }, DeviceChoice::Named(name)) => {
            let word = device.word();
            format!("There is no {word} called \"{name}\". Plug it in, or choose another one in Settings.")
        }
        _ => error.to_string(),
    };
    Event::DeviceError { device, fault: fault_of(error), code: error.code(), message }
}
