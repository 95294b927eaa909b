//! Typed descriptions to session-description text for the webrtc crate, and back (RFC 8866, JSEP).
//!
//! The text for the far side's description is written here from checked fields; the engine's own text is read for the
//! few values that are this connection's. No text ever comes from a peer.

use std::fmt::Write;

use rtc::sdp::extmap::TRANSPORT_CC_URI;

use crate::call::{Description, DescriptionKind, DtlsSetup};
use crate::media::VideoLevel;

/// RTP payload type of Opus.
pub(in crate::rtc) const OPUS_PAYLOAD_TYPE: u8 = 111;
/// RTP payload type of redundant Opus (RFC 2198), as others number it, too.
pub(in crate::rtc) const RED_PAYLOAD_TYPE: u8 = 63;
/// Format parameters of redundant Opus: what its blocks hold.
pub(in crate::rtc) const RED_FORMAT: &str = "111/111";
/// RTP payload type of H.264.
pub(in crate::rtc) const H264_PAYLOAD_TYPE: u8 = 102;
/// RTP payload type of the retransmissions of H.264 (RFC 4588).
pub(in crate::rtc) const RTX_PAYLOAD_TYPE: u8 = 103;
/// RTP payload type of the forward error correction of H.264.
pub(in crate::rtc) const FEC_PAYLOAD_TYPE: u8 = 104;
/// Format parameters of Opus (RFC 7587).
pub(in crate::rtc) const OPUS_FORMAT: &str = "minptime=10;useinbandfec=1";
/// Format parameters of H.264 (RFC 6184), up to the level that this side decodes: constrained baseline, 4.0.
pub(in crate::rtc) const H264_FORMAT: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e028";
/// The same up to the level.
const H264_PARAMETERS: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e0";
/// The level in it, which this side announces.
const OWN_LEVEL: VideoLevel = VideoLevel::FULL_HD;
/// Format parameters of the retransmissions.
pub(in crate::rtc) const RTX_FORMAT: &str = "apt=102";
/// Name and parameters of the forward error correction. The engine knows such streams by this name alone and carries
/// them; what is in their packets is the business of `fec`.
pub(in crate::rtc) const FEC_NAME: &str = "flexfec-03";
/// Its time window in microseconds, which the name demands.
pub(in crate::rtc) const FEC_FORMAT: &str = "repair-window=200000";
/// Number of the header extension that carries transport-wide numbers; the media engine counts from 1.
const TRANSPORT_CC_ID: u8 = 1;

/// A description that cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the description's {0} is not usable")]
pub(in crate::rtc) struct BadDescription(&'static str);

/// Checks every field that ends up in text.
pub(in crate::rtc) fn check(description: &Description) -> Result<(), BadDescription> {
    let ice_chars = |text: &str, range: std::ops::RangeInclusive<usize>| {
        range.contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
    };
    if !ice_chars(&description.ice_ufrag, 4..=256) {
        return Err(BadDescription("ice_ufrag"));
    }
    if !ice_chars(&description.ice_pwd, 22..=256) {
        return Err(BadDescription("ice_pwd"));
    }
    let is_pair = |pair: &str| pair.len() == 2 && pair.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'A'..=b'F'));
    if description.fingerprint.len() != 32 * 3 - 1 || !description.fingerprint.split(':').all(is_pair) {
        return Err(BadDescription("fingerprint"));
    }
    let setup_fits = match description.kind {
        DescriptionKind::Offer => description.setup == DtlsSetup::ActPass,
        DescriptionKind::Answer => matches!(description.setup, DtlsSetup::Active | DtlsSetup::Passive),
    };
    if !setup_fits {
        return Err(BadDescription("setup"));
    }
    let needed = [description.audio_ssrc, description.video_ssrc, description.rtx_ssrc];
    let mut ssrcs = [needed[0], needed[1], needed[2], description.fec_ssrc];
    ssrcs.sort_unstable();
    if needed.contains(&0) || ssrcs.windows(2).any(|pair| pair[0] == pair[1]) {
        return Err(BadDescription("ssrc"));
    }
    if description.video_level < VideoLevel::LEAST {
        return Err(BadDescription("video_level"));
    }
    Ok(())
}

