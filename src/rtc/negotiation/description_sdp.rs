//! Typed descriptions to SDP for the webrtc crate, and back (RFC 8866; JSEP, RFC 9429).
//!
//! The SDP of the far side's description is written here, of fields that were checked where they were read; the
//! engine's own SDP is read for the few values that are this connection's. No SDP ever comes from a peer, or goes to
//! one. Each stream of the offer has a media section, all bundled (RFC 9143); a stream that the answer lacks is
//! inactive in it.

use std::fmt::Write;

use rtc::sdp::extmap::TRANSPORT_CC_URI;
use sha2::{Digest, Sha256};

use crate::call::{DescribedStream, Description, DescriptionKind, DtlsSetup, FecScheme, Fingerprint, IcePwd, IceUfrag};
use crate::codec::{CodecSupport, PayloadTypes, VideoCodec};
use crate::media::{StreamId, StreamKind};

/// RTP payload type of Opus.
pub(in crate::rtc) const OPUS_PAYLOAD_TYPE: u8 = 111;
/// RTP payload type of redundant Opus (RFC 2198), as others number it, too.
pub(in crate::rtc) const RED_PAYLOAD_TYPE: u8 = 63;
/// Format parameters of redundant Opus: the payload types of its blocks.
pub(in crate::rtc) const RED_FORMAT: &str = "111/111";
/// Format parameters of Opus (RFC 7587).
pub(in crate::rtc) const OPUS_FORMAT: &str = "minptime=10;useinbandfec=1";
/// Format parameters of the retransmissions of a codec (RFC 4588, 8.1).
pub(in crate::rtc) fn rtx_format(codec: VideoCodec) -> String {
    format!("apt={}", codec.payload_types().media)
}

/// Name of the forward error correction in the SDP, which stays within this program: `visavis-rs8`, with the beginning
/// by which the engine tells such streams from media.
pub(in crate::rtc) const FEC_NAME: &str = "flexfec-visavis-rs8";
/// Its time window in microseconds, which the name demands.
pub(in crate::rtc) const FEC_FORMAT: &str = "repair-window=200000";
/// Number of the header extension that carries transport-wide numbers; the media engine counts from 1.
const TRANSPORT_CC_ID: u8 = 1;

