//! A stream of pictures through buffers that the driver and this process share (V4L2 "Streaming I/O (Memory Mapping)").
//!
//! One buffer at a time is out of the driver's hands: it is converted where it lies, and given back when the next is
//! asked for. Nothing is copied and nothing allocated for a picture.

use std::io;
use std::ptr::NonNull;
use std::rc::Rc;

use v4l::v4l_sys::{V4L2_BUF_FLAG_ERROR, v4l2_buffer, v4l2_memory_V4L2_MEMORY_MMAP as MMAP, v4l2_requestbuffers};

use crate::capture::backend_error::BackendError;
use crate::capture::convert::Layout;

use super::device::{CAPTURE, DQBUF, Device, QBUF, QUERYBUF, REQBUFS, STREAMOFF, STREAMON, zeroed};

/// Buffers that are asked for: one is converted, one is filled, and two are for a thread that is late.
const BUFFERS: u32 = 4;

/// A camera that streams. Dropping it stops the stream and gives everything back.
#[derive(Debug)]
pub(super) struct MappedStream {
    layout: Layout,
    buffers: Vec<Mapping>,
    /// The buffer that is out of the driver's hands.
    held: Option<u32>,
    device: Rc<Device>,
}

impl MappedStream {
    /// Starts the stream in the mode that is set, with buffers of `layout`.
    pub(super) fn start(device: Rc<Device>, layout: Layout) -> Result<Self, BackendError> {
        let mut stream = Self { layout, buffers: Vec::new(), held: None, device };
        let count = stream.request_buffers(BUFFERS)?;
        for index in 0..count {
            let mut buffer = buffer(index);
            stream.device.demand(&QUERYBUF, &mut buffer)?;
            stream.buffers.push(Mapping::of(&stream.device, &buffer)?);
            stream.queue(index)?;
        }
        stream.device.demand(&STREAMON, &mut capture_queue())?;
        Ok(stream)
    }

    /// Waits for the next buffer, for as long as the camera takes. `None`: it holds no whole picture. The driver says
    /// so (a transfer failed), or it is shorter than its picture; the rest of it belongs to an earlier one.
    pub(super) fn next(&mut self) -> Result<Option<&[u8]>, BackendError> {
        if let Some(index) = self.held {
            self.queue(index)?;
            self.held = None;
        }
        let Some(buffer) = self.dequeue()? else { return Ok(None) };
        let Some(mapping) = self.buffers.get(buffer.index as usize) else {
            return Err(BackendError::new(format!("the driver gave buffer {}", buffer.index), None));
        };
        self.held = Some(buffer.index);
        let bytes = mapping.bytes(buffer.bytesused as usize);
        let whole = buffer.flags & V4L2_BUF_FLAG_ERROR == 0 && bytes.len() >= self.layout.needed();
        Ok(whole.then_some(bytes))
    }

    /// Takes the next buffer that is filled; `None` when the driver lost one.
    fn dequeue(&self) -> Result<Option<v4l2_buffer>, BackendError> {
        loop {
            let events = self.wait().map_err(|error| BackendError::of(&error, "poll"))?;
            let mut buffer = buffer(0);
            match self.device.call(&DQBUF, &mut buffer) {
                Ok(()) => return Ok(Some(buffer)),
                // Ready, and yet not: some other thread of the driver's was faster. An error is not waited out.
                Err(error) if error.raw_os_error() == Some(libc::EAGAIN) && events & libc::POLLERR == 0 => {}
                // "Can also indicate temporary problems like signal loss" (VIDIOC_DQBUF).
                Err(error) if error.raw_os_error() == Some(libc::EIO) => return Ok(None),
                Err(error) => return Err(BackendError::of(&error, "VIDIOC_DQBUF")),
            }
        }
    }

    /// Waits until a buffer is filled or the device is gone; returns the events of `poll`.
    fn wait(&self) -> io::Result<libc::c_short> {
        let mut waited = libc::pollfd { fd: self.device.descriptor(), events: libc::POLLIN, revents: 0 };
        // SAFETY: one valid structure, as the count says.
        let ready = unsafe { libc::poll(&raw mut waited, 1, -1) };
        if ready < 0 { Err(io::Error::last_os_error()) } else { Ok(waited.revents) }
    }

    fn queue(&self, index: u32) -> Result<(), BackendError> {
        self.device.demand(&QBUF, &mut buffer(index))
    }

    /// Has the driver make `count` buffers (none: free all); returns their number.
    fn request_buffers(&self, count: u32) -> Result<u32, BackendError> {
        let mut request = v4l2_requestbuffers { count, type_: CAPTURE, memory: MMAP, ..zeroed() };
        self.device.demand(&REQBUFS, &mut request)?;
        Ok(request.count)
    }
}

impl Drop for MappedStream {
    fn drop(&mut self) {
        // A device that is gone refuses both, and has given everything back.
        let _ = self.device.call(&STREAMOFF, &mut capture_queue());
        self.buffers.clear();
        let _ = self.request_buffers(0);
    }
}

fn buffer(index: u32) -> v4l2_buffer {
    v4l2_buffer { index, type_: CAPTURE, memory: MMAP, ..zeroed() }
}

const fn capture_queue() -> libc::c_int {
    CAPTURE as libc::c_int
}

/// A buffer of the driver's in this process's memory.
#[derive(Debug)]
struct Mapping {
    address: NonNull<u8>,
    len: usize,
}

impl Mapping {
    fn of(device: &Device, buffer: &v4l2_buffer) -> Result<Self, BackendError> {
        let len = buffer.length as usize;
        // SAFETY: buffers for memory mapping are described by this member, a plain number.
        let offset = unsafe { buffer.m.offset };
        // SAFETY: a new mapping, wherever the kernel puts it; the descriptor is open.
        let mapped = unsafe {
            v4l::v4l2::mmap(
                std::ptr::null_mut(),
                len,
                // Old drivers take both or nothing.
                libc::PROT_READ | libc::PROT_WRITE,
                libc::MAP_SHARED,
                device.descriptor(),
                libc::off_t::from(offset),
            )
        };
        let address = mapped.map_err(|error| BackendError::of(&error, "mmap"))?;
        NonNull::new(address.cast())
            .map(|address| Self { address, len })
            .ok_or_else(|| BackendError::new("a buffer at address 0".to_owned(), None))
    }

    /// The first `used` bytes, or as many as there are.
    fn bytes(&self, used: usize) -> &[u8] {
        // SAFETY: the mapping lives as long as `self` and has that length. The driver writes into it only while it
        // holds the buffer, and this is called only for the one that it does not hold.
        unsafe { std::slice::from_raw_parts(self.address.as_ptr(), used.min(self.len)) }
    }
}

impl Drop for Mapping {
    fn drop(&mut self) {
        // SAFETY: made by `mmap` with this length, and not used any more.
        if let Err(error) = unsafe { v4l::v4l2::munmap(self.address.as_ptr().cast(), self.len) } {
            tracing::debug!(%error, "a camera's buffer stays mapped");
        }
    }
}
