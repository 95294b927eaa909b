//! Names of a certificate's options, checked where they are read.

use std::fmt;
use std::str::FromStr;

use crate::identity::ServerLink;

/// Domain of a server: a DNS name in lower case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Domain(String);

impl Domain {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let link = ServerLink::by_name(text, 443).ok().filter(|link| link.host() != "localhost");
        let link = link.ok_or("use the name of a domain in ASCII, such as calls.example.org, without a port")?;
        Ok(Self(link.host().to_owned()))
    }
}

/// URL of an ACME directory (RFC 8555, 7.1.1): HTTPS alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DirectoryUrl(String);

impl DirectoryUrl {
    /// Let's Encrypt's.
    pub const DEFAULT: &str = "https://acme-v02.api.letsencrypt.org/directory";

    /// The URL.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl FromStr for DirectoryUrl {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rest = text.strip_prefix("https://").filter(|rest| !rest.starts_with('/') && !rest.is_empty());
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic());
        rest.filter(|_| is_plain)
            .map(|_| Self(text.to_owned()))
            .ok_or("use the directory's URL, which begins with https://")
    }
}

/// Mail address of the person who runs a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContactAddress(String);

impl ContactAddress {
    /// As a `mailto` URL (RFC 6068), which RFC 8555, 7.3, asks for.
    pub(super) fn url(&self) -> String {
        format!("mailto:{}", self.0)
    }
}

impl FromStr for ContactAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is_plain = text.bytes().all(|byte| byte.is_ascii_graphic() && !b",?&%<>".contains(&byte));
        match text.split_once('@') {
            Some((name, host)) if is_plain && !name.is_empty() && host.parse::<Domain>().is_ok() => {
                Ok(Self(text.to_owned()))
            }
            _ => Err("use a mail address, such as admin@example.org"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_documented() {
        assert_eq!("Calls.Example.org".parse::<Domain>().unwrap().as_str(), "calls.example.org");
        for wrong in ["", "a.example:443", "203.0.113.5", "[::1]", "*.a.example", "https://a.example", "ü.example"] {
            assert!(wrong.parse::<Domain>().is_err(), "{wrong}");
        }
        assert!(DirectoryUrl::DEFAULT.parse::<DirectoryUrl>().is_ok());
        for wrong in ["", "https://", "http://a.example/dir", "https:///dir", "a.example", "https://a.example/ dir"] {
            assert!(wrong.parse::<DirectoryUrl>().is_err(), "{wrong}");
        }
        assert_eq!("a.b@example.org".parse::<ContactAddress>().unwrap().url(), "mailto:a.b@example.org");
        for wrong in ["", "a", "@example.org", "a@", "a@b@c.example", "a,b@example.org", "mailto:a"] {
            assert!(wrong.parse::<ContactAddress>().is_err(), "{wrong}");
        }
    }
}
