//! Device errors in the words of events and notices.

use crate::call::{CallError, DeviceKind, DeviceReason};
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
        CallError::DeviceFailed { reason, .. } => DeviceFault::Failed(reason.clone()),
        CallError::BadArgument(_)
        | CallError::InviteFailed
        | CallError::FarNeedsNewer(_)
        | CallError::OwnNeedsNewer(_)
        | CallError::ParticipantFailed
        | CallError::NeedsNewerHere
        | CallError::NeedsNewerThere
        | CallError::TooManyConversations => DeviceFault::Failed(DeviceReason::WrongKind),
    }
}

/// The event that reports `error` of the `chosen` device.
pub(super) fn device_error(device: DeviceKind, error: &CallError, chosen: &DeviceChoice) -> Event {
    let message = device_sentence(device, error, chosen);
    Event::DeviceError { device, fault: fault_of(error), code: error.code(), message }
}

/// The English sentence about `error` of the `chosen` device, by its name where that may be what is wrong.
pub fn device_sentence(device: DeviceKind, error: &CallError, chosen: &DeviceChoice) -> String {
    let word = device.word();
    match (error, chosen) {
        (CallError::DeviceMissing { .. }, DeviceChoice::Named(name)) => {
            format!("There is no {word} called \"{name}\". Plug it in, or choose another one in Settings.")
        }
        (CallError::DeviceFailed { reason, .. }, DeviceChoice::File(path)) => {
            let remedy = reason.remedy().of_file().sentence(device);
            format!("The file \"{}\" cannot be the {word}: {reason}. {remedy}", path.display())
        }
        _ => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_at_fault_is_named_with_its_reason_and_the_way_on() {
        let said = |device, reason, path: &str| {
            let error = CallError::DeviceFailed { device, reason };
            match device_error(device, &error, &DeviceChoice::File(path.into())) {
                Event::DeviceError { message, code: 40002, fault, .. } => (message, fault.word()),
                other => panic!("{other:?}"),
            }
        };
        assert_eq!(
            said(DeviceKind::Camera, DeviceReason::PictureFormat("444".to_owned()), "a.y4m"),
            (
                "The file \"a.y4m\" cannot be the camera: its pictures are \"444\", and only 8-bit 4:2:0 can be played. \
                 Choose another file, or another camera in Settings."
                    .to_owned(),
                "failed"
            )
        );
        let (message, fault) = said(DeviceKind::Speaker, DeviceReason::FolderMissing, "/none/x.wav");
        assert!(message.contains("its folder does not exist. Make the folder, or"), "{message}");
        assert_eq!(fault, "missing");
        assert_eq!(said(DeviceKind::Microphone, DeviceReason::FileForbidden, "x.wav").1, "forbidden");
    }

    #[test]
    fn a_device_at_fault_is_told_with_its_reason() {
        let device = DeviceKind::Microphone;
        let error =
            CallError::DeviceFailed { device, reason: DeviceReason::System("Input/output error (5)".to_owned()) };
        let Event::DeviceError { message, .. } = device_error(device, &error, &DeviceChoice::SystemDefault) else {
            panic!("no device error");
        };
        assert!(
            message.contains("microphone could not be used: the system says \"Input/output error (5)\"."),
            "{message}"
        );
    }
}
