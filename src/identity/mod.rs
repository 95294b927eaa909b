//! The identity of a person: an Ed25519 key, its readable ID, and the envelopes that it signs and opens.

mod envelope;
mod key;
mod link;
mod peer_id;
mod picture;
pub mod private_file;
pub mod qr;
mod server_link;
mod server_proof;
mod text;

pub use envelope::{EnvelopeError, MAX_BODY, MAX_ENVELOPE, Opened, Opener, Sealer, open, seal};
pub use key::{Identity, IdentityError};
pub use link::ContactLink;
pub use peer_id::{ParsePeerIdError, PeerId};
pub use picture::{PictureError, read_contact_picture};
pub use server_link::{MAX_SERVERS, ParseServerLinkError, ServerLink};
pub use server_proof::{SIGNATURE_LEN, prove_to_server, proves_to_server};
pub use text::{MAX_NAME_CHARS, display_name, plain_text};
