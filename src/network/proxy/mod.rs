//! Proxies: the way to a server out of a network that lets nobody out by themselves. HTTP CONNECT (RFC 9110, 9.3.6) and
//! SOCKS 5 (RFC 1928, RFC 1929); the environment says which. A proxy sees TLS alone. A name is given to the proxy as it
//! is: networks that have proxies often know no names of elsewhere.

mod credentials;
mod error;
mod http_connect;
mod rules;
mod server;
mod socks5;

pub use error::ProxyError;
pub use rules::{ProxyRules, ProxySettingError};
pub use server::Proxy;

#[cfg(test)]
mod tests;
