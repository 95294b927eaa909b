//! The buffer against synthetic networks.

use proptest::prelude::*;

use super::*;

fn packet(sequence: u16, timestamp: u32) -> ReceivedSound {
    let data = Bytes::copy_from_slice(&sequence.to_be_bytes());
    let arrived_at = MediaTime::default();
    ReceivedSound { data, sequence, rtp_timestamp: timestamp, arrived_at, capture_ntp: None, recovered: false }
}

/// A xorshift generator: the same numbers for the same seed everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit.max(1)
    }
}

/// A network: the n-th packet is sent at 20 ms * n and arrives after `delay_ms(n)`, or never.
struct Network {
    arrivals: Vec<(MediaTime, u16, u32)>,
}

impl Network {
    fn new(count: u64, first: u16, mut delay_ms: impl FnMut(u64) -> Option<u64>) -> Self {
        let mut arrivals: Vec<_> = (0..count)
            .filter_map(|n| {
                let at = MediaTime::from_millis(1000 + n * 20 + delay_ms(n)?);
                Some((at, first.wrapping_add(n as u16), (n as u32 * 960).wrapping_add(u32::MAX - 5000)))
            })
            .collect();
        arrivals.sort();
        Self { arrivals }
    }

    /// Plays for `frames` frames from 1 s on; the output.
    fn play(&self, buffer: &mut AudioJitterBuffer, frames: u64) -> Vec<Pull> {
        let mut pending = self.arrivals.iter().peekable();
        let (mut pulled, mut ahead) = (Vec::new(), 0);
        for frame in 0..frames {
            let now = MediaTime::from_millis(1003 + frame * 20);
            while let Some((at, sequence, timestamp)) = pending.next_if(|(at, ..)| *at <= now) {
                buffer.push(packet(*sequence, *timestamp), FRAME, true, *at);
            }
            // Each change of tempo is one of 10 ms.
            while ahead < FRAME_SAMPLES {
                let pull = buffer.pull(false, ahead, now);
                ahead += match pull {
                    Pull::Packet(_, TimeStretch::Faster | TimeStretch::MuchFaster) => FRAME_SAMPLES / 2,
                    Pull::Packet(_, TimeStretch::Slower | TimeStretch::MuchSlower) => FRAME_SAMPLES * 3 / 2,
                    _ => FRAME_SAMPLES,
                };
                pulled.push(pull);
            }
            ahead -= FRAME_SAMPLES;
        }
        pulled
    }
}

fn played(pulled: &[Pull]) -> Vec<u16> {
    pulled
        .iter()
        .filter_map(|pull| match pull {
            Pull::Packet(packet, _) => Some(packet.sequence),
            Pull::Recover(_) | Pull::Conceal | Pull::Silence => None,
        })
        .collect()
}

fn concealed(pulled: &[Pull]) -> usize {
    pulled.iter().filter(|pull| matches!(pull, Pull::Conceal | Pull::Recover(_))).count()
}

/// Frames concealed after the last packet.
fn after_the_end(pulled: &[Pull]) -> u64 {
    pulled.iter().rev().take_while(|pull| matches!(pull, Pull::Conceal | Pull::Silence)).count() as u64
}

/// Packets that are played faster, and slower.
fn changes(pulled: &[Pull]) -> [usize; 2] {
    let of = |tempos: [TimeStretch; 2]| {
        pulled.iter().filter(|pull| matches!(pull, Pull::Packet(_, tempo) if tempos.contains(tempo))).count()
    };
    [of([TimeStretch::Faster, TimeStretch::MuchFaster]), of([TimeStretch::Slower, TimeStretch::MuchSlower])]
}

