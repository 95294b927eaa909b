//! Changes of links, addresses and routes, as the system tells of them: on Linux by rtnetlink(7). Their contents are
//! not read: each means that the addresses are to be listed again.

#[cfg(target_os = "linux")]
pub(super) use linux::RouteEvents;
#[cfg(not(target_os = "linux"))]
pub(super) use other::RouteEvents;

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    use netlink_sys::protocols::NETLINK_ROUTE;
    use netlink_sys::{AsyncSocket, AsyncSocketExt, SocketAddr, TokioSocket};

    /// Multicast groups of links, IPv4 and IPv6 addresses and routes.
    const GROUPS: i32 = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV6_ROUTE;
    /// Bytes of a message that are read and thrown away; the rest of a longer one goes with them.
    const MESSAGE: usize = 512;
    /// Messages that are taken for one change at most, so that a flood of them ends the wait, too.
    const MESSAGES_AT_ONCE: usize = 4096;

    /// See the module.
    pub(in crate::network) struct RouteEvents(Option<TokioSocket>);

    impl RouteEvents {
        /// Listens, where the system lets it.
        pub(in crate::network) fn open() -> Self {
            let open = || {
                let mut socket = TokioSocket::new(NETLINK_ROUTE)?;
                socket.socket_mut().bind(&SocketAddr::new(0, GROUPS.cast_unsigned()))?;
                io::Result::Ok(socket)
            };
            Self(open().inspect_err(|error| tracing::debug!(%error, "changes of networks are not told")).ok())
        }

        /// Whether changes are told.
        pub(in crate::network) const fn are_told(&self) -> bool {
            self.0.is_some()
        }

        /// Waits for changes, and takes all that have been told; for ever where none are told.
        pub(in crate::network) async fn next(&mut self) {
            if let Some(socket) = &self.0 {
                let mut message = Vec::with_capacity(MESSAGE);
                match socket.recv(&mut message).await {
                    Ok(()) => {}
                    // More came than the socket holds: something has changed.
                    Err(error) if error.raw_os_error() == Some(libc::ENOBUFS) => {}
                    Err(error) => {
                        tracing::debug!(%error, "changes of networks are told no more");
                        self.0 = None;
                        return;
                    }
                }
                for _ in 0..MESSAGES_AT_ONCE {
                    message.clear();
                    if socket.socket_ref().recv(&mut message, 0).is_err() {
                        return;
                    }
                }
                return;
            }
            std::future::pending().await
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod other {
    /// See the module.
    pub(in crate::network) struct RouteEvents;

    impl RouteEvents {
        /// Nothing to listen to.
        pub(in crate::network) const fn open() -> Self {
            Self
        }

        /// Whether changes are told.
        pub(in crate::network) const fn are_told(&self) -> bool {
            false
        }

        /// Waits for ever.
        pub(in crate::network) async fn next(&mut self) {
            std::future::pending().await
        }
    }
}
