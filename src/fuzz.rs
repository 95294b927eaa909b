//! The readers of strangers' bytes, one function a format, for the fuzzer (`fuzz/`) and for the test that runs its
//! corpora. Each takes any bytes at all, and must neither panic, hang nor take much memory.

use std::io::Cursor;
use std::time::Duration;

use bytes::Bytes;

use crate::capture::y4m::Y4mReader;
use crate::codec::VideoCodec;
use crate::decoder::audio::{has_correction, packet_duration};
use crate::identity::{
    ContactLink, Identity, MAX_NAME_CHARS, PROFILE_PICTURE_SIDE, ProfilePicture, ServerLink, display_name, open,
    plain_text, qr,
};
use crate::jitter_buffer::audio::AudioJitterBuffer;
use crate::jitter_buffer::{VideoJitterBuffer, VideoPacket};
use crate::media::{FRAME_SAMPLES, MediaTime, ReceivedSound};
use crate::playout::Speech;
use crate::rtc::LinkProfile;
use crate::rtc::fuzz::Packets;
use crate::server_protocol::{Letter, ToApp, ToServer};
use crate::signaling::{Frame, MAX_USER_DATA, fuzz_post};
use crate::store::{Settings, SettingsChange};

pub use crate::decoder::video::fuzz_access_units as access_units;
pub use crate::microphone::fuzz_wav as wav;
pub use crate::relay::fuzz::datagrams as relay;
pub use crate::rtc::fuzz::{description, redundancy, repair, retransmission, rtcp, source_gate};
pub use crate::server::fuzz_nodes::messages as node_message;

