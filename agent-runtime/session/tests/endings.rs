//! How calls end, in virtual time.

mod common;

use std::time::Duration;

use common::World;
use common::agent::config;
use voxplane_session::{CallTime, Command, FailedWork, Input, SessionConfig, Stage};

#[test]
fn a_leg_that_never_comes_up_is_given_up() {
    let mut world = World::new(config());
    world.leg_answers = false;
    world.run_until(60_000);
    assert_eq!(world.first("play"), None, "nobody would have heard it");
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("error"));
}

#[test]
fn a_refused_call_hears_why_and_ends() {
    let mut world = World::new(SessionConfig { refusal: Some("All our lines are busy.".into()), ..config() });
    world.caller_says(500, "wait I have a question");
    world.run_until(20_000);
    assert_eq!(world.agent_said(), [("All our lines are busy.".into(), "All our lines are busy.".into(), false)]);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("refused"));
    assert_eq!(world.first("generate"), None);
}

#[test]
fn a_silent_caller_is_prompted_twice_and_then_left() {
    let mut world = World::new(config());
    world.run_until(60_000);
    let prompts = world.times("silence.prompted");
    assert_eq!(prompts.len(), 2);
    // The greeting ends at about 1.6 s.
    assert!((9_500..=9_800).contains(&prompts[0]), "first prompt at {}", prompts[0]);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("silence"));
    assert_eq!(world.agent_said().last().expect("farewell").1, "I cannot hear you, so I will hang up now. Goodbye.");
}

#[test]
fn the_longest_call_ends_with_a_message_whatever_happens() {
    let mut settings = config();
    settings.max_duration = Duration::from_secs(10);
    let mut world = World::new(settings);
    world.caller_sounds(2_000, 60_000);
    world.run_until(60_000);
    let (at, reason) = world.ended().expect("ended");
    assert_eq!(reason, "max_duration");
    assert!((10_000..18_000).contains(&at), "ended at {at}");
    assert!(world.agent_said().last().expect("message").0.contains("end of our time"));
}

#[test]
fn nothing_is_cut_off_before_the_hang_up() {
    let mut world = World::new(config());
    world.caller_says(2_500, "goodbye");
    world.run_until(20_000);
    let last_frame = world.first("hang_up").expect("hung up")
        - world.times("play").last().expect("farewell played")
        - 60 * i64::try_from("Goodbye, take care.".len()).unwrap();
    assert!(last_frame >= 80, "hung up {last_frame} ms after the last sample, the path takes 80 ms");
    assert_eq!(world.agent_said().last().expect("farewell").1, "Goodbye, take care.");
    assert!(world.first("call.hanging_up") < world.first("hang_up"));
}

#[test]
fn the_hang_up_does_not_wait_for_the_ledger_for_ever() {
    let mut world = World::new(config());
    world.acknowledges = false;
    world.caller_can_be_removed = false;
    world.command(3_000, "c1", Command::HangUp);
    world.run_until(30_000);
    assert_eq!(world.first("hang_up"), Some(4_000));
    assert_eq!(world.ended(), Some((9_000, "command")), "ends although the leg cannot be removed");
}

#[test]
fn a_failing_provider_leads_to_an_apology_and_the_end() {
    let failure =
        |stage| Input::ProviderFailed { stage, provider: "p".into(), error: "refused".into(), of: FailedWork::Call };
    for stage in [Stage::Stt, Stage::Llm, Stage::Tts] {
        let mut world = World::new(config());
        world.at(3_000, failure(stage));
        world.run_until(30_000);
        assert_eq!(world.ended().map(|(_, reason)| reason), Some("error"), "{stage:?}");
        assert!(
            world.agent_said().last().expect("apology").1.contains("something went wrong"),
            "{stage:?}: the apology is at hand even when the voice has gone"
        );
    }
}

#[test]
fn a_voice_that_fails_before_the_answer_refuses_the_call() {
    let mut world = World::new(config());
    world.tts_works = false;
    world.run_until(30_000);
    assert_eq!(world.first("publish"), None);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("error"));
}

#[test]
fn a_model_that_says_nothing_is_no_dead_air() {
    let mut world = World::new(config());
    world.llm_works = false;
    let end = world.caller_says(2_500, "when do you open");
    world.run_until(40_000);
    let apology = *world.times("play").last().expect("apology");
    assert!(apology <= end + 500 + 8_100, "apology at {apology}");
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("error"));
}

#[test]
fn audio_that_is_not_sent_ends_the_call() {
    let mut world = World::new(config());
    world.pacer_works = false;
    world.run_until(30_000);
    let (at, reason) = world.ended().expect("ended");
    assert_eq!(reason, "error");
    assert!(at < 210 + 3_000 + 2_000, "ended at {at}");
}

#[test]
fn a_drain_that_leaves_no_time_for_words_hangs_up() {
    let mut world = World::new(config());
    world.caller_says(2_500, "when do you open");
    world.at(3_000, Input::Drain { finish_by: CallTime::from_millis(3_000) });
    world.run_until(20_000);
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("drained"));
    let hung_up = world.first("hang_up").expect("hung up");
    assert!((3_000..=3_400).contains(&hung_up), "at {hung_up}");
}

#[test]
fn a_farewell_does_not_outlast_the_drain() {
    let mut config = config();
    config.goodbye.message = "This farewell is so long that nobody would wait for its end. ".repeat(4);
    let mut world = World::new(config);
    world.caller_says(2_500, "goodbye");
    world.at(5_000, Input::Drain { finish_by: CallTime::from_millis(6_000) });
    world.run_until(30_000);
    let hung_up = world.first("hang_up").expect("hung up");
    assert!((6_000..=6_400).contains(&hung_up), "at {hung_up}");
    assert_eq!(world.ended().map(|(_, reason)| reason), Some("goodbye"), "the first reason stays");
}

#[test]
fn a_drain_ends_the_call_before_its_limit() {
    let mut world = World::new(config());
    world.at(3_000, Input::Drain { finish_by: CallTime::from_millis(40_000) });
    for n in 0..10 {
        world.caller_says(4_000 + n * 5_000, "and another thing");
    }
    world.run_until(60_000);
    let (at, reason) = world.ended().expect("ended");
    assert_eq!(reason, "drained");
    assert!((20_000..40_000).contains(&at), "ended at {at}");
}

#[test]
fn a_caller_who_hangs_up_ends_everything_at_once() {
    let mut world = World::new(config());
    world.first_token_ms = 2_000;
    world.caller_says(2_500, "when do you open");
    world.at(4_500, Input::CallerLeft);
    world.run_until(20_000);
    assert_eq!(world.ended(), Some((4_500, "caller_hung_up")));
    assert_eq!(world.times("cancel_generation"), [4_500]);
    assert_eq!(world.session.next_deadline(), None);
}
