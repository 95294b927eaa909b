//! The identity of a person: an Ed25519 key, its readable ID, the envelopes that it signs and opens, and the safety
//! numbers by which two people compare their keys.

mod backup;
mod device_id;
mod envelope;
mod invitation;
mod key;
mod link;
mod peer_id;
mod picture;
mod picture_file;
pub mod private_file;
mod profile_picture;
pub mod qr;
mod random_bits;
mod safety;
mod server_link;
mod server_proof;
mod spelling;
mod text;

pub use backup::{BackupError, MAX_BACKUP, make_backup, open_backup};
pub use device_id::{DeviceId, ParseDeviceIdError};
pub use envelope::{EnvelopeError, MAX_BODY, MAX_ENVELOPE, Opened, Opener, Sealer, open, seal};
pub use invitation::{InvitationToken, ParseInvitationTokenError};
pub use key::{Identity, IdentityError, Installed};
pub use link::ContactLink;
pub use peer_id::{ParsePeerIdError, PeerId};
pub use picture::{find_contact_in, read_contact_picture, scan_contact_code};
pub use picture_file::PictureError;
pub use profile_picture::{MAX_PROFILE_PICTURE, PROFILE_PICTURE_SIDE, ProfilePicture};
pub use safety::{ScannedCode, compare_safety_code, safety_code, safety_number, scan_safety_code};
pub use server_link::{MAX_SERVERS, ParseServerLinkError, ServerLink};
pub use server_proof::{SIGNATURE_LEN, prove_to_server, proves_to_server};
pub use spelling::{is_spelled, sort_key};
pub use text::{MAX_NAME_CHARS, display_name, plain_text};
