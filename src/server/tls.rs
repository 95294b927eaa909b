//! TLS of a server: version 1.3 alone, with the server's own key.

use std::sync::Arc;

use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::version::TLS13;

use super::key::{KeyError, ServerKey};
use crate::server_protocol::{ALPN, EXPORTER_LABEL};

/// Bytes that one session buffers for sending at most.
const SEND_BUFFER: usize = 16 * 1024;

/// Why TLS cannot be set up.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// No certificate was made.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The TLS library refuses.
    #[error("TLS cannot be set up: {0}. Start the server again.")]
    Tls(#[from] rustls::Error),
}

/// Acceptor of TLS sessions under this key.
pub(super) fn acceptor(key: &ServerKey) -> Result<tokio_rustls::TlsAcceptor, TlsError> {
    let (certificate, private_key) = key.certified()?;
    let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&TLS13])?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], private_key)?;
    config.alpn_protocols = vec![ALPN.to_vec()];
    // Many who come back at once need no second signature of the server.
    config.ticketer = ring::Ticketer::new()?;
    config.send_tls13_tickets = 1;
    Ok(Arc::new(config).into())
}

/// The exporter of a session, over which its proof is made.
pub(super) fn exporter(session: &mut rustls::ServerConnection) -> Result<[u8; 32], rustls::Error> {
    session.set_buffer_limit(Some(SEND_BUFFER));
    session.export_keying_material([0; 32], EXPORTER_LABEL, None)
}
