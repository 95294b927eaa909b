//! Assignments in virtual time.

use proptest::prelude::*;

use super::*;
use crate::codec::CodecSupport;

const HD: PictureSource = PictureSource { lines: 720, max_kbps: 1500 };
const TICK: u64 = 33;

fn peer(number: u8) -> PeerId {
    PeerId::from_bytes([number; 32])
}

fn receiver(number: u8, kbps: u32, max_lines: u32) -> Receiver {
    let budget = VideoBudget { kbps, max_lines, ..VideoBudget::UNLIMITED };
    Receiver { peer: peer(number), budget }
}

/// An allocation in the course of a call.
struct Call {
    allocation: Allocation,
    at_ms: u64,
}

impl Default for Call {
    fn default() -> Self {
        let mut allocation = Allocation::default();
        allocation.set_layered([true; RENDITIONS]);
        Self { allocation, at_ms: 0 }
    }
}

impl Call {
    fn step(&mut self, receivers: &[Receiver], uplink_kbps: u32) -> Vec<usize> {
        self.at_ms += TICK;
        self.allocation.assign(receivers, HD, uplink_kbps, MediaTime::from_millis(self.at_ms));
        receivers.iter().map(|receiver| self.allocation.rendition_of(receiver.peer).unwrap()).collect()
    }

    /// The assignment after so many seconds of the same.
    fn after(&mut self, seconds: u64, receivers: &[Receiver]) -> Vec<usize> {
        (0..seconds * 1000 / TICK).map(|_| self.step(receivers, u32::MAX)).last().unwrap()
    }

    fn budgets(&self, receivers: &[Receiver]) -> [Option<(u32, u32)>; RENDITIONS] {
        std::array::from_fn(|rendition| {
            let seated = |peer| self.allocation.rendition_of(peer) == Some(rendition);
            let budget = self.allocation.budget_of(rendition, receivers, HD, seated)?;
            Some((budget.kbps, budget.max_lines))
        })
    }
}

fn settled(receivers: &[Receiver]) -> (Vec<usize>, [Option<(u32, u32)>; RENDITIONS]) {
    let mut call = Call::default();
    let seats = call.after(10, receivers);
    (seats, call.budgets(receivers))
}

#[test]
fn in_a_call_of_two_there_is_one_rendition_with_the_receivers_own_budget() {
    for kbps in [1, 50, 700, 1500, 90_000, u32::MAX] {
        for max_lines in [1, 180, 360, 719, 720, 2160, u32::MAX] {
            for behind in [false, true] {
                let codec = CodecSupport::default();
                let budget = VideoBudget { kbps, behind, max_lines, layers: 1, codec };
                let receivers = [Receiver { peer: peer(1), budget }];
                let mut call = Call::default();
                assert_eq!(call.step(&receivers, u32::MAX), [0]);
                assert_eq!(call.allocation.budget_of(0, &receivers, HD, |_| true), Some(budget));
                assert_eq!(call.allocation.budget_of(1, &receivers, HD, |_| false), None);
            }
        }
    }
}

#[test]
fn receivers_with_like_budgets_share_one_rendition_at_the_lowest_of_them() {
    let receivers = [receiver(1, 1500, 720), receiver(2, 1350, 720), receiver(3, 1400, 720)];
    assert_eq!(settled(&receivers), (vec![0, 0, 0], [Some((1350, 720)), None, None]));
    let all_weak = [receiver(1, 190, 720), receiver(2, 200, 720)];
    assert_eq!(settled(&all_weak), (vec![0, 0], [Some((190, 720)), None, None]));
    let all_rich = [receiver(1, 1500, 720), receiver(2, 90_000, 720)];
    assert_eq!(settled(&all_rich).0, [0, 0], "more than the settings allow is of no use");
}

#[test]
fn a_weak_receiver_gets_a_rendition_of_its_own_and_slows_nobody() {
    let receivers = [receiver(1, 1500, 720), receiver(2, 400, 720), receiver(3, 1400, 720)];
    assert_eq!(settled(&receivers), (vec![0, 1, 0], [Some((1400, 720)), Some((400, 360)), None]));
    let weaker = [receiver(1, 1500, 720), receiver(2, 500, 720), receiver(3, 100, 720)];
    assert_eq!(settled(&weaker), (vec![0, 1, 2], [Some((1500, 720)), Some((500, 360)), Some((100, 180))]));
}

