use std::time::{Duration, Instant};

use super::*;

fn key() -> CallKey {
    CallKey { call_id: "0197a1b2-0000-7000-8000-000000000001".into(), epoch: 3 }
}

fn event(name: &'static str, durability: Durability) -> NewEvent {
    NewEvent { at_unix_us: 1, call_us: 2, name, durability, payload_json: "{}".into() }
}

fn numbers(events: &[Event]) -> Vec<u64> {
    events.iter().map(|event| event.seq).collect()
}

#[test]
fn events_are_numbered_without_gaps_and_sent_once_per_connection() {
    let spool = Spool::open(None).unwrap();
    for _ in 0..5 {
        spool.append(&key(), event("caller.said", Durability::Soon));
    }
    assert_eq!(numbers(&spool.take_batch(3)), [1, 2, 3]);
    assert_eq!(numbers(&spool.take_batch(3)), [4, 5]);
    assert!(!spool.has_unsent());
    spool.acknowledge(&key(), 2);
    spool.rewind();
    assert_eq!(numbers(&spool.take_batch(9)), [3, 4, 5], "what is not acknowledged is sent again");
}

#[test]
fn a_finished_call_is_announced_after_its_events_and_forgotten_when_acknowledged() {
    let spool = Spool::open(None).unwrap();
    spool.append(&key(), event("call.ended", Durability::Soon));
    spool.finish(&key(), "goodbye");
    assert_eq!(spool.take_finished(9), [], "events first");
    spool.take_batch(9);
    let finished = spool.take_finished(9);
    assert_eq!((finished[0].reason.as_str(), finished[0].last_seq), ("goodbye", 1));
    assert!(!spool.has_unsent());
    assert_eq!(spool.logs().len(), 1);
    spool.acknowledge(&key(), 1);
    assert_eq!(spool.logs().len(), 1, "the end itself may be lost with the connection");
    spool.rewind();
    assert_eq!(spool.take_finished(9), finished);
    spool.acknowledge_finish(&key());
    assert_eq!(spool.logs().len(), 0);
}

#[test]
fn events_the_api_stored_on_an_earlier_connection_are_done_with() {
    let spool = Spool::open(None).unwrap();
    for _ in 0..9 {
        spool.append(&key(), event("caller.said", Durability::Soon));
    }
    spool.finish(&key(), "goodbye");
    spool.take_batch(9);
    // The connection broke before the acknowledgement. The first batch of the next one brings it.
    spool.rewind();
    assert_eq!(numbers(&spool.take_batch(3)), [1, 2, 3]);
    spool.acknowledge(&key(), 9);
    assert_eq!(spool.take_batch(3), [], "nothing is left to send");
    assert_eq!(spool.take_finished(1).len(), 1, "but that the call is over");
    assert!(!spool.has_unsent(), "or the connection would send empty batches for ever");
}

#[test]
fn what_may_be_lost_is_dropped_first_and_leaves_no_gap() {
    let spool = Spool::open(None).unwrap();
    for _ in 0..MAX_BEST_EFFORT {
        assert!(spool.append(&key(), event("caller.partial", Durability::BestEffort)).is_some());
    }
    assert_eq!(spool.append(&key(), event("caller.partial", Durability::BestEffort)), None);
    let next = spool.append(&key(), event("caller.said", Durability::Soon));
    assert_eq!(next, Some(MAX_BEST_EFFORT as u64 + 1));
}

#[tokio::test]
async fn waiting_for_an_acknowledgement_is_bounded() {
    let spool = Spool::open(None).unwrap();
    let key = key();
    let seq = spool.append(&key, event("call.hanging_up", Durability::BeforeEffect)).unwrap();
    assert!(!spool.acknowledged(&key, seq, Duration::from_millis(20)).await);
    let (waited, ()) = tokio::join!(spool.acknowledged(&key, seq, Duration::from_secs(5)), async {
        tokio::task::yield_now().await;
        spool.acknowledge(&key, seq);
    });
    assert!(waited);
}

#[test]
fn a_crash_of_the_process_loses_no_event() {
    let directory = tempfile::tempdir().unwrap();
    let first = Spool::open(Some(directory.path())).unwrap();
    for _ in 0..3 {
        first.append(&key(), event("caller.said", Durability::Soon));
    }
    wait_for_file(directory.path(), 3);
    drop(first);

    let second = Spool::open(Some(directory.path())).unwrap();
    let batch = second.take_batch(9);
    assert_eq!(numbers(&batch), [1, 2, 3, 4]);
    assert_eq!(batch[3].r#type, "call.ended", "the call ended with the process");
    assert_eq!(second.take_finished(9)[0].reason, "error");
    second.acknowledge(&key(), 4);
    second.acknowledge_finish(&key());
    let deadline = Instant::now() + Duration::from_secs(5);
    while std::fs::read_dir(directory.path()).unwrap().count() > 0 {
        assert!(Instant::now() < deadline, "the log is removed when everything is acknowledged");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_half_written_event_is_ignored() {
    let directory = tempfile::tempdir().unwrap();
    let first = Spool::open(Some(directory.path())).unwrap();
    first.append(&key(), event("caller.said", Durability::Soon));
    let path = wait_for_file(directory.path(), 1);
    drop(first);
    let mut bytes = std::fs::read(&path).unwrap();
    let whole = bytes.clone();
    bytes.extend(&whole[..whole.len() - 3]);
    std::fs::write(&path, bytes).unwrap();
    let second = Spool::open(Some(directory.path())).unwrap();
    assert_eq!(numbers(&second.take_batch(9)), [1, 2], "the whole one, and the end of the call");
}

#[test]
fn a_directory_that_cannot_be_used_is_named() {
    let error = Spool::open(Some(Path::new("/proc/voxplane"))).unwrap_err();
    assert!(error.to_string().contains("/proc/voxplane"), "{error}");
}

/// Waits until the writing thread has put `count` events on disk.
fn wait_for_file(directory: &Path, count: usize) -> std::path::PathBuf {
    let path = directory.join(format!("{}.{}.events", key().call_id, key().epoch));
    let deadline = Instant::now() + Duration::from_secs(5);
    loop {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let mut rest = bytes.as_slice();
        let mut read = 0;
        while !rest.is_empty() && <Event as prost::Message>::decode_length_delimited(&mut rest).is_ok() {
            read += 1;
        }
        if read >= count {
            return path;
        }
        assert!(Instant::now() < deadline, "not written in time");
        std::thread::sleep(Duration::from_millis(5));
    }
}
