//! Why a proxy does not lead to a server.

/// Why a proxy does not lead to a server. Written out, it names no address.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// The connection to it failed.
    #[error("its connection: {0}")]
    Io(#[from] std::io::Error),
    /// It took too long.
    #[error("no whole answer in time")]
    Slow,
    /// It wants a user name and a password, or others.
    #[error("it wants another user name or password")]
    Credentials,
    /// It does not let this side through, or does not reach the server: its own code.
    #[error("it does not lead there ({0})")]
    Refused(u16),
    /// Its answer is not of the protocol.
    #[error("its answer is of another protocol")]
    Protocol,
}
