//! Allocation of renditions to receivers: which of up to three encodings of one captured picture each receiver is sent
//! (simulcast, as in RFC 8853, without a server in between). Pure; time is an argument.
//!
//! ```text
//! rendition  lines of the largest wish   a receiver is assigned to it
//! 0          all                         by default; the only one in a call of two
//! 1          half                        when its tile is about that small, or
//! 2          a quarter                   when its budget would hold back those on the rendition above
//! ```
//!
//! A rendition is encoded at the lowest budget of its receivers. With two temporal layers, a receiver with less than
//! the others is sent the lower one alone (half of the pictures, less than two thirds of the bits), which costs no
//! keyframe; one with much less goes to the next rendition down. Both at once, and back up after a while and with a
//! margin.

use std::time::Duration;

use crate::identity::PeerId;
use crate::media::{MediaTime, PictureSource, RENDITIONS, VideoBudget};

const LAST: usize = RENDITIONS - 1;
/// Temporal layers where there are several receivers.
const MESH_LAYERS: u8 = 2;
/// Share of the best budget of a rendition below which a receiver goes to the next one down.
const DRAGS_BELOW: f64 = 0.6;
/// Share of it below which a receiver is sent the lower temporal layer alone.
const ALL_LAYERS_ABOVE: f64 = 0.8;
/// Share of the bits that the lower of two temporal layers takes, at most: 0.60 to 0.63 of films.
const BASE_LAYER_SHARE: f64 = 0.65;
/// A receiver goes up when its budget would be enough for it even if it were smaller by this factor, and for this long.
const UP_MARGIN: f64 = 1.2;
/// The same for the upper temporal layer, which costs no keyframe.
const LAYER_UP_MARGIN: f64 = 1.1;
const UP_AFTER: Duration = Duration::from_millis(1500);
/// Lines of a rendition, as a share of those that a tile shows, at most.
const MAX_OVERSIZE: f64 = 1.25;
/// Power of the share of pixels that gives the share of bits, as in the encoder's ladder.
const BITS_POWER: f64 = 0.75;

/// One receiver of the picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Receiver {
    /// ID of the peer.
    pub peer: PeerId,
    /// Budget of the path to them, and the lines and the level that they take at most.
    pub budget: VideoBudget,
}

/// Pictures that a receiver is sent, the best first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rung {
    rendition: usize,
    /// The lower temporal layer alone.
    base_only: bool,
}

impl Rung {
    const fn all(rendition: usize) -> Self {
        Self { rendition, base_only: false }
    }

    const fn base(rendition: usize) -> Self {
        Self { rendition, base_only: true }
    }
}

/// Assignment of one receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seat {
    peer: PeerId,
    rung: Rung,
    /// Since when a better one would do.
    better_since: Option<MediaTime>,
}

/// Renditions that the receivers are assigned to, and the grounds of the next assignment.
#[derive(Debug, Default)]
pub struct Allocation {
    seats: Vec<Seat>,
    /// Renditions whose pictures come in two temporal layers.
    layered: [bool; RENDITIONS],
    /// Memory for budgets after the uplink is shared, in kbit/s, and for wanted rungs.
    shares: Vec<f64>,
    wanted: Vec<Rung>,
}

impl Allocation {
    /// Assigns a rendition to each of `receivers`, who come in the same order as before but for those who are new or
    /// gone. All that is sent to them together stays within `uplink_kbps`.
    pub fn assign(&mut self, receivers: &[Receiver], source: PictureSource, uplink_kbps: u32, now: MediaTime) {
        self.admit(receivers);
        share(receivers, source, f64::from(uplink_kbps), &mut self.shares);
        self.want(receivers, source);
        for (seat, &wanted) in self.seats.iter_mut().zip(&self.wanted) {
            if wanted >= seat.rung {
                (seat.rung, seat.better_since) = (wanted, None);
                continue;
            }
            let since = *seat.better_since.get_or_insert(now);
            if now.since(since) >= UP_AFTER {
                (seat.rung, seat.better_since) = (wanted, None);
            }
        }
    }

    /// Notes which renditions come in two temporal layers. The lower layer of any other is no smaller part, so nobody
    /// is sent that alone from now on.
    pub fn set_layered(&mut self, layered: [bool; RENDITIONS]) {
        self.layered = layered;
        for seat in &mut self.seats {
            seat.rung.base_only &= layered[seat.rung.rendition];
        }
    }

    /// Rendition of a receiver.
    pub fn rendition_of(&self, peer: PeerId) -> Option<usize> {
        self.seats.iter().find(|seat| seat.peer == peer).map(|seat| seat.rung.rendition)
    }

    /// True when a receiver of a rendition is sent its lower temporal layer alone.
    pub fn is_sent_base_only(&self, peer: PeerId, rendition: usize) -> bool {
        self.seats.iter().any(|seat| seat.peer == peer && seat.rung == Rung::base(rendition))
    }

    /// Budget of a rendition for those `receivers`, the ones of the last assignment, whom `takes` picks: by their seat,
    /// or because they still watch it. `None`: there are none.
    pub fn budget_of(
        &self,
        rendition: usize,
        receivers: &[Receiver],
        source: PictureSource,
        mut takes: impl FnMut(PeerId) -> bool,
    ) -> Option<VideoBudget> {
        let top = top_of(receivers, source);
        let taking = receivers.iter().zip(&self.shares).filter(|(receiver, _)| takes(receiver.peer));
        let budgets = taking.map(|(receiver, share)| {
            let part = if self.is_sent_base_only(receiver.peer, rendition) { BASE_LAYER_SHARE } else { 1.0 };
            VideoBudget { kbps: (share / part) as u32, ..receiver.budget }
        });
        let common = budgets.reduce(|one, other| VideoBudget {
            kbps: one.kbps.min(other.kbps),
            // A queue of one's own takes the picture that another one has no time for.
            behind: one.behind && other.behind,
            max_lines: one.max_lines.max(other.max_lines),
            layers: one.layers.max(other.layers),
            codec: one.codec.common(other.codec),
        })?;
        let most_lines = if rendition == 0 { u32::MAX } else { top >> rendition };
        let layers = if receivers.len() > 1 { MESH_LAYERS } else { common.layers };
        Some(VideoBudget { max_lines: common.max_lines.min(most_lines), layers, ..common })
    }

