//! What a stranger's bytes are read by, one function a format, for the fuzzer (`fuzz/`) and for the test that runs its
//! corpora. Each takes any bytes at all, and must neither panic, hang nor take much memory.

use std::io::Cursor;

use bytes::Bytes;

use crate::capture::y4m::Y4mReader;
use crate::decoder::video::parameter_set;
use crate::identity::{ContactLink, Identity, open, qr};
use crate::jitter_buffer::{VideoJitterBuffer, VideoPacket};
use crate::media::MediaTime;
use crate::rtc::LinkProfile;
use crate::signaling::{Frame, Message};

pub use crate::microphone::fuzz_wav as wav;
pub use crate::rtc::fuzz::{redundancy, repair, retransmission, rtcp};

/// One format: its name, which is that of its corpus, and what reads it.
pub type Target = (&'static str, fn(&[u8]));

/// Every format.
pub const TARGETS: [Target; 12] = [
    ("depacketizer", depacketizer),
    ("retransmission", retransmission),
    ("rtcp", rtcp),
    ("redundancy", redundancy),
    ("repair", repair),
    ("envelope", envelope),
    ("message", message),
    ("contact_link", contact_link),
    ("link_profile", link_profile),
    ("parameter_set", parameter_sets),
    ("y4m", y4m),
    ("wav", wav),
];

/// H.264 in RTP: each packet is a byte by which its sequence number grows, one whose low bit is the marker and whose others
/// are by how much the timestamp grows, one for the payload's length, and the payload.
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
        buffer.insert(VideoPacket { sequence, timestamp, marker: flags & 1 == 1, payload }, now);
        now = now + std::time::Duration::from_millis(5);
        while buffer.poll(now).is_some() {}
        rest = more;
    }
    let later = now + std::time::Duration::from_secs(10);
    while buffer.poll(later).is_some() {}
}

/// Envelopes of signaling, sealed to somebody: they are of no use to anybody else, but they are read.
pub fn envelope(bytes: &[u8]) {
    let identity = Identity::from_seed([7; 32]);
    if let Ok((opened, mut opener)) = open(&identity, bytes) {
        message(&opened.body);
        let _ = opener.open(&opened.body);
    }
}

/// What stands in an envelope or a record.
pub fn message(bytes: &[u8]) {
    if let Ok(Frame::Letter { message, .. }) = serde_json::from_slice(bytes) {
        let _ = Message::checked(message);
    }
}

/// Links and pictures of QR codes that somebody is added from. (The reader of pictures takes a panic of its libraries for
/// "no code"; a fuzzer that stops at each panic stops at those.)
pub fn contact_link(bytes: &[u8]) {
    let _ = ContactLink::find_in(&String::from_utf8_lossy(bytes));
    let _ = qr::read_bytes(bytes);
}

/// Descriptions of bad networks: what is read is written and read again.
pub fn link_profile(bytes: &[u8]) {
    if let Ok(profile) = String::from_utf8_lossy(bytes).parse::<LinkProfile>() {
        assert!(profile.to_string().parse::<LinkProfile>().is_ok(), "{profile}");
    }
}

/// H.264 whose sequence parameter sets say how much memory the codec will want.
pub fn parameter_sets(bytes: &[u8]) {
    let _ = parameter_set::all_within(bytes, 1920, 1920 * 1088 * 4);
}

/// Films.
pub fn y4m(bytes: &[u8]) {
    let Ok(mut reader) = Y4mReader::new(Cursor::new(bytes)) else { return };
    // What is no longer than the input cannot be read as a picture anyway.
    let mut picture = vec![0; reader.header().frame_len().min(bytes.len() + 1)];
    while matches!(reader.read_frame(&mut picture), Ok(true)) {}
}
