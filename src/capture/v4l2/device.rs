//! A V4L2 device node and the ioctl calls that are made on it, each with the type that belongs to it.

use std::fs::OpenOptions;
use std::io;
use std::marker::PhantomData;
use std::os::fd::{AsRawFd, OwnedFd, RawFd};
use std::os::unix::fs::OpenOptionsExt;

use v4l::v4l_sys::{
    V4L2_CAP_DEVICE_CAPS, V4L2_CAP_VIDEO_CAPTURE, V4L2_CAP_VIDEO_CAPTURE_MPLANE, V4L2_CAP_VIDEO_M2M,
    V4L2_CAP_VIDEO_M2M_MPLANE, v4l2_buf_type_V4L2_BUF_TYPE_VIDEO_CAPTURE as VIDEO_CAPTURE, v4l2_buffer,
    v4l2_capability, v4l2_captureparm, v4l2_fmtdesc, v4l2_format, v4l2_frmivalenum, v4l2_frmsizeenum, v4l2_pix_format,
    v4l2_requestbuffers, v4l2_streamparm,
};
use v4l::v4l2::vidioc::{self, _IOC_TYPE as Number};

use crate::capture::backend_error::BackendError;

/// The capture queue, in the type that ioctl structures have for it.
pub(super) const CAPTURE: u32 = VIDEO_CAPTURE;

/// An ioctl request and the type of its argument.
pub(super) struct Request<T> {
    number: Number,
    name: &'static str,
    argument: PhantomData<T>,
}

impl<T> Request<T> {
    /// A request's number holds the size of its argument, which is checked when this is compiled.
    const fn new(number: Number, name: &'static str) -> Self {
        assert!((number >> 16) as usize & 0x3fff == size_of::<T>(), "the argument of another request");
        Self { number, name, argument: PhantomData }
    }
}

pub(super) const QUERYCAP: Request<v4l2_capability> = Request::new(vidioc::VIDIOC_QUERYCAP, "VIDIOC_QUERYCAP");
pub(super) const ENUM_FMT: Request<v4l2_fmtdesc> = Request::new(vidioc::VIDIOC_ENUM_FMT, "VIDIOC_ENUM_FMT");
pub(super) const ENUM_FRAMESIZES: Request<v4l2_frmsizeenum> =
    Request::new(vidioc::VIDIOC_ENUM_FRAMESIZES, "VIDIOC_ENUM_FRAMESIZES");
pub(super) const ENUM_FRAMEINTERVALS: Request<v4l2_frmivalenum> =
    Request::new(vidioc::VIDIOC_ENUM_FRAMEINTERVALS, "VIDIOC_ENUM_FRAMEINTERVALS");
pub(super) const TRY_FMT: Request<v4l2_format> = Request::new(vidioc::VIDIOC_TRY_FMT, "VIDIOC_TRY_FMT");
pub(super) const G_FMT: Request<v4l2_format> = Request::new(vidioc::VIDIOC_G_FMT, "VIDIOC_G_FMT");
pub(super) const S_FMT: Request<v4l2_format> = Request::new(vidioc::VIDIOC_S_FMT, "VIDIOC_S_FMT");
pub(super) const S_PARM: Request<v4l2_streamparm> = Request::new(vidioc::VIDIOC_S_PARM, "VIDIOC_S_PARM");
pub(super) const REQBUFS: Request<v4l2_requestbuffers> = Request::new(vidioc::VIDIOC_REQBUFS, "VIDIOC_REQBUFS");
pub(super) const QUERYBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_QUERYBUF, "VIDIOC_QUERYBUF");
pub(super) const QBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_QBUF, "VIDIOC_QBUF");
pub(super) const DQBUF: Request<v4l2_buffer> = Request::new(vidioc::VIDIOC_DQBUF, "VIDIOC_DQBUF");
pub(super) const STREAMON: Request<libc::c_int> = Request::new(vidioc::VIDIOC_STREAMON, "VIDIOC_STREAMON");
pub(super) const STREAMOFF: Request<libc::c_int> = Request::new(vidioc::VIDIOC_STREAMOFF, "VIDIOC_STREAMOFF");

