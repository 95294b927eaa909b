//! State of one person in the hub: the devices and routes by which they are up, and the messages that wait for them.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;

use super::call_devices::{CallDevices, Place};
use super::message::Message;
use super::route::{RouteKind, RouteSet};
use super::runs::Runs;
use super::send_queue::{SendQueue, Way};
use super::version::VersionSkew;
use crate::identity::DeviceId;

/// One way by which a device of the person is up.
#[derive(Debug)]
pub(super) struct Attachment {
    pub(super) way: Way,
    /// The side that is too old, if any.
    pub(super) skew: Option<VersionSkew>,
    /// Messages over the limit that came this way.
    pub(super) excess: u32,
}

#[derive(Debug)]
pub(super) struct Person {
    pub(super) name: String,
    /// One a route and run; the latest is last.
    attachments: Vec<Attachment>,
    pub(super) queue: SendQueue,
    /// The number of the last message to them.
    pub(super) last_number: Option<u64>,
    /// The numbers to acknowledge, and the runs of their app that sent them, where no route has taken the
    /// acknowledgement yet.
    pub(super) unsent_acks: Vec<(Arc<str>, u64)>,
    /// When to try again the frames that a route had no room for.
    pub(super) send_again: Option<Instant>,
    /// When a route of theirs last came up or went down.
    pub(super) touched: Instant,
    /// Run of their app at which they spoke last, where no other device has the call that they spoke in.
    spoke: Option<Arc<str>>,
    runs: Runs,
    pub(super) calls: CallDevices,
}

impl Person {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            name: String::new(),
            attachments: Vec::new(),
            queue: SendQueue::default(),
            last_number: None,
            unsent_acks: Vec::new(),
            send_again: None,
            touched: now,
            spoke: None,
            runs: Runs::default(),
            calls: CallDevices::default(),
        }
    }

    /// The routes by which they are up.
    pub(super) fn routes(&self) -> RouteSet {
        self.attachments.iter().map(|attachment| attachment.way.route).collect()
    }

    pub(super) fn is_online(&self) -> bool {
        !self.attachments.is_empty()
    }

    /// The way by which a run of their app is up.
    pub(super) fn on(&mut self, route: RouteKind, run: &str) -> Option<&mut Attachment> {
        self.attachments.iter_mut().find(|it| it.way.route == route && *it.way.run == *run)
    }

    /// Whether they are up by a route.
    pub(super) fn is_on(&self, route: RouteKind) -> bool {
        self.attachments.iter().any(|it| it.way.route == route)
    }

    /// A run of their app is up by a way, on a device, anew if it was. Messages that were under way by it, or by the
    /// way that it replaces, may be lost.
    pub(super) fn attach(&mut self, attachment: Attachment, device: Option<DeviceId>) {
        let Way { route, run } = attachment.way.clone();
        self.runs.note(&run, device);
        let is_replaced = |other: &str| route.has_one_run_a_device() && self.runs.device(other) == device;
        let ends = |it: &Attachment| it.way.route == route && (it.way.run == run || is_replaced(&it.way.run));
        for ended in self.attachments.extract_if(.., |it| ends(it)) {
            self.queue.way_lost(&ended.way);
        }
        self.calls.up(&run, &self.up());
        self.attachments.push(attachment);
    }

    /// A run of their app is down on a route, with its former state.
    pub(super) fn detach(&mut self, route: RouteKind, run: &str) -> Option<Attachment> {
        let place = self.attachments.iter().position(|it| it.way.route == route && *it.way.run == *run)?;
        let attachment = self.attachments.remove(place);
        self.queue.way_lost(&attachment.way);
        Some(attachment)
    }

    /// A message of theirs came from a run of their app; its place among the devices of its call.
    pub(super) fn received(&mut self, run: &Arc<str>, message: Option<&Message>) -> Place {
        let up = self.up();
        let place = message.map_or(Place::AtCall, |message| self.calls.received(message, run, &up, &self.runs));
        if place == Place::AtCall && message.is_none_or(|message| !message.is_automatic()) {
            self.spoke = Some(Arc::clone(run));
        }
        place
    }

    /// Whether they spoke at this run last.
    pub(super) fn is_at(&self, run: &Arc<str>) -> bool {
        self.spoke.as_ref() == Some(run)
    }

    /// Whether the present call lost its device with this run: no way leads to either. Without a call that is at a
    /// device, whether no way leads to anybody.
    pub(super) fn has_lost(&self, run: &Arc<str>) -> bool {
        let Some(device) = self.calls.present_device() else { return !self.is_online() };
        let is_down = |run: &str| self.attachments.iter().all(|it| *it.way.run != *run);
        let is_follower = || is_down(device) && self.calls.may_follow(device, run, &self.runs);
        is_down(run) && (device == run || is_follower())
    }

    /// Queues a frame for each of their devices that is up, but for one.
    pub(super) fn push_copies(&mut self, (number, frame): (u64, &Bytes), left_out: &str, now: Instant) {
        for run in self.reached_runs().into_iter().filter(|run| **run != *left_out) {
            self.queue.push_copy((number, frame.clone()), run, now);
        }
    }

    /// Each run of their app that is up and speaks a common version.
    pub(super) fn reached_runs(&self) -> Vec<Arc<str>> {
        self.up().into_iter().filter(|run| self.way_to_run(run).is_some()).collect()
    }

    /// Each run of their app that is up.
    pub(super) fn up(&self) -> Vec<Arc<str>> {
        let mut runs: Vec<_> = self.attachments.iter().map(|it| Arc::clone(&it.way.run)).collect();
        runs.sort_unstable();
        runs.dedup();
        runs
    }

    /// The best of the ways on which both sides speak a common version: to the device that they spoke at last, else by
    /// the best route to the device that came last.
    pub(super) fn best(&self) -> Option<&Way> {
        self.best_where(|_| true)
    }

    /// The best way to a device, or to any. Where it is gone, a later run of its app is taken for it, and no other
    /// device is.
    pub(super) fn way_to(&self, device: Option<&str>) -> Option<&Way> {
        let Some(device) = device else { return self.best() };
        let follows = |run: &Arc<str>| self.calls.may_follow(device, run, &self.runs);
        self.way_to_run(device).or_else(|| self.best_where(follows))
    }

    /// The best way to this very run.
    pub(super) fn way_to_run(&self, wanted: &str) -> Option<&Way> {
        self.best_where(|run| **run == *wanted)
    }

    fn best_where(&self, is_wanted: impl Fn(&Arc<str>) -> bool) -> Option<&Way> {
        let ways = self.attachments.iter().rev().filter(|it| it.skew.is_none()).map(|it| &it.way);
        ways.filter(|way| is_wanted(&way.run)).min_by_key(|way| (!self.is_at(&way.run), way.route))
    }

    /// The side that is too old, where no route leads to an app that speaks a common version.
    pub(super) fn skew(&self) -> Option<VersionSkew> {
        let skewed = self.attachments.iter().max_by_key(|it| it.way.route)?.skew;
        skewed.filter(|_| self.best().is_none())
    }

    /// Nothing worth remembering is left; calls are, where the person `is_known`.
    pub(super) fn is_idle(&self, is_known: bool) -> bool {
        let has_known_calls = is_known && !self.calls.is_empty();
        !self.is_online() && self.queue.is_empty() && !has_known_calls
    }
}
