//! Texts of ICE and DTLS that peers choose, each checked where it is read: what has one of these types can stand in a
//! line of SDP (RFC 8839, 5.1 and 5.4; RFC 8122, 5).

use std::fmt;

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

/// A text that is not of the form that its field has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct BadText(&'static str);

macro_rules! checked_text {
    ($(#[$doc:meta])* $name:ident, $what:literal, $valid:expr) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadText;

            fn try_from(text: String) -> Result<Self, BadText> {
                let valid: fn(&str) -> bool = $valid;
                if valid(&text) { Ok(Self(text)) } else { Err(BadText($what)) }
            }
        }

        impl TryFrom<&str> for $name {
            type Error = BadText;

            fn try_from(text: &str) -> Result<Self, BadText> {
                text.to_owned().try_into()
            }
        }

        impl From<$name> for String {
            fn from(text: $name) -> Self {
                text.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(&self.0)
            }
        }
    };
}

checked_text! {
    /// User name fragment of ICE: 4 to 256 letters, digits, `+` and `/` (RFC 8839, 5.4).
    IceUfrag, "ICE user name fragment", |text| is_ice_text(text, 4..=256)
}

checked_text! {
    /// Password of ICE: 22 to 256 letters, digits, `+` and `/` (RFC 8839, 5.4).
    IcePwd, "ICE password", |text| is_ice_text(text, 22..=256)
}

checked_text! {
    /// Foundation of a candidate: 1 to 32 letters, digits, `+` and `/` (RFC 8839, 5.1).
    Foundation, "foundation", |text| is_ice_text(text, 1..=32)
}

checked_text! {
    /// SHA-256 fingerprint of a DTLS certificate: 32 pairs of upper-case hexadecimal digits, joined by colons (RFC
    /// 8122, 5).
    Fingerprint, "fingerprint", is_fingerprint
}

checked_text! {
    /// Cookie that a DTLS server would ask its client for (RFC 6347, 4.2.1): 20 bytes as lower-case hexadecimal digits.
    HelloCookie, "DTLS cookie", is_hello_cookie
}

impl HelloCookie {
    /// Bytes of a cookie.
    pub const BYTES: usize = 20;

    /// Draws a cookie.
    ///
    /// # Errors
    ///
    /// When the system gives no random number.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; Self::BYTES];
        getrandom::fill(&mut bytes)?;
        Ok(Self(HEXLOWER.encode(&bytes)))
    }

    /// The cookie itself.
    pub fn bytes(&self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        // Its text has been checked.
        let decoded = HEXLOWER.decode_mut(self.0.as_bytes(), &mut bytes);
        debug_assert!(decoded.is_ok());
        bytes
    }
}

fn is_hello_cookie(text: &str) -> bool {
    text.len() == 2 * HelloCookie::BYTES && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

fn is_ice_text(text: &str, length: std::ops::RangeInclusive<usize>) -> bool {
    length.contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn is_fingerprint(text: &str) -> bool {
    text.len() == 32 * 3 - 1
        && text.bytes().enumerate().all(|(index, byte)| match index % 3 {
            2 => byte == b':',
            _ => matches!(byte, b'0'..=b'9' | b'A'..=b'F'),
        })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn texts_stay_within_their_bounds() {
        assert!(IceUfrag::try_from("abcd").is_ok() && IcePwd::try_from("a+/4567890123456789012").is_ok());
        for text in ["abc", "ab\r\n", "ab cd", "abcd\r\na=candidate:1 1 udp 1 192.0.2.1 9 typ host", &"a".repeat(257)] {
            assert!(IceUfrag::try_from(text).is_err(), "{text}");
        }
        assert!(IcePwd::try_from("a".repeat(21)).is_err() && IcePwd::try_from("a".repeat(257)).is_err());
        assert!(Foundation::try_from("1").is_ok());
        for text in ["", "1 2", "1 1 udp 1 192.0.2.1 9 typ host\r\na=x"] {
            assert!(Foundation::try_from(text).is_err(), "{text}");
        }
        assert!(Fingerprint::try_from(["AB"; 32].join(":")).is_ok());
        for text in ["", &["ab"; 32].join(":"), &["AB"; 31].join(":"), &["AB"; 32].join("\n")] {
            assert!(Fingerprint::try_from(text).is_err(), "{text}");
        }
        let cookie = HelloCookie::try_from("0a".repeat(20)).unwrap();
        assert_eq!(cookie.bytes(), [10; HelloCookie::BYTES]);
        for text in [&"0a".repeat(19), &"0a".repeat(21), &"0A".repeat(20), &"0g".repeat(20)] {
            assert!(HelloCookie::try_from(text.as_str()).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn no_accepted_text_holds_a_line_break_or_a_space(text in "[a-zA-Z0-9+/: \r\n]{0,100}") {
            let fits = |text: &str| !text.contains(['\r', '\n', ' ']);
            prop_assert!(IceUfrag::try_from(text.clone()).is_err() || fits(&text));
            prop_assert!(IcePwd::try_from(text.clone()).is_err() || fits(&text));
            prop_assert!(Foundation::try_from(text.clone()).is_err() || fits(&text));
            prop_assert!(Fingerprint::try_from(text.clone()).is_err() || fits(&text));
        }
    }
}
