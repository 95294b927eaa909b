//! Messages between nodes for the fuzzer: whatever comes, a message that is read is written as it was, and the cluster
//! that takes it works on.

use std::time::Instant;

use bytes::Bytes;

use super::cluster::Cluster;
use super::message::{Message, NodeId};
use crate::server::directory::{ConnectionId, Directory, Input};
use crate::server_protocol::{BoxId, Device, ToServer};

/// Messages, each after its length in two bytes, for a node at which somebody watches somebody.
pub fn messages(mut bytes: &[u8]) {
    let now = Instant::now();
    let (mut cluster, mut directory) = (Cluster::new(NodeId::new(1, [1; 10])), Directory::default());
    let [own, other] = [1, 2].map(|byte| BoxId::from_bytes([byte; BoxId::LEN]));
    let inputs =
        [Input::Proven { mailbox: own, device: Device(1) }, Input::Control(ToServer::Watch { boxes: vec![other] })];
    for input in inputs {
        cluster.step(now, &mut directory, ConnectionId(1), input);
    }
    cluster.tick(now, &directory, true);
    while let [a, b, rest @ ..] = bytes {
        let (message, more) = rest.split_at(rest.len().min(u16::from_be_bytes([*a, *b]).into()));
        bytes = more;
        let message = Bytes::copy_from_slice(message);
        if let Ok(read) = Message::decode(&message) {
            assert_eq!(read.encode(), message);
        }
        cluster.receive(now, &mut directory, &message);
        for publication in cluster.take_publications() {
            assert!(Message::decode(&publication.message).is_ok(), "a node reads what another one writes");
        }
    }
    cluster.step(now, &mut directory, ConnectionId(1), Input::Closed);
}