#[test]
fn an_even_network_plays_every_packet_once_across_the_wrap() {
    let mut buffer = AudioJitterBuffer::new();
    let pulled = Network::new(500, 65_400, |_| Some(5)).play(&mut buffer, 490);
    let expected: Vec<u16> = (0..played(&pulled).len()).map(|n| 65_400_u16.wrapping_add(n as u16)).collect();
    assert_eq!(played(&pulled), expected);
    assert!(expected.len() >= 485);
    assert_eq!(concealed(&pulled), 0);
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn packets_that_overtake_each_other_are_put_in_order() {
    let mut buffer = AudioJitterBuffer::new();
    let pulled = Network::new(300, 7, |n| Some(if n % 2 == 0 { 25 } else { 1 })).play(&mut buffer, 290);
    let order = played(&pulled);
    assert!(order.windows(2).all(|pair| pair[1] == pair[0] + 1), "{order:?}");
    assert!(concealed(&pulled) <= 2, "{}", concealed(&pulled));
}

#[test]
fn every_lost_packet_is_made_up_once_and_from_the_next_one() {
    let mut buffer = AudioJitterBuffer::new();
    let pulled = Network::new(500, 1, |n| (n % 10 != 5).then_some(5)).play(&mut buffer, 480);
    let recovered = pulled.iter().filter(|pull| matches!(pull, Pull::Recover(_))).count();
    assert!((46..=48).contains(&recovered), "{recovered}");
    assert_eq!(concealed(&pulled), recovered);
    for pair in pulled.windows(2) {
        if let (Pull::Recover(data), Pull::Packet(next, _)) = (&pair[0], &pair[1]) {
            assert_eq!(data[..], next.sequence.to_be_bytes(), "the correction comes from the packet after the hole");
        }
    }
    assert_eq!(buffer.stats().lost, recovered as u64);
}

#[test]
fn a_duplicate_is_played_once() {
    let mut buffer = AudioJitterBuffer::new();
    let mut network = Network::new(200, 1, |_| Some(5));
    network.arrivals = network.arrivals.iter().flat_map(|&arrival| [arrival, arrival]).collect();
    let order = played(&network.play(&mut buffer, 190));
    assert!(order.windows(2).all(|pair| pair[1] == pair[0] + 1));
    assert!(buffer.stats().late >= 180, "{}", buffer.stats().late);
}

#[test]
fn the_delay_grows_to_the_jitter_and_shrinks_after_it() {
    let mut random = Random(42);
    let mut buffer = AudioJitterBuffer::new();
    let rough = Network::new(4000, 1, |n| Some(if n < 750 { random.below(80) } else { 1 }));
    let pulled = rough.play(&mut buffer, 740);
    let after_start = &pulled[150..];
    assert!(concealed(after_start) * 50 < after_start.len(), "{} of {}", concealed(after_start), after_start.len());
    assert!((60..=100).contains(&buffer.stats().target_ms), "{}", buffer.stats().target_ms);
    assert!(changes(&pulled)[1] >= 1, "it is slowed down: {:?}", changes(&pulled));
    let mut buffer = AudioJitterBuffer::new();
    let pulled = rough.play(&mut buffer, 3900);
    assert!(changes(&pulled)[0] >= 5, "the surplus is played faster: {:?}", changes(&pulled));
    assert!(buffer.stats().delay_ms <= 40 && buffer.stats().target_ms <= 15, "{:?}", buffer.stats());
}

#[test]
fn a_lost_packet_that_can_be_restored_is_waited_for_and_one_that_cannot_is_not() {
    for (restores, targets) in [(true, 20..=30), (false, 10..=10)] {
        let mut buffer = AudioJitterBuffer::new();
        for n in 0..1000_u16 {
            let now = MediaTime::from_millis(u64::from(n) * 20);
            if n % 20 != 7 {
                buffer.push(packet(n, u32::from(n) * 960), FRAME, restores, now);
            }
            let _ = buffer.pull(false, 0, now + std::time::Duration::from_millis(1));
        }
        assert!(targets.contains(&buffer.stats().target_ms), "{:?}", buffer.stats());
    }
}

#[test]
fn copies_count_as_recovered_and_not_as_concealed() {
    let mut buffer = AudioJitterBuffer::new();
    for n in 0..500_u16 {
        let now = MediaTime::from_millis(u64::from(n) * 20);
        // The packet of each tenth number comes with the one after it.
        if n % 10 == 1 {
            buffer.push(ReceivedSound { recovered: true, ..packet(n - 1, u32::from(n - 1) * 960) }, FRAME, false, now);
        }
        if n % 10 != 0 {
            buffer.push(packet(n, u32::from(n) * 960), FRAME, false, now);
        }
        // A speaker that is slower by a twentieth: the delay never runs out.
        if n % 20 != 19 {
            let _ = buffer.pull(false, 0, now);
        }
    }
    let stats = buffer.stats();
    assert!(stats.recovered_ms >= 40 * 20 && stats.concealed_ms <= 40, "{stats:?}");
}

#[test]
fn an_outage_is_waited_out_and_jumped_over() {
    let mut buffer = AudioJitterBuffer::new();
    let pulled = Network::new(600, 1, |n| (!(200..350).contains(&n)).then_some(5)).play(&mut buffer, 590);
    let order = played(&pulled);
    assert!(order.contains(&200) && order.contains(&400));
    assert!(concealed(&pulled) <= 12, "an outage is silence, not minutes of made-up sound: {}", concealed(&pulled));
    assert_eq!(buffer.stats().lost, 150);
    assert_eq!(buffer.stats().concealed_ms, 20 * concealed(&pulled) as u64 - 20 * after_the_end(&pulled));
}

#[test]
fn a_muted_sender_that_goes_on_is_heard_again() {
    let mut buffer = AudioJitterBuffer::new();
    let mut sent = 0_u16;
    let mut heard = Vec::new();
    for frame in 0..1000_u64 {
        let now = MediaTime::from_millis(frame * 20);
        if !(300..700).contains(&frame) {
            buffer.push(packet(sent, frame as u32 * 960), FRAME, false, now);
            sent += 1;
        }
        if let Pull::Packet(packet, _) = buffer.pull(false, 0, now) {
            heard.push(packet.sequence);
        }
    }
    assert!(heard.len() > 590, "{}", heard.len());
    assert_eq!((buffer.stats().lost, buffer.stats().concealed_ms), (0, 0), "silence that was meant is not made up");
}

#[test]
fn a_sender_that_starts_anew_is_followed_whatever_its_numbers() {
    for second_start in [40_000_u16, 60, 65_000] {
        let mut buffer = AudioJitterBuffer::new();
        Network::new(100, 100, |_| Some(5)).play(&mut buffer, 100);
        let mut heard = 0;
        for n in 0..100_u16 {
            let now = MediaTime::from_millis(10_000 + u64::from(n) * 20);
            buffer.push(packet(second_start.wrapping_add(n), 77 + u32::from(n) * 960), FRAME, false, now);
            heard += usize::from(matches!(buffer.pull(false, 0, now), Pull::Packet(..)));
        }
        assert!(heard > 60, "from {second_start}: {heard}");
    }
}

#[test]
fn a_flood_holds_half_a_second() {
    let mut buffer = AudioJitterBuffer::new();
    for n in 0..60_000_u32 {
        buffer.push(packet(n as u16, n * 120), 120, false, MediaTime::from_millis(1));
        assert!(buffer.held_samples <= AudioJitterBuffer::MAX_SAMPLES && buffer.held.len() <= 200);
    }
    assert_eq!(buffer.stats().buffered_ms, 500);
}

#[test]
fn a_single_forged_number_costs_no_sound_for_long() {
    let mut buffer = AudioJitterBuffer::new();
    let mut network = Network::new(400, 1, |_| Some(5));
    network.arrivals.insert(100, (network.arrivals[100].0, 900, 12345));
    network.arrivals.insert(150, (network.arrivals[150].0, 30_000, 12345));
    let order = played(&network.play(&mut buffer, 390));
    assert!(order.len() > 350, "{}", order.len());
}

proptest! {
    #[test]
    fn order_holds_under_any_loss_reordering_and_jitter(
        seed in 1_u64..u64::MAX,
        loss in 0_u64..60,
        jitter in 0_u64..300,
        first in any::<u16>(),
    ) {
        let mut random = Random(seed);
        let mut buffer = AudioJitterBuffer::new();
        let network = Network::new(300, first, |_| {
            let lost = random.below(100) < loss;
            let delay = random.below(jitter + 1);
            (!lost).then_some(delay)
        });
        let order = played(&network.play(&mut buffer, 320));
        for pair in order.windows(2) {
            let step = pair[1].wrapping_sub(pair[0]);
            prop_assert!((1..300).contains(&step), "{} after {}", pair[1], pair[0]);
        }
        prop_assert!(buffer.held_samples <= AudioJitterBuffer::MAX_SAMPLES);
    }

    #[test]
    fn hostile_input_is_bounded(input in prop::collection::vec((any::<u16>(), any::<u32>(), any::<u32>(), any::<u64>(), any::<bool>()), 0..300)) {
        let mut buffer = AudioJitterBuffer::new();
        for (sequence, timestamp, samples, micros, pull) in input {
            let now = MediaTime::from_micros(micros);
            buffer.push(packet(sequence, timestamp), samples % 7000, micros % 3 == 0, now);
            if pull {
                let _ = buffer.pull(micros % 2 == 0, timestamp as usize % 2000, now);
            }
            prop_assert!(buffer.held_samples <= AudioJitterBuffer::MAX_SAMPLES);
            let sum: u32 = buffer.held.iter().map(|held| held.samples).sum();
            prop_assert_eq!(sum, buffer.held_samples);
        }
    }
}
