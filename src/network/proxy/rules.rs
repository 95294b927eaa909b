//! Rules by which a host is reached: through a proxy, or directly. From the environment, as other programs read it:
//! `HTTPS_PROXY`, else `ALL_PROXY`, and `NO_PROXY` for the exceptions; in lower case, too, which goes first.

use std::net::IpAddr;

use percent_encoding::percent_decode_str;

use super::credentials::Credentials;
use super::server::{Protocol, Proxy};
use crate::network::address::{LocalAddress, Standing};

/// Port of an HTTP proxy whose setting names none.
const HTTP_PORT: u16 = 80;
/// Port of a SOCKS proxy whose setting names none (IANA).
const SOCKS_PORT: u16 = 1080;

/// A setting that names no proxy that can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "The proxy of this computer's settings cannot be used. HTTPS_PROXY or ALL_PROXY has the form \
     http://USER:PASSWORD@HOST:PORT or socks5://HOST:PORT."
)]
pub struct ProxySettingError;

/// See the module.
#[derive(Clone, Debug, Default)]
pub struct ProxyRules {
    /// Nothing is reached past a proxy that is set, and cannot be used.
    proxy: Option<Result<Proxy, ProxySettingError>>,
    exceptions: Vec<Exception>,
}

/// Hosts that are reached directly.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Exception {
    All,
    /// A domain with everything below it, in lower case; at one port alone, where one is named.
    Domain(String, Option<u16>),
    /// A subnet: an address of it, and the bits that its addresses share.
    Subnet(IpAddr, u8),
}

impl ProxyRules {
    /// Those of this process's environment.
    pub fn from_environment() -> Self {
        let variable = |name: &str| {
            let set = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
            set(&name.to_ascii_lowercase()).or_else(|| set(name))
        };
        let [https, all, none] = ["HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"].map(variable);
        Self::read(https.as_deref(), all.as_deref(), none.as_deref())
    }

    /// Those of the values of `HTTPS_PROXY`, `ALL_PROXY` and `NO_PROXY`.
    pub(super) fn read(https: Option<&str>, all: Option<&str>, none: Option<&str>) -> Self {
        let exceptions = none.unwrap_or_default().split([',', ' ', '\t']).filter_map(exception).collect();
        Self { proxy: https.or(all).map(proxy), exceptions }
    }

    /// The proxy by which a host (a name, or an address without brackets) is reached; `None` for one that is reached
    /// directly. This computer itself is.
    ///
    /// # Errors
    ///
    /// The setting names no proxy that can be used.
    pub fn way_to(&self, host: &str, port: u16) -> Result<Option<&Proxy>, ProxySettingError> {
        let host = host.to_ascii_lowercase();
        let address = host.parse::<IpAddr>().ok();
        let is_here = host == "localhost" || address.is_some_and(|address| address.to_canonical().is_loopback());
        let is_excepted = || self.exceptions.iter().any(|exception| exception.covers(&host, address, port));
        let proxy = self.proxy.as_ref().filter(|_| !is_here && !is_excepted());
        proxy.map(Result::as_ref).transpose().map_err(|error| *error)
    }
}

impl Exception {
    fn covers(&self, host: &str, address: Option<IpAddr>, port: u16) -> bool {
        match self {
            Self::All => true,
            Self::Domain(domain, at) => {
                let is_below = || host.strip_suffix(domain.as_str()).is_some_and(|above| above.ends_with('.'));
                at.is_none_or(|at| at == port) && (host == domain || address.is_none() && is_below())
            }
            Self::Subnet(ip, prefix) => {
                let subnet = LocalAddress {
                    ip: *ip,
                    prefix: *prefix,
                    interface: 0,
                    standing: Standing::Other,
                    point_to_point: false,
                };
                address.is_some_and(|address| subnet.shares_subnet(address))
            }
        }
    }
}

fn exception(text: &str) -> Option<Exception> {
    let text = text.trim().to_ascii_lowercase();
    if text == "*" {
        return Some(Exception::All);
    }
    let (bare, bits) = text.split_once('/').map_or((text.as_str(), None), |(bare, bits)| (bare, Some(bits)));
    let bare = bare.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        let most = if ip.is_ipv4() { 32 } else { 128 };
        let prefix = bits.map_or(Some(most), |bits| bits.parse().ok()).filter(|prefix| *prefix <= most)?;
        return Some(Exception::Subnet(ip, prefix));
    }
    let (domain, port) = match text.rsplit_once(':') {
        Some((domain, port)) => (domain, Some(port.parse().ok()?)),
        None => (text.as_str(), None),
    };
    let domain = domain.trim_start_matches("*.").trim_start_matches('.').trim_end_matches('.');
    (!domain.is_empty()).then(|| Exception::Domain(domain.to_owned(), port))
}