#[test]
fn a_receiver_with_less_is_sent_the_lower_temporal_layer_alone_and_slows_nobody() {
    let mut call = Call::default();
    let with = |kbps| [receiver(1, 1500, 720), receiver(2, kbps, 720)];
    let base_only = |call: &Call| [0, 1].map(|rendition| call.allocation.is_sent_base_only(peer(2), rendition));
    assert_eq!((call.after(5, &with(1500)), base_only(&call)), (vec![0, 0], [false, false]));
    assert_eq!((call.step(&with(1100), u32::MAX), base_only(&call)), (vec![0, 0], [true, false]), "within one picture");
    assert_eq!(call.budgets(&with(1100)), [Some((1500, 720)), None, None], "nobody is slowed, and no encoder is added");
    assert_eq!((call.step(&with(910), u32::MAX), base_only(&call)), (vec![0, 0], [true, false]));
    assert_eq!(call.budgets(&with(910))[0], Some((1400, 720)), "the rate whose lower layer the path bears");
    assert_eq!((call.after(60, &with(1300)), base_only(&call)), (vec![0, 0], [true, false]), "not enough to come back");
    let before = call.at_ms;
    while call.step(&with(1350), u32::MAX) == [0, 0] && base_only(&call)[0] {}
    let waited = Duration::from_millis(call.at_ms - before);
    assert!((UP_AFTER..UP_AFTER + Duration::from_millis(3 * TICK)).contains(&waited), "{waited:?}");
    assert_eq!((call.step(&with(800), u32::MAX), base_only(&call)), (vec![0, 1], [false, false]), "much less");
    assert_eq!(
        (call.after(5, &with(1100)), base_only(&call)),
        (vec![0, 0], [true, false]),
        "a rendition up, and half of it"
    );
}

#[test]
fn several_receivers_have_layers_and_one_alone_has_those_of_its_own_budget() {
    let (one, two) = ([receiver(1, 1500, 720)], [receiver(1, 1500, 720), receiver(2, 1500, 720)]);
    let mut call = Call::default();
    let mut layers = |receivers: &[Receiver]| {
        call.step(receivers, u32::MAX);
        call.allocation.budget_of(0, receivers, HD, |_| true).map(|budget| budget.layers)
    };
    assert_eq!((layers(&one), layers(&two)), (Some(1), Some(2)));
}

#[test]
fn nobody_is_sent_many_more_lines_than_their_tile_shows() {
    let receivers = [receiver(1, 1500, 720), receiver(2, 1500, 360), receiver(3, 1500, 180)];
    assert_eq!(settled(&receivers), (vec![0, 1, 2], [Some((1500, 720)), Some((1500, 360)), Some((1500, 180))]));
    let alike = [receiver(1, 1500, 360), receiver(2, 1500, 300)];
    assert_eq!(settled(&alike), (vec![0, 0], [Some((1500, 360)), None, None]), "one encoder at what is looked at");
}

#[test]
fn a_receiver_whose_path_narrows_goes_down_at_once_and_up_after_a_while_with_a_margin() {
    let mut call = Call::default();
    let with = |kbps| [receiver(1, 1500, 720), receiver(2, kbps, 720)];
    assert_eq!(call.after(5, &with(1500)), [0, 0]);
    assert_eq!(call.step(&with(800), u32::MAX), [0, 1], "within one picture");
    assert_eq!(call.after(60, &with(1000)), [0, 1], "enough to stay is not enough to come back");
    let before = call.at_ms;
    while call.step(&with(1100), u32::MAX) == [0, 1] {}
    let waited = Duration::from_millis(call.at_ms - before);
    assert!((UP_AFTER..UP_AFTER + Duration::from_millis(3 * TICK)).contains(&waited), "{waited:?}");
    // A short recovery changes nothing.
    call.step(&with(800), u32::MAX);
    for _ in 0..20 {
        assert_eq!(call.after(1, &with(1500)), [0, 1]);
        assert_eq!(call.step(&with(800), u32::MAX), [0, 1]);
    }
}

#[test]
fn whoever_joins_begins_on_the_smallest_rendition_and_climbs() {
    let mut call = Call::default();
    assert_eq!(call.after(2, &[receiver(1, 1500, 720)]), [0]);
    let both = [receiver(1, 1500, 720), receiver(2, 1500, 720)];
    assert_eq!(call.step(&both, u32::MAX), [0, LAST]);
    assert_eq!(call.after(2, &both), [0, 0]);
    let other_order = [receiver(3, 1500, 720), receiver(2, 1500, 720), receiver(1, 300, 720)];
    assert_eq!(call.step(&other_order, u32::MAX), [LAST, 0, 1]);
    assert_eq!(call.after(2, &[receiver(1, 300, 720)]), [0], "whoever is left alone has the picture to themselves");
}

#[test]
fn a_rendition_waits_only_when_all_of_its_receivers_are_behind() {
    let behind = |number, behind| {
        let receiver = receiver(number, 1500, 720);
        Receiver { budget: VideoBudget { behind, ..receiver.budget }, ..receiver }
    };
    for (one, other, expected) in [(true, true, true), (true, false, false), (false, false, false)] {
        let receivers = [behind(1, one), behind(2, other)];
        let mut call = Call::default();
        call.after(3, &receivers);
        let budget = call.allocation.budget_of(0, &receivers, HD, |_| true).unwrap();
        assert_eq!(budget.behind, expected, "{one} {other}");
    }
}

