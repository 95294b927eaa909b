//! Monitor of this computer's networks: one task for the program, which follows addresses, links and routes as the
//! system tells of them, and the sleeps of the computer. Signaling and media connections read its states; nobody else
//! polls.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::time::sleep;

use super::address::{LocalAddress, is_own};
use super::route_events::RouteEvents;
use super::sleep_clock::{Reading, SleepClock};

/// Between looks at the clocks, and at the addresses where the system tells of no changes.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// Between looks at the addresses at least: one change of a network is told in many messages.
const SPACING: Duration = Duration::from_millis(10);
/// The same while the system tells much that is no change of addresses; it doubles up to here.
const LONGEST_SPACING: Duration = Duration::from_secs(1);

/// State of this computer's networks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkState {
    /// Its addresses, those that lead to other people first.
    pub addresses: Arc<[LocalAddress]>,
    /// Sleeps of the computer since the monitor began.
    pub sleeps: u32,
}

impl NetworkState {
    fn now() -> Self {
        Self { addresses: super::local_addresses().into(), sleeps: 0 }
    }

    /// Whether `ip`, IPv4-mapped or not, is one of this computer's.
    pub fn has(&self, ip: IpAddr) -> bool {
        is_own(ip, &self.addresses)
    }

    /// Whether a connection from `own`, which was made after so many `sleeps`, may lead nowhere by now, for all that
    /// this computer knows: the address is gone, or the computer has slept, and the far side may have given the
    /// connection up.
    pub fn has_lost(&self, own: IpAddr, sleeps: u32) -> bool {
        self.sleeps != sleeps || !self.has(own)
    }
}

/// Handle of the monitor. A clone follows the states for itself, from those on that this one has seen.
#[derive(Clone, Debug)]
pub struct NetworkMonitor {
    states: watch::Receiver<NetworkState>,
}

impl NetworkMonitor {
    /// Begins; its task on `runtime` ends with the last handle.
    pub fn start(runtime: &Handle) -> Self {
        let (sender, states) = watch::channel(NetworkState::now());
        runtime.spawn(run(sender));
        Self { states }
    }

    /// The networks of this moment, taken to stay as they are.
    pub fn unchanging() -> Self {
        Self { states: watch::channel(NetworkState::now()).1 }
    }

    /// A monitor whose states a test gives, and where to give them.
    #[cfg(test)]
    pub(crate) fn given(state: NetworkState) -> (watch::Sender<NetworkState>, Self) {
        let (sender, states) = watch::channel(state);
        (sender, Self { states })
    }

    /// The same, which follows changes from now on.
    pub fn from_now(&self) -> Self {
        let mut states = self.states.clone();
        states.mark_unchanged();
        Self { states }
    }

    /// The present state.
    pub fn state(&self) -> NetworkState {
        self.states.borrow().clone()
    }

    /// Waits for another state than the last one that this handle has seen; for ever once the monitor has ended.
    /// Nothing is lost when the wait is given up.
    pub async fn changed(&mut self) -> NetworkState {
        if self.states.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.states.borrow_and_update().clone()
    }
}

async fn run(states: watch::Sender<NetworkState>) {
    let mut events = RouteEvents::open();
    let mut clock = SleepClock::new(Reading::now());
    let mut spacing = SPACING;
    loop {
        let told = tokio::select! {
            () = states.closed() => return,
            () = events.next() => true,
            () = sleep(LOOK_EVERY) => false,
        };
        let slept = clock.look(Reading::now());
        // The system may have dropped what it told during the sleep.
        let listed = (told || slept || !events.are_told()).then(super::local_addresses);
        let changed = states.send_if_modified(|state| {
            let addresses = listed.filter(|listed| listed[..] != state.addresses[..]);
            let changed = slept || addresses.is_some();
            state.sleeps = state.sleeps.wrapping_add(u32::from(slept));
            if let Some(addresses) = addresses {
                state.addresses = addresses.into();
            }
            changed
        });
        spacing = if told && !changed { (spacing * 2).min(LONGEST_SPACING) } else { SPACING };
        sleep(spacing).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_handle_sees_each_change_once_and_waits_when_the_monitor_has_ended() {
        let first = NetworkState { addresses: Arc::new([]), sleeps: 0 };
        let (states, mut monitor) = NetworkMonitor::given(first.clone());
        let woken = NetworkState { sleeps: 1, ..first };
        states.send_replace(woken.clone());
        let mut late = monitor.from_now();
        assert_eq!(monitor.changed().await, woken);
        assert_eq!((late.state(), monitor.state()), (woken.clone(), woken));
        drop(states);
        for waiting in [&mut monitor, &mut late] {
            let none = tokio::time::timeout(Duration::from_millis(1), waiting.changed()).await;
            assert!(none.is_err(), "nothing has changed since");
        }
    }

    #[test]
    fn a_connection_is_lost_with_its_address_and_by_a_sleep_and_loopback_is_always_there() {
        let state = NetworkState { addresses: Arc::new([]), sleeps: 3 };
        let [here, gone] = ["127.0.0.1", "192.0.2.1"].map(|ip| ip.parse().unwrap());
        assert!(state.has(here) && !state.has(gone));
        assert!(!state.has_lost(here, 3) && state.has_lost(here, 2) && state.has_lost(gone, 3));
    }
}
