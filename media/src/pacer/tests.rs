use proptest::prelude::*;

use super::*;

const GREETING: UtteranceId = UtteranceId(1);
const ANSWER: UtteranceId = UtteranceId(2);

fn position(ms: i64) -> Position {
    Position::from_samples(ms * 48)
}

fn events(pacer: &mut Pacer) -> Vec<PlayoutEvent> {
    std::iter::from_fn(|| pacer.poll_event()).collect()
}

/// Speech whose samples tell their own index.
fn ramp(len: usize) -> Vec<i16> {
    (0..len).map(|n| (n % 30_000) as i16 + 1).collect()
}

#[test]
fn one_frame_per_tick_with_call_clock_timestamps() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(3 * FRAME_SAMPLES)).unwrap();
    pacer.finish(GREETING);
    for tick in 0..3 {
        assert_eq!(pacer.due(position(100)), Some(position(100 + 20 * tick)));
        let frames = pacer.tick(position(100 + 20 * tick));
        assert_eq!(frames.len(), 1);
        assert_eq!(frames[0].at, position(100 + 20 * tick));
        assert_eq!(frames[0].talkspurt_start, tick == 0);
        assert_eq!(frames[0].pcm[0] as i64, 1 + tick * FRAME);
    }
    assert_eq!(
        events(&mut pacer),
        [
            PlayoutEvent::Started { utterance: GREETING, at: position(100) },
            PlayoutEvent::Finished { utterance: GREETING, at: position(160) },
        ]
    );
}

#[test]
fn nothing_is_sent_while_nothing_is_said() {
    let mut pacer = Pacer::new();
    assert_eq!(pacer.due(position(0)), None);
    assert!(pacer.tick(position(0)).is_empty());

    pacer.enqueue(GREETING, &ramp(FRAME_SAMPLES)).unwrap();
    pacer.finish(GREETING);
    let sent: Vec<Frame> = (0..10).flat_map(|tick| pacer.tick(position(20 * tick))).collect();
    // One frame of speech and the silent tail.
    assert_eq!(sent.len(), 3);
    assert!(sent[1..].iter().all(|frame| frame.pcm.iter().all(|sample| *sample == 0)));
    assert_eq!(pacer.due(position(200)), None);

    // The next talkspurt's timestamp shows the silence.
    pacer.enqueue(ANSWER, &ramp(FRAME_SAMPLES)).unwrap();
    let frames = pacer.tick(position(5000));
    assert_eq!(frames[0].at, position(5000));
    assert!(frames[0].talkspurt_start);
}

#[test]
fn a_late_tick_sends_two_frames_and_moves_the_rest_later() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(50 * FRAME_SAMPLES)).unwrap();
    assert_eq!(pacer.tick(position(0)).len(), 1);

    // One frame late: both go out, no gap.
    let frames = pacer.tick(position(40));
    assert_eq!(frames.iter().map(|frame| frame.at).collect::<Vec<_>>(), [position(20), position(40)]);
    assert!(frames.iter().all(|frame| !frame.talkspurt_start));

    // 200 ms late: two frames, and the timestamps jump.
    let frames = pacer.tick(position(260));
    assert_eq!(frames.iter().map(|frame| frame.at).collect::<Vec<_>>(), [position(240), position(260)]);
    assert!(frames[0].talkspurt_start);
    assert_eq!(frames[0].pcm[0] as usize, 1 + 3 * FRAME_SAMPLES);
    assert_eq!(pacer.due(position(260)), Some(position(280)));
}

#[test]
fn flush_drops_everything_at_once_and_reports_what_was_sent() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(10 * FRAME_SAMPLES)).unwrap();
    pacer.enqueue(ANSWER, &ramp(FRAME_SAMPLES)).unwrap();
    pacer.tick(position(0));
    pacer.set_ducked(true);
    let flushed = pacer.flush();
    assert_eq!(
        flushed,
        [
            Flushed { utterance: GREETING, sent: 960, enqueued: 9600 },
            Flushed { utterance: ANSWER, sent: 0, enqueued: 960 },
        ]
    );
    let frames = pacer.tick(position(20));
    assert!(frames.iter().all(|frame| frame.pcm.iter().all(|sample| *sample == 0)));
    // What follows is at full level again, and the flushed utterances are never reported as finished.
    let next = UtteranceId(3);
    pacer.enqueue(next, &[8000; FRAME_SAMPLES]).unwrap();
    pacer.finish(next);
    assert_eq!(pacer.tick(position(40))[0].pcm[0], 8000);
    assert!(
        !events(&mut pacer)
            .iter()
            .any(|event| matches!(event, PlayoutEvent::Finished { utterance, .. } if *utterance != next))
    );
}

