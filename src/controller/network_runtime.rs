//! Tokio runtime of media, and the monitor of this computer's networks on it.

use std::io;
use std::time::Duration;

use tokio::runtime::{Builder, Handle, Runtime};

use super::lanes::SystemSender;
use super::system_event::SystemEvent;
use crate::network::NetworkMonitor;

/// Threads of the engine.
const WORKERS: usize = 2;
/// Longest time that their tasks have to end.
const END_WAIT: Duration = Duration::from_secs(1);

/// The runtime and the monitor.
pub(super) struct NetworkRuntime {
    monitor: NetworkMonitor,
    runtime: Runtime,
}

impl NetworkRuntime {
    /// Starts the threads; `system` is told of each change of the networks.
    pub(super) fn start(system: SystemSender) -> io::Result<Self> {
        let runtime =
            Builder::new_multi_thread().worker_threads(WORKERS).thread_name("network").enable_all().build()?;
        let monitor = NetworkMonitor::start(runtime.handle());
        runtime.spawn(tell_changes(monitor.from_now(), system));
        Ok(Self { monitor, runtime })
    }

    /// For tasks of the engine.
    pub(super) fn handle(&self) -> Handle {
        self.runtime.handle().clone()
    }

    /// A monitor that tells of changes from now on.
    pub(super) fn monitor(&self) -> NetworkMonitor {
        self.monitor.from_now()
    }

    /// Stops the threads.
    pub(super) fn end(self) {
        self.runtime.shutdown_timeout(END_WAIT);
    }
}

/// Tells the controller of each change of the networks, until the runtime ends.
async fn tell_changes(mut networks: NetworkMonitor, system: SystemSender) {
    loop {
        networks.changed().await;
        system.send(SystemEvent::NetworksChanged);
    }
}
