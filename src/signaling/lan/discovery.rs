//! Discovery of people on this network, both ways: mDNS-SD (RFC 6762, RFC 6763). The `mdns-sd` crate runs
//! a thread of its own; one tokio task reads its findings, tells the route's task, and begins anew where it does not
//! work.
//!
//! The announcement: a random instance name, a random host name, the port, and a TXT record with the highest version
//! and the ID. The person's name is not in it: it goes only to apps that proved their key. A record proves nothing: the
//! route dials, and only who answers with the right key is shown.

mod record;
mod report;
mod session;

use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use mdns_sd::ServiceDaemon;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use self::report::Told;
use self::session::{Announcement, End, ports_fault};
use super::input::Input;
use crate::identity::PeerId;
use crate::signaling::route::DiscoveryFault;

const GOODBYE: Duration = Duration::from_millis(500);
/// Between tries while people cannot be looked for at all.
const AFTER_FAILURE: Duration = Duration::from_secs(1);
/// Between requests to end a daemon that is too busy to take one: those who come after a flood are to be found at once.
const BUSY_AGAIN: Duration = Duration::from_millis(100);

/// This person's announcement, taken back when dropped.
pub(super) struct Discovery {
    announcement: Arc<Announcement>,
    /// The daemon of the moment; none while people cannot be looked for.
    daemon: Arc<Mutex<Option<ServiceDaemon>>>,
    fault: Option<DiscoveryFault>,
}

impl Discovery {
    /// Announces `id` at `port`. `instance` is a random text.
    pub(super) fn start(id: PeerId, instance: &str, port: u16, bind: Option<IpAddr>) -> Result<Self, mdns_sd::Error> {
        let announcement = Arc::new(Announcement::new(id, instance, port, bind)?);
        let fault = ports_fault(bind);
        Ok(Self { announcement, daemon: Arc::default(), fault })
    }

    /// Fault that keeps people from being found at the start.
    pub(super) const fn fault(&self) -> Option<DiscoveryFault> {
        self.fault
    }

    /// A task that announces this person and tells the route's task who comes and goes, until it is aborted.
    pub(super) fn browse(&self, lan: mpsc::Sender<Input>) -> impl Future<Output = ()> + Send + use<> {
        let (announcement, daemon, fault) = (self.announcement.clone(), self.daemon.clone(), self.fault);
        async move {
            let mut told = Told { fault, silent: false, crowded: 0, lan };
            while !told.lan.is_closed() {
                if ports_fault(announcement.bind) == Some(DiscoveryFault::PortTaken) {
                    told.tell(Some(DiscoveryFault::PortTaken)).await;
                } else {
                    let end = session::run(&announcement, &daemon, &mut told).await;
                    ended(&daemon, &announcement).await;
                    let _ = told.lan.send(Input::DiscoveryRestarted).await;
                    if matches!(end, Ok(End::Anew)) {
                        continue;
                    }
                    if let Err(error) = end {
                        tracing::debug!(%error, "cannot look for people on this network");
                        told.tell(Some(DiscoveryFault::NoMulticast)).await;
                    }
                }
                sleep(AFTER_FAILURE).await;
            }
        }
    }

    /// Takes the announcement back and waits, for at most a second, until the others were told.
    pub(super) async fn say_goodbye(self) {
        let Some(daemon) = take(&self.daemon) else { return };
        if let Ok(done) = daemon.unregister(self.announcement.fullname()) {
            let _ = timeout(GOODBYE, done.recv_async()).await;
        }
        if let Ok(done) = daemon.shutdown() {
            let _ = timeout(GOODBYE, done.recv_async()).await;
        }
    }
}

impl Drop for Discovery {
    fn drop(&mut self) {
        stop(&self.daemon, &self.announcement);
    }
}

fn take(daemon: &Mutex<Option<ServiceDaemon>>) -> Option<ServiceDaemon> {
    daemon.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Ends the present daemon and waits for that: a flooded one hears nothing until the flood is over, and another one
/// beside it would only double its cost.
async fn ended(daemon: &Mutex<Option<ServiceDaemon>>, announcement: &Announcement) {
    let Some(daemon) = take(daemon) else { return };
    let _ = daemon.unregister(announcement.fullname());
    loop {
        match daemon.shutdown() {
            Ok(done) => {
                if timeout(AFTER_FAILURE, done.recv_async()).await.is_ok() {
                    return;
                }
            }
            Err(mdns_sd::Error::Again) => sleep(BUSY_AGAIN).await,
            // Its thread is gone.
            Err(_) => return,
        }
    }
}

/// Asks the present daemon to take the announcement back and to end, and waits for neither.
fn stop(daemon: &Mutex<Option<ServiceDaemon>>, announcement: &Announcement) {
    if let Some(daemon) = take(daemon) {
        let _ = daemon.unregister(announcement.fullname());
        let _ = daemon.shutdown();
    }
}