#[test]
fn heard_is_the_sample_sent_before_a_moment() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(4 * FRAME_SAMPLES)).unwrap();
    pacer.tick(position(0));
    pacer.tick(position(20));
    pacer.set_paused(true);
    for tick in 2..10 {
        pacer.tick(position(20 * tick));
    }
    pacer.set_paused(false);
    pacer.tick(position(1000));
    pacer.tick(position(1020));
    assert_eq!(pacer.sent_before(GREETING, position(0)), 0);
    assert_eq!(pacer.sent_before(GREETING, position(30)), 1440);
    assert_eq!(pacer.sent_before(GREETING, position(500)), 1920, "nothing is sent while paused");
    assert_eq!(pacer.sent_before(GREETING, position(1010)), 2400);
    assert_eq!(pacer.sent_before(GREETING, position(9000)), 3840);
    assert_eq!(pacer.sent_before(ANSWER, position(9000)), 0);
}

#[test]
fn a_growing_utterance_waits_for_a_full_frame_and_says_when_it_starves() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(1000)).unwrap();
    assert_eq!(pacer.tick(position(0)).len(), 1);
    let gap = pacer.tick(position(20));
    assert!(gap[0].pcm.iter().all(|sample| *sample == 0), "40 samples wait for the rest of their frame");
    assert!(events(&mut pacer).contains(&PlayoutEvent::Starved { utterance: GREETING, at: position(20) }));

    pacer.finish(GREETING);
    let last = pacer.tick(position(40));
    assert_eq!(last[0].pcm[39], 1000);
    assert_eq!(last[0].pcm[40], 0);
    assert_eq!(events(&mut pacer), [PlayoutEvent::Finished { utterance: GREETING, at: position(40) + 40 }]);
}

#[test]
fn utterances_follow_each_other_without_a_gap() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &ramp(500)).unwrap();
    pacer.enqueue(ANSWER, &ramp(460)).unwrap();
    pacer.finish(ANSWER);
    let frames = pacer.tick(position(0));
    assert_eq!(frames[0].pcm[499..502], [500, 1, 2]);
    assert_eq!(
        events(&mut pacer),
        [
            PlayoutEvent::Started { utterance: GREETING, at: position(0) },
            PlayoutEvent::Started { utterance: ANSWER, at: position(0) + 500 },
            PlayoutEvent::Finished { utterance: GREETING, at: position(0) + 500 },
            PlayoutEvent::Finished { utterance: ANSWER, at: position(0) + 960 },
        ]
    );
}

#[test]
fn the_queue_is_bounded_and_finished_means_finished() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &vec![0; MAX_QUEUED]).unwrap();
    assert_eq!(pacer.enqueue(GREETING, &[0]), Err(EnqueueError::Full));
    pacer.flush();
    pacer.enqueue(ANSWER, &[0]).unwrap();
    pacer.finish(ANSWER);
    assert_eq!(pacer.enqueue(ANSWER, &[0]), Err(EnqueueError::Finished(ANSWER)));
}

#[test]
fn an_empty_utterance_finishes() {
    let mut pacer = Pacer::new();
    pacer.enqueue(GREETING, &[]).unwrap();
    pacer.finish(GREETING);
    assert_eq!(pacer.due(position(7)), Some(position(7)));
    assert!(pacer.tick(position(7)).is_empty());
    assert_eq!(events(&mut pacer), [PlayoutEvent::Finished { utterance: GREETING, at: position(7) }]);
    assert_eq!(pacer.due(position(8)), None);
}

proptest! {
    /// Whatever the scheduler does, timestamps never overlap, at most two frames leave per tick, none from the future,
    /// and every sample is sent exactly once, in order.
    #[test]
    fn pacing_survives_any_scheduling(
        delays in prop::collection::vec(0i64..12_000, 1..400),
        chunks in prop::collection::vec(1usize..5_000, 1..40),
    ) {
        let mut pacer = Pacer::new();
        let mut chunks = chunks.into_iter();
        let mut now = Position::ZERO;
        let mut said = 0usize;
        let mut heard = Vec::new();
        let mut end: Option<Position> = None;
        let mut tick = |pacer: &mut Pacer, now: Position| -> Result<(), TestCaseError> {
            let frames = pacer.tick(now);
            prop_assert!(frames.len() <= 2);
            for frame in frames {
                prop_assert!(frame.at <= now);
                if let Some(end) = end {
                    prop_assert!(frame.at >= end, "{:?} overlaps {:?}", frame.at, end);
                    prop_assert!(frame.talkspurt_start || frame.at == end);
                }
                end = Some(frame.at + FRAME);
                heard.extend(frame.pcm.into_iter().filter(|sample| *sample != 0));
            }
            Ok(())
        };
        for delay in delays {
            now = now + delay;
            if let Some(chunk) = chunks.next() {
                let speech: Vec<i16> = (said..said + chunk).map(|n| (n % 30_000) as i16 + 1).collect();
                pacer.enqueue(GREETING, &speech).unwrap();
                said += chunk;
            }
            tick(&mut pacer, now)?;
        }
        pacer.finish(GREETING);
        while pacer.queued() > 0 {
            now = now + FRAME;
            tick(&mut pacer, now)?;
        }
        prop_assert_eq!(heard, ramp(said));
        prop_assert_eq!(pacer.sent_before(GREETING, now + 10 * FRAME), said as u64);
    }
}
