//! The loop of one call: what happened goes into the engine, what the engine wants is done. Nothing is decided here.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream::BoxStream;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use voxplane_control::v1::{LiveKitAccess, SttConfig, command_result::Outcome};
use voxplane_media::clock::{CallClock, FRAME};
use voxplane_media::{JoinError, Room, RoomError, RoomEvent, RoomEvents, Speaker};
use voxplane_session::{CallTime, ClauseId, EndReason, FailedWork, Input, Session, Stage};

use super::ears::Ears;
use super::hands::Hands;
use super::hang_up::HangUp;
use super::ledger::Ledger;
use super::mind::Mind;
use super::mouth::Mouth;
use super::people::People;
use super::settings::Call;
use super::{Deps, Message};
use crate::control_client::Outgoing;
use crate::metrics::Metrics;
use crate::providers::llm::Usage;
use crate::providers::stt::{SttEvent, SttInput, SttProvider};
use crate::providers::tts::WordMark;

/// Results of tasks that may wait for the loop.
const NEWS: usize = 256;
/// The caller has to be in the room this soon after the agent.
pub(super) const CALLER_DUE: Duration = Duration::from_secs(5);
/// One frame: how often progress of the playout is looked at while the agent speaks.
const TICK: Duration = Duration::from_millis(20);

