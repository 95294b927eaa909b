//! Simulcast: which rendition each receiver watches now, and its way from one rendition to another. Pure; time is an
//! argument. Owned by the fan-out.
//!
//! ```text
//! receivers -> Allocation: rendition assigned to each -> plan of the next picture, with keyframes for changes
//! encoded picture -> the watchers of its rendition; at a keyframe also those who are assigned to it
//! ```
//!
//! A receiver goes over to its new rendition at that one's next keyframe, and watches the old one until then; if it is
//! congested, it watches nothing until then, so that its queue drains. All renditions go out as one RTP stream to each
//! receiver, for whom it is a change of size.

use super::assign::{Allocation, Receiver};
use crate::identity::PeerId;
use crate::media::{MediaTime, OutgoingPicture, PictureSource, RENDITIONS, RenditionPlan, RenditionPlans, VideoBudget};

/// Stream that one receiver watches.
#[derive(Clone, Copy, Debug)]
struct Watcher {
    peer: PeerId,
    /// `None`: nothing yet.
    rendition: Option<usize>,
    /// Capture time of the latest picture that was sent.
    sent: Option<MediaTime>,
}

/// Temporal layers of a rendition, as its pictures show them: an encoder may refuse two.
#[derive(Clone, Copy, Debug, Default)]
struct Layering {
    has_upper: bool,
    /// The latest picture is one that others refer to, and no keyframe.
    after_base: bool,
}

impl Layering {
    /// Notes the next picture. Between two of the lower layer there is one of the upper, or else there is one layer.
    fn note(&mut self, picture: &OutgoingPicture) {
        let is_base = !picture.keyframe && !picture.is_discardable();
        self.has_upper = picture.is_discardable() || self.has_upper && !(is_base && self.after_base);
        self.after_base = is_base;
    }
}

/// The receivers of this side's picture, and their renditions.
#[derive(Debug, Default)]
pub struct Simulcast {
    allocation: Allocation,
    receivers: Vec<Receiver>,
    watchers: Vec<Watcher>,
    source: PictureSource,
    layerings: [Layering; RENDITIONS],
    /// Renditions of which somebody has asked for a keyframe since the last plan.
    asked: [bool; RENDITIONS],
}

impl Simulcast {
    /// Plans the next picture for those `receivers` who can be reached now, in `uplink_kbps` for all of them together.
    pub fn plan(
        &mut self,
        receivers: impl Iterator<Item = Receiver>,
        source: PictureSource,
        uplink_kbps: u32,
        now: MediaTime,
    ) -> RenditionPlans {
        self.receivers.clear();
        self.receivers.extend(receivers);
        self.source = source;
        self.allocation.set_layered(self.layerings.map(|layering| layering.has_upper));
        self.allocation.assign(&self.receivers, source, uplink_kbps, now);
        self.follow_receivers();
        if self.receivers.is_empty() {
            // Nothing is encoded for nobody, and the encoder is kept.
            return RenditionPlans::one(VideoBudget { behind: true, ..VideoBudget::UNLIMITED });
        }
        let asked = std::mem::take(&mut self.asked);
        RenditionPlans::of(|rendition| {
            let budget = self.budget(rendition)?;
            Some(RenditionPlan { budget, keyframe: asked[rendition] || self.is_awaited(rendition) })
        })
    }

    /// Hands an encoded picture of a rendition to those who are sent it. One that no other refers to is left out for
    /// whoever is sent the lower temporal layer alone, and for whoever is behind: that costs them no keyframe.
    pub fn deliver(&mut self, rendition: usize, picture: &OutgoingPicture, mut send: impl FnMut(PeerId)) {
        let &OutgoingPicture { keyframe, captured_at, .. } = picture;
        let is_discardable = picture.is_discardable();
        if let Some(layering) = self.layerings.get_mut(rendition) {
            layering.note(picture);
        }
        for watcher in &mut self.watchers {
            let is_assigned = self.allocation.rendition_of(watcher.peer) == Some(rendition);
            // Two pictures of one moment would have the same RTP timestamp.
            let is_later = watcher.sent.is_none_or(|sent| captured_at > sent);
            if keyframe && is_assigned && is_later {
                watcher.rendition = Some(rendition);
            }
            let is_behind = || self.receivers.iter().any(|one| one.peer == watcher.peer && one.budget.behind);
            if watcher.rendition == Some(rendition) && !is_assigned && is_behind() {
                // The rate of the old rendition is the others'. It would keep this receiver's queue full, and the
                // keyframe of the new one is not made before that queue is drained.
                watcher.rendition = None;
            }
            let is_left_out =
                is_discardable && (self.allocation.is_sent_base_only(watcher.peer, rendition) || is_behind());
            if watcher.rendition == Some(rendition) && !is_left_out {
                watcher.sent = Some(captured_at);
                send(watcher.peer);
            }
        }
    }

