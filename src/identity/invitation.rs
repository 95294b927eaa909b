//! Tokens of invitation links: whoever comes with one may ring once, although strangers may not. Only the two who share
//! a link know its token.

use std::fmt;
use std::str::FromStr;

use super::random_bits;

/// A token: 128 random bits, written as 32 hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InvitationToken([u8; Self::LEN]);

/// A text that is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not the token of an invitation")]
pub struct ParseInvitationTokenError;

impl InvitationToken {
    /// Bytes of a token.
    pub const LEN: usize = random_bits::LEN;

    /// A new token; `None` where the system has no random numbers.
    pub fn random() -> Option<Self> {
        random_bits::random().map(Self)
    }

    /// A token by its bytes.
    pub const fn from_bytes(bytes: [u8; Self::LEN]) -> Self {
        Self(bytes)
    }

    /// Its bytes.
    pub const fn as_bytes(&self) -> &[u8; Self::LEN] {
        &self.0
    }
}

impl fmt::Display for InvitationToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&random_bits::to_text(&self.0))
    }
}

/// Without its bytes: they are a secret.
impl fmt::Debug for InvitationToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("InvitationToken")
    }
}

impl FromStr for InvitationToken {
    type Err = ParseInvitationTokenError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        random_bits::of_text(text).map(Self).ok_or(ParseInvitationTokenError)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_32_digits_and_its_debug_form_tells_nothing() {
        let token = InvitationToken::from_bytes([0xa7; 16]);
        assert_eq!(token.to_string(), "a7".repeat(16));
        assert_eq!(token.to_string().to_uppercase().parse(), Ok(token));
        for wrong in ["", "a7", &"a7".repeat(17), &"g7".repeat(16)] {
            assert_eq!(wrong.parse::<InvitationToken>(), Err(ParseInvitationTokenError), "{wrong}");
        }
        assert!(!format!("{token:?}").contains("a7"));
        assert_ne!(InvitationToken::random(), InvitationToken::random());
    }
}