/// One format: its name, which is that of its corpus, and its reader.
pub type Target = (&'static str, fn(&[u8]));

/// Every format.
pub const TARGETS: [Target; 25] = [
    ("source_gate", source_gate),
    ("relay", relay),
    ("depacketizer", depacketizer),
    ("retransmission", retransmission),
    ("rtcp", rtcp),
    ("redundancy", redundancy),
    ("repair", repair),
    ("sound", sound),
    ("access_unit", access_units),
    ("parameter_set", parameter_sets),
    ("envelope", envelope),
    ("frame", frame),
    ("description", description),
    ("text", text),
    ("contact_link", contact_link),
    ("qr_image", qr_image),
    ("profile_picture", profile_picture),
    ("server_link", server_link),
    ("server_control", server_control),
    ("server_letter", server_letter),
    ("node_message", node_message),
    ("settings", settings),
    ("link_profile", link_profile),
    ("y4m", y4m),
    ("wav", wav),
];

/// H.264 in RTP: each packet is a byte by which its sequence number grows, one whose low bit is the marker and whose
/// others are by how much the timestamp grows, one for the payload's length, and the payload.
pub fn depacketizer(bytes: &[u8]) {
    let mut buffer = VideoJitterBuffer::new();
    let (mut sequence, mut timestamp) = (0_u16, 0_u32);
    let mut rest = bytes;
    let mut now = MediaTime::default();
    while let [step, flags, length, more @ ..] = rest {
        let (payload, more) = more.split_at(usize::from(*length).min(more.len()));
        sequence = sequence.wrapping_add_signed(i16::from(*step as i8));
        timestamp = timestamp.wrapping_add(u32::from(flags >> 1) * 1000);
        let payload = Bytes::copy_from_slice(payload);
        let (codec, marker) = (VideoCodec::H264, flags & 1 == 1);
        buffer.insert(VideoPacket { codec, sequence, timestamp, marker, payload }, now);
        now = now + Duration::from_millis(5);
        while buffer.poll(now).is_some() {}
        rest = more;
    }
    let later = now + Duration::from_secs(10);
    while buffer.poll(later).is_some() {}
}

/// Packets of sound that are looked at: decoding takes most of the fuzzer's time.
const MAX_PACKETS: usize = 64;

/// Sound as Opus in RTP, from the jitter buffer to the speaker: packets as `Packets` cuts them; with the lowest flag
/// nothing is played before the next one comes, the others are by how many half frames the timestamp grows.
pub fn sound(bytes: &[u8]) {
    let Ok(mut speech) = Speech::new() else { return };
    let (mut buffer, mut timestamp, mut now) = (AudioJitterBuffer::new(), 0_u32, MediaTime::default());
    let mut play = |buffer: &mut AudioJitterBuffer, now: &mut MediaTime| {
        speech.set_speed(buffer.speed_ppm());
        let played = speech.fill(|quiet, ahead| buffer.pull(quiet, ahead, *now));
        assert!(played.iter().all(|sample| sample.is_finite()), "what is played is sound");
        *now = *now + Duration::from_millis(20);
    };
    for (sequence, flags, data) in Packets::of(bytes).take(MAX_PACKETS) {
        timestamp = timestamp.wrapping_add(u32::from(flags >> 1) * FRAME_SAMPLES as u32 / 2);
        if let Some(samples) = packet_duration(&data) {
            let correction = has_correction(&data);
            let (rtp_timestamp, arrived_at) = (timestamp, now);
            let packet =
                ReceivedSound { data, sequence, rtp_timestamp, arrived_at, capture_ntp: None, recovered: false };
            buffer.push(packet, samples, correction, now);
        }
        if flags & 1 == 0 {
            play(&mut buffer, &mut now);
        }
    }
    for _ in 0..16 {
        play(&mut buffer, &mut now);
    }
}

/// Envelopes of signaling, sealed to somebody: they are of no use to anybody else, but they are read.
pub fn envelope(bytes: &[u8]) {
    let identity = Identity::from_seed([7; 32]);
    if let Ok((opened, mut opener)) = open(&identity, bytes) {
        frame(&opened.body);
        let _ = opener.open(&opened.body);
    }
}

/// Frames of signaling, which stand in envelopes and records: a frame that is read is written and read again.
pub fn frame(bytes: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<Frame>(bytes) else { return };
    let again = serde_json::to_vec(&frame).and_then(|written| serde_json::from_slice::<Frame>(&written));
    assert!(again.is_ok_and(|again| again == frame), "{frame:?}");
    match frame {
        Frame::Hello(hello) => shown(&hello.name),
        Frame::Name { name } => shown(&name),
        Frame::Message { message, .. } => drop(message.checked()),
        Frame::Confirm { .. } | Frame::Ack { .. } => {}
    }
}

/// Names and notes that a stranger chose.
pub fn text(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    shown(&text);
    let note = plain_text(&text, MAX_USER_DATA);
    assert!(note.len() <= MAX_USER_DATA && !note.contains(char::is_control), "{note:?}");
}

fn shown(name: &str) {
    let shown = display_name(name);
    assert!(shown.chars().count() <= MAX_NAME_CHARS && !shown.contains(char::is_control), "{shown:?}");
    assert_eq!(display_name(&shown), shown);
}

/// Links that somebody is added from: a link that is read is written and found again.
pub fn contact_link(bytes: &[u8]) {
    if let Some(link) = ContactLink::find_in(&String::from_utf8_lossy(bytes)) {
        assert_eq!(ContactLink::find_in(&link.to_string()), Some(link));
    }
}

/// Links of servers: a link that is read is written and read again.
pub fn server_link(bytes: &[u8]) {
    if let Ok(link) = String::from_utf8_lossy(bytes).parse::<ServerLink>() {
        assert_eq!(link.to_string().parse(), Ok(link));
    }
}

/// Control messages between the app and a server, both ways: a message that is read is written and read again.
pub fn server_control(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(Some(message)) = ToApp::decode(&text) {
        assert_eq!(ToApp::decode(&message.encode()), Ok(Some(message)));
    }
    if let Ok(Some(message)) = ToServer::decode(&text) {
        assert_eq!(ToServer::decode(&message.encode()), Ok(Some(message)));
    }
}

/// Letters, as a server and as an app read them.
pub fn server_letter(bytes: &[u8]) {
    let bytes = Bytes::copy_from_slice(bytes);
    let Ok(letter) = Letter::decode(&bytes) else { return };
    assert_eq!(letter.encode(), bytes);
    if let Ok(content) = letter.content() {
        fuzz_post(&content);
    }
}

/// Pictures of QR codes that somebody is added from. (The reader takes a panic of its libraries for "no code"; a fuzzer
/// that stops at each panic stops at those.)
pub fn qr_image(bytes: &[u8]) {
    let _ = qr::read_bytes(bytes);
}

/// Profile pictures of contacts. (As with QR codes, a panic of the decoder is "damaged".)
pub fn profile_picture(bytes: &[u8]) {
    if let Some(pixels) = ProfilePicture::of_jpeg(bytes).and_then(|picture| picture.decode()) {
        assert_eq!(pixels.dimensions(), (PROFILE_PICTURE_SIDE, PROFILE_PICTURE_SIDE));
    }
}

/// Settings as they were saved, and changes of them: settings that are read are written and read again.
pub fn settings(bytes: &[u8]) {
    let json = String::from_utf8_lossy(bytes);
    let settings = Settings::read_leniently(&json).0.within_limits();
    let change = serde_json::from_slice::<SettingsChange>(bytes);
    let changed = change.map_or_else(|_| settings.clone(), |change| change.applied_to(&settings));
    let again = serde_json::to_string(&changed).map(|written| Settings::read_leniently(&written));
    assert!(again.is_ok_and(|again| again == (changed.clone(), true)), "{changed:?}");
}

/// Descriptions of bad networks: a description that is read is written and read again.
pub fn link_profile(bytes: &[u8]) {
    if let Ok(profile) = String::from_utf8_lossy(bytes).parse::<LinkProfile>() {
        assert!(profile.to_string().parse::<LinkProfile>().is_ok(), "{profile}");
    }
}

/// H.264 whose sequence parameter sets say how much memory the codec will want.
pub fn parameter_sets(bytes: &[u8]) {
    let _ = VideoCodec::H264.bounds_memory(bytes, 1920, 1920 * 1088 * 4);
}

/// Films.
pub fn y4m(bytes: &[u8]) {
    let Ok(mut reader) = Y4mReader::new(Cursor::new(bytes)) else { return };
    // What is no longer than the input cannot be read as a picture anyway.
    let mut picture = vec![0; reader.header().frame_len().min(bytes.len() + 1)];
    while matches!(reader.read_frame(&mut picture), Ok(true)) {}
    let _ = reader.rewind();
}