/// Own SDP of the engine in which something is missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the engine's {0} is not usable")]
pub(in crate::rtc) struct UnreadableSdp(&'static str);

pub(in crate::rtc) use crate::rtc::streams::StreamNumbers;

/// Streams of an offer, which the media sections of both descriptions are numbered by.
pub(in crate::rtc) type Sections = Vec<(StreamId, StreamKind)>;

/// The media sections of an offer.
pub(in crate::rtc) fn sections_of(offered: &[DescribedStream]) -> Sections {
    offered.iter().map(|stream| (stream.id, stream.kind)).collect()
}

/// The SDP of the far side's description, in the `sections` of the offer.
pub(in crate::rtc) fn to_sdp(description: &Description, sections: &[(StreamId, StreamKind)]) -> String {
    let mut sdp = String::with_capacity(1024 * (sections.len() + 1));
    // Writing to a text in memory does not fail.
    let _ = write_session(&mut sdp, description, sections);
    sdp
}

fn write_session(sdp: &mut String, description: &Description, sections: &[(StreamId, StreamKind)]) -> std::fmt::Result {
    sdp.push_str("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
    for mid in 0..sections.len() {
        write!(sdp, " {mid}")?;
    }
    sdp.push_str("\r\na=msid-semantic:WMS *\r\n");
    let canonical = canonical_name(description.ssrcs());
    for (mid, &(id, kind)) in sections.iter().enumerate() {
        let stream = description.stream(id).filter(|stream| stream.kind.is_video() == kind.is_video());
        if kind.is_video() {
            write_video(sdp, description, mid)?;
        } else {
            write_audio(sdp, description, mid)?;
        }
        match stream {
            Some(stream) => write_stream(sdp, stream, &canonical)?,
            None => sdp.push_str("a=inactive\r\n"),
        }
    }
    Ok(())
}

fn write_audio(sdp: &mut String, description: &Description, mid: usize) -> std::fmt::Result {
    let red = description.red;
    let payload_types = if red { &[OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE][..] } else { &[OPUS_PAYLOAD_TYPE] };
    write_transport(sdp, description, (mid, "audio"), payload_types)?;
    write!(
        sdp,
        "a=rtpmap:{OPUS_PAYLOAD_TYPE} opus/48000/2\r\na=fmtp:{OPUS_PAYLOAD_TYPE} {OPUS_FORMAT}\r\n\
         a=rtcp-fb:{OPUS_PAYLOAD_TYPE} transport-cc\r\n"
    )?;
    if red {
        write!(
            sdp,
            "a=rtpmap:{RED_PAYLOAD_TYPE} red/48000/2\r\na=fmtp:{RED_PAYLOAD_TYPE} {RED_FORMAT}\r\n\
             a=rtcp-fb:{RED_PAYLOAD_TYPE} transport-cc\r\n"
        )?;
    }
    Ok(())
}

fn write_video(sdp: &mut String, description: &Description, mid: usize) -> std::fmt::Result {
    let fec = description.fec.is_some();
    let CodecSupport { codec, level } = description.video_codec().unwrap_or_default();
    let PayloadTypes { media, rtx, fec: repair } = codec.payload_types();
    let payload_types = [media, rtx, repair];
    write_transport(sdp, description, (mid, "video"), if fec { &payload_types } else { &payload_types[..2] })?;
    let (name, clock_rate) = (codec.name(), codec.clock_rate_hz());
    write!(
        sdp,
        "a=rtpmap:{media} {name}/{clock_rate}\r\na=fmtp:{media} {}\r\n\
         a=rtcp-fb:{media} ccm fir\r\na=rtcp-fb:{media} nack\r\n\
         a=rtcp-fb:{media} nack pli\r\na=rtcp-fb:{media} transport-cc\r\n\
         a=rtpmap:{rtx} rtx/{clock_rate}\r\na=fmtp:{rtx} {}\r\n",
        codec.format_parameters(level),
        rtx_format(codec)
    )?;
    if fec {
        write!(sdp, "a=rtpmap:{repair} {FEC_NAME}/{clock_rate}\r\na=fmtp:{repair} {FEC_FORMAT}\r\n")?;
    }
    Ok(())
}

/// A section's first lines, which are about its transport: the same for all, as they are bundled.
fn write_transport(
    sdp: &mut String,
    description: &Description,
    (mid, media): (usize, &str),
    payload_types: &[u8],
) -> std::fmt::Result {
    write!(sdp, "m={media} 9 UDP/TLS/RTP/SAVPF")?;
    for payload_type in payload_types {
        write!(sdp, " {payload_type}")?;
    }
    write!(
        sdp,
        "\r\nc=IN IP4 0.0.0.0\r\na=setup:{}\r\na=mid:{mid}\r\na=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=ice-options:trickle\r\n\
         a=fingerprint:sha-256 {}\r\na=rtcp-mux\r\na=rtcp-rsize\r\na=extmap:{TRANSPORT_CC_ID} {TRANSPORT_CC_URI}\r\n",
        setup_word(description.setup),
        description.ice_ufrag,
        description.ice_pwd,
        description.fingerprint
    )
}

/// The SSRCs of a stream, and its direction.
fn write_stream(sdp: &mut String, stream: &DescribedStream, canonical: &str) -> std::fmt::Result {
    let (media, name) = (stream.ssrcs.media, track_name(stream.id));
    if let Some(rtx) = stream.ssrcs.rtx {
        write!(sdp, "a=ssrc-group:FID {media} {rtx}\r\n")?;
    }
    if let Some(fec) = stream.ssrcs.fec {
        write!(sdp, "a=ssrc-group:FEC-FR {media} {fec}\r\n")?;
    }
    for ssrc in stream.ssrcs.iter() {
        write!(sdp, "a=ssrc:{ssrc} cname:{canonical}\r\na=ssrc:{ssrc} msid:visavis {name}\r\n")?;
    }
    write!(sdp, "a=msid:visavis {name}\r\na=sendrecv\r\n")
}

/// Name of a stream's track in the SDP, and in the engine.
pub(in crate::rtc) fn track_name(id: StreamId) -> String {
    format!("stream{id}")
}

/// The canonical name of one side of a connection (RFC 7022, 4.2: 96 random bits, anew for each session). Made of its
/// random SSRCs, so that both sides know it and an ICE restart keeps it.
pub(in crate::rtc) fn canonical_name(ssrcs: impl Iterator<Item = u32>) -> String {
    let mut hash = Sha256::new();
    ssrcs.for_each(|ssrc| hash.update(ssrc.to_be_bytes()));
    data_encoding::BASE64.encode(&hash.finalize()[..12])
}

const fn setup_word(setup: DtlsSetup) -> &'static str {
    match setup {
        DtlsSetup::ActPass => "actpass",
        DtlsSetup::Active => "active",
        DtlsSetup::Passive => "passive",
    }
}

/// This side's description: its streams, and the connection's parameters of the engine's own SDP.
pub(in crate::rtc) fn from_own_sdp(
    (kind, generation): (DescriptionKind, u32),
    sdp: &str,
    streams: Vec<DescribedStream>,
) -> Result<Description, UnreadableSdp> {
    let value = |prefix: &'static str, name: &'static str| {
        sdp.lines().find_map(|line| line.trim_end().strip_prefix(prefix)).ok_or(UnreadableSdp(name))
    };
    let setup = match value("a=setup:", "setup")? {
        "actpass" => DtlsSetup::ActPass,
        "active" => DtlsSetup::Active,
        "passive" => DtlsSetup::Passive,
        _ => return Err(UnreadableSdp("setup")),
    };
    let fingerprint = value("a=fingerprint:sha-256 ", "fingerprint")?.to_ascii_uppercase();
    Ok(Description {
        kind,
        generation,
        ice_ufrag: IceUfrag::try_from(value("a=ice-ufrag:", "ice_ufrag")?).map_err(|_| UnreadableSdp("ice_ufrag"))?,
        ice_pwd: IcePwd::try_from(value("a=ice-pwd:", "ice_pwd")?).map_err(|_| UnreadableSdp("ice_pwd"))?,
        fingerprint: Fingerprint::try_from(fingerprint).map_err(|_| UnreadableSdp("fingerprint"))?,
        setup,
        streams,
        codecs: VideoCodec::ALL.map(CodecSupport::own).to_vec(),
        fec: Some(FecScheme::Rs8),
        red: true,
        dtls_cookie: None,
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::call::StreamSsrcs;

    fn sdp_of(description: &Description) -> String {
        to_sdp(description, &sections_of(&description.streams))
    }

    fn with_screen() -> Description {
        let mut description = Description::for_test();
        let ssrcs = StreamSsrcs { media: 5, rtx: Some(6), fec: Some(7) };
        description.streams.push(DescribedStream { id: StreamId::SCREEN, kind: StreamKind::Screen, ssrcs });
        description
    }

    /// The media sections of an SDP.
    fn media_sections(sdp: &str) -> Vec<&str> {
        sdp.split("m=").skip(1).collect()
    }

    #[test]
    fn a_description_survives_the_text() {
        for description in [Description::for_test(), with_screen()] {
            let streams = description.streams.clone();
            assert_eq!(from_own_sdp((DescriptionKind::Offer, 0), &sdp_of(&description), streams), Ok(description));
        }
    }

    #[test]
    fn each_stream_has_a_bundled_section_with_its_ssrcs() {
        let sdp = sdp_of(&with_screen());
        assert!(sdp.contains("a=group:BUNDLE 0 1 2\r\n"));
        let sections = media_sections(&sdp);
        assert_eq!(sections.len(), 3);
        for (section, (media, mid, ssrcs)) in
            sections.iter().zip([("audio", 0, vec![1]), ("video", 1, vec![2, 3, 4]), ("video", 2, vec![5, 6, 7])])
        {
            assert!(section.starts_with(media) && section.contains(&format!("a=mid:{mid}\r\n")));
            let named: BTreeSet<u32> = section
                .lines()
                .filter_map(|line| line.strip_prefix("a=ssrc:")?.split_once(' ')?.0.parse().ok())
                .collect();
            assert_eq!(named, ssrcs.into_iter().collect(), "{section}");
        }
    }

    #[test]
    fn an_answer_keeps_the_offers_sections_and_leaves_unknown_streams_inactive() {
        let offered = sections_of(&with_screen().streams);
        let answer = Description { kind: DescriptionKind::Answer, setup: DtlsSetup::Active, ..Description::for_test() };
        let sdp = to_sdp(&answer, &offered);
        let sections = media_sections(&sdp);
        assert_eq!(sections.len(), 3);
        assert!(sections[1].contains("a=sendrecv") && sections[1].contains("a=ssrc:2 "));
        assert!(sections[2].contains("a=inactive") && !sections[2].contains("a=ssrc:"));
        let mut swapped = answer;
        swapped.streams.reverse();
        let reordered = to_sdp(&swapped, &offered);
        assert!(media_sections(&reordered)[1].contains("a=ssrc:2 "), "the offer's order holds");
    }

    #[test]
    fn canonical_names_are_those_of_one_connection_and_the_same_on_both_sides() {
        let names = |sdp: &str| -> BTreeSet<String> {
            sdp.lines().filter_map(|line| line.split_once(" cname:")).map(|(_, name)| name.to_owned()).collect()
        };
        let description = Description::for_test();
        let one = names(&sdp_of(&description));
        assert_eq!(one.iter().collect::<Vec<_>>(), [&canonical_name(description.ssrcs())], "one name for all streams");
        let renewed =
            Description { generation: 1, ice_ufrag: "renewed1".try_into().unwrap(), ..Description::for_test() };
        assert_eq!(names(&sdp_of(&renewed)), one, "a restart keeps it");
        let other = names(&sdp_of(&with_screen()));
        assert!(other != one && other.iter().all(|name| name.len() == 16), "{other:?}");
    }

    #[test]
    fn a_far_side_that_knows_no_redundancy_is_offered_none() {
        let mut old = Description { red: false, fec: None, ..Description::for_test() };
        old.streams[1].ssrcs.fec = None;
        let old = sdp_of(&old);
        assert!(!old.contains("flexfec") && !old.contains("104"));
        assert!(!old.contains("red/48000") && old.contains("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
        let sdp = sdp_of(&Description::for_test());
        assert!(sdp.contains("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n") && sdp.contains("visavis-rs8"));
    }

    #[test]
    fn the_level_that_each_side_decodes_is_announced() {
        for codec in VideoCodec::ALL {
            for level in [codec.least_level(), codec.own_level()] {
                let codecs = vec![CodecSupport { codec, level }];
                let sdp = sdp_of(&Description { codecs, ..Description::for_test() });
                let expected = format!("a=fmtp:{} {}\r\n", codec.payload_types().media, codec.format_parameters(level));
                assert!(sdp.contains(&expected), "{expected} in {sdp}");
            }
        }
    }
}
