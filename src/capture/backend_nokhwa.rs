//! Cameras through nokhwa, on macOS and Windows (and in tests on Linux, against the fake camera).
//!
//! The backend reports errors as text and panics on odd devices, so every call into it is contained here.

use std::borrow::Cow;
use std::mem::ManuallyDrop;
use std::panic::{AssertUnwindSafe, catch_unwind};

use nokhwa::NokhwaError;
use nokhwa::utils::{
    ApiBackend, CameraFormat, CameraIndex, FrameFormat, RequestedFormat, RequestedFormatType, Resolution,
};

use super::backend_error::BackendError;
use super::convert::{Layout, RawPicture};
use super::finding::{Finding, Node};
use super::mode::{CameraMode, Encoding, FrameRate};

/// The formats that can be converted, by the backend's names.
const FORMATS: [(FrameFormat, Encoding); 6] = [
    (FrameFormat::YUYV, Encoding::Yuyv),
    (FrameFormat::NV12, Encoding::Nv12),
    (FrameFormat::MJPEG, Encoding::Mjpeg),
    (FrameFormat::GRAY, Encoding::Grey),
    (FrameFormat::RAWRGB, Encoding::Rgb24),
    (FrameFormat::RAWBGR, Encoding::Bgr24),
];
/// Modes that are tried when a device refuses one that it has itself offered.
const MODES_TRIED: usize = 4;

/// The nodes of the system, in its order. Not all of them are cameras.
pub fn nodes() -> Vec<Node> {
    let found = contained(|| nokhwa::query(ApiBackend::Auto)).unwrap_or_else(|error| {
        tracing::warn!(%error, "cameras could not be listed");
        Vec::new()
    });
    let mut nodes: Vec<Node> = found
        .iter()
        .filter_map(|info| match info.index() {
            CameraIndex::Index(index) => Some(Node::new(*index, &info.human_name())),
            CameraIndex::String(_) => None,
        })
        .collect();
    nodes.sort_by_key(|node| node.index);
    nodes
}

/// A camera that is open and does not stream.
pub struct Idle {
    /// `None` when the backend cannot open it.
    camera: Option<Handle>,
    finding: Finding,
}

impl Idle {
    /// Opens `node`.
    pub fn open(node: &Node) -> Result<Self, BackendError> {
        let formats = FORMATS.map(|(format, _)| format);
        let request = RequestedFormat::with_formats(RequestedFormatType::None, &formats);
        let camera = match contained(|| nokhwa::Camera::new(CameraIndex::Index(node.index), request)) {
            Ok(camera) => camera,
            Err(error) if is_unusable(&error) => {
                return Ok(Self { camera: None, finding: Finding::Unusable("unknown formats".to_owned()) });
            }
            Err(error) => return Err(error),
        };
        let mut camera = Handle(ManuallyDrop::new(camera));
        let formats = contained(|| camera.0.compatible_camera_formats())?;
        let modes: Vec<CameraMode> = formats.iter().filter_map(mode_of).collect();
        let finding = if modes.is_empty() { Finding::NoCamera } else { Finding::Modes(modes) };
        Ok(Self { camera: Some(camera), finding })
    }

    /// The camera's modes.
    pub fn look(&self) -> Result<Finding, BackendError> {
        Ok(self.finding.clone())
    }

    /// Sets the first of `modes` that the camera takes, and starts the stream.
    pub fn start(self, modes: &[CameraMode]) -> Result<Stream, BackendError> {
        let mut refusal = BackendError::new("the camera offers no mode".to_owned(), None);
        let Some(mut camera) = self.camera else { return Err(refusal) };
        for &mode in modes.iter().take(MODES_TRIED) {
            let Some(wanted) = format_of(mode) else { continue };
            let formats = [wanted.format()];
            let request = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &formats);
            match contained(|| camera.0.set_camera_requset(request)) {
                Ok(_) => {
                    contained(|| camera.0.open_stream())?;
                    return Ok(Stream { mode, camera, copy: Vec::new() });
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

/// A camera that streams. Dropping it releases the device.
pub struct Stream {
    /// The mode that the camera runs in.
    pub mode: CameraMode,
    camera: Handle,
    /// The latest buffer, where the backend gives copies.
    copy: Vec<u8>,
}

impl Stream {
    /// Waits for the next buffer, for as long as the camera takes; `None` for an empty one.
    pub fn next(&mut self) -> Result<Option<RawPicture<'_>>, BackendError> {
        let camera = &mut self.camera.0;
        let (width, height) = (self.mode.width as usize, self.mode.height as usize);
        let layout = Layout::packed(self.mode.encoding, width, height);
        let bytes = match contained(move || camera.frame_raw())? {
            Cow::Borrowed(bytes) => bytes,
            Cow::Owned(bytes) => {
                self.copy = bytes;
                &self.copy
            }
        };
        Ok((!bytes.is_empty()).then_some(RawPicture { layout, bytes }))
    }
}

/// Runs a call into the backend; a panic becomes an error.
fn contained<T>(call: impl FnOnce() -> Result<T, NokhwaError>) -> Result<T, BackendError> {
    match catch_unwind(AssertUnwindSafe(call)) {
        Ok(result) => result.map_err(|error| {
            let text = error.to_string();
            let number = os_error(&text);
            BackendError::new(text, number)
        }),
        Err(_) => Err(BackendError::new("the camera backend panicked".to_owned(), None)),
    }
}

/// The number in "... (os error 16)".
fn os_error(text: &str) -> Option<i32> {
    let (_, rest) = text.rsplit_once("(os error ")?;
    rest.split_once(')')?.0.parse().ok()
}

/// The backend can express none of the camera's modes.
fn is_unusable(error: &BackendError) -> bool {
    error.to_string().contains("Failed to Fufill")
}

fn mode_of(format: &CameraFormat) -> Option<CameraMode> {
    let (_, encoding) = FORMATS.into_iter().find(|(known, _)| *known == format.format())?;
    let rate = FrameRate::whole(format.frame_rate());
    Some(CameraMode { encoding, width: format.width(), height: format.height(), rate })
}

fn format_of(mode: CameraMode) -> Option<CameraFormat> {
    let (format, _) = FORMATS.into_iter().find(|(_, known)| *known == mode.encoding)?;
    Some(CameraFormat::new(Resolution::new(mode.width, mode.height), format, mode.rate.rounded()))
}

/// Holds the backend's camera and contains the panic that its destructor may raise.
struct Handle(ManuallyDrop<nokhwa::Camera>);

impl Drop for Handle {
    fn drop(&mut self) {
        // SAFETY: the camera is taken here and nowhere else, and `self` is not used afterwards.
        let camera = unsafe { ManuallyDrop::take(&mut self.0) };
        if catch_unwind(AssertUnwindSafe(|| drop(camera))).is_err() {
            tracing::warn!("the camera backend panicked while the camera was closed");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_of_the_backend_is_an_error() {
        let result: Result<(), BackendError> = contained(|| panic!("odd device"));
        assert!(result.is_err());
    }

    #[test]
    fn the_systems_error_number_is_read_out_of_the_text() {
        assert_eq!(os_error("Could not open device 0: Permission denied (os error 13)"), Some(13));
        assert_eq!(os_error("Rejected"), None);
    }
}
