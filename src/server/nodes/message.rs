//! Messages between the nodes of one server: strict, bounded, with a version. Pure.
//!
//! ```text
//! message = version (1) | kind (1) | sender (16) | beat or post          numbers are big endian
//! beat    = number (4) | ends (1) | count (2) | count x (node (16) | link)
//! link    = heard (4) | own (4) | far (4) | number (4)
//! post    = link | news
//! ```
//!
//! A beat goes to all nodes each second and shows that its sender lives. A post is for one node, and carries news.

use bytes::{BufMut, Bytes, BytesMut};

use crate::server_protocol::{BoxId, Device, Letter, MAX_BOXES, MAX_LETTER};

/// Version of the messages between nodes.
const VERSION: u8 = 1;
/// Nodes of one server at most.
pub(super) const MAX_NODES: usize = 64;
/// Bytes of a message at most: those of a letter, or of [`MAX_BOXES`] devices, and some.
pub(super) const MAX_MESSAGE: usize = MAX_LETTER + 128;

const BEAT: u8 = 0;
const WATCH: u8 = 1;
const UP: u8 = 2;
const DOWN: u8 = 3;
const LETTER: u8 = 4;
const KNOCK: u8 = 5;
const JOINED: u8 = 6;
const SIBLINGS: u8 = 7;
const LEFT: u8 = 8;

/// Number of a run of a node, see [`NodeId::new`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(in crate::server) struct NodeId([u8; Self::LEN]);

/// A device and its box.
pub(super) type Address = (BoxId, Device);

/// A message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) sender: NodeId,
    pub(super) body: Body,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Body {
    Beat(Beat),
    Post(LinkState, News),
}

/// Sign of life.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Beat {
    /// Number of the beat, from 1 on.
    pub(super) number: u32,
    /// The node ends: it is the last beat.
    pub(super) ends: bool,
    /// The nodes that the sender knows, and the link to each.
    pub(super) links: Vec<(NodeId, LinkState)>,
}

/// State of the link from the sender of a message to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkState {
    /// The latest beat of the node that the sender has heard.
    pub(super) heard: u32,
    /// The sender's number of the link; another one when the link begins anew.
    pub(super) own: u32,
    /// The node's number of it, as the sender knows it; 0: not yet.
    pub(super) far: u32,
    /// Number of the post on this link; in a beat that of the last one.
    pub(super) number: u32,
}

/// News of a node for another one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// A device of the sender's watches these boxes.
    Watch { from: Address, boxes: Vec<BoxId> },
    /// Devices of the sender's that watch this device's box, and are watched by it.
    Up { to: Address, devices: Vec<Address> },
    /// A device of the sender's and these devices see each other no more.
    Down { from: Address, devices: Vec<Address> },
    /// A letter to those who watch its sender.
    Letter { from: Address, letter: Letter },
    /// A letter that may pass to those who do not watch its sender, where nobody does.
    Knock { from: Address, letter: Letter },
    /// A device has come to the sender.
    Joined(Address),
    /// Devices of a box that were at the sender before.
    Siblings { mailbox: BoxId, devices: Vec<Device> },
    /// A device has gone from the sender.
    Left(Address),
}

/// Bytes that are no message of this version.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is not a message of a node of this version")]
pub(super) struct UnreadableMessage;

impl NodeId {
    const LEN: usize = 16;

    /// The number of a run that started at `unix_ms`: the time, and chance. So a later run has a higher number, as far
    /// as clocks agree.
    pub(in crate::server) fn new(unix_ms: u64, random: [u8; 10]) -> Self {
        let mut bytes = [0; Self::LEN];
        let (time, chance) = bytes.split_at_mut(6);
        time.copy_from_slice(unix_ms.to_be_bytes().get(2..).unwrap_or_default());
        chance.copy_from_slice(&random);
        Self(bytes)
    }
}

