//! Builds one peer connection of the webrtc crate: codecs, interceptors, ICE timing, a track for each stream.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rtc::crypto::default_provider;
use rtc::ice::mdns::MulticastDnsMode;
use rtc::interceptor::{
    NackResponderBuilder, ReceiverReportBuilder, Registry, SenderReportBuilder, Slot, TwccReceiverBuilder,
    TwccSenderBuilder,
};
use rtc::peer_connection::configuration::interceptor_registry::configure_twcc;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_OPUS, MIME_TYPE_RTX};
use rtc::rtp_transceiver::rtp_sender::{
    RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters, RTCRtpCodingParameters, RTCRtpEncodingParameters,
    RTCRtpFecParameters, RTCRtpRtxParameters, RtpCodecKind,
};
use webrtc::error::Error;
use webrtc::media_stream::MediaStreamTrack;
use webrtc::media_stream::track_local::TrackLocal;
use webrtc::media_stream::track_local::static_rtp::TrackLocalStaticRTP;
use webrtc::peer_connection::{
    MediaEngine, PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler, RTCBundlePolicy,
    RTCConfigurationBuilder, SettingEngineBuilder,
};
use webrtc::runtime::Runtime;

use super::bwe::{CongestionControl, TwccNumbering};
use super::negotiation::description_sdp::{
    FEC_FORMAT, FEC_NAME, OPUS_FORMAT, OPUS_PAYLOAD_TYPE, RED_FORMAT, RED_PAYLOAD_TYPE, canonical_name, rtx_format,
    track_name,
};
use super::pacing::Pacer;
use super::receiving::media_tap::MediaTap;
use super::repair::copies::RepairCopies;
use super::repair::fec::ForwardErrorCorrection;
use super::repair::nack::NackGenerator;
use super::repair::retransmission::RetransmissionUnwrapper;
use super::rtcp_observer::RtcpObserver;
use super::stage::Staged;
use super::streams::StreamTable;
use super::transport::hello_verify::Cookies;
use super::transport::host_addresses::EngineAddresses;
use super::transport::runtime::PeerRuntime;
use super::ways::Ways;
use crate::call::DescribedStream;
use crate::codec::VideoCodec;
use crate::media::StreamId;

/// Between connectivity checks of a pair while connecting. A check goes out when this timer fires, and nominating takes
/// another one, so it is most of the time that a call on a local network takes to connect.
const CHECK_INTERVAL: Duration = Duration::from_millis(20);
/// Checks of a pair before it is given up: over a minute. Connecting is given up before, and so is an interruption.
const MAX_CHECKS: u16 = 3500;
/// Between keepalives (consent, RFC 7675) once connected.
const KEEPALIVE: Duration = Duration::from_millis(400);
/// The agent's own opinion of silence, which nobody waits for.
const DISCONNECTED_AFTER: Duration = Duration::from_secs(5);
/// Longer than a call waits for an interruption's end: the agent keeps on checking, and a blackout may end by itself.
const FAILED_AFTER: Duration = Duration::from_secs(60);
/// Between refreshes of an allocation at most: a stale nonce costs one of them, and NATs forget silent clients.
const REFRESH_INTERVAL: Duration = Duration::from_secs(60);
/// Redundant sound (RFC 2198).
const MIME_TYPE_RED: &str = "audio/red";
/// Packets kept for retransmission; a power of two.
const RETRANSMISSION_BUFFER: u16 = 1024;
/// Between reports of arrivals (transport-wide congestion control): the sooner, the shorter the queues.
const FEEDBACK_INTERVAL: Duration = Duration::from_millis(50);
/// Between RTCP reports.
const REPORT_INTERVAL: Duration = Duration::from_secs(1);

/// The connection and its outgoing tracks.
pub(super) struct EngineConnection {
    pub(super) engine: Arc<dyn PeerConnection>,
    /// One for each stream that this side can send.
    tracks: Vec<(StreamId, Arc<TrackLocalStaticRTP>)>,
    /// It stays within this computer.
    pub(super) loopback: bool,
}

/// Our own interceptors of one connection.
pub(super) struct Interceptors {
    pub(super) observer: RtcpObserver,
    pub(super) congestion: CongestionControl,
    pub(super) nack_generator: NackGenerator,
    pub(super) fec: ForwardErrorCorrection,
    pub(super) pacer: Pacer,
    pub(super) tap: MediaTap,
}

