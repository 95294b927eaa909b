//! Cameras through nokhwa's own backends, on macOS and Windows (and in tests on Linux, against the fake camera).

use nokhwa::utils::{ApiBackend, CameraIndex, RequestedFormat, RequestedFormatType};

use super::backend_error::BackendError;
use super::convert::Layout;
use super::finding::{Finding, Node};
use super::mode::CameraMode;
use super::nokhwa_camera::{FORMATS, NokhwaCamera, SetCamera, contained, format_of, mode_of};

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
    camera: Option<NokhwaCamera>,
    finding: Finding,
}

impl Idle {
    /// Opens `node`.
    pub fn open(node: &Node) -> Result<Self, BackendError> {
        let formats = FORMATS.map(|(format, _)| format);
        let request = RequestedFormat::with_formats(RequestedFormatType::None, &formats);
        let mut camera = match NokhwaCamera::open(|| nokhwa::Camera::new(CameraIndex::Index(node.index), request)) {
            Ok(camera) => camera,
            Err(error) if is_unusable(&error) => {
                return Ok(Self { camera: None, finding: Finding::Unusable("unknown formats".to_owned()) });
            }
            Err(error) => return Err(error),
        };
        let formats = camera.call(nokhwa::Camera::compatible_camera_formats)?;
        let modes: Vec<CameraMode> = formats.into_iter().filter_map(mode_of).collect();
        let finding = if modes.is_empty() { Finding::NoCamera } else { Finding::Modes(modes) };
        Ok(Self { camera: Some(camera), finding })
    }

    /// The camera's modes.
    pub fn look(&self) -> Result<Finding, BackendError> {
        Ok(self.finding.clone())
    }

    /// Sets the first of `modes` that the camera takes.
    pub fn set(self, modes: &[CameraMode]) -> Result<SetCamera, BackendError> {
        let mut refusal = BackendError::new("the camera offers no mode".to_owned(), None);
        let Some(mut camera) = self.camera else { return Err(refusal) };
        for &mode in modes.iter().take(MODES_TRIED) {
            let Some(wanted) = format_of(mode) else { continue };
            let formats = [wanted.format()];
            let request = RequestedFormat::with_formats(RequestedFormatType::Exact(wanted), &formats);
            match camera.call(|camera| camera.set_camera_requset(request)) {
                Ok(_) => {
                    let layout = Layout::packed(mode.encoding, mode.width as usize, mode.height as usize);
                    return Ok(SetCamera { camera, mode, layout });
                }
                Err(error) if error.is_final() => return Err(error),
                Err(error) => refusal = error,
            }
        }
        Err(refusal)
    }
}

/// The backend can express none of the camera's modes.
fn is_unusable(error: &BackendError) -> bool {
    error.to_string().contains("Failed to Fufill")
}
