//! Streams of one side of a connection, by identifier and by SSRC.

use std::sync::{Arc, Mutex, PoisonError};

use crate::call::{DescribedStream, StreamSsrcs};
use crate::media::{StreamId, StreamKind};

/// SSRCs of the sound and of one stream of pictures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct StreamNumbers {
    pub(super) audio: u32,
    pub(super) video: u32,
    pub(super) rtx: u32,
    pub(super) fec: u32,
}

/// Streams of one side, in the order of its description.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct StreamTable(Vec<DescribedStream>);

impl StreamTable {
    /// Streams under SSRCs that `draw` gives, each used once (RFC 3550, 8.1).
    pub(super) fn under_random_ssrcs<E>(
        streams: &[(StreamId, StreamKind)],
        mut draw: impl FnMut() -> Result<u32, E>,
    ) -> Result<Self, E> {
        let mut used = vec![0];
        let mut fresh = || {
            loop {
                let ssrc = draw()?;
                if !used.contains(&ssrc) {
                    used.push(ssrc);
                    return Ok(ssrc);
                }
            }
        };
        let mut described = Vec::with_capacity(streams.len());
        for &(id, kind) in streams {
            let media = fresh()?;
            let (rtx, fec) = if kind.is_video() { (Some(fresh()?), Some(fresh()?)) } else { (None, None) };
            described.push(DescribedStream { id, kind, ssrcs: StreamSsrcs { media, rtx, fec } });
        }
        Ok(Self(described))
    }

    /// Each stream.
    pub(super) fn iter(&self) -> impl Iterator<Item = &DescribedStream> {
        self.0.iter()
    }

    /// The stream of this identifier.
    pub(super) fn get(&self, id: StreamId) -> Option<&DescribedStream> {
        self.iter().find(|stream| stream.id == id)
    }

    /// Those of the streams that have a media section in the order of `sections`.
    pub(super) fn in_sections(&self, sections: &[(StreamId, StreamKind)]) -> Vec<DescribedStream> {
        let fits = |&(id, kind): &(StreamId, StreamKind)| {
            self.get(id).filter(|stream| stream.kind.is_video() == kind.is_video()).copied()
        };
        sections.iter().filter_map(fits).collect()
    }

    /// The SSRC under which this side reports (RFC 3550, 6.4.2): it is one participant, whatever it sends.
    pub(super) fn reporter(&self) -> u32 {
        let pictures = self.iter().find(|stream| stream.kind.is_video());
        pictures.or(self.0.first()).map_or(1, |stream| stream.ssrcs.media)
    }

    /// SSRCs of the sound and of one stream of pictures; 0 for a stream that there is not.
    pub(super) fn with_sound(&self, pictures: StreamId) -> StreamNumbers {
        let ssrcs = |id| self.get(id).map_or(StreamSsrcs { media: 0, rtx: None, fec: None }, |stream| stream.ssrcs);
        let (audio, video) = (ssrcs(StreamId::AUDIO), ssrcs(pictures));
        StreamNumbers {
            audio: audio.media,
            video: video.media,
            rtx: video.rtx.unwrap_or(0),
            fec: video.fec.unwrap_or(0),
        }
    }
}

/// Streams of the far side, once its description has come. Written by the driver; read where the engine binds a stream,
/// which is rarely. Clones are the same streams.
#[derive(Clone, Debug, Default)]
pub(super) struct FarStreams(Arc<Mutex<Vec<DescribedStream>>>);

impl FarStreams {
    /// The far side sends these streams from now on.
    pub(super) fn set(&self, streams: &[DescribedStream]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = streams.to_vec();
    }

    /// The stream whose media has this SSRC.
    pub(super) fn of_media(&self, ssrc: u32) -> Option<DescribedStream> {
        let streams = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        streams.iter().find(|stream| stream.ssrcs.media == ssrc).copied()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use super::*;

    const CALL: [(StreamId, StreamKind); 3] = [
        (StreamId::AUDIO, StreamKind::Audio),
        (StreamId::CAMERA, StreamKind::Camera),
        (StreamId::SCREEN, StreamKind::Screen),
    ];

    fn table(draws: &[u32]) -> StreamTable {
        let mut draws = draws.iter().copied();
        StreamTable::under_random_ssrcs(&CALL, || Ok::<_, Infallible>(draws.next().unwrap())).unwrap()
    }

    #[test]
    fn no_ssrc_is_zero_or_used_twice() {
        let table = table(&[0, 5, 5, 6, 7, 5, 8, 9, 0, 10, 11]);
        let ssrcs: Vec<u32> = table.iter().flat_map(|stream| stream.ssrcs.iter()).collect();
        assert_eq!(ssrcs, [5, 6, 7, 8, 9, 10, 11]);
        assert_eq!(table.reporter(), 6, "the camera's");
    }

    #[test]
    fn streams_are_found_by_the_sections_that_the_other_side_offers() {
        let table = table(&[1, 2, 3, 4, 5, 6, 7]);
        let offered = [CALL[2], (StreamId::new(6), StreamKind::Camera), CALL[0], (StreamId::CAMERA, StreamKind::Audio)];
        let ids: Vec<_> = table.in_sections(&offered).iter().map(|stream| stream.id).collect();
        assert_eq!(
            ids,
            [StreamId::SCREEN, StreamId::AUDIO],
            "another kind under the camera's number is another stream"
        );
    }
}