/// Opens the sockets and makes the connection; nothing is sent before a description is set.
pub(super) async fn open(
    ways: &Ways,
    cookies: &Cookies,
    streams: &StreamTable,
    interceptors: Interceptors,
    handler: Arc<dyn PeerConnectionEventHandler>,
    runtime: &Arc<PeerRuntime>,
) -> Result<EngineConnection, Error> {
    let crypto = default_provider().map_err(|error| Error::Other(error.to_string()))?;
    let mut media = media_engine()?;
    let registry = configure_twcc(Registry::new(), &mut media)?;
    let registry = with_interceptors(registry, interceptors);
    let addresses = ways.addresses.clone();
    let loopback = addresses.list().iter().map(SocketAddr::ip).all(|address| address.is_loopback());
    let (servers, policy) = ways.servers.of_engine();
    let addresses = EngineAddresses { addresses, link_local: runtime.link_local() };
    let settings = SettingEngineBuilder::new()
        // Candidates are typed addresses: no name is ever looked up, and no multicast socket is needed.
        .with_multicast_dns_mode(MulticastDnsMode::Disabled)
        .with_include_loopback_candidate(loopback)
        .with_crypto_provider(cookies.provider(crypto))
        // A restart opens sockets on the addresses that there are then.
        .with_discard_local_candidates_during_ice_restart(true)
        .with_ice_connection_attempts(Some(CHECK_INTERVAL), Some(MAX_CHECKS))
        .with_ice_timeouts(Some(DISCONNECTED_AFTER), Some(FAILED_AFTER), Some(KEEPALIVE))
        .with_host_acceptance_min_wait(Some(Duration::ZERO))
        .with_srflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_prflx_acceptance_min_wait(Some(Duration::ZERO))
        .with_relay_acceptance_min_wait(Some(ways.servers.relay_wait()))
        .with_turn_allocation_refresh_interval_cap(REFRESH_INTERVAL)
        .build();
    let engine = PeerConnectionBuilder::new()
        .with_configuration(
            RTCConfigurationBuilder::new()
                .with_bundle_policy(RTCBundlePolicy::MaxBundle)
                .with_ice_servers(servers)
                .with_ice_transport_policy(policy)
                .build(),
        )
        .with_media_engine(media)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_runtime(Arc::clone(runtime) as Arc<dyn Runtime>)
        .with_udp_addrs(vec![addresses])
        .build()
        .await?;
    let engine: Arc<dyn PeerConnection> = Arc::new(engine);
    let name = canonical_name(streams.iter().flat_map(|stream| stream.ssrcs.iter()));
    let tracks = streams.iter().map(|stream| (stream.id, track(&name, stream))).collect();
    Ok(EngineConnection { engine, tracks, loopback })
}

impl EngineConnection {
    /// The track of a stream.
    pub(super) fn track(&self, id: StreamId) -> Option<&Arc<TrackLocalStaticRTP>> {
        self.tracks.iter().find(|(one, _)| *one == id).map(|(_, track)| track)
    }

    /// Any track: RTCP leaves by it.
    pub(super) fn any_track(&self) -> Option<&Arc<TrackLocalStaticRTP>> {
        self.tracks.first().map(|(_, track)| track)
    }

    /// Gives the engine the tracks of these streams, in the order of their media sections.
    pub(super) async fn add_tracks(&self, streams: &[DescribedStream]) -> Result<(), Error> {
        for track in streams.iter().filter_map(|stream| self.track(stream.id)) {
            self.engine.add_track(Arc::clone(track) as Arc<dyn TrackLocal>).await?;
        }
        Ok(())
    }
}