    /// Seats for exactly these receivers. A person who joins others begins on the smallest rendition, whose keyframe
    /// disturbs nobody.
    fn admit(&mut self, receivers: &[Receiver]) {
        self.seats.retain(|seat| receivers.iter().any(|receiver| receiver.peer == seat.peer));
        for (place, receiver) in receivers.iter().enumerate() {
            match self.seats.iter().position(|seat| seat.peer == receiver.peer) {
                Some(at) => self.seats.swap(place, at),
                None => {
                    let rendition = if receivers.len() > 1 && !self.seats.is_empty() { LAST } else { 0 };
                    self.seats
                        .insert(place, Seat { peer: receiver.peer, rung: Rung::all(rendition), better_since: None });
                }
            }
        }
    }

    /// Notes the rendition that would suit each receiver, were it not for the time that a way up takes.
    fn want(&mut self, receivers: &[Receiver], source: PictureSource) {
        let top = top_of(receivers, source);
        self.wanted.clear();
        self.wanted.extend(receivers.iter().map(|one| Rung::all(by_lines(one.budget.max_lines.min(top), top))));
        for rendition in 0..RENDITIONS {
            let useful = useful_kbps(rendition, source);
            let on_it = || self.wanted.iter().zip(&self.shares).filter(|(wanted, _)| wanted.rendition == rendition);
            let best = on_it().map(|(_, share)| share.min(useful)).fold(0.0, f64::max);
            for ((wanted, share), seat) in self.wanted.iter_mut().zip(&self.shares).zip(&self.seats) {
                let is_below = |part: f64, rung: Rung, up_margin: f64| {
                    let margin = if rung < seat.rung { up_margin } else { 1.0 };
                    share.min(useful * margin) / margin < part * best
                };
                if wanted.rendition != rendition {
                    continue;
                }
                if rendition < LAST && is_below(DRAGS_BELOW, Rung::base(rendition), UP_MARGIN) {
                    wanted.rendition += 1;
                } else {
                    wanted.base_only =
                        self.layered[rendition] && is_below(ALL_LAYERS_ABOVE, Rung::all(rendition), LAYER_UP_MARGIN);
                }
            }
        }
    }
}

/// Lines of rendition 0: the most of the `lines` that somebody looks at, and no more than the source has.
pub(super) fn top_lines(lines: impl Iterator<Item = u32>, source: PictureSource) -> u32 {
    lines.max().unwrap_or(u32::MAX).min(source.lines).max(1)
}

fn top_of(receivers: &[Receiver], source: PictureSource) -> u32 {
    top_lines(receivers.iter().map(|receiver| receiver.budget.max_lines), source)
}

/// Bit rate that somebody can use who draws so many `lines` where the largest rendition has `top`, in kbit/s.
pub(super) fn needed_kbps(lines: u32, top: u32, source: PictureSource) -> u32 {
    useful_kbps(by_lines(lines.min(top), top), source).ceil() as u32
}

/// The largest rendition of `top` lines that is not much larger than the `lines` of a tile.
fn by_lines(lines: u32, top: u32) -> usize {
    let fits = |rendition: &usize| f64::from(top >> rendition) <= f64::from(lines) * MAX_OVERSIZE;
    (0..LAST).find(fits).unwrap_or(LAST)
}

/// Bit rate beyond which more is of no use to a rendition, in kbit/s.
fn useful_kbps(rendition: usize, source: PictureSource) -> f64 {
    f64::from(source.max_kbps) * 0.25_f64.powf(BITS_POWER * rendition as f64)
}

/// Shares an uplink among the receivers by max-min fairness, in kbit/s: nobody gets more than their budget or than
/// their tile can use, and what some do not need goes to the others.
fn share(receivers: &[Receiver], source: PictureSource, uplink_kbps: f64, shares: &mut Vec<f64>) {
    shares.clear();
    shares.extend(receivers.iter().map(|receiver| f64::from(receiver.budget.kbps)));
    let (mut left, mut waiting) = (uplink_kbps, receivers.len());
    if shares.iter().sum::<f64>() <= uplink_kbps {
        return;
    }
    let top = top_of(receivers, source);
    for (share, receiver) in shares.iter_mut().zip(receivers) {
        *share = share.min(f64::from(needed_kbps(receiver.budget.max_lines, top, source)));
    }
    // The level of the water: those below it have all that they can use.
    let mut level = left / waiting as f64;
    loop {
        let below = shares.iter().filter(|budget| **budget <= level);
        let (count, sum) = below.fold((0, 0.0), |(count, sum), budget| (count + 1, sum + budget));
        let (now_left, now_waiting) = (uplink_kbps - sum, receivers.len() - count);
        if now_waiting == 0 || now_waiting == waiting && (now_left - left).abs() < 1e-9 {
            break;
        }
        (left, waiting) = (now_left, now_waiting);
        level = left / waiting as f64;
    }
    shares.iter_mut().for_each(|budget| *budget = budget.min(level));
}

#[cfg(test)]
mod tests;
