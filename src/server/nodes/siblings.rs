//! Siblings: devices at other nodes whose boxes have devices here, too, so that a key has no more devices at all nodes
//! than at one. Pure.

use std::collections::HashMap;

use super::message::NodeId;
use crate::server::directory::{ConnectionId, MAX_DEVICES};
use crate::server_protocol::{BoxId, Device};

/// Devices of one box at other nodes that are remembered: more are being ended already.
const MAX_SIBLINGS: usize = 4 * MAX_DEVICES;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Siblings(HashMap<BoxId, Vec<Sibling>>);

#[derive(Debug)]
struct Sibling {
    device: Device,
    node: NodeId,
    /// The latest connection of this node that is older; `None`: it is older than all.
    after: Option<ConnectionId>,
}

impl Siblings {
    /// A device of a box is at another node, and came after this connection.
    pub(super) fn add(&mut self, mailbox: BoxId, device: Device, node: NodeId, after: Option<ConnectionId>) {
        let devices = self.0.entry(mailbox).or_default();
        let is_known = devices.iter().any(|sibling| sibling.device == device);
        if !is_known && devices.len() < MAX_SIBLINGS {
            devices.push(Sibling { device, node, after });
        }
    }

    pub(super) fn remove(&mut self, mailbox: &BoxId, device: Device) {
        self.retain(mailbox, |sibling| sibling.device != device);
    }

    /// Devices of a box at other nodes.
    pub(super) fn count(&self, mailbox: &BoxId) -> usize {
        self.0.get(mailbox).map_or(0, Vec::len)
    }

    /// Those of them that came before a connection.
    pub(super) fn older_than(&self, mailbox: &BoxId, id: ConnectionId) -> usize {
        let is_older = |sibling: &&Sibling| sibling.after.is_none_or(|after| after < id);
        self.0.get(mailbox).map_or(0, |devices| devices.iter().filter(is_older).count())
    }

    /// Nobody here has the box any more.
    pub(super) fn forget(&mut self, mailbox: &BoxId) {
        self.0.remove(mailbox);
    }

    /// All that was known by a node is void.
    pub(super) fn forget_node(&mut self, node: NodeId) {
        self.0.retain(|_, devices| {
            devices.retain(|sibling| sibling.node != node);
            !devices.is_empty()
        });
    }

    fn retain(&mut self, mailbox: &BoxId, stays: impl Fn(&Sibling) -> bool) {
        if let Some(devices) = self.0.get_mut(mailbox) {
            devices.retain(stays);
            if devices.is_empty() {
                self.0.remove(mailbox);
            }
        }
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
