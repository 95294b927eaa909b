//! V4L2 as a backend of nokhwa's.

use std::borrow::Cow;
use std::collections::HashMap;
use std::rc::Rc;

use nokhwa::camera_traits::CaptureBackendTrait;
use nokhwa::utils::{
    ApiBackend, CameraControl, CameraFormat, CameraIndex, CameraInfo, ControlValueSetter, FrameFormat,
    KnownCameraControl, Resolution,
};
use nokhwa::{Buffer, NokhwaError};

use crate::capture::convert::Layout;
use crate::capture::finding::{Finding, Node};
use crate::capture::mode::CameraMode;
use crate::capture::nokhwa_camera::{format_of, mode_of};

use super::device::Device;
use super::stream::MappedStream;
use super::{format, offer};

/// A camera whose mode is set. nokhwa starts, reads and stops its stream.
#[derive(Debug)]
pub(super) struct Backend {
    info: CameraInfo,
    mode: CameraMode,
    layout: Layout,
    stream: Option<MappedStream>,
    device: Rc<Device>,
}

impl Backend {
    /// The camera at `node`, which runs in `mode`, with buffers of this layout.
    pub(super) fn new(node: &Node, device: Device, mode: CameraMode, layout: Layout) -> Self {
        let info = CameraInfo::new(&node.name, "", "", CameraIndex::Index(node.index));
        Self { info, mode, layout, stream: None, device: Rc::new(device) }
    }

    /// The modes for which nokhwa has a name, their rates rounded.
    fn formats(&self) -> Result<Vec<CameraFormat>, NokhwaError> {
        let failed = |error: String| NokhwaError::GetPropertyError { property: "formats".to_owned(), error };
        let finding = offer::look(&self.device).map_err(|error| failed(error.to_string()))?;
        let Finding::Modes(modes) = finding else { return Ok(Vec::new()) };
        Ok(modes.into_iter().filter_map(format_of).collect())
    }
}

impl CaptureBackendTrait for Backend {
    fn backend(&self) -> ApiBackend {
        ApiBackend::Video4Linux
    }

    fn camera_info(&self) -> &CameraInfo {
        &self.info
    }

    /// The format is as this backend set it: drivers refuse changes while buffers are mapped.
    fn refresh_camera_format(&mut self) -> Result<(), NokhwaError> {
        Ok(())
    }

    /// An encoding without a name of nokhwa's is told as YUYV, whatever it is: nokhwa has no name for "another".
    fn camera_format(&self) -> CameraFormat {
        let CameraMode { width, height, rate, .. } = self.mode;
        let other = || CameraFormat::new(Resolution::new(width, height), FrameFormat::YUYV, rate.rounded());
        format_of(self.mode).unwrap_or_else(other)
    }

    fn set_camera_format(&mut self, new: CameraFormat) -> Result<(), NokhwaError> {
        let refused = |error: String| NokhwaError::SetPropertyError {
            property: "format".to_owned(),
            value: new.to_string(),
            error,
        };
        let mode = mode_of(new).ok_or_else(|| refused("a format that cannot be converted".to_owned()))?;
        let (mode, layout) = format::set(&self.device, &[mode]).map_err(|error| refused(error.to_string()))?;
        (self.mode, self.layout) = (mode, layout);
        Ok(())
    }

    fn compatible_list_by_resolution(
        &mut self,
        fourcc: FrameFormat,
    ) -> Result<HashMap<Resolution, Vec<u32>>, NokhwaError> {
        let mut rates: HashMap<Resolution, Vec<u32>> = HashMap::new();
        for format in self.formats()?.into_iter().filter(|format| format.format() == fourcc) {
            rates.entry(format.resolution()).or_default().push(format.frame_rate());
        }
        Ok(rates)
    }

    fn compatible_fourcc(&mut self) -> Result<Vec<FrameFormat>, NokhwaError> {
        let mut fourccs: Vec<FrameFormat> = self.formats()?.iter().map(CameraFormat::format).collect();
        fourccs.sort_unstable();
        fourccs.dedup();
        Ok(fourccs)
    }

    fn resolution(&self) -> Resolution {
        self.camera_format().resolution()
    }

    fn set_resolution(&mut self, new_res: Resolution) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(new_res, self.frame_format(), self.frame_rate()))
    }

    fn frame_rate(&self) -> u32 {
        self.camera_format().frame_rate()
    }

    fn set_frame_rate(&mut self, new_fps: u32) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(self.resolution(), self.frame_format(), new_fps))
    }

    fn frame_format(&self) -> FrameFormat {
        self.camera_format().format()
    }

    fn set_frame_format(&mut self, fourcc: FrameFormat) -> Result<(), NokhwaError> {
        self.set_camera_format(CameraFormat::new(self.resolution(), fourcc, self.frame_rate()))
    }

    fn camera_control(&self, _control: KnownCameraControl) -> Result<CameraControl, NokhwaError> {
        unsupported()
    }

    fn camera_controls(&self) -> Result<Vec<CameraControl>, NokhwaError> {
        unsupported()
    }

    fn set_camera_control(&mut self, _id: KnownCameraControl, _value: ControlValueSetter) -> Result<(), NokhwaError> {
        unsupported()
    }

    fn open_stream(&mut self) -> Result<(), NokhwaError> {
        if self.stream.is_none() {
            let stream = MappedStream::start(Rc::clone(&self.device), self.layout);
            self.stream = Some(stream.map_err(|error| NokhwaError::OpenStreamError(error.to_string()))?);
        }
        Ok(())
    }

    fn is_stream_open(&self) -> bool {
        self.stream.is_some()
    }

    /// `Buffer` has no place for padded rows, nor for most encodings: pictures go by `frame_raw`.
    fn frame(&mut self) -> Result<Buffer, NokhwaError> {
        unsupported()
    }

    /// The next buffer, where it lies; empty where it holds no whole picture.
    fn frame_raw(&mut self) -> Result<Cow<'_, [u8]>, NokhwaError> {
        let Some(stream) = &mut self.stream else {
            return Err(NokhwaError::ReadFrameError("the stream is not open".to_owned()));
        };
        let bytes = stream.next().map_err(|error| NokhwaError::ReadFrameError(error.to_string()))?;
        Ok(Cow::Borrowed(bytes.unwrap_or_default()))
    }

    /// Never fails: nokhwa's destructor would panic.
    fn stop_stream(&mut self) -> Result<(), NokhwaError> {
        self.stream = None;
        Ok(())
    }
}

/// The answer that nokhwa provides for calls that a backend does not serve.
fn unsupported<T>() -> Result<T, NokhwaError> {
    Err(NokhwaError::UnsupportedOperationError(ApiBackend::Video4Linux))
}
