use super::*;

fn connection(number: u64) -> ConnectionId {
    ConnectionId(number)
}

fn mailbox(byte: u8) -> BoxId {
    BoxId::from_bytes([byte; 32])
}

/// A directory with these connections, each of the box of its number, or of the given one.
fn directory(now: Instant, people: &[(u64, u8)]) -> Directory {
    let mut directory = Directory::default();
    for (number, byte) in people {
        let input = Input::Proven { mailbox: mailbox(*byte), device: Device(*number as u32) };
        assert!(directory.step(now, connection(*number), input).is_empty());
    }
    directory
}

fn watch(boxes: &[u8]) -> Input {
    Input::Control(ToServer::Watch { boxes: boxes.iter().copied().map(mailbox).collect() })
}

fn unwatch(boxes: &[u8]) -> Input {
    Input::Control(ToServer::Unwatch { boxes: boxes.iter().copied().map(mailbox).collect() })
}

fn letter(to: u8, device: Device) -> Input {
    Input::Letter(Letter::new(mailbox(to), device, b"sealed").unwrap())
}

/// News of presence: to whom, up or down, and of which devices.
fn told(outputs: &[Output]) -> Vec<(u64, bool, Vec<u32>)> {
    let mut told: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { connection, frame: Frame::Text(text) } => match ToApp::decode(text).unwrap().unwrap() {
                ToApp::Up { devices } => Some((connection.0, true, devices.iter().map(|(_, it)| it.0).collect())),
                ToApp::Down { devices } => Some((connection.0, false, devices.iter().map(|(_, it)| it.0).collect())),
                _ => None,
            },
            _ => None,
        })
        .collect();
    told.iter_mut().for_each(|(_, _, devices): &mut (u64, bool, Vec<u32>)| devices.sort_unstable());
    told.sort_unstable();
    told
}

/// Receivers of letters.
fn received(outputs: &[Output]) -> Vec<u64> {
    let mut received: Vec<_> = outputs
        .iter()
        .filter_map(|output| match output {
            Output::Send { connection, frame: Frame::Binary(_) } => Some(connection.0),
            _ => None,
        })
        .collect();
    received.sort_unstable();
    received
}

#[test]
fn two_learn_of_each_other_only_while_both_watch() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (2, 2)]);
    let mut step = |from, input| told(&directory.step(now, connection(from), input));
    assert_eq!(step(1, watch(&[2])), [], "one alone learns nothing");
    assert_eq!(step(2, watch(&[1])), [(1, true, vec![2]), (2, true, vec![1])]);
    assert_eq!(step(2, watch(&[1])), [], "again is nothing new");
    assert_eq!(step(1, unwatch(&[2])), [(1, false, vec![2]), (2, false, vec![1])]);
    assert_eq!(step(1, unwatch(&[2])), []);
    assert_eq!(step(1, watch(&[2, 2])), [(1, true, vec![2]), (2, true, vec![1])]);
    assert_eq!(step(1, Input::Closed), [(2, false, vec![1])]);
    assert_eq!(step(1, Input::Closed), []);
}

#[test]
fn a_watcher_is_told_of_whoever_comes_later_once_they_watch_too() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1)]);
    assert!(directory.step(now, connection(1), watch(&[2, 3])).is_empty());
    let came = Input::Proven { mailbox: mailbox(2), device: Device(2) };
    assert!(directory.step(now, connection(2), came).is_empty());
    assert_eq!(told(&directory.step(now, connection(2), watch(&[1]))), [(1, true, vec![2]), (2, true, vec![1])]);
}

#[test]
fn every_device_of_a_key_is_there_by_itself_and_the_oldest_gives_way_to_a_fifth() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (21, 2), (22, 2), (23, 2), (24, 2)]);
    directory.step(now, connection(1), watch(&[2]));
    for device in 21..=24 {
        let news = told(&directory.step(now, connection(device), watch(&[1, 2])));
        assert!(news.contains(&(1, true, vec![device as u32])), "{news:?}");
    }
    let fifth = directory.step(now, connection(25), Input::Proven { mailbox: mailbox(2), device: Device(25) });
    assert!(told(&fifth).contains(&(1, false, vec![21])));
    assert!(fifth.contains(&Output::Close { connection: connection(21), reason: Refusal::TooManyDevices }));
    assert_eq!(directory.len(), 5);
}

#[test]
fn a_letter_reaches_the_named_device_or_all_of_them_with_its_senders_address() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (21, 2), (22, 2)]);
    directory.step(now, connection(21), watch(&[1]));
    directory.step(now, connection(22), watch(&[1]));
    assert_eq!(received(&directory.step(now, connection(1), letter(2, Device::ALL))), [21, 22]);
    let sent = directory.step(now, connection(1), letter(2, Device(22)));
    let [Output::Send { connection: to, frame: Frame::Binary(bytes) }] = &sent[..] else { panic!("{sent:?}") };
    let letter_read = Letter::decode(bytes).unwrap();
    assert_eq!((to.0, letter_read.mailbox, letter_read.device), (22, mailbox(1), Device(1)));
    assert_eq!(letter_read.content().unwrap(), &b"sealed"[..]);
    assert!(received(&directory.step(now, connection(1), letter(2, Device(99)))).is_empty());
    assert_eq!(received(&directory.step(now, connection(21), letter(2, Device::ALL))), [22], "not to itself");
}