/// As hexadecimal digits, for the name of a subject.
impl std::fmt::Display for NodeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&data_encoding::HEXLOWER.encode(&self.0))
    }
}

impl std::fmt::Debug for NodeId {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "NodeId({self})")
    }
}

impl Message {
    /// The message as bytes.
    pub(super) fn encode(&self) -> Bytes {
        let mut bytes = BytesMut::with_capacity(64 + self.body.size());
        bytes.put_u8(VERSION);
        bytes.put_u8(self.body.kind());
        bytes.put_slice(&self.sender.0);
        match &self.body {
            Body::Beat(beat) => beat.write(&mut bytes),
            Body::Post(link, news) => {
                link.write(&mut bytes);
                news.write(&mut bytes);
            }
        }
        bytes.freeze()
    }

    /// The message in some bytes, all of which must belong to it.
    pub(super) fn decode(bytes: &Bytes) -> Result<Self, UnreadableMessage> {
        let mut reader = Reader(bytes.clone());
        if bytes.len() > MAX_MESSAGE || reader.u8()? != VERSION {
            return Err(UnreadableMessage);
        }
        let kind = reader.u8()?;
        let sender = reader.node()?;
        let body = if kind == BEAT {
            Body::Beat(Beat::read(&mut reader)?)
        } else {
            Body::Post(LinkState::read(&mut reader)?, News::read(kind, &mut reader)?)
        };
        if reader.0.is_empty() { Ok(Self { sender, body }) } else { Err(UnreadableMessage) }
    }
}

impl Body {
    const fn kind(&self) -> u8 {
        match self {
            Self::Beat(_) => BEAT,
            Self::Post(_, news) => match news {
                News::Watch { .. } => WATCH,
                News::Up { .. } => UP,
                News::Down { .. } => DOWN,
                News::Letter { .. } => LETTER,
                News::Knock { .. } => KNOCK,
                News::Joined(_) => JOINED,
                News::Siblings { .. } => SIBLINGS,
                News::Left(_) => LEFT,
            },
        }
    }

    /// Bytes of the body at most.
    fn size(&self) -> usize {
        match self {
            Self::Beat(beat) => 32 * beat.links.len(),
            Self::Post(_, News::Watch { boxes, .. }) => 36 * boxes.len(),
            Self::Post(_, News::Up { devices, .. } | News::Down { devices, .. }) => 36 * devices.len(),
            Self::Post(_, News::Letter { letter, .. } | News::Knock { letter, .. }) => letter.size(),
            Self::Post(_, News::Joined(_) | News::Siblings { .. } | News::Left(_)) => 64,
        }
    }
}

impl Beat {
    fn write(&self, bytes: &mut BytesMut) {
        bytes.put_u32(self.number);
        bytes.put_u8(self.ends.into());
        bytes.put_u16(self.links.len() as u16);
        for (node, link) in &self.links {
            bytes.put_slice(&node.0);
            link.write(bytes);
        }
    }

    fn read(reader: &mut Reader) -> Result<Self, UnreadableMessage> {
        let number = reader.u32()?;
        let ends = match reader.u8()? {
            0 => false,
            1 => true,
            _ => return Err(UnreadableMessage),
        };
        let links = reader.list(MAX_NODES, |reader| Ok((reader.node()?, LinkState::read(reader)?)))?;
        Ok(Self { number, ends, links })
    }
}

impl LinkState {
    fn write(&self, bytes: &mut BytesMut) {
        [self.heard, self.own, self.far, self.number].into_iter().for_each(|number| bytes.put_u32(number));
    }

    fn read(reader: &mut Reader) -> Result<Self, UnreadableMessage> {
        Ok(Self { heard: reader.u32()?, own: reader.u32()?, far: reader.u32()?, number: reader.u32()? })
    }
}

