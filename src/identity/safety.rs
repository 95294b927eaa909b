//! Safety number and safety code of two people: short forms of their two keys, which they compare to find out that
//! nobody stands between them. Pure.
//!
//! The number is for voices and eyes: SHA-512, iterated 5200 times over a label and both keys, cut into groups of five
//! digits, as in Signal's numeric fingerprints (`NumericFingerprintGenerator` of libsignal). It has 60 digits, because
//! somebody in the middle chooses both keys that they show, and any number that is the same on both sides will do: by
//! the birthday bound 10^30 tries (2^99.7), where 30 digits would leave them 2^49.8. A given number is hit by another
//! pair of keys after 2^199 tries.
//!
//! The code is for cameras, and has all 256 bits: SHA-256 over a label and both keys in order, first the key of the
//! person whose screen shows it. So a person's own code, in a mirror or sent back to them, is never taken for the
//! other's.

use data_encoding::BASE32_NOPAD;
use image::GrayImage;
use sha2::{Digest, Sha256, Sha512};

use super::{PeerId, qr};
use crate::media::{Plane, VideoFrame};

const NUMBER_LABEL: &[u8] = b"visavis safety number 1";
const CODE_LABEL: &[u8] = b"visavis safety code 1";
/// Start of a code's text, in the characters of a QR code's alphanumeric mode (ISO/IEC 18004, 7.4.4).
const CODE_PREFIX: &str = "VISAVIS-SAFETY:";
/// Evaluations of SHA-512, as many as Signal's: two to three milliseconds.
const ITERATIONS: u32 = 5200;
/// Bytes of the digest that make a group of five digits; 2^40 / 10^5 leaves a bias below 10^-7.
const GROUP_BYTES: usize = 5;
const GROUPS: usize = 12;

/// The number that two people compare: 60 digits in groups of five, the same for both. Takes some milliseconds.
pub fn safety_number(one: PeerId, other: PeerId) -> String {
    let (low, high) = if one <= other { (one, other) } else { (other, one) };
    let keys = [*low.as_bytes(), *high.as_bytes()].concat();
    let mut digest = Sha512::new().chain_update(NUMBER_LABEL).chain_update(&keys).finalize();
    for _ in 1..ITERATIONS {
        digest = Sha512::new().chain_update(digest).chain_update(&keys).finalize();
    }
    let groups = digest.chunks(GROUP_BYTES).take(GROUPS).map(|bytes| {
        let number = bytes.iter().fold(0_u64, |number, byte| (number << 8) | u64::from(*byte));
        format!("{:05}", number % 100_000)
    });
    groups.collect::<Vec<_>>().join(" ")
}

/// Text of the QR code that one person's screen shows to the other.
pub fn safety_code(shown_by: PeerId, read_by: PeerId) -> String {
    let digest = Sha256::new()
        .chain_update(CODE_LABEL)
        .chain_update(shown_by.as_bytes())
        .chain_update(read_by.as_bytes())
        .finalize();
    format!("{CODE_PREFIX}{}", BASE32_NOPAD.encode(&digest))
}

/// Result of reading a safety code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ScannedCode {
    /// The code that the contact's program shows to this person: both have the same two keys.
    Matches,
    /// This person's own code.
    Own,
    /// A code of other keys.
    Differs,
}

/// Compares a code's text with the two keys that are known here; `None` where it is no safety code.
pub fn compare_safety_code(text: &str, me: PeerId, contact: PeerId) -> Option<ScannedCode> {
    let text = text.trim();
    text.starts_with(CODE_PREFIX).then(|| {
        if text == safety_code(contact, me) {
            ScannedCode::Matches
        } else if text == safety_code(me, contact) {
            ScannedCode::Own
        } else {
            ScannedCode::Differs
        }
    })
}