    /// Asks for a keyframe of the rendition that a receiver is assigned to: on its way there it needs none of the old
    /// one, which would disturb those who stay.
    pub fn request_keyframe(&mut self, peer: PeerId) {
        if let Some(rendition) = self.allocation.rendition_of(peer) {
            self.asked[rendition] = true;
        }
    }

    /// Asks for a keyframe of every rendition.
    pub fn request_keyframes(&mut self) {
        self.asked = [true; RENDITIONS];
    }

    /// The rendition that a receiver watches; `None` before a keyframe of one.
    pub fn watched_by(&self, peer: PeerId) -> Option<usize> {
        self.watchers.iter().find(|watcher| watcher.peer == peer)?.rendition
    }

    /// Budget of the rendition that is made for a receiver.
    pub fn budget_for(&self, peer: PeerId) -> Option<VideoBudget> {
        self.budget(self.allocation.rendition_of(peer)?)
    }

    /// Budget of a rendition for those assigned to it, or else for those who still watch it.
    fn budget(&self, rendition: usize) -> Option<VideoBudget> {
        let is_assigned = |peer| self.allocation.rendition_of(peer) == Some(rendition);
        let watches = |peer| self.watched_by(peer) == Some(rendition);
        let of =
            |takes: &dyn Fn(PeerId) -> bool| self.allocation.budget_of(rendition, &self.receivers, self.source, takes);
        of(&is_assigned).or_else(|| of(&watches))
    }

    /// Whether somebody waits for a keyframe of a rendition to go over to it.
    fn is_awaited(&self, rendition: usize) -> bool {
        self.watchers.iter().any(|watcher| {
            watcher.rendition != Some(rendition) && self.allocation.rendition_of(watcher.peer) == Some(rendition)
        })
    }

