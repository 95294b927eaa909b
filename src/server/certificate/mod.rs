//! Certificate of a server's domain, from an authority by ACME (RFC 8555): for the server's own key, so that one
//! certificate satisfies the links with the key's hash and those with the name alone. The proof of the domain runs over
//! the server's own TCP port (TLS-ALPN-01, RFC 8737).
//!
//! ```text
//! keeper (one task) -- order, proof, request --> authority (ACME over HTTPS)
//!     |-- files: account and certificate, in the folder of the key
//!     `-- certificates of `tls`: what the next handshake is answered with
//! ```

mod authority;
mod domain;
mod files;
mod issued;
mod keeper;
mod problem;

pub use domain::{ContactAddress, DirectoryUrl, Domain};
pub use files::FilesError;
pub(super) use issued::Issued;
pub(super) use keeper::{Keeper, Standing};
#[cfg(test)]
pub(super) use problem::Problem;

/// An authority, and the domain that it is asked about.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The domain.
    pub domain: Domain,
    /// The authority's ACME directory.
    pub directory: DirectoryUrl,
    /// Where the authority writes to about the certificate, if anywhere.
    pub contact: Option<ContactAddress>,
    /// PEM file of the one root certificate that the directory's own certificate has to lead to; without it those that
    /// the system trusts.
    pub root: Option<std::path::PathBuf>,
}