/// The chain of one connection. Leaving packets pass from the last to the first, coming ones from the first to the
/// last:
///
/// ```text
///   500 reports observed       3500 repairs sent twice             6600 losses worked out, repairs ahead
///  1000 congestion control     4000 repairs answered (engine)      7000 losses asked for
///  2000 numbers                6500 retransmissions unwrapped      8000 arrivals reported (engine)
///  3000 pacer
/// 10000, 11000 receiver and sender reports (engine)              12500 media taken out
/// ```
pub(super) fn with_interceptors(registry: Registry, own: Interceptors) -> Registry {
    registry
        .with(RtcpObserver::slot(), Staged::new(own.observer))
        .with(Slot::CongestionControl, Staged::new(own.congestion))
        .with(MediaTap::slot(), Staged::new(own.tap))
        // In place of those that leave repairs out, and that report each 100 ms.
        .with(Slot::TwccSender, TwccNumbering(TwccSenderBuilder::new().build()))
        .with(Slot::TwccReceiver, TwccReceiverBuilder::new().with_interval(FEEDBACK_INTERVAL).build())
        .with(RetransmissionUnwrapper::slot(), Staged::new(RetransmissionUnwrapper::default()))
        .with(ForwardErrorCorrection::slot(), Staged::new(own.fec))
        .with(Slot::Pacer, Staged::new(own.pacer))
        .with(RepairCopies::slot(), Staged::new(RepairCopies::default()))
        .with(Slot::NackResponder, NackResponderBuilder::new().with_size(RETRANSMISSION_BUFFER).build())
        .with(Slot::NackGenerator, Staged::new(own.nack_generator))
        .with(Slot::ReceiverReport, ReceiverReportBuilder::new().with_interval(REPORT_INTERVAL).build())
        .with(Slot::SenderReport, SenderReportBuilder::new().with_interval(REPORT_INTERVAL).build())
}

fn media_engine() -> Result<MediaEngine, Error> {
    let mut media = MediaEngine::default();
    media.register_codec(opus(), RtpCodecKind::Audio)?;
    media.register_codec(codec(MIME_TYPE_RED, 48_000, 2, RED_FORMAT, &[], RED_PAYLOAD_TYPE), RtpCodecKind::Audio)?;
    for video in VideoCodec::ALL {
        let (types, clock_rate) = (video.payload_types(), video.clock_rate_hz());
        let (rtx, fec) = (rtx_format(video), format!("video/{FEC_NAME}"));
        media.register_codec(video_codec(video), RtpCodecKind::Video)?;
        media.register_codec(codec(MIME_TYPE_RTX, clock_rate, 0, &rtx, &[], types.rtx), RtpCodecKind::Video)?;
        media.register_codec(codec(&fec, clock_rate, 0, FEC_FORMAT, &[], types.fec), RtpCodecKind::Video)?;
    }
    Ok(media)
}

fn opus() -> RTCRtpCodecParameters {
    codec(MIME_TYPE_OPUS, 48_000, 2, OPUS_FORMAT, &[], OPUS_PAYLOAD_TYPE)
}

fn video_codec(video: VideoCodec) -> RTCRtpCodecParameters {
    let feedback = [("ccm", "fir"), ("nack", ""), ("nack", "pli")];
    let format = video.format_parameters(video.own_level());
    codec(&video.mime_type(), video.clock_rate_hz(), 0, &format, &feedback, video.payload_types().media)
}

fn codec(
    mime_type: &str,
    clock_rate: u32,
    channels: u16,
    format: &str,
    feedback: &[(&str, &str)],
    payload_type: u8,
) -> RTCRtpCodecParameters {
    let rtcp_feedback = feedback
        .iter()
        .map(|(typ, parameter)| RTCPFeedback { typ: (*typ).to_owned(), parameter: (*parameter).to_owned() })
        .collect();
    let sdp_fmtp_line = format.to_owned();
    let mime_type = mime_type.to_owned();
    let rtp_codec = RTCRtpCodec { mime_type, clock_rate, channels, sdp_fmtp_line, rtcp_feedback };
    RTCRtpCodecParameters { rtp_codec, payload_type }
}

/// The track of a stream, and the streams of its retransmissions and forward error correction.
fn track(canonical_name: &str, stream: &DescribedStream) -> Arc<TrackLocalStaticRTP> {
    let (kind, codec) = if stream.kind.is_video() {
        (RtpCodecKind::Video, video_codec(VideoCodec::PREFERRED).rtp_codec)
    } else {
        (RtpCodecKind::Audio, opus().rtp_codec)
    };
    let rtp_coding_parameters = RTCRtpCodingParameters {
        ssrc: Some(stream.ssrcs.media),
        rtx: stream.ssrcs.rtx.map(|ssrc| RTCRtpRtxParameters { ssrc }),
        fec: stream.ssrcs.fec.map(|ssrc| RTCRtpFecParameters { ssrc }),
        ..Default::default()
    };
    let encoding = RTCRtpEncodingParameters { rtp_coding_parameters, codec, ..Default::default() };
    let (track, label) = (track_name(stream.id), track_name(stream.id));
    Arc::new(TrackLocalStaticRTP::new(MediaStreamTrack::new(
        canonical_name.to_owned(),
        track,
        label,
        kind,
        vec![encoding],
    )))
}