/// The answer to a letter is the same, namely none, whoever it is for; and so is its cost.
#[test]
fn a_strangers_letter_tells_nothing_of_its_receiver() {
    let now = Instant::now();
    let answers = |receiver_is_there: bool| {
        let mut directory = directory(now, if receiver_is_there { &[(1, 1), (2, 2)] } else { &[(1, 1)] });
        let outputs: Vec<_> =
            (0..20).flat_map(|_| directory.step(now, connection(1), letter(2, Device::ALL))).collect();
        let to_sender: Vec<_> = outputs
            .iter()
            .filter(|output| !matches!(output, Output::Send { connection, .. } if connection.0 == 2))
            .cloned()
            .collect();
        (to_sender, directory.counts().knocks_refused, received(&outputs).len())
    };
    let (there, absent) = (answers(true), answers(false));
    assert_eq!((&there.0, there.1), (&absent.0, absent.1));
    assert!(there.0.is_empty());
    assert_eq!((there.2, absent.2), (5, 0));
}

/// Somebody who writes to a contact, to a stranger and to nobody learns nothing: the server's outputs towards them are
/// the same, and so is the number of its steps. `visavis bench server` measures the times.
#[test]
fn a_contact_a_stranger_and_nobody_look_the_same_to_the_sender() {
    let now = Instant::now();
    let outputs_to_sender = |receiver: u8| {
        let mut directory = directory(now, &[(1, 1), (2, 2), (3, 3)]);
        directory.step(now, connection(1), watch(&[2]));
        directory.step(now, connection(2), watch(&[1]));
        let outputs = (0..300).map(|_| {
            let outputs = directory.step(now, connection(1), letter(receiver, Device::ALL));
            let is_for_others =
                |output: &Output| matches!(output, Output::Send { connection, .. } if connection.0 != 1);
            outputs.into_iter().filter(|output| !is_for_others(output)).collect::<Vec<_>>()
        });
        outputs.collect::<Vec<_>>()
    };
    let [contact, stranger, nobody] = [2, 3, 9].map(outputs_to_sender);
    assert_eq!(contact, stranger);
    assert_eq!(stranger, nobody);
    assert!(nobody.iter().flatten().all(|output| matches!(output, Output::Pause(_))));
    assert!(nobody.iter().flatten().count() > 90, "the limit of the connection");
}

#[test]
fn who_is_watched_by_the_receiver_is_no_stranger() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (2, 2)]);
    directory.step(now, connection(2), watch(&[1]));
    let letters = (0..100).flat_map(|_| directory.step(now, connection(1), letter(2, Device::ALL)));
    assert_eq!(received(&letters.collect::<Vec<_>>()).len(), 100);
}

#[test]
fn a_flood_is_read_no_faster_than_the_limit() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (2, 2)]);
    directory.step(now, connection(2), watch(&[1]));
    let pauses = (0..201).flat_map(|_| directory.step(now, connection(1), letter(2, Device::ALL)));
    let pauses: Vec<_> = pauses.filter(|output| matches!(output, Output::Pause(_))).collect();
    assert_eq!(pauses.len(), 2);
}

#[test]
fn too_many_watches_and_a_second_proof_end_the_connection() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (2, 2)]);
    for part in 0..4_u32 {
        let boxes = (0..300_u32).map(|number| {
            let mut bytes = [0; 32];
            bytes[..4].copy_from_slice(&(part * 300 + number).to_be_bytes());
            BoxId::from_bytes(bytes)
        });
        let outputs = directory.step(now, connection(1), Input::Control(ToServer::Watch { boxes: boxes.collect() }));
        let is_closed = outputs.contains(&Output::Close { connection: connection(1), reason: Refusal::Abuse });
        assert_eq!(is_closed, part == 3);
    }
    assert_eq!((directory.len(), directory.watchers.len()), (1, 0));
    let id = crate::identity::PeerId::from_bytes([1; 32]);
    let again = crate::server_protocol::Prove { version: 1, id, signature: [0; 64] };
    let outputs = directory.step(now, connection(2), Input::Control(ToServer::Prove(again)));
    assert!(matches!(outputs[..], [Output::Close { reason: Refusal::Abuse, .. }]));
}

#[test]
fn nothing_is_left_of_those_who_have_gone() {
    let now = Instant::now();
    let mut directory = directory(now, &[(1, 1), (2, 2), (3, 2)]);
    directory.step(now, connection(1), watch(&[2, 7, 8]));
    directory.step(now, connection(2), watch(&[1]));
    for number in 1..=3 {
        directory.step(now, connection(number), Input::Closed);
    }
    assert!(directory.connections.is_empty() && directory.boxes.is_empty() && directory.watchers.is_empty());
    assert!(directory.step(now, connection(1), letter(2, Device::ALL)).is_empty());
    assert!(directory.step(now, connection(1), watch(&[2])).is_empty());
}

#[test]
fn presence_of_many_comes_in_messages_of_their_bounded_size() {
    let devices: Vec<_> = (1..=1200).map(|number| (mailbox(1), Device(number))).collect();
    let outputs = presence(connection(1), true, devices);
    let told = told(&outputs);
    assert_eq!(told.iter().map(|(_, _, devices)| devices.len()).collect::<Vec<_>>().len(), 3);
    assert_eq!(told.iter().map(|(_, _, devices)| devices.len()).sum::<usize>(), 1200);
}