#[test]
fn an_uplink_is_shared_fairly_and_what_one_does_not_need_goes_to_the_others() {
    let mut shares = Vec::new();
    let budgets = [receiver(1, 200, 720), receiver(2, 2000, 720), receiver(3, 900, 720)];
    for (uplink, expected) in [(10_000.0, [200.0, 2000.0, 900.0]), (1500.0, [200.0, 650.0, 650.0])] {
        share(&budgets, HD, uplink, &mut shares);
        assert_eq!(shares, expected);
    }
    share(&budgets, HD, 300.0, &mut shares);
    assert_eq!(shares, [100.0; 3]);
}

#[test]
fn an_uplink_is_shared_by_need_and_a_small_tile_leaves_the_rest_to_a_large_one() {
    let mut shares = Vec::new();
    let tiles = [receiver(1, 20_000, 720), receiver(2, 20_000, 180), receiver(3, 900, 360)];
    let needs = [720, 180, 360].map(|lines| f64::from(needed_kbps(lines, 720, HD)));
    share(&tiles, HD, 1200.0, &mut shares);
    let half = (1200.0 - needs[1]) / 2.0;
    assert!(half < needs[2] && shares == [half, needs[1], half], "{shares:?}");
    share(&tiles, HD, 1700.0, &mut shares);
    assert!(shares == [1700.0 - needs[1] - needs[2], needs[1], needs[2]], "{shares:?}");
    share(&tiles, HD, 5000.0, &mut shares);
    assert_eq!(shares, needs, "there is enough for all needs");
    share(&tiles, HD, 50_000.0, &mut shares);
    assert_eq!(shares, [20_000.0, 20_000.0, 900.0], "nothing has to be shared");
}

#[test]
fn of_a_rendition_in_one_layer_nobody_is_sent_the_lower_one_alone() {
    let mut call = Call::default();
    let receivers = [receiver(1, 1500, 720), receiver(2, 1100, 720)];
    call.after(5, &receivers);
    assert!(call.allocation.is_sent_base_only(peer(2), 0));
    call.allocation.set_layered([false, true, true]);
    assert_eq!(call.budgets(&receivers)[0], Some((1100, 720)), "at once");
    assert_eq!((call.after(5, &receivers), call.allocation.is_sent_base_only(peer(2), 0)), (vec![0, 0], false));
    assert_eq!(call.budgets(&receivers)[0], Some((1100, 720)));
    call.allocation.set_layered([true; RENDITIONS]);
    call.step(&receivers, u32::MAX);
    assert_eq!(call.budgets(&receivers)[0], Some((1500, 720)));
}

fn any_receivers() -> impl Strategy<Value = Vec<Receiver>> {
    let one = (prop_oneof![0..3000_u32, Just(u32::MAX)], prop_oneof![Just(180_u32), Just(360), Just(720), 1..2000_u32]);
    prop::collection::vec(one, 1..9).prop_map(|receivers| {
        let numbered = (1..).zip(receivers);
        numbered.map(|(number, (kbps, max_lines))| receiver(number, kbps, max_lines)).collect()
    })
}

proptest! {
    #[test]
    fn whatever_the_receivers_their_renditions_suit_them(
        receivers in any_receivers(),
        uplink in prop_oneof![1..5000_u32, Just(u32::MAX)],
    ) {
        let mut call = Call::default();
        let mut seats = Vec::new();
        for _ in 0..200 {
            seats = call.step(&receivers, uplink);
        }
        let budgets = call.budgets(&receivers);
        prop_assert!(budgets[0].is_some(), "somebody has the best");
        let mut sum = 0;
        for (receiver, rendition) in receivers.iter().zip(&seats) {
            let (kbps, lines) = budgets[*rendition].unwrap();
            let part = if call.allocation.is_sent_base_only(receiver.peer, *rendition) { BASE_LAYER_SHARE } else { 1.0 };
            let sent = f64::from(kbps) * part;
            prop_assert!(sent <= f64::from(receiver.budget.kbps), "nobody is sent more than their path takes");
            sum += sent as u64;
            if *rendition < LAST {
                let most = f64::from(receiver.budget.max_lines.min(HD.lines)) * MAX_OVERSIZE;
                prop_assert!(f64::from(lines.min(HD.lines)) <= most, "{} of {}", lines, most);
            }
        }
        prop_assert!(sum <= u64::from(uplink), "{} of {}", sum, uplink);
        // Nobody who can take clearly more is held back by somebody else, but on the smallest rendition.
        for (receiver, rendition) in receivers.iter().zip(&seats).filter(|(_, rendition)| **rendition < LAST) {
            let own = call.allocation.shares[receivers.iter().position(|it| it == receiver).unwrap()];
            let (kbps, _) = budgets[*rendition].unwrap();
            let useful = own.min(useful_kbps(*rendition, HD));
            prop_assert!(f64::from(kbps) >= (DRAGS_BELOW * useful).floor() - 1.0, "{} of {}", kbps, useful);
        }
    }

    #[test]
    fn the_same_again_changes_nothing(receivers in any_receivers()) {
        let mut call = Call::default();
        let first = call.after(8, &receivers);
        for _ in 0..100 {
            prop_assert_eq!(&call.step(&receivers, u32::MAX), &first);
        }
    }
}
