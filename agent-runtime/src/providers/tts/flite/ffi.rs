//! The part of libflite 2.2 that we use, behind a safe [`Engine`].
//!
//! Declarations follow `flite.h`, `cst_voice.h`, `cst_wave.h`, `cst_audio.h`, `cst_item.h`. This is the only place with
//! unsafe code for synthesis. Flite shares reference-counted values between utterances of a voice without locks, so an
//! [`Engine`] stays on the thread that made it and there is one in a process.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_float, c_int, c_void},
    marker::PhantomData,
    ptr,
    sync::atomic::{AtomicBool, Ordering},
};

use super::Voice;
use crate::providers::{ProviderError, Result, tts::WordMark};

/// `struct cst_voice_struct`, up to the fields we touch.
#[repr(C)]
struct CstVoice {
    name: *const c_char,
    features: *mut c_void,
}

/// `struct cst_wave_struct`.
#[repr(C)]
struct CstWave {
    kind: *const c_char,
    sample_rate: c_int,
    num_samples: c_int,
    num_channels: c_int,
    samples: *const i16,
}

type StreamCallback = unsafe extern "C" fn(*const CstWave, c_int, c_int, c_int, *mut StreamingInfo) -> c_int;

/// `struct cst_audio_streaming_info_struct`.
#[repr(C)]
struct StreamingInfo {
    min_buffsize: c_int,
    asc: Option<StreamCallback>,
    utt: *const c_void,
    item: *const c_void,
    userdata: *mut c_void,
}

/// `CST_AUDIO_STREAM_CONT` and `CST_AUDIO_STREAM_STOP`.
const CONTINUE: c_int = 0;
const STOP: c_int = -1;

unsafe extern "C" {
    fn flite_init() -> c_int;
    fn register_cmu_us_slt(directory: *const c_char) -> *mut CstVoice;
    fn register_cmu_us_rms(directory: *const c_char) -> *mut CstVoice;
    fn register_cmu_us_awb(directory: *const c_char) -> *mut CstVoice;
    fn register_cmu_us_kal16(directory: *const c_char) -> *mut CstVoice;
    fn flite_synth_text(text: *const c_char, voice: *mut CstVoice) -> *mut c_void;
    fn delete_utterance(utterance: *mut c_void);
    fn flite_feat_set_float(features: *mut c_void, name: *const c_char, value: c_float);
    fn flite_feat_set(features: *mut c_void, name: *const c_char, value: *const c_void);
    fn flite_feat_remove(features: *mut c_void, name: *const c_char) -> c_int;
    fn flite_get_param_float(features: *const c_void, name: *const c_char, default: c_float) -> c_float;
    fn new_audio_streaming_info() -> *mut StreamingInfo;
    fn audio_streaming_info_val(info: *mut StreamingInfo) -> *const c_void;
    fn utt_relation(utterance: *const c_void, name: *const c_char) -> *mut c_void;
    fn relation_head(relation: *mut c_void) -> *const c_void;
    fn relation_tail(relation: *mut c_void) -> *const c_void;
    fn item_next(item: *const c_void) -> *const c_void;
    fn item_daughter(item: *const c_void) -> *const c_void;
    fn item_last_daughter(item: *const c_void) -> *const c_void;
    fn flite_ffeature_string(item: *const c_void, path: *const c_char) -> *const c_char;
    fn flite_ffeature_float(item: *const c_void, path: *const c_char) -> c_float;
}

/// What is known when the first audio of a text comes out.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Outline {
    pub(super) sample_rate: u32,
    /// Length of the whole text, seconds.
    pub(super) duration: f32,
    /// The text's tokens with their places; without those that are not spoken.
    pub(super) words: Vec<WordMark>,
}

/// Takes the audio of one text while it is made.
pub(super) trait Listener {
    /// Called once before the first audio. False stops the synthesis.
    fn outline(&mut self, outline: Outline) -> bool;
    /// Called for every block. False stops the synthesis.
    fn audio(&mut self, pcm: &[i16]) -> bool;
}

static TAKEN: AtomicBool = AtomicBool::new(false);

/// The synthesiser.
pub(super) struct Engine {
    voices: Vec<(Voice, *mut CstVoice, f32)>,
    _this_thread: PhantomData<*mut ()>,
}

impl Engine {
    /// Loads the voices. `None` when this process already has an engine.
    pub(super) fn new() -> Option<Self> {
        if TAKEN.swap(true, Ordering::SeqCst) {
            return None;
        }
        // SAFETY: first use of the library in this process, guarded by TAKEN. The voices are static data of the library
        // and live as long as the process. The features pointer is read through the public layout of `cst_voice`.
        let voices = unsafe {
            flite_init();
            [
                (Voice::Slt, register_cmu_us_slt(ptr::null())),
                (Voice::Rms, register_cmu_us_rms(ptr::null())),
                (Voice::Awb, register_cmu_us_awb(ptr::null())),
                (Voice::Kal16, register_cmu_us_kal16(ptr::null())),
            ]
            .into_iter()
            .filter(|(_, raw)| !raw.is_null())
            .map(|(voice, raw)| {
                let stretch = flite_get_param_float((*raw).features, c"duration_stretch".as_ptr(), 1.0);
                (voice, raw, stretch)
            })
            .collect()
        };
        Some(Self { voices, _this_thread: PhantomData })
    }