    /// A receiver that could not be reached for a while begins anew at a keyframe.
    fn follow_receivers(&mut self) {
        let receivers = &self.receivers;
        self.watchers.retain(|watcher| receivers.iter().any(|receiver| receiver.peer == watcher.peer));
        for receiver in receivers {
            if !self.watchers.iter().any(|watcher| watcher.peer == receiver.peer) {
                self.watchers.push(Watcher { peer: receiver.peer, rendition: None, sent: None });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;
    use crate::codec::VideoCodec;

    const HD: PictureSource = PictureSource { lines: 720, max_kbps: 1500 };

    fn peer(number: u8) -> PeerId {
        PeerId::from_bytes([number; 32])
    }

    fn receiver(number: u8, kbps: u32) -> Receiver {
        Receiver { peer: peer(number), budget: VideoBudget { kbps, max_lines: 720, ..VideoBudget::UNLIMITED } }
    }

    /// A keyframe, or a picture that others refer to, or one of the upper temporal layer.
    fn picture(keyframe: bool, upper: bool, captured_at: MediaTime) -> OutgoingPicture {
        let header = if keyframe {
            0x65
        } else if upper {
            0x01
        } else {
            0x61
        };
        let data = Bytes::from(vec![0, 0, 0, 1, header, 0x99]);
        OutgoingPicture { codec: VideoCodec::H264, data, keyframe, captured_at }
    }

    /// A call whose encoders make every picture that they are asked for.
    #[derive(Default)]
    struct Call {
        simulcast: Simulcast,
        at_ms: u64,
        /// The pictures but keyframes are of the upper temporal layer.
        upper: bool,
        keyframes: [u32; RENDITIONS],
    }

    impl Call {
        /// The next picture: rendition that each of the receivers gets, and whether it is a keyframe.
        fn picture(&mut self, receivers: &[Receiver]) -> Vec<(PeerId, usize, bool)> {
            self.at_ms += 33;
            let now = MediaTime::from_millis(self.at_ms);
            let plans = self.simulcast.plan(receivers.iter().copied(), HD, u32::MAX, now);
            let mut sent = Vec::new();
            for (rendition, plan) in plans.in_order() {
                if let Some(plan) = plan.filter(|plan| !plan.budget.behind) {
                    self.keyframes[rendition] += u32::from(plan.keyframe);
                    self.simulcast.deliver(rendition, &picture(plan.keyframe, self.upper, now), |peer| {
                        sent.push((peer, rendition, plan.keyframe));
                    });
                }
            }
            sent
        }

        fn pictures(&mut self, count: u32, receivers: &[Receiver]) -> Vec<(PeerId, usize, bool)> {
            (0..count).map(|_| self.picture(receivers)).last().unwrap()
        }
    }

    #[test]
    fn in_a_call_of_two_there_is_one_keyframe_and_then_every_picture() {
        let mut call = Call::default();
        assert_eq!(call.picture(&[receiver(1, 1500)]), [(peer(1), 0, true)]);
        for kbps in [1500, 90, 1500, 20_000] {
            assert_eq!(call.picture(&[receiver(1, kbps)]), [(peer(1), 0, false)]);
        }
        call.simulcast.request_keyframe(peer(1));
        assert_eq!(call.picture(&[receiver(1, 1500)]), [(peer(1), 0, true)]);
        assert_eq!(call.keyframes, [2, 0, 0]);
    }

    #[test]
    fn nobody_is_reached_nothing_is_made_and_whoever_comes_back_begins_at_a_keyframe() {
        let mut call = Call::default();
        call.picture(&[receiver(1, 1500)]);
        let plans = call.simulcast.plan(std::iter::empty(), HD, u32::MAX, MediaTime::from_millis(50));
        assert!(plans.get(0).is_some_and(|plan| plan.budget.behind && !plan.keyframe), "the encoder is kept");
        assert_eq!(call.picture(&[receiver(1, 1500)]), [(peer(1), 0, true)]);
    }

    #[test]
    fn whoever_joins_gets_a_keyframe_of_the_smallest_rendition_and_goes_over_without_a_gap() {
        let mut call = Call::default();
        call.picture(&[receiver(1, 1500)]);
        let both = [receiver(1, 1500), receiver(2, 1500)];
        assert_eq!(call.picture(&both), [(peer(2), 2, true), (peer(1), 0, false)]);
        assert_eq!(call.picture(&both), [(peer(1), 0, false), (peer(2), 2, false)]);
        for _ in 0..60 {
            let sent = call.picture(&both);
            let of_each = [1, 2].map(|number| sent.iter().filter(|(to, ..)| *to == peer(number)).count());
            assert_eq!(of_each, [1, 1], "{sent:?}");
        }
        assert_eq!(call.simulcast.watched_by(peer(2)), Some(0));
        assert_eq!(call.keyframes, [2, 0, 1], "one to begin with, one to join, one to climb");
    }

    #[test]
    fn a_keyframe_is_made_of_the_rendition_that_the_receiver_watches() {
        let mut call = Call::default();
        let both = [receiver(1, 1500), receiver(2, 400)];
        call.pictures(100, &both);
        assert_eq!([1, 2].map(|number| call.simulcast.watched_by(peer(number))), [Some(0), Some(1)]);
        call.simulcast.request_keyframe(peer(2));
        assert_eq!(call.picture(&both), [(peer(2), 1, true), (peer(1), 0, false)], "the other one is not bothered");
        assert_eq!(call.picture(&both), [(peer(1), 0, false), (peer(2), 1, false)]);
        assert_eq!(call.simulcast.budget_for(peer(1)).map(|budget| budget.kbps), Some(1500));
        assert_eq!(call.simulcast.budget_for(peer(2)).map(|budget| budget.kbps), Some(400));
    }

    #[test]
    fn a_congested_receiver_leaves_the_large_rendition_at_once_and_costs_the_others_no_keyframe() {
        let mut call = Call::default();
        call.pictures(100, &[receiver(1, 1500), receiver(2, 1500)]);
        assert_eq!(call.simulcast.watched_by(peer(2)), Some(0));
        let before = call.keyframes;
        let narrowed = |behind| {
            let weak = receiver(2, 250);
            [receiver(1, 1500), Receiver { budget: VideoBudget { behind, ..weak.budget }, ..weak }]
        };
        for _ in 0..30 {
            assert_eq!(call.picture(&narrowed(true)), [(peer(1), 0, false)], "the queue of the other one drains");
            call.simulcast.request_keyframe(peer(2));
        }
        assert_eq!(call.picture(&narrowed(false)), [(peer(2), 1, true), (peer(1), 0, false)]);
        assert_eq!(call.keyframes, [before[0], before[1] + 1, before[2]]);
    }

    #[test]
    fn pictures_of_the_upper_layer_are_left_out_for_whoever_has_less_or_is_behind_and_nobody_else() {
        let mut call = Call::default();
        let behind = |number| {
            let strong = receiver(number, 1500);
            Receiver { budget: VideoBudget { behind: true, ..strong.budget }, ..strong }
        };
        for number in 0..100 {
            call.upper = number % 2 == 1;
            call.picture(&[receiver(1, 1500), receiver(2, 1500), receiver(3, 1500)]);
        }
        let before = call.keyframes;
        let three = [receiver(1, 1500), receiver(2, 1100), behind(3)];
        let numbers = |sent: Vec<(PeerId, usize, bool)>| sent.iter().map(|one| one.0).collect::<Vec<_>>();
        for _ in 0..30 {
            call.upper = false;
            assert_eq!(numbers(call.picture(&three)), [peer(1), peer(2), peer(3)]);
            call.upper = true;
            assert_eq!(numbers(call.picture(&three)), [peer(1)]);
        }
        call.pictures(100, &[receiver(1, 1500), receiver(2, 1500), receiver(3, 1500)]);
        let all = [1, 2, 3].map(|number| receiver(number, 1500));
        assert_eq!(numbers(call.picture(&all)), [peer(1), peer(2), peer(3)]);
        assert_eq!(call.keyframes, before, "none of it costs a keyframe");
    }

    #[test]
    fn a_budget_is_of_the_lower_layer_alone_only_while_the_pictures_come_in_two() {
        let mut call = Call::default();
        let both = [receiver(1, 1500), receiver(2, 1100)];
        let kbps = |call: &Call| call.simulcast.budget_for(peer(1)).map(|budget| budget.kbps);
        call.pictures(100, &both);
        assert_eq!(kbps(&call), Some(1100), "the encoder refuses layers");
        assert_eq!(call.picture(&both).len(), 2);
        for number in 0..20 {
            call.upper = number % 2 == 0;
            call.picture(&both);
        }
        assert_eq!(kbps(&call), Some(1500));
        call.simulcast.request_keyframe(peer(1));
        call.upper = false;
        call.pictures(2, &both);
        assert_eq!(kbps(&call), Some(1500), "a keyframe and one of the lower layer: the layers may go on");
        call.pictures(2, &both);
        assert_eq!(kbps(&call), Some(1100), "there is one layer from the keyframe on");
    }

    #[test]
    fn a_keyframe_request_on_the_way_to_another_rendition_is_one_of_the_new_one() {
        let mut call = Call::default();
        call.pictures(100, &[receiver(1, 1500), receiver(2, 1500)]);
        let narrowed = || [receiver(1, 1500), receiver(2, 300)].into_iter();
        // The new rendition's encoder leaves this picture out.
        call.simulcast.plan(narrowed(), HD, u32::MAX, MediaTime::from_millis(call.at_ms + 33));
        assert_eq!(call.simulcast.watched_by(peer(2)), Some(0));
        call.simulcast.request_keyframe(peer(2));
        let plans = call.simulcast.plan(narrowed(), HD, u32::MAX, MediaTime::from_millis(call.at_ms + 66));
        assert_eq!([0, 1].map(|rendition| plans.get(rendition).map(|plan| plan.keyframe)), [Some(false), Some(true)]);
    }

    #[test]
    fn the_old_rendition_goes_on_until_the_new_ones_keyframe_and_never_twice_at_one_moment() {
        let mut simulcast = Simulcast::default();
        let at = MediaTime::from_millis;
        let both = |kbps| [receiver(1, 1500), receiver(2, kbps)].into_iter();
        let watched = |simulcast: &mut Simulcast, rendition, keyframe, now| {
            let mut got = false;
            simulcast.deliver(rendition, &picture(keyframe, false, now), |to| got |= to == peer(2));
            got
        };
        for ms in (0..3000).step_by(33) {
            simulcast.plan(both(1500), HD, u32::MAX, at(ms));
            (0..3).for_each(|rendition| {
                watched(&mut simulcast, rendition, true, at(ms));
            });
        }
        assert_eq!(simulcast.watched_by(peer(2)), Some(0));
        let plans = simulcast.plan(both(300), HD, u32::MAX, at(3000));
        assert!(plans.get(1).is_some_and(|plan| plan.keyframe) && plans.get(2).is_none());
        // The new rendition's encoder leaves this picture out.
        assert!(watched(&mut simulcast, 0, false, at(3000)));
        assert!(!watched(&mut simulcast, 1, true, at(3000)), "it has another one of this moment");
        assert!(
            simulcast.plan(both(300), HD, u32::MAX, at(3033)).get(1).is_some_and(|plan| plan.keyframe),
            "asked for again"
        );
        assert!(watched(&mut simulcast, 1, true, at(3033)));
        assert!(!watched(&mut simulcast, 0, false, at(3033)));
    }
}
