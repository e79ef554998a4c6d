use proptest::prelude::*;

use super::*;
use crate::anchor::Anchor;
use crate::clock::FRAME;

const MS: i64 = RATE / 1000;

fn ms(ms: i64) -> Position {
    Position::from_samples(ms * MS)
}

/// A stream of 20 ms packets; packet `n` is sent at `20 n` ms.
#[derive(Default)]
struct Sender {
    anchor: Anchor,
}

impl Sender {
    fn packet(&mut self, seq: u64, arrival: Position) -> Packet {
        let rtp_time = 7_000 + seq * 960;
        let start = self.anchor.place(rtp_time, FRAME, arrival);
        Packet { seq, rtp_time, duration: FRAME, start, arrival, payload: Arc::from(&[0u8][..]) }
    }
}

fn poll_all(buffer: &mut JitterBuffer, now: Position) -> Vec<Item> {
    std::iter::from_fn(|| buffer.poll(now)).collect()
}

fn seqs(items: &[Item]) -> Vec<u64> {
    items.iter().filter_map(|item| if let Item::Packet(packet) = item { Some(packet.seq) } else { None }).collect()
}

#[test]
fn packets_in_order_are_not_held_back() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    for seq in 0..10 {
        let now = ms(20 * seq as i64 + 20);
        buffer.push(sender.packet(seq, now));
        assert_eq!(seqs(&poll_all(&mut buffer, now)), [seq]);
    }
    assert_eq!(buffer.deadline(), None);
}

#[test]
fn a_reordered_packet_is_put_back_in_order() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    buffer.push(sender.packet(0, ms(20)));
    buffer.push(sender.packet(2, ms(60)));
    assert_eq!(seqs(&poll_all(&mut buffer, ms(60))), [0]);
    assert_eq!(buffer.deadline(), Some(ms(100)));
    buffer.push(sender.packet(1, ms(75)));
    assert_eq!(seqs(&poll_all(&mut buffer, ms(75))), [1, 2]);
    assert_eq!(buffer.stats(), Stats { played: 3, ..Stats::default() });
}

#[test]
fn a_lost_packet_is_concealed_after_the_patience_of_forty_milliseconds() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    buffer.push(sender.packet(0, ms(20)));
    poll_all(&mut buffer, ms(20));
    buffer.push(sender.packet(2, ms(60)));
    assert!(poll_all(&mut buffer, ms(99)).is_empty());
    let items = poll_all(&mut buffer, ms(100));
    assert!(matches!(items[0], Item::Lost { start, duration: FRAME } if start == ms(20)));
    assert_eq!(seqs(&items), [2]);
    // Too late: given up already.
    buffer.push(sender.packet(1, ms(110)));
    assert!(poll_all(&mut buffer, ms(500)).is_empty());
    assert_eq!(buffer.stats(), Stats { played: 2, lost: 1, late: 1, duplicate: 0 });
}

#[test]
fn only_sixty_milliseconds_are_concealed() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    buffer.push(sender.packet(0, ms(20)));
    poll_all(&mut buffer, ms(20));
    buffer.push(sender.packet(11, ms(240)));
    let items = poll_all(&mut buffer, ms(300));
    assert!(matches!(items[0], Item::Lost { start, duration: MAX_CONCEALED } if start == ms(20)));
    assert!(matches!(items[1], Item::Gap { duration } if duration == 140 * MS));
    assert_eq!(seqs(&items), [11]);
}

#[test]
fn silence_of_the_sender_is_a_gap_not_a_loss() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    buffer.push(sender.packet(0, ms(20)));
    poll_all(&mut buffer, ms(20));
    let mut after = sender.packet(50, ms(1020));
    after.seq = 1;
    buffer.push(after);
    let items = poll_all(&mut buffer, ms(1020));
    assert!(matches!(items[0], Item::Gap { duration } if duration == 980 * MS));
    assert_eq!(seqs(&items), [1]);
    assert_eq!(buffer.stats().lost, 0);
}

#[test]
fn a_restarted_stream_goes_on_at_once() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    buffer.push(sender.packet(100_000, ms(20)));
    poll_all(&mut buffer, ms(20));
    buffer.push(sender.packet(5, ms(40)));
    assert_eq!(seqs(&poll_all(&mut buffer, ms(40))), [5]);
}

#[test]
fn patience_grows_with_jitter_and_shrinks_when_it_is_gone() {
    let (mut buffer, mut sender) = (JitterBuffer::new(), Sender::default());
    assert_eq!(buffer.patience(), 40 * MS);
    for seq in 0..400u64 {
        let late = if seq % 10 == 0 { 70 } else { 0 };
        buffer.push(sender.packet(seq, ms(20 * seq as i64 + 20 + late)));
        poll_all(&mut buffer, ms(20 * seq as i64 + 20 + late));
    }
    assert_eq!(buffer.patience(), 80 * MS);
    for seq in 400..800u64 {
        buffer.push(sender.packet(seq, ms(20 * seq as i64 + 20)));
        poll_all(&mut buffer, ms(20 * seq as i64 + 20));
    }
    assert_eq!(buffer.patience(), 20 * MS);
}

proptest! {
    /// Whatever the network does, packets leave in order and once, each hole is accounted for in full, and nothing
    /// waits longer than the largest patience.
    #[test]
    fn any_loss_and_reordering(network in prop::collection::vec((0i64..150, any::<bool>(), 0u8..10), 1..600)) {
        let mut sender = Sender::default();
        // (arrival in ms, sequence number); one packet in ten is lost, some are doubled.
        let mut arrivals: Vec<(i64, u64)> = Vec::new();
        for (seq, (delay, doubled, fate)) in network.iter().enumerate() {
            let sent = 20 * (seq as i64 + 1);
            if *fate != 0 {
                arrivals.push((sent + delay, seq as u64));
                if *doubled {
                    arrivals.push((sent + delay + 3, seq as u64));
                }
            }
        }
        arrivals.sort_unstable();

        let mut buffer = JitterBuffer::new();
        let mut last: Option<(u64, u64)> = None;
        let mut accounted = 0i64;
        let mut check = |items: Vec<Item>, now: Position| -> Result<(), TestCaseError> {
            for item in items {
                match item {
                    Item::Lost { duration, .. } => {
                        prop_assert!(duration > 0 && duration <= MAX_CONCEALED);
                        accounted += duration;
                    }
                    Item::Gap { duration } => {
                        prop_assert!(duration > 0);
                        accounted += duration;
                    }
                    Item::Packet(packet) => {
                        if let Some((seq, end)) = last {
                            prop_assert!(packet.seq > seq);
                            prop_assert_eq!(packet.rtp_time, end + accounted.unsigned_abs());
                        }
                        prop_assert!(now - packet.arrival <= 121 * MS);
                        accounted = 0;
                        last = Some((packet.seq, packet.rtp_time + 960));
                    }
                }
            }
            Ok(())
        };
        let end = arrivals.last().map_or(0, |(at, _)| *at) + 200;
        let mut arrivals = arrivals.into_iter().peekable();
        for now in 0..=end {
            while let Some((at, seq)) = arrivals.next_if(|(at, _)| *at <= now) {
                buffer.push(sender.packet(seq, ms(at)));
            }
            check(poll_all(&mut buffer, ms(now)), ms(now))?;
        }
        prop_assert_eq!(buffer.deadline(), None, "nothing is left behind");
    }
}