/// The text of the far side's description.
pub(in crate::rtc) fn to_sdp(description: &Description) -> Result<String, BadDescription> {
    check(description)?;
    let mut sdp = String::with_capacity(2048);
    sdp.push_str("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\na=msid-semantic:WMS *\r\n");
    write_audio(&mut sdp, description).map_err(|_| BadDescription("size"))?;
    write_video(&mut sdp, description).map_err(|_| BadDescription("size"))?;
    Ok(sdp)
}

fn write_audio(sdp: &mut String, description: &Description) -> std::fmt::Result {
    let red = description.audio_red;
    let payload_types = if red { &[OPUS_PAYLOAD_TYPE, RED_PAYLOAD_TYPE][..] } else { &[OPUS_PAYLOAD_TYPE] };
    write_transport(sdp, description, (0, "audio"), payload_types)?;
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
    write_ssrc(sdp, description, description.audio_ssrc, "audio")?;
    write_direction(sdp, "audio")
}

fn write_video(sdp: &mut String, description: &Description) -> std::fmt::Result {
    let Description { video_ssrc, rtx_ssrc, fec_ssrc, video_level, .. } = *description;
    let payload_types = [H264_PAYLOAD_TYPE, RTX_PAYLOAD_TYPE, FEC_PAYLOAD_TYPE];
    let fec = fec_ssrc != 0;
    write_transport(sdp, description, (1, "video"), if fec { &payload_types } else { &payload_types[..2] })?;
    write!(
        sdp,
        "a=rtpmap:{H264_PAYLOAD_TYPE} H264/90000\r\na=fmtp:{H264_PAYLOAD_TYPE} {H264_PARAMETERS}{:02x}\r\n\
         a=rtcp-fb:{H264_PAYLOAD_TYPE} ccm fir\r\na=rtcp-fb:{H264_PAYLOAD_TYPE} nack\r\n\
         a=rtcp-fb:{H264_PAYLOAD_TYPE} nack pli\r\na=rtcp-fb:{H264_PAYLOAD_TYPE} transport-cc\r\n\
         a=rtpmap:{RTX_PAYLOAD_TYPE} rtx/90000\r\na=fmtp:{RTX_PAYLOAD_TYPE} {RTX_FORMAT}\r\n",
        video_level.idc()
    )?;
    if fec {
        write!(sdp, "a=rtpmap:{FEC_PAYLOAD_TYPE} {FEC_NAME}/90000\r\na=fmtp:{FEC_PAYLOAD_TYPE} {FEC_FORMAT}\r\n")?;
    }
    write!(sdp, "a=ssrc-group:FID {video_ssrc} {rtx_ssrc}\r\n")?;
    write_ssrc(sdp, description, video_ssrc, "video")?;
    write_ssrc(sdp, description, rtx_ssrc, "video")?;
    if fec {
        write!(sdp, "a=ssrc-group:FEC-FR {video_ssrc} {fec_ssrc}\r\n")?;
        write_ssrc(sdp, description, fec_ssrc, "video")?;
    }
    write_direction(sdp, "video")
}

/// A section's first lines, which are about what carries it: the same for both, as they are bundled.
fn write_transport(
    sdp: &mut String,
    description: &Description,
    (mid, name): (u8, &str),
    payload_types: &[u8],
) -> std::fmt::Result {
    write!(sdp, "m={name} 9 UDP/TLS/RTP/SAVPF")?;
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

fn write_ssrc(sdp: &mut String, description: &Description, ssrc: u32, name: &str) -> std::fmt::Result {
    let canonical = canonical_name([description.audio_ssrc, description.video_ssrc, description.rtx_ssrc]);
    write!(sdp, "a=ssrc:{ssrc} cname:{canonical}\r\na=ssrc:{ssrc} msid:visavis {name}\r\n")
}

/// The canonical name of one side of a connection (RFC 7022, 4.2: 96 random bits, anew for each session). Made of its
/// three random SSRCs, so that both sides know it, and another restart of ICE does not change it.
fn canonical_name(ssrcs: [u32; 3]) -> String {
    data_encoding::BASE64.encode(&ssrcs.map(u32::to_be_bytes).concat())
}

fn write_direction(sdp: &mut String, name: &str) -> std::fmt::Result {
    write!(sdp, "a=msid:visavis {name}\r\na=sendrecv\r\n")
}

const fn setup_word(setup: DtlsSetup) -> &'static str {
    match setup {
        DtlsSetup::ActPass => "actpass",
        DtlsSetup::Active => "active",
        DtlsSetup::Passive => "passive",
    }
}

