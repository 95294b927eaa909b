//! Reports of the search to the route's task.

use tokio::sync::mpsc;

use crate::signaling::lan::input::Input;
use crate::signaling::route::DiscoveryFault;

/// Latest report to the route's task about faults.
pub(super) struct Told {
    pub(super) fault: Option<DiscoveryFault>,
    /// The search has begun anew because nothing was announced.
    pub(super) silent: bool,
    pub(super) lan: mpsc::Sender<Input>,
}

impl Told {
    /// Tells the route's task the news.
    pub(super) async fn tell(&mut self, fault: Option<DiscoveryFault>) {
        if self.fault != fault {
            self.fault = fault;
            let _ = self.lan.send(Input::Discovery(fault)).await;
        }
    }
}
