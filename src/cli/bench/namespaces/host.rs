//! Host of a measured network: a network namespace with interfaces of its own, in which programs are started.

use std::fs::File;
use std::io::{self, Write};
use std::process::{Command, Stdio};

use anyhow::Context;

use super::kernel;

/// One host. It goes with the last process and descriptor in it.
#[derive(Debug)]
pub struct Host {
    namespace: File,
}

impl Host {
    /// A host that has its loopback interface alone.
    ///
    /// # Errors
    ///
    /// When this process may not make namespaces.
    pub fn new() -> anyhow::Result<Self> {
        let made = std::thread::scope(|scope| scope.spawn(kernel::leave_namespace).join());
        let made = made.map_err(|_| io::Error::other("its thread ended"))?;
        let namespace = made.context("No network namespace can be made here; run this as root, on Linux.")?;
        let host = Self { namespace };
        host.configure("link set lo up\n")?;
        Ok(host)
    }

    /// The same host once more.
    pub fn another_handle(&self) -> io::Result<Self> {
        Ok(Self { namespace: self.namespace.try_clone()? })
    }

    /// Does something on this host: sockets that it opens and processes that it starts are there.
    pub fn enter<T: Send>(&self, act: impl FnOnce() -> io::Result<T> + Send) -> io::Result<T> {
        let entered = || {
            kernel::enter_namespace(&self.namespace)?;
            act()
        };
        let done = std::thread::scope(|scope| scope.spawn(entered).join());
        done.unwrap_or_else(|_| Err(io::Error::other("the thread of a host ended")))
    }

    /// Adds an Ethernet interface, which is down; its frames are those of the file.
    pub fn add_interface(&self, name: &str) -> anyhow::Result<File> {
        let tap = self
            .enter(|| kernel::open_tap(name))
            .context("No TAP interface can be made here; load the kernel's module tun, and run this as root.")?;
        // IPv4 alone: both programs have the same choice of addresses.
        self.configure(&format!("link set {name} addrgenmode none\n"))?;
        Ok(tap)
    }

    /// Carries out commands of `ip`, one a line.
    pub fn configure(&self, commands: &str) -> anyhow::Result<()> {
        let mut ip = Command::new("ip");
        ip.args(["-batch", "-"]).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut ip = self.enter(|| ip.spawn()).context("The program ip could not be started; install iproute2.")?;
        ip.stdin.take().context("no standard input")?.write_all(commands.as_bytes())?;
        let done = ip.wait_with_output()?;
        anyhow::ensure!(done.status.success(), "ip failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        Ok(())
    }
}
