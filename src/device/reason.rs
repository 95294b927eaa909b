//! Reasons of device faults, with the way on from each.

use super::DeviceKind;

/// The reason why a device or its file cannot be used: the end of a sentence that begins with the device or the file.
/// `Display` is the English one; the window's catalogue has the others.
#[derive(Clone, Debug, PartialEq, Eq, Hash, thiserror::Error)]
pub enum DeviceReason {
    /// No file has that name.
    #[error("it does not exist")]
    FileMissing,
    /// The folder in which the file is to be made does not exist.
    #[error("its folder does not exist")]
    FolderMissing,
    /// A folder has that name.
    #[error("it is a folder")]
    Folder,
    /// Neither a file nor a folder: a pipe, a socket, a device.
    #[error("it is a pipe or a device, not a file")]
    NotAFile,
    /// A symbolic link, where a file is to be written.
    #[error("it is a link to another place, which is not followed")]
    LinkedFile,
    /// The permissions of the file, or of its folder, forbid it.
    #[error("its permissions do not allow it")]
    FileForbidden,
    /// A file of another kind than the program writes is there already.
    #[error("it is there already and is no WAV file, so it is not overwritten")]
    FileInTheWay,
    /// It is not a YUV4MPEG2 file.
    #[error("it is not a YUV4MPEG2 (y4m) film")]
    NotAFilm,
    /// It is not a WAV file.
    #[error("it is not a WAV file")]
    NotAWav,
    /// The header cannot be read to its end.
    #[error("its header is damaged")]
    DamagedHeader,
    /// A field of the header with an impossible value.
    #[error("its header says \"{0}\", which cannot be used")]
    HeaderField(String),
    /// No width or height, or a side of more than 4096 pixels.
    #[error("its picture size is missing or larger than 4096x4096")]
    PictureSize,
    /// Pictures that are not 8-bit 4:2:0; the text is the format's own name for them.
    #[error("its pictures are \"{0}\", and only 8-bit 4:2:0 can be played")]
    PictureFormat(String),
    /// The film holds no whole picture.
    #[error("there is no whole picture in it")]
    NoPicture,
    /// The file holds no sample.
    #[error("there is no sound in it")]
    NoSound,
    /// Samples in a coding that cannot be played, by its common name.
    #[error("its sound is coded as {0}, and only PCM, floating point, A-law and µ-law can be played")]
    SoundFormat(String),
    /// A sample rate that is not played, in Hz.
    #[error("its sample rate of {0} Hz cannot be used")]
    SampleRate(u32),
    /// A number of channels that is not played.
    #[error("its {0} channels cannot be used")]
    Channels(u16),
    /// The file was replaced by something else while it was played.
    #[error("it was changed while it was played")]
    Changed,
    /// No space is left for a recording.
    #[error("the disk is full")]
    DiskFull,
    /// The recording reached what a WAV file can hold (4 GB, some 12 hours).
    #[error("the recording is as long as a WAV file can be")]
    RecordingFull,
    /// The choice names another kind of device, as a tone for a camera.
    #[error("that is another kind of device")]
    WrongKind,
    /// The camera gives pictures in these formats alone (the system's names), and none of them can be read.
    #[error("it gives pictures only as {0}, which Visavis cannot read")]
    CameraFormats(String),
    /// The camera gives picture after picture that cannot be read.
    #[error("its pictures are damaged")]
    DamagedPictures,
    /// Anything else, in the system's words.
    #[error("the system says \"{0}\"")]
    System(String),
}

/// The way on from a reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// Another file or another device.
    AnotherFile,
    /// The file's permissions.
    Permissions,
    /// The file's folder.
    MakeFolder,
    /// Room on the disk.
    FreeSpace,
    /// Another device.
    AnotherDevice,
    /// The device's plug, or another device.
    PlugInAgain,
}

impl DeviceReason {
    /// The reason that an input or output error of a file is.
    pub fn of_file(error: &std::io::Error) -> Self {
        use std::io::ErrorKind;
        match error.kind() {
            ErrorKind::NotFound => Self::FileMissing,
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => Self::FileForbidden,
            ErrorKind::IsADirectory => Self::Folder,
            ErrorKind::NotSeekable => Self::NotAFile,
            ErrorKind::NotADirectory => Self::FolderMissing,
            ErrorKind::StorageFull | ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::System(error.to_string()),
        }
    }

    /// The way on.
    pub const fn remedy(&self) -> Remedy {
        match self {
            Self::FileMissing
            | Self::Folder
            | Self::NotAFile
            | Self::LinkedFile
            | Self::FileInTheWay
            | Self::NotAFilm
            | Self::NotAWav
            | Self::DamagedHeader
            | Self::HeaderField(_)
            | Self::PictureSize
            | Self::PictureFormat(_)
            | Self::NoPicture
            | Self::NoSound
            | Self::SoundFormat(_)
            | Self::SampleRate(_)
            | Self::Channels(_)
            | Self::Changed
            | Self::RecordingFull => Remedy::AnotherFile,
            Self::FileForbidden => Remedy::Permissions,
            Self::FolderMissing => Remedy::MakeFolder,
            Self::DiskFull => Remedy::FreeSpace,
            Self::WrongKind | Self::CameraFormats(_) => Remedy::AnotherDevice,
            Self::DamagedPictures | Self::System(_) => Remedy::PlugInAgain,
        }
    }

    /// True when both are the same to a person: two texts of the system are.
    pub fn is_like(&self, other: &Self) -> bool {
        matches!((self, other), (Self::System(_), Self::System(_))) || self == other
    }
}

impl Remedy {
    /// The same for a file that stands for a device: it has no plug.
    pub const fn of_file(self) -> Self {
        match self {
            Self::PlugInAgain => Self::AnotherFile,
            remedy => remedy,
        }
    }

    /// The English sentence.
    pub fn sentence(self, device: DeviceKind) -> String {
        let word = device.word();
        match self {
            Self::AnotherFile => format!("Choose another file, or another {word} in Settings."),
            Self::Permissions => format!("Change its permissions, or choose another {word} in Settings."),
            Self::MakeFolder => format!("Make the folder, or choose another {word} in Settings."),
            Self::FreeSpace => format!("Free some space, or choose another {word} in Settings."),
            Self::AnotherDevice => "Choose another one in Settings.".to_owned(),
            Self::PlugInAgain => "Plug it in again, or choose another one in Settings.".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn each_error_of_a_file_has_its_reason() {
        for (kind, reason) in [
            (ErrorKind::NotFound, DeviceReason::FileMissing),
            (ErrorKind::PermissionDenied, DeviceReason::FileForbidden),
            (ErrorKind::IsADirectory, DeviceReason::Folder),
            (ErrorKind::NotSeekable, DeviceReason::NotAFile),
            (ErrorKind::StorageFull, DeviceReason::DiskFull),
        ] {
            assert_eq!(DeviceReason::of_file(&Error::from(kind)), reason);
        }
        let other = DeviceReason::of_file(&Error::other("Stale file handle"));
        assert_eq!(other.to_string(), "the system says \"Stale file handle\"");
        assert!(other.is_like(&DeviceReason::System("Input/output error".to_owned())));
        assert!(!other.is_like(&DeviceReason::DiskFull));
    }
}
