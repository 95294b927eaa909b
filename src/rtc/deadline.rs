//! Waiting for a moment that may not be set, for tasks that wait for other things, too.

use crate::media::MediaTime;

/// Waits until `at`; for ever where that is none.
pub(super) async fn reached(at: Option<MediaTime>) {
    match at {
        Some(at) => tokio::time::sleep(at.since(MediaTime::now())).await,
        None => std::future::pending().await,
    }
}
