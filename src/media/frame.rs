//! Pictures: I420 planes in memory that is used again instead of allocated for each frame.

use std::sync::Arc;

use super::MediaTime;

/// One of the three planes of an I420 picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plane {
    /// Luma, full size.
    Y,
    /// Blue-difference chroma, half size both ways.
    U,
    /// Red-difference chroma, half size both ways.
    V,
}

/// An I420 picture (BT.601 limited range), rows packed without padding: Y, then U, then V.
#[derive(Debug)]
pub struct VideoFrame {
    width: u32,
    height: u32,
    data: Vec<u8>,
    /// When this computer's camera gave the picture; zero in a picture that was decoded.
    pub captured_at: MediaTime,
}

impl VideoFrame {
    /// A black picture. Both sides are rounded down to even numbers, and are at least 2.
    pub fn black(width: u32, height: u32) -> Self {
        let mut frame = Self { width: 0, height: 0, data: Vec::new(), captured_at: MediaTime::default() };
        frame.resize(width, height);
        frame.fill_black();
        frame
    }

    /// Width in pixels, even.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Height in pixels, even.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Bytes in a row of `plane`.
    pub fn stride(&self, plane: Plane) -> usize {
        match plane {
            Plane::Y => self.width as usize,
            Plane::U | Plane::V => self.width as usize / 2,
        }
    }

    /// The bytes of `plane`, `stride(plane)` a row.
    pub fn plane(&self, plane: Plane) -> &[u8] {
        let (y, u, v) = self.planes();
        match plane {
            Plane::Y => y,
            Plane::U => u,
            Plane::V => v,
        }
    }

    /// All three planes: Y, U, V.
    pub fn planes(&self) -> (&[u8], &[u8], &[u8]) {
        let (y, chroma) = self.data.split_at(self.luma_len());
        let (u, v) = chroma.split_at(chroma.len() / 2);
        (y, u, v)
    }

    /// All three planes for writing: Y, U, V.
    pub fn planes_mut(&mut self) -> (&mut [u8], &mut [u8], &mut [u8]) {
        let luma_len = self.luma_len();
        let (y, chroma) = self.data.split_at_mut(luma_len);
        let half = chroma.len() / 2;
        let (u, v) = chroma.split_at_mut(half);
        (y, u, v)
    }

    /// The whole picture as one slice: Y, U, V.
    pub fn as_bytes(&self) -> &[u8] {
        &self.data
    }

    /// The whole picture as one slice for writing: Y, U, V.
    pub fn as_bytes_mut(&mut self) -> &mut [u8] {
        &mut self.data
    }

    /// Paints the whole picture black.
    pub fn fill_black(&mut self) {
        let (y, u, v) = self.planes_mut();
        y.fill(16);
        u.fill(128);
        v.fill(128);
    }

    /// Changes the size; the content is unspecified afterwards.
    fn resize(&mut self, width: u32, height: u32) {
        self.width = (width & !1).max(2);
        self.height = (height & !1).max(2);
        self.data.resize(self.luma_len() * 3 / 2, 0);
    }

    fn luma_len(&self) -> usize {
        self.width as usize * self.height as usize
    }
}

/// Gives out frames and takes them back by itself: a frame is used again once nobody else holds it.
///
/// Owned by one producing thread. In steady state (as many frames alive as the pool has made) it allocates nothing.
#[derive(Debug, Default)]
pub struct FramePool {
    frames: Vec<Arc<VideoFrame>>,
}

impl FramePool {
    /// Frames that a pool keeps at most; a producer whose consumers hold more than these gets frames that are not kept.
    const MAX_KEPT: usize = 16;

    /// An empty pool.
    pub fn new() -> Self {
        Self::default()
    }

    /// Lets `fill` write a picture of the given size over unspecified content, and shares the result.
    ///
    /// An error of `fill` is passed on and its frame goes back to the pool.
    pub fn produce<E>(
        &mut self,
        width: u32,
        height: u32,
        fill: impl FnOnce(&mut VideoFrame) -> Result<(), E>,
    ) -> Result<Arc<VideoFrame>, E> {
        let free = self.frames.iter().position(|frame| Arc::strong_count(frame) == 1);
        let mut frame = match free {
            Some(index) => self.frames.swap_remove(index),
            None => Arc::new(VideoFrame::black(width, height)),
        };
        let filled = match Arc::get_mut(&mut frame) {
            Some(picture) => {
                picture.resize(width, height);
                fill(picture)
            }
            // Unreachable: the pool holds no weak references and took the only strong one out.
            None => Ok(()),
        };
        if self.frames.len() < Self::MAX_KEPT {
            self.frames.push(Arc::clone(&frame));
        }
        filled.map(|()| frame)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    #[test]
    fn planes_have_the_sizes_of_i420() {
        let frame = VideoFrame::black(641, 361);
        assert_eq!((frame.width(), frame.height()), (640, 360));
        let (y, u, v) = frame.planes();
        assert_eq!((y.len(), u.len(), v.len()), (640 * 360, 320 * 180, 320 * 180));
        assert!(y.iter().all(|&luma| luma == 16) && u.iter().chain(v).all(|&chroma| chroma == 128));
    }

    #[test]
    fn a_frame_is_used_again_once_nobody_holds_it() {
        let mut pool = FramePool::new();
        let first = pool.produce::<Infallible>(64, 48, |_| Ok(())).unwrap_or_else(|never| match never {});
        let address = Arc::as_ptr(&first);
        let second = pool.produce::<Infallible>(64, 48, |_| Ok(())).unwrap_or_else(|never| match never {});
        assert_ne!(Arc::as_ptr(&second), address, "a frame in use is never written");
        drop(first);
        let third = pool.produce::<Infallible>(64, 48, |_| Ok(())).unwrap_or_else(|never| match never {});
        assert_eq!(Arc::as_ptr(&third), address);
    }
}