/// A recogniser's two halves, or why there is none.
pub(super) type Opened = Result<(Box<dyn SttInput>, BoxStream<'static, SttEvent>), String>;

/// What the call's own tasks report.
pub(super) enum News {
    Joined(Box<Result<(Room, RoomEvents), JoinError>>),
    Published(Result<Speaker, RoomError>),
    Recogniser(Opened),
    ClauseAudio { clause: ClauseId, pcm: Vec<i16> },
    ClauseComplete { clause: ClauseId, words: Option<Vec<WordMark>> },
    ClauseFailed { clause: ClauseId, error: String },
    Usage(Usage),
    Input(Input),
}

/// One running call.
pub(super) struct Driver {
    pub(super) session: Session,
    pub(super) clock: CallClock,
    pub(super) call_id: String,
    pub(super) access: LiveKitAccess,
    pub(super) ledger: Ledger,
    pub(super) hang_up: HangUp,
    pub(super) outgoing: Outgoing,
    pub(super) metrics: Metrics,
    pub(super) people: People,
    pub(super) mouth: Mouth,
    pub(super) ears: Option<Ears>,
    pub(super) mind: Option<Mind>,
    pub(super) hands: Option<Hands>,
    pub(super) recogniser: Option<(Arc<dyn SttProvider>, SttConfig)>,
    pub(super) stt_name: &'static str,
    pub(super) room: Option<Arc<Room>>,
    pub(super) publish_wanted: bool,
    pub(super) caller_due: Option<Instant>,
    /// Commands seen, with their outcome once they have one.
    pub(super) commands: HashMap<String, Option<Outcome>>,
    pub(super) tasks: JoinSet<()>,
    pub(super) news: mpsc::Receiver<News>,
    pub(super) teller: mpsc::Sender<News>,
    pub(super) ended: Option<EndReason>,
}

impl Driver {
    pub(super) fn new(call: Call, deps: &Deps, ledger: Ledger, hang_up: HangUp, outgoing: Outgoing) -> Self {
        let clock = ledger.clock();
        let (teller, news) = mpsc::channel(NEWS);
        let (ears, mind, hands, recogniser) = match call.conversation {
            Some(part) => {
                let ears = Ears::new(clock, part.vad, part.stt.name());
                (Some(ears), Some(part.mind), Some(part.hands), Some((part.stt, part.stt_config)))
            }
            None => (None, None, None, None),
        };
        Self {
            session: Session::new(call.session, CallTime::from_micros(clock.now().micros())),
            clock,
            call_id: call.key.call_id,
            access: call.access,
            ledger,
            hang_up,
            outgoing,
            metrics: deps.metrics.clone(),
            people: People::new(call.caller.participant_identity),
            mouth: Mouth::new(call.tts, call.voice, call.language),
            ears,
            mind,
            hands,
            stt_name: recogniser.as_ref().map_or("none", |(provider, _)| provider.name()),
            recogniser,
            room: None,
            publish_wanted: false,
            caller_due: None,
            commands: HashMap::new(),
            tasks: JoinSet::new(),
            news,
            teller,
            ended: None,
        }
    }

    /// Runs the call to its end.
    pub(super) async fn run(mut self, mut inbox: mpsc::Receiver<Message>) -> EndReason {
        let mut events: Option<RoomEvents> = None;
        let mut transcripts: Option<BoxStream<'static, SttEvent>> = None;
        self.join();
        self.open_recogniser();
        let reason = loop {
            self.carry_out();
            if let Some(reason) = self.ended {
                break reason;
            }
            let wake = tokio::time::Instant::from_std(self.next_wake());
            tokio::select! {
                event = next_event(&mut events) => self.room_event(event),
                Some(news) = self.news.recv() => match news {
                    News::Joined(joined) => events = self.joined(*joined),
                    News::Recogniser(opened) => transcripts = self.recogniser_opened(opened),
                    news => self.news(news),
                },
                event = next_transcript(&mut transcripts) => match event {
                    Some(event) => self.transcript(event),
                    None => {
                        transcripts = None;
                        self.provider_failed(Stage::Stt, self.stt_name, "the recogniser ended the stream".to_owned());
                    }
                },
                Some(message) = inbox.recv() => self.message(message),
                () = tokio::time::sleep_until(wake) => {}
            }
            self.look_after_tasks();
            self.keep_up();
        };
        self.tasks.shutdown().await;
        drop(events);
        if let Some(room) = self.room.take().and_then(Arc::into_inner) {
            room.leave().await;
        }
        reason
    }

    pub(super) fn now(&self) -> CallTime {
        CallTime::from_micros(self.clock.now().micros())
    }

    pub(super) fn tell(&mut self, input: Input) {
        let now = self.now();
        self.session.handle(now, input);
    }

    pub(super) fn tell_all(&mut self, inputs: impl IntoIterator<Item = Input>) {
        inputs.into_iter().for_each(|input| self.tell(input));
    }

    pub(super) fn provider_failed(&mut self, stage: Stage, provider: &str, error: String) {
        let provider = provider.to_owned();
        self.tell(Input::ProviderFailed { stage, provider, error, of: FailedWork::Call });
    }

    /// Tasks report through the channel; one that panicked could not, and what waits for it has a time-out.
    fn look_after_tasks(&mut self) {
        while let Some(ended) = self.tasks.try_join_next() {
            if ended.is_err_and(|error| error.is_panic()) {
                tracing::error!(call.id = self.call_id, "a bug ended a task of the call");
                self.metrics.error("runtime", "panic");
            }
        }
    }

    // ---- time ------------------------------------------------------------------------------------------------------

    fn next_wake(&self) -> Instant {
        let engine = self.session.next_deadline().map(|at| self.instant(at));
        let ears = self.ears.as_ref().and_then(Ears::deadline);
        let playout = self.mouth.is_speaking().then(|| Instant::now() + TICK);
        // A live session always has a deadline; an hour is as good as never.
        let never = Instant::now() + Duration::from_secs(3_600);
        [engine, ears, playout, self.caller_due].into_iter().flatten().fold(never, Instant::min)
    }

    fn instant(&self, at: CallTime) -> Instant {
        let position = voxplane_media::clock::Position::from_micros(at.as_micros());
        // One sample later, so that rounding never wakes the engine before its deadline.
        self.clock.instant(position + 1)
    }

    /// What time brings: audio in order, progress of the playout, deadlines.
    fn keep_up(&mut self) {
        if let Some(ears) = &mut self.ears {
            let inputs = ears.keep_up(Instant::now());
            self.tell_all(inputs);
        }
        if let Some(progress) = self.mouth.keep_up() {
            self.tell(progress);
        }
        if self.caller_due.is_some_and(|due| Instant::now() >= due) {
            self.caller_due = None;
            if !self.people.caller_was_here() {
                tracing::info!(call.id = self.call_id, "the caller was gone before the agent came");
                self.tell(Input::CallerLeft);
            }
        }
        let now = self.now();
        if self.session.next_deadline().is_some_and(|at| at <= now) {
            self.tell(Input::Tick);
        }
    }
}

/// The room's next event; never, before it is joined and after it has ended.
async fn next_event(events: &mut Option<RoomEvents>) -> RoomEvent {
    if let Some(events) = events
        && let Some(event) = events.recv().await
    {
        return event;
    }
    std::future::pending().await
}

/// The recogniser's next event; never, before it is open.
async fn next_transcript(transcripts: &mut Option<BoxStream<'static, SttEvent>>) -> Option<SttEvent> {
    match transcripts {
        Some(transcripts) => transcripts.next().await,
        None => std::future::pending().await,
    }
}

// A tick is a frame; the two are written down in different units.
const _: () = assert!(FRAME * 1_000 == voxplane_media::clock::RATE * TICK.as_millis() as i64);
