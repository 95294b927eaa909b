//! State of one person in the hub: the routes by which they are up, and the messages that wait for them.

use std::sync::Arc;
use std::time::Instant;

use super::route::{RouteKind, RouteSet};
use super::send_queue::SendQueue;
use super::version::VersionSkew;

/// One route by which the person is up.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) kind: RouteKind,
    /// The far app's run.
    pub(super) instance: Arc<str>,
    /// The side that is too old, if any.
    pub(super) skew: Option<VersionSkew>,
    /// Messages over the limit that came this way.
    pub(super) excess: u32,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    /// In no order; one a kind.
    attachments: Vec<Attachment>,
    pub(super) queue: SendQueue,
    /// The number of the last message to them.
    pub(super) last_number: Option<u64>,
    /// The number to acknowledge, and the run of their app that sent it, where no route has taken the acknowledgement
    /// yet.
    pub(super) unsent_ack: Option<(Arc<str>, u64)>,
    /// When to try again the frames that the best route had no room for.
    pub(super) send_again: Option<Instant>,
    /// When a route of theirs last came up or went down.
    pub(super) touched: Instant,
}

impl Person {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            name: String::new(),
            attachments: Vec::new(),
            queue: SendQueue::default(),
            last_number: None,
            unsent_ack: None,
            send_again: None,
            touched: now,
        }
    }

    /// The routes by which they are up.
    pub(super) fn routes(&self) -> RouteSet {
        self.attachments.iter().map(|attachment| attachment.kind).collect()
    }

    pub(super) fn is_online(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// The route by which they are up.
    pub(super) fn on(&mut self, kind: RouteKind) -> Option<&mut Attachment> {
        self.attachments.iter_mut().find(|attachment| attachment.kind == kind)
    }

    /// They are up by a route, anew if they were.
    pub(super) fn attach(&mut self, attachment: Attachment) {
        self.attachments.retain(|other| other.kind != attachment.kind);
        self.attachments.push(attachment);
    }

    /// They are down on a route, with its former state.
    pub(super) fn detach(&mut self, kind: RouteKind) -> Option<Attachment> {
        let place = self.attachments.iter().position(|attachment| attachment.kind == kind)?;
        Some(self.attachments.swap_remove(place))
    }

    /// The best of the routes on which both sides speak a common version.
    pub(super) fn best(&self) -> Option<&Attachment> {
        self.attachments.iter().filter(|it| it.skew.is_none()).min_by_key(|it| it.kind)
    }

    /// The side that is too old, where no route leads to an app that speaks a common version.
    pub(super) fn skew(&self) -> Option<VersionSkew> {
        let skewed = self.attachments.iter().max_by_key(|it| it.kind)?.skew;
        skewed.filter(|_| self.best().is_none())
    }

    /// Nothing worth remembering is left.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_online() && self.queue.is_empty()
    }
}