    /// Synthesises a text; `listener` hears it as it is made.
    pub(super) fn speak(&mut self, text: &str, voice: Voice, speed: f32, listener: &mut dyn Listener) -> Result<()> {
        let (_, raw, stretch) = *self.voices.iter().find(|(known, ..)| *known == voice).ok_or_else(|| {
            ProviderError::Unavailable { what: format!("the voice {:?}", voice.name()), source: None }
        })?;
        let text = CString::new(text).map_err(|_| ProviderError::protocol("a NUL character in the text"))?;
        let mut stream = Stream { listener, begun: false, stopped: false };
        // SAFETY: `raw` is a registered voice and this is the only thread that uses the library. The streaming info
        // belongs to the value made of it, which the library frees with the last feature set that holds it: the voice's
        // (removed below) and the utterance's (deleted below). `stream` outlives both and is touched by the callback
        // only, which runs inside `flite_synth_text`.
        unsafe {
            let info = new_audio_streaming_info();
            (*info).asc = Some(heard);
            (*info).userdata = (&raw mut stream).cast();
            let features = (*raw).features;
            flite_feat_set_float(features, c"duration_stretch".as_ptr(), stretch / speed);
            flite_feat_set(features, c"streaming_info".as_ptr(), audio_streaming_info_val(info));
            let utterance = flite_synth_text(text.as_ptr(), raw);
            flite_feat_remove(features, c"streaming_info".as_ptr());
            if utterance.is_null() {
                return Err(ProviderError::Unavailable { what: "speech synthesis".into(), source: None });
            }
            delete_utterance(utterance);
        }
        Ok(())
    }
}

struct Stream<'a> {
    listener: &'a mut dyn Listener,
    begun: bool,
    stopped: bool,
}

/// Flite's callback: `size` samples from `start` of `wave` are ready.
///
/// # Safety
/// Called by flite with a valid wave and the streaming info of [`Engine::speak`].
unsafe extern "C" fn heard(
    wave: *const CstWave,
    start: c_int,
    size: c_int,
    _last: c_int,
    info: *mut StreamingInfo,
) -> c_int {
    // SAFETY: see the function's contract; `start..start + size` lies within the wave's samples.
    let (stream, pcm, rate, utterance) = unsafe {
        let stream = &mut *(*info).userdata.cast::<Stream<'_>>();
        let length = size.max(0) as usize;
        let pcm = if length == 0 || (*wave).samples.is_null() {
            &[]
        } else {
            std::slice::from_raw_parts((*wave).samples.add(start.max(0) as usize), length)
        };
        (stream, pcm, (*wave).sample_rate, (*info).utt)
    };
    if stream.stopped {
        return STOP;
    }
    // A panic must not unwind into C.
    let goes_on = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        if !stream.begun {
            stream.begun = true;
            // SAFETY: flite sets the utterance before the first callback and keeps it until the last.
            let (words, duration) = unsafe { (words(utterance), duration(utterance)) };
            let outline = Outline { sample_rate: rate.max(0) as u32, duration, words };
            if !stream.listener.outline(outline) {
                return false;
            }
        }
        pcm.is_empty() || stream.listener.audio(pcm)
    }))
    .unwrap_or(false);
    stream.stopped = !goes_on;
    if goes_on { CONTINUE } else { STOP }
}

/// The tokens of an utterance and where they are spoken.
///
/// # Safety
/// `utterance` is null or valid.
unsafe fn words(utterance: *const c_void) -> Vec<WordMark> {
    let mut marks = Vec::new();
    if utterance.is_null() {
        return marks;
    }
    // SAFETY: items are walked inside their utterance; strings are copied at once; absent features read as "0" or 0.
    unsafe {
        let relation = utt_relation(utterance, c"Token".as_ptr());
        let mut token = if relation.is_null() { ptr::null() } else { relation_head(relation) };
        while !token.is_null() {
            let (first, last) = (item_daughter(token), item_last_daughter(token));
            if !first.is_null() && !last.is_null() {
                let start = flite_ffeature_float(first, c"R:SylStructure.daughter1.daughter1.R:Segment.p.end".as_ptr());
                let end = flite_ffeature_float(last, c"R:SylStructure.daughtern.daughtern.R:Segment.end".as_ptr());
                let text = format!(
                    "{}{}{}",
                    feature(token, c"prepunctuation"),
                    feature(token, c"name"),
                    feature(token, c"punc")
                );
                if end > start {
                    marks.push(WordMark { text, start_ms: millis(start), end_ms: millis(end) });
                }
            }
            token = item_next(token);
        }
    }
    marks
}

/// Length of an utterance in seconds.
///
/// # Safety
/// `utterance` is null or valid.
unsafe fn duration(utterance: *const c_void) -> f32 {
    if utterance.is_null() {
        return 0.0;
    }
    // SAFETY: as in `words`.
    unsafe {
        let relation = utt_relation(utterance, c"Segment".as_ptr());
        let last = if relation.is_null() { ptr::null() } else { relation_tail(relation) };
        if last.is_null() { 0.0 } else { flite_ffeature_float(last, c"end".as_ptr()) }
    }
}

/// A text feature of an item; absent ones, which flite reads as "0", give an empty text.
///
/// # Safety
/// `item` is valid.
unsafe fn feature(item: *const c_void, path: &CStr) -> String {
    // SAFETY: the caller's promise; the string belongs to the item.
    let value = unsafe { flite_ffeature_string(item, path.as_ptr()) };
    if value.is_null() {
        return String::new();
    }
    // SAFETY: NUL-terminated, copied before anything else happens.
    let value = unsafe { CStr::from_ptr(value) }.to_string_lossy().into_owned();
    // "0" as a name is a spoken zero, as punctuation it is "none".
    if value == "0" && path != c"name" { String::new() } else { value }
}

fn millis(seconds: f32) -> u32 {
    (seconds.max(0.0) * 1000.0).round() as u32
}