impl News {
    fn write(&self, bytes: &mut BytesMut) {
        match self {
            Self::Watch { from, boxes } => {
                put_address(bytes, *from);
                bytes.put_u16(boxes.len() as u16);
                boxes.iter().for_each(|mailbox| bytes.put_slice(mailbox.as_bytes()));
            }
            Self::Up { to: one, devices } | Self::Down { from: one, devices } => {
                put_address(bytes, *one);
                bytes.put_u16(devices.len() as u16);
                devices.iter().for_each(|device| put_address(bytes, *device));
            }
            Self::Letter { from, letter } | Self::Knock { from, letter } => {
                put_address(bytes, *from);
                bytes.put_slice(&letter.encode());
            }
            Self::Joined(device) | Self::Left(device) => put_address(bytes, *device),
            Self::Siblings { mailbox, devices } => {
                bytes.put_slice(mailbox.as_bytes());
                bytes.put_u16(devices.len() as u16);
                devices.iter().for_each(|device| bytes.put_u32(device.0));
            }
        }
    }

    fn read(kind: u8, reader: &mut Reader) -> Result<Self, UnreadableMessage> {
        let devices = |reader: &mut Reader| reader.list(MAX_BOXES, Reader::address);
        match kind {
            WATCH => Ok(Self::Watch { from: reader.address()?, boxes: reader.list(MAX_BOXES, Reader::mailbox)? }),
            UP => Ok(Self::Up { to: reader.address()?, devices: devices(reader)? }),
            DOWN => Ok(Self::Down { from: reader.address()?, devices: devices(reader)? }),
            LETTER => Ok(Self::Letter { from: reader.address()?, letter: reader.letter()? }),
            KNOCK => Ok(Self::Knock { from: reader.address()?, letter: reader.letter()? }),
            JOINED => Ok(Self::Joined(reader.address()?)),
            SIBLINGS => Ok(Self::Siblings {
                mailbox: reader.mailbox()?,
                devices: reader.list(MAX_BOXES, |reader| Ok(Device(reader.u32()?)))?,
            }),
            LEFT => Ok(Self::Left(reader.address()?)),
            _ => Err(UnreadableMessage),
        }
    }
}

fn put_address(bytes: &mut BytesMut, (mailbox, device): Address) {
    bytes.put_slice(mailbox.as_bytes());
    bytes.put_u32(device.0);
}

/// Bytes that are read from the front.
struct Reader(Bytes);

impl Reader {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], UnreadableMessage> {
        let taken = *self.0.first_chunk().ok_or(UnreadableMessage)?;
        self.0 = self.0.slice(N..);
        Ok(taken)
    }

    fn u8(&mut self) -> Result<u8, UnreadableMessage> {
        self.take().map(u8::from_be_bytes)
    }

    fn u32(&mut self) -> Result<u32, UnreadableMessage> {
        self.take().map(u32::from_be_bytes)
    }

    fn node(&mut self) -> Result<NodeId, UnreadableMessage> {
        self.take().map(NodeId)
    }

    fn mailbox(&mut self) -> Result<BoxId, UnreadableMessage> {
        self.take().map(BoxId::from_bytes)
    }

    fn address(&mut self) -> Result<Address, UnreadableMessage> {
        Ok((self.mailbox()?, Device(self.u32()?)))
    }

    /// A letter, which takes all that is left.
    fn letter(&mut self) -> Result<Letter, UnreadableMessage> {
        Letter::decode(&std::mem::take(&mut self.0)).map_err(|_| UnreadableMessage)
    }

    fn list<T>(
        &mut self,
        most: usize,
        item: impl Fn(&mut Self) -> Result<T, UnreadableMessage>,
    ) -> Result<Vec<T>, UnreadableMessage> {
        let count = usize::from(u16::from_be_bytes(self.take()?));
        if count > most {
            return Err(UnreadableMessage);
        }
        (0..count).map(|_| item(self)).collect()
    }
}

#[cfg(test)]
#[path = "message_tests.rs"]
mod tests;
