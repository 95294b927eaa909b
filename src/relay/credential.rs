//! Credentials that expire, in the form of coturn's `use-auth-secret` (draft-uberti-behave-turn-rest-00): the user name
//! is the time at which it ends and something random, the password an HMAC-SHA1 of that.

use data_encoding::{BASE64, BASE64URL_NOPAD};
use rtc::crypto::{CryptoError, HashAlgorithm, HmacAlgorithm, RTCCrypto, default_provider};

use crate::stun::Credential;

/// Bytes of a user name at most: a time, a colon, and the random part of whoever mints.
const MAX_USERNAME: usize = 64;

/// Makes a credential that ends at `expires_unix_s`, in seconds since 1970: the user name is that and `random`, which
/// tells it from others, and the password Base64 of HMAC-SHA1(secret, user name).
///
/// # Errors
///
/// When the cryptography library cannot be used.
pub fn mint_credential(secret: &[u8], expires_unix_s: u64, random: [u8; 12]) -> Result<Credential, CryptoError> {
    let username = format!("{expires_unix_s}:{}", BASE64URL_NOPAD.encode(&random));
    let password = password(default_provider()?.crypto(), secret, &username)?;
    Ok(Credential { username, password })
}

fn password(crypto: &dyn RTCCrypto, secret: &[u8], username: &str) -> Result<String, CryptoError> {
    let mut tag = [0; 20];
    crypto.new_hmac(HmacAlgorithm::Sha1, secret)?.sign(&[username.as_bytes()], &mut tag)?;
    Ok(BASE64.encode(&tag))
}

/// The end of a credential in seconds since 1970, by its user name; `None` for a name that nobody has minted.
pub(super) fn expiry(username: &str) -> Option<u64> {
    let (expires, _) = username.split_once(':').filter(|_| username.len() <= MAX_USERNAME)?;
    expires.bytes().all(|byte| byte.is_ascii_digit()).then(|| expires.parse().ok())?
}

/// The key that signs messages of a user name (RFC 8489, 9.2.2).
pub(super) fn key(crypto: &dyn RTCCrypto, secret: &[u8], realm: &str, username: &str) -> Result<Vec<u8>, CryptoError> {
    let password = password(crypto, secret, username)?;
    crypto.hash(HashAlgorithm::Md5, format!("{username}:{realm}:{password}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_that_of_coturn() {
        // echo -n 1800000000:AAAAAAAAAAAAAAAA | openssl dgst -sha1 -hmac north -binary | base64
        let credential = mint_credential(b"north", 1_800_000_000, [0; 12]).unwrap();
        assert_eq!(credential.username, "1800000000:AAAAAAAAAAAAAAAA");
        assert_eq!(credential.password, "lLVE/vOjoT5SOnQ8GiW5vigUl6Y=");
        assert_eq!(expiry(&credential.username), Some(1_800_000_000));
    }

    #[test]
    fn names_that_nobody_mints_have_no_end() {
        let long = format!("1:{}", "a".repeat(MAX_USERNAME));
        for name in ["", ":", "a:b", "1800000000", "+1:a", "-1:a", "99999999999999999999999:a", &long] {
            assert_eq!(expiry(name), None, "{name}");
        }
    }
}