/// `[SCHEME://][USER:PASSWORD@]HOST[:PORT][/]`.
fn proxy(text: &str) -> Result<Proxy, ProxySettingError> {
    let text = text.trim();
    let (scheme, rest) = text.split_once("://").unwrap_or(("http", text));
    let protocol = match scheme.to_ascii_lowercase().as_str() {
        "http" => Protocol::HttpConnect,
        "socks5" | "socks5h" | "socks" => Protocol::Socks5,
        _ => return Err(ProxySettingError),
    };
    let rest = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let (login, place) = rest.rsplit_once('@').map_or((None, rest), |(login, place)| (Some(login), place));
    let credentials = login.map(credentials).transpose()?;
    let (host, port) = match place.strip_prefix('[') {
        Some(place) => {
            let (host, port) = place.split_once(']').ok_or(ProxySettingError)?;
            host.parse::<std::net::Ipv6Addr>().map_err(|_| ProxySettingError)?;
            (host, port.strip_prefix(':').or((!port.is_empty()).then_some("?")))
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    let usual = if protocol == Protocol::HttpConnect { HTTP_PORT } else { SOCKS_PORT };
    let port = port.map_or(Ok(usual), str::parse).map_err(|_| ProxySettingError)?;
    let is_host = !host.is_empty() && host.bytes().all(|byte| byte.is_ascii_graphic());
    if !is_host || port == 0 {
        return Err(ProxySettingError);
    }
    Ok(Proxy { protocol, host: host.to_owned(), port, credentials })
}

fn credentials(text: &str) -> Result<Credentials, ProxySettingError> {
    let (user, password) = text.split_once(':').unwrap_or((text, ""));
    let decoded = |text| percent_decode_str(text).decode_utf8().map(String::from).map_err(|_| ProxySettingError);
    Ok(Credentials { user: decoded(user)?, password: decoded(password)? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_are_read_as_other_programs_write_them() {
        let login = |user: &str, password: &str| Some(Credentials { user: user.into(), password: password.into() });
        for (text, protocol, host, port, credentials) in [
            ("http://proxy.example:3128", Protocol::HttpConnect, "proxy.example", 3128, None),
            ("HTTP://proxy.example/", Protocol::HttpConnect, "proxy.example", 80, None),
            ("proxy.example:8080", Protocol::HttpConnect, "proxy.example", 8080, None),
            (" socks5://[2001:db8::1]:9050 ", Protocol::Socks5, "2001:db8::1", 9050, None),
            ("socks5h://192.0.2.1", Protocol::Socks5, "192.0.2.1", 1080, None),
            ("http://a%40b:c%3Ad@[::1]", Protocol::HttpConnect, "::1", 80, login("a@b", "c:d")),
            ("http://ann@proxy:1", Protocol::HttpConnect, "proxy", 1, login("ann", "")),
        ] {
            let read = proxy(text).unwrap_or_else(|_| panic!("{text}"));
            assert_eq!(read, Proxy { protocol, host: host.into(), port, credentials }, "{text}");
        }
        for wrong in [
            "https://proxy.example",
            "ftp://proxy.example",
            "http://",
            "http://:3128",
            "http://proxy:0",
            "http://proxy:99999",
            "http://proxy:x",
            "http://[::1",
            "http://[::1]x",
            "http://[proxy]:1",
            "http://a b:1",
            "http://%ff@proxy",
        ] {
            assert_eq!(proxy(wrong), Err(ProxySettingError), "{wrong}");
        }
    }

    #[test]
    fn hosts_are_reached_through_the_proxy_but_for_the_exceptions() {
        let rules = |none: &str| ProxyRules::read(None, Some("socks5://p"), Some(none));
        for (none, host, through) in [
            ("", "server.example", true),
            ("", "127.0.0.1", false),
            ("", "::ffff:127.0.0.1", false),
            ("", "localhost", false),
            ("*", "server.example", false),
            ("example", "server.example", false),
            (".example", "Server.Example", false),
            ("*.example", "server.example", false),
            ("ver.example", "server.example", true),
            ("a.test, server.example ", "server.example", false),
            ("server.example:443", "server.example", false),
            ("server.example:8443", "server.example", true),
            ("10.0.0.0/8", "10.9.8.7", false),
            ("10.0.0.0/8", "11.9.8.7", true),
            ("192.0.2.1", "192.0.2.1", false),
            ("2.1", "192.0.2.1", true),
            ("[2001:db8::]/32", "2001:db8::7", false),
            ("10.0.0.0/33,example/x,/,:", "server.example", true),
        ] {
            assert_eq!(rules(none).way_to(host, 443).unwrap().is_some(), through, "{none:?}, {host}");
        }
        assert_eq!(ProxyRules::default().way_to("server.example", 443), Ok(None));
        let both = ProxyRules::read(Some("http://first"), Some("http://second"), None);
        assert_eq!(both.way_to("server.example", 443).unwrap().map(Proxy::host), Some("first"));
        let wrong = ProxyRules::read(Some("https://first"), Some("http://second"), None);
        assert_eq!(wrong.way_to("server.example", 443), Err(ProxySettingError), "and never past it");
        assert_eq!(wrong.way_to("127.0.0.1", 443), Ok(None));
    }
}