/// Kinds of nodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Capabilities {
    /// It gives no video: no V4L2 device, one for metadata, for output, or a codec (memory to memory).
    None,
    /// It captures video into buffers of one plane.
    Capture,
    /// It captures video into buffers of several planes alone, as parts of phones' cameras do.
    MultiPlanar,
}

/// An open node. Closes it when dropped.
#[derive(Debug)]
pub(super) struct Device(OwnedFd);

impl Device {
    /// Opens `/dev/videoN`.
    pub(super) fn open(number: u32) -> Result<Self, BackendError> {
        let path = format!("/dev/video{number}");
        let file = OpenOptions::new().read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path);
        file.map(|file| Self(file.into())).map_err(|error| BackendError::of(&error, &path))
    }

    /// The descriptor, for `poll` and `mmap`.
    pub(super) fn descriptor(&self) -> RawFd {
        self.0.as_raw_fd()
    }

    /// Makes a call, which may fill in `argument`.
    pub(super) fn call<T>(&self, request: &Request<T>, argument: &mut T) -> io::Result<()> {
        // SAFETY: the descriptor is open, and the argument is a valid one of the type that belongs to the request. No
        // request here makes the kernel follow a pointer or a descriptor inside of it.
        unsafe { v4l::v4l2::ioctl(self.descriptor(), request.number, std::ptr::from_mut(argument).cast()) }
    }

    /// Makes a call whose failure ends the operation.
    pub(super) fn demand<T>(&self, request: &Request<T>, argument: &mut T) -> Result<(), BackendError> {
        self.call(request, argument).map_err(|error| BackendError::of(&error, request.name))
    }

    /// The first `limit` items of a list that is asked for by index, up to the first error. Some drivers lack a list,
    /// and say so by one error or another; of a device that is gone, or of an interruption, the error is passed on.
    pub(super) fn list<T>(
        &self,
        request: &Request<T>,
        limit: u32,
        item: impl Fn(u32) -> T,
    ) -> Result<Vec<T>, BackendError> {
        let mut items = Vec::new();
        for index in 0..limit {
            let mut next = item(index);
            match self.demand(request, &mut next) {
                Ok(()) => items.push(next),
                Err(error) if error.is_final() => return Err(error),
                Err(_) => break,
            }
        }
        Ok(items)
    }

    /// The kind of node.
    pub(super) fn capabilities(&self) -> Result<Capabilities, BackendError> {
        let mut capability = zeroed::<v4l2_capability>();
        match self.demand(&QUERYCAP, &mut capability) {
            Ok(()) => {}
            Err(error) if matches!(error.os_error(), Some(libc::ENOTTY | libc::EINVAL)) => {
                return Ok(Capabilities::None);
            }
            Err(error) => return Err(error),
        }
        let has_own = capability.capabilities & V4L2_CAP_DEVICE_CAPS != 0;
        let flags = if has_own { capability.device_caps } else { capability.capabilities };
        Ok(match flags {
            _ if flags & (V4L2_CAP_VIDEO_M2M | V4L2_CAP_VIDEO_M2M_MPLANE) != 0 => Capabilities::None,
            _ if flags & V4L2_CAP_VIDEO_CAPTURE != 0 => Capabilities::Capture,
            _ if flags & V4L2_CAP_VIDEO_CAPTURE_MPLANE != 0 => Capabilities::MultiPlanar,
            _ => Capabilities::None,
        })
    }
}

/// Plain structures of C, all of whose bits may be 0.
pub(super) trait Plain {}
impl Plain for v4l2_capability {}
impl Plain for v4l2_captureparm {}
impl Plain for v4l2_pix_format {}
impl Plain for v4l2_fmtdesc {}
impl Plain for v4l2_format {}
impl Plain for v4l2_frmivalenum {}
impl Plain for v4l2_frmsizeenum {}
impl Plain for v4l2_buffer {}
impl Plain for v4l2_requestbuffers {}
impl Plain for v4l2_streamparm {}

/// A structure with every bit 0, as the kernel expects of unset fields.
pub(super) fn zeroed<T: Plain>() -> T {
    // SAFETY: the types that are `Plain` hold numbers, arrays and unions of them, and pointers that may be null.
    unsafe { std::mem::zeroed() }
}
