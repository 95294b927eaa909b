//! The receiving tasks of one peer, one for each received stream: they drive the receive paths of `stream`, and give
//! pictures and sound to their sinks.

pub(in crate::rtc) mod media_tap;

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::{mpsc, watch};

use crate::media::{MediaTime, PictureSink, SoundSink};
use crate::rtc::connection_state::ConnectionState;
use crate::rtc::deadline;
use crate::rtc::stats::Counters;
use crate::rtc::stream::{Arrival, AudioReceive, VideoReceive, VideoReceiveOutput};

/// Where keyframe requests go, of the handles to the receiving task and from there to the peer task; a full queue holds
/// one already.
pub(in crate::rtc) type KeyframeRequests = mpsc::Sender<()>;

/// Inputs of the receiving task of video, besides its packets.
pub(in crate::rtc) struct VideoSignals {
    pub(in crate::rtc) connected: watch::Receiver<bool>,
    pub(in crate::rtc) interruptions: watch::Receiver<u32>,
    /// Requests of the handles.
    pub(in crate::rtc) keyframe_requests: mpsc::Receiver<()>,
}

/// Gives the sound of the far side to its sink, from `connected` until the connection ends.
pub(in crate::rtc) async fn receive_audio(
    mut arrivals: mpsc::Receiver<Arrival>,
    mut connected: watch::Receiver<bool>,
    mut sink: Box<dyn SoundSink>,
    counters: Arc<Counters>,
) {
    // An error means that the connection ended before.
    if connected.wait_for(|connected| *connected).await.is_err() {
        return;
    }
    let mut audio = AudioReceive::new();
    while let Some(arrival) = arrivals.recv().await {
        audio.handle(arrival, MediaTime::now(), |sound| sink.take(sound));
        counters.audio_packets_received.store(audio.packets(), Relaxed);
    }
}

/// Gives the pictures of the far side to their sink, from `connected` until the connection ends; keyframe requests
/// leave by `plis`.
pub(in crate::rtc) async fn receive_video(
    arrivals: mpsc::Receiver<Arrival>,
    signals: VideoSignals,
    mut sink: Box<dyn PictureSink>,
    state: ConnectionState,
    plis: KeyframeRequests,
) {
    drive_video(arrivals, signals, &mut *sink, &state, plis).await;
    if tokio::task::spawn_blocking(move || sink.finish()).await.is_err() {
        tracing::warn!("a sink of pictures was not waited for");
    }
}

async fn drive_video(
    mut arrivals: mpsc::Receiver<Arrival>,
    signals: VideoSignals,
    sink: &mut dyn PictureSink,
    state: &ConnectionState,
    plis: KeyframeRequests,
) {
    let VideoSignals { mut connected, mut interruptions, mut keyframe_requests } = signals;
    if connected.wait_for(|connected| *connected).await.is_err() {
        return;
    }
    // A decoder's failure is asked for at once: no other picture may follow.
    let (needs_keyframe, mut keyframe_needs) = mpsc::channel(1);
    sink.on_start(Box::new(move || {
        let _ = needs_keyframe.try_send(());
    }));
    let mut video = VideoReceive::new();
    loop {
        let deadline = video.deadline();
        tokio::select! {
            arrival = arrivals.recv() => match arrival {
                Some(arrival) => video.handle(arrival, MediaTime::now()),
                None => return,
            },
            () = deadline::reached(deadline) => {}
            Ok(()) = interruptions.changed() => {
                video.on_interruption();
                continue;
            }
            Some(()) = keyframe_requests.recv() => video.need_keyframe(),
            Some(()) = keyframe_needs.recv() => video.need_keyframe(),
        }
        video.set_rtt(state.path.rtt());
        let now = MediaTime::now();
        while let Some(output) = video.poll(now) {
            match output {
                VideoReceiveOutput::Picture(picture) => {
                    if !sink.take(picture) {
                        video.need_keyframe();
                    }
                }
                VideoReceiveOutput::KeyframeRequest => {
                    let _ = plis.try_send(());
                }
            }
        }
        let stats = video.stats();
        let counters = &state.counters;
        counters.video_bytes_received.store(stats.payload_bytes, Relaxed);
        counters.frames_received.store(stats.pictures, Relaxed);
        counters.packets_lost.store(stats.packets_lost, Relaxed);
    }
}
