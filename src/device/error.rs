//! Errors of devices, as a person is told of them.

use std::fmt;

use super::{DeviceChoice, DeviceFault, DeviceKind};

/// Error of a device: one plain sentence with the way on. `Display` is the English one; the window's catalogue has the
/// others, chosen by the fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeviceError {
    /// The kind of the device.
    pub device: DeviceKind,
    /// Its fault.
    pub fault: DeviceFault,
}

impl DeviceError {
    /// Number of every device error in the events.
    pub const CODE: u32 = 40002;

    /// The English sentence about the `chosen` device, by its name where that may be at fault.
    pub fn sentence(&self, chosen: &DeviceChoice) -> String {
        let word = self.device.word();
        match (&self.fault, chosen) {
            (DeviceFault::Missing, DeviceChoice::Named(name)) => {
                format!("There is no {word} called \"{name}\". Plug it in, or choose another one in Settings.")
            }
            (DeviceFault::Failed(reason), DeviceChoice::File(path)) => {
                let remedy = reason.remedy().of_file().sentence(self.device);
                format!("The file \"{}\" cannot be the {word}: {reason}. {remedy}", path.display())
            }
            _ => self.to_string(),
        }
    }
}

impl DeviceFault {
    /// This fault of the device of a kind.
    pub const fn of(self, device: DeviceKind) -> DeviceError {
        DeviceError { device, fault: self }
    }
}

impl std::error::Error for DeviceError {}

impl fmt::Display for DeviceError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = self.device.word();
        match &self.fault {
            DeviceFault::Missing => {
                write!(formatter, "The {word} was not found. Plug it in, or choose another one in Settings.")
            }
            DeviceFault::Busy => write!(
                formatter,
                "The {word} is used by another program. Close that program, or choose another one in Settings."
            ),
            DeviceFault::Forbidden => write!(
                formatter,
                "This computer does not let Visavis use the {word}. Allow it in the system's privacy settings."
            ),
            DeviceFault::Unplugged => {
                write!(formatter, "The {word} was unplugged. Plug it in again and it comes back by itself.")
            }
            DeviceFault::Stalled => write!(
                formatter,
                "The {word} gives no data. Visavis keeps trying; if it lasts, unplug it and plug it in again."
            ),
            DeviceFault::Failed(reason) => {
                let remedy = reason.remedy().sentence(self.device);
                write!(formatter, "The {word} could not be used: {reason}. {remedy}")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::DeviceReason;

    #[test]
    fn a_file_at_fault_is_named_with_its_reason_and_the_way_on() {
        let said = |device, reason, path: &str| {
            let fault = DeviceFault::Failed(reason);
            (fault.clone().of(device).sentence(&DeviceChoice::File(path.into())), fault.word())
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
        let fault = DeviceFault::Failed(DeviceReason::System("Input/output error (5)".to_owned()));
        let message = fault.of(DeviceKind::Microphone).sentence(&DeviceChoice::SystemDefault);
        assert!(
            message.contains("microphone could not be used: the system says \"Input/output error (5)\"."),
            "{message}"
        );
    }
}