/// The stream numbers that this side has chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::rtc) struct StreamNumbers {
    pub(in crate::rtc) audio: u32,
    pub(in crate::rtc) video: u32,
    pub(in crate::rtc) rtx: u32,
    pub(in crate::rtc) fec: u32,
}

impl StreamNumbers {
    /// This side's canonical name, as its tracks bear it.
    pub(in crate::rtc) fn canonical_name(&self) -> String {
        canonical_name([self.audio, self.video, self.rtx])
    }
}

/// This side's description, out of the engine's own text.
pub(in crate::rtc) fn from_own_sdp(
    (kind, generation): (DescriptionKind, u32),
    sdp: &str,
    streams: StreamNumbers,
) -> Result<Description, BadDescription> {
    let value = |prefix: &'static str, name: &'static str| {
        sdp.lines().find_map(|line| line.trim_end().strip_prefix(prefix)).ok_or(BadDescription(name))
    };
    let setup = match value("a=setup:", "setup")? {
        "actpass" => DtlsSetup::ActPass,
        "active" => DtlsSetup::Active,
        "passive" => DtlsSetup::Passive,
        _ => return Err(BadDescription("setup")),
    };
    let description = Description {
        kind,
        generation,
        ice_ufrag: value("a=ice-ufrag:", "ice_ufrag")?.to_owned(),
        ice_pwd: value("a=ice-pwd:", "ice_pwd")?.to_owned(),
        fingerprint: value("a=fingerprint:sha-256 ", "fingerprint")?.to_ascii_uppercase(),
        setup,
        audio_ssrc: streams.audio,
        video_ssrc: streams.video,
        rtx_ssrc: streams.rtx,
        fec_ssrc: streams.fec,
        audio_red: true,
        video_level: OWN_LEVEL,
    };
    check(&description)?;
    Ok(description)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn description() -> Description {
        Description {
            kind: DescriptionKind::Offer,
            generation: 0,
            ice_ufrag: "abcd+/12".to_owned(),
            ice_pwd: "0123456789abcdefghijkl".to_owned(),
            fingerprint: ["AB"; 32].join(":"),
            setup: DtlsSetup::ActPass,
            audio_ssrc: 1,
            video_ssrc: 2,
            rtx_ssrc: 3,
            fec_ssrc: 4,
            audio_red: true,
            video_level: OWN_LEVEL,
        }
    }

    #[test]
    fn a_description_survives_the_text() {
        let sdp = to_sdp(&description()).unwrap();
        let streams = StreamNumbers { audio: 1, video: 2, rtx: 3, fec: 4 };
        assert_eq!(from_own_sdp((DescriptionKind::Offer, 0), &sdp, streams), Ok(description()));
    }

    #[test]
    fn canonical_names_are_those_of_one_connection_and_the_same_on_both_sides() {
        let names = |sdp: &str| -> std::collections::BTreeSet<String> {
            sdp.lines().filter_map(|line| line.split_once(" cname:")).map(|(_, name)| name.to_owned()).collect()
        };
        let one = names(&to_sdp(&description()).unwrap());
        let streams = StreamNumbers { audio: 1, video: 2, rtx: 3, fec: 4 };
        assert_eq!(one.iter().collect::<Vec<_>>(), [&streams.canonical_name()], "one name for all streams");
        let renewed = Description { generation: 1, ice_ufrag: "renewed1".to_owned(), ..description() };
        assert_eq!(names(&to_sdp(&renewed).unwrap()), one, "a restart keeps it");
        let other = Description { audio_ssrc: 0x1234_5678, video_ssrc: 0x9abc_def0, rtx_ssrc: 7, ..description() };
        let other = names(&to_sdp(&other).unwrap());
        assert!(other != one && other.iter().all(|name| name.len() == 16), "{other:?}");
    }

    #[test]
    fn a_far_side_that_knows_no_redundancy_is_offered_none() {
        let old = to_sdp(&Description { audio_red: false, fec_ssrc: 0, ..description() }).unwrap();
        assert!(!old.contains("flexfec") && !old.contains("104"));
        assert!(!old.contains("red/48000") && old.contains("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n"));
        assert!(to_sdp(&description()).unwrap().contains("m=audio 9 UDP/TLS/RTP/SAVPF 111 63\r\n"));
    }

    #[test]
    fn the_level_that_each_side_decodes_is_announced() {
        let format = |level| {
            let sdp = to_sdp(&Description { video_level: VideoLevel::from_idc(level), ..description() }).unwrap();
            sdp.lines().find_map(|line| line.strip_prefix("a=fmtp:102 ").map(str::to_owned)).unwrap()
        };
        assert_eq!(format(OWN_LEVEL.idc()), H264_FORMAT);
        for (level, expected) in [(30, "42e01e"), (31, "42e01f"), (40, "42e028"), (255, "42e0ff")] {
            assert!(format(level).ends_with(&format!(";profile-level-id={expected}")), "{level}");
        }
        for level in [0, 13, 29] {
            let below = Description { video_level: VideoLevel::from_idc(level), ..description() };
            assert_eq!(to_sdp(&below), Err(BadDescription("video_level")));
        }
        let mut json = serde_json::to_value(description()).unwrap();
        json.as_object_mut().unwrap().remove("video_level");
        let old: Description = serde_json::from_value(json).unwrap();
        assert_eq!(old.video_level, VideoLevel::HD, "versions before named none");
    }

    #[test]
    fn fields_that_would_smuggle_a_line_are_refused() {
        let smuggled = "abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host";
        for change in [
            |description: &mut Description, text: &str| description.ice_ufrag = text.to_owned(),
            |description: &mut Description, text: &str| description.ice_pwd = format!("{text}0123456789abcdefghijkl"),
            |description: &mut Description, text: &str| description.fingerprint = text.to_owned(),
        ] {
            let mut description = description();
            change(&mut description, smuggled);
            assert!(to_sdp(&description).is_err());
        }
    }

    #[test]
    fn roles_and_stream_numbers_must_fit() {
        assert!(check(&Description { setup: DtlsSetup::Active, ..description() }).is_err());
        assert!(check(&Description { kind: DescriptionKind::Answer, ..description() }).is_err());
        assert!(check(&Description { rtx_ssrc: 2, ..description() }).is_err());
        assert!(check(&Description { audio_ssrc: 0, ..description() }).is_err());
        assert!(check(&Description { fec_ssrc: 1, ..description() }).is_err());
        assert!(check(&Description { fec_ssrc: 0, ..description() }).is_ok(), "one that does without");
    }

    proptest! {
        #[test]
        fn every_accepted_description_gives_the_same_lines(
            ice_ufrag in ".{0,40}", ice_pwd in ".{0,60}", fingerprint in "[0-9A-F:\r\n]{90,96}",
        ) {
            let lines = to_sdp(&description()).unwrap().lines().count();
            if let Ok(sdp) = to_sdp(&Description { ice_ufrag, ..description() }) {
                prop_assert_eq!(sdp.lines().count(), lines);
            }
            if let Ok(sdp) = to_sdp(&Description { ice_pwd, ..description() }) {
                prop_assert_eq!(sdp.lines().count(), lines);
            }
            if let Ok(sdp) = to_sdp(&Description { fingerprint, ..description() }) {
                prop_assert_eq!(sdp.lines().count(), lines);
            }
        }
    }
}