/// Looks for a safety code in a camera's picture and compares it. Takes up to some tenths of a second, within the
/// bounds of [`qr`].
pub fn scan_safety_code(picture: &VideoFrame, me: PeerId, contact: PeerId) -> Option<ScannedCode> {
    let luma = picture.plane(Plane::Y).to_vec();
    let picture = GrayImage::from_raw(picture.width(), picture.height(), luma)?;
    qr::find_live(&picture, |text| compare_safety_code(text, me, contact))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn id(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    #[test]
    fn a_number_is_the_same_for_both_and_another_for_any_other_pair() {
        let number = safety_number(id(1), id(2));
        assert_eq!(number, safety_number(id(2), id(1)));
        let groups: Vec<&str> = number.split(' ').collect();
        assert_eq!(groups.len(), 12);
        assert!(groups.iter().all(|group| group.len() == 5 && group.bytes().all(|digit| digit.is_ascii_digit())));
        let mut others: Vec<_> = (3..20).map(|other| safety_number(id(1), id(other))).collect();
        others.extend([number, safety_number(id(2), id(3)), safety_number(id(1), id(1))]);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count);
    }

    /// Computed apart from this code, with Python's hashlib; a change makes other numbers than the versions before.
    #[test]
    fn the_number_and_the_code_of_known_keys_stay_as_they_are() {
        let number = "07224 76955 11720 87520 35874 15824 21346 64678 45496 58694 32647 68213";
        assert_eq!(safety_number(id(1), id(2)), number);
        assert_eq!(safety_code(id(1), id(2)), "VISAVIS-SAFETY:JFQLJMN6AXLXSTFPKG2U7CXPNPSAUMKSI3WNORHS73M2U6Y34JNQ");
    }

    #[test]
    fn a_code_tells_the_contact_from_oneself_and_from_anybody_else() {
        let (me, contact, other) = (id(1), id(2), id(3));
        let compare = |text: &str| compare_safety_code(text, me, contact);
        assert_eq!(compare(&safety_code(contact, me)), Some(ScannedCode::Matches));
        assert_eq!(compare(&format!(" {}\n", safety_code(contact, me))), Some(ScannedCode::Matches));
        assert_eq!(compare(&safety_code(me, contact)), Some(ScannedCode::Own));
        for code in [safety_code(other, me), safety_code(contact, other), safety_code(other, contact)] {
            assert_eq!(compare(&code), Some(ScannedCode::Differs), "{code}");
        }
        assert_eq!(compare(&safety_code(contact, me)[..40]), Some(ScannedCode::Differs), "a part is not enough");
        assert_eq!(compare("VISAVIS-SAFETY:"), Some(ScannedCode::Differs));
        for text in ["", "https://example.org", &format!("visavis:{contact}"), &contact.to_string()] {
            assert_eq!(compare(text), None, "{text}");
        }
    }

    /// A camera's picture of a screen with a code: grey, unevenly lit, the code small and off the middle.
    fn photographed(text: &str, (width, height): (u32, u32), module: u32) -> VideoFrame {
        let (side, dark) = qr::modules(text).unwrap();
        let mut frame = VideoFrame::black(width, height);
        let (left, top) = (width / 3, height / 6);
        let (luma, ..) = frame.planes_mut();
        for (index, value) in luma.iter_mut().enumerate() {
            let (x, y) = (index as u32 % width, index as u32 / width);
            let column = x.checked_sub(left).map(|x| (x / module) as usize).filter(|column| *column < side);
            let row = y.checked_sub(top).map(|y| (y / module) as usize).filter(|row| *row < side);
            let is_dark = matches!((column, row), (Some(column), Some(row)) if dark[row * side + column]);
            let light = 150 + 60 * x / width;
            *value = if is_dark { 45 } else { light as u8 };
        }
        frame
    }

    #[test]
    fn a_camera_reads_the_code_of_another_screen() {
        let (me, contact) = (id(1), id(2));
        for (size, module) in [((1280, 720), 6), ((640, 480), 4), ((1920, 1080), 8)] {
            for (code, expected) in [
                (safety_code(contact, me), Some(ScannedCode::Matches)),
                (safety_code(me, contact), Some(ScannedCode::Own)),
                (safety_code(contact, id(3)), Some(ScannedCode::Differs)),
                (format!("visavis:{contact}"), None),
            ] {
                assert_eq!(scan_safety_code(&photographed(&code, size, module), me, contact), expected, "{size:?}");
            }
        }
        assert_eq!(scan_safety_code(&VideoFrame::black(1280, 720), me, contact), None);
        assert_eq!(scan_safety_code(&VideoFrame::black(0, 0), me, contact), None);
    }

    proptest! {
        #[test]
        fn any_picture_is_read_without_a_match(luma in prop::collection::vec(any::<u8>(), 64 * 48)) {
            let mut frame = VideoFrame::black(64, 48);
            frame.planes_mut().0.copy_from_slice(&luma);
            prop_assert_ne!(scan_safety_code(&frame, id(1), id(2)), Some(ScannedCode::Matches));
        }

        #[test]
        fn any_text_is_compared_without_a_match(text in ".{0,100}") {
            prop_assert_ne!(compare_safety_code(&text, id(1), id(2)), Some(ScannedCode::Matches));
        }
    }
}
