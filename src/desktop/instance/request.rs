//! Request of a second start, and the bounds of its way on either side.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// For one request, on either side.
pub(super) const WITHIN: Duration = Duration::from_secs(2);
/// Bytes of a request at most.
pub(super) const MAX_REQUEST: u64 = 4096;
/// The answer to a request that was taken.
pub(super) const TAKEN: &[u8] = b"taken";

/// Request of a second start.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Link to open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Without a window.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub background: bool,
}
