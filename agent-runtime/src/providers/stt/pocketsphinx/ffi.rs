//! The part of libpocketsphinx and libsphinxbase (5prealpha, as in Debian) that we use, behind a safe [`Decoder`].
//!
//! Declarations follow `pocketsphinx.h`, `ps_search.h`, `sphinxbase/cmd_ln.h`, `sphinxbase/err.h`. This is the only
//! place with unsafe code for recognition.
#![allow(unsafe_code)]

use std::{
    ffi::{CStr, CString, c_char, c_double, c_int, c_void},
    marker::PhantomData,
    path::Path,
    ptr::{self, NonNull},
    sync::{Mutex, PoisonError},
};

use super::score::Segment;
use crate::providers::{ProviderError, Result};

#[repr(C)]
struct PsDecoder {
    _opaque: [u8; 0],
    _not_send: PhantomData<*mut u8>,
}

unsafe extern "C" {
    fn ps_args() -> *const c_void;
    fn cmd_ln_init(inout: *mut c_void, definitions: *const c_void, strict: i32, ...) -> *mut c_void;
    fn cmd_ln_set_float_r(config: *mut c_void, name: *const c_char, value: c_double);
    fn cmd_ln_free_r(config: *mut c_void) -> c_int;
    fn err_set_logfp(stream: *mut c_void);

    fn ps_init(config: *mut c_void) -> *mut PsDecoder;
    fn ps_free(decoder: *mut PsDecoder) -> c_int;
    fn ps_get_config(decoder: *mut PsDecoder) -> *mut c_void;
    fn ps_add_word(decoder: *mut PsDecoder, word: *const c_char, phones: *const c_char, update: c_int) -> c_int;
    fn ps_set_jsgf_string(decoder: *mut PsDecoder, name: *const c_char, jsgf: *const c_char) -> c_int;
    fn ps_set_search(decoder: *mut PsDecoder, name: *const c_char) -> c_int;
    fn ps_start_stream(decoder: *mut PsDecoder) -> c_int;
    fn ps_start_utt(decoder: *mut PsDecoder) -> c_int;
    fn ps_process_raw(decoder: *mut PsDecoder, data: *const i16, count: usize, no_search: c_int, full: c_int) -> c_int;
    fn ps_end_utt(decoder: *mut PsDecoder) -> c_int;
    fn ps_get_hyp(decoder: *mut PsDecoder, score: *mut i32) -> *const c_char;
    fn ps_get_prob(decoder: *mut PsDecoder) -> i32;
    fn ps_get_logmath(decoder: *mut PsDecoder) -> *mut c_void;
    fn logmath_exp(logmath: *mut c_void, value: i32) -> c_double;

    fn ps_seg_iter(decoder: *mut PsDecoder) -> *mut c_void;
    fn ps_seg_next(segment: *mut c_void) -> *mut c_void;
    fn ps_seg_word(segment: *mut c_void) -> *const c_char;
    fn ps_seg_frames(segment: *mut c_void, start: *mut c_int, end: *mut c_int);
    fn ps_seg_prob(segment: *mut c_void, acoustic: *mut i32, language: *mut i32, backoff: *mut i32) -> i32;
}

/// Building a decoder parses options and grammars with code that was not written for several threads at once; decoding
/// touches its own decoder only.
static BUILDING: Mutex<()> = Mutex::new(());

/// What a decoder is made of.
pub(super) enum Vocabulary<'a> {
    /// Words are added one by one, searches by [`Decoder::add_grammar`].
    Words(&'a [(String, String)]),
    /// A whole dictionary and a statistical language model.
    Language { dictionary: &'a Path, model: &'a Path },
}

/// One recogniser with its models. It may move between threads and is used by one at a time.
pub(super) struct Decoder {
    raw: NonNull<PsDecoder>,
}

// SAFETY: libpocketsphinx keeps no thread-local state for a decoder and all access goes through `&mut self`.
unsafe impl Send for Decoder {}

/// How widely a search looks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Beam {
    /// The library's default.
    Default,
    /// Log-probability relative to the best path below which paths are dropped, for states, words and phones alike.
    Narrow(f64),
}

impl Decoder {
    /// Loads the acoustic model and the vocabulary.
    pub(super) fn new(acoustic_model: &Path, vocabulary: &Vocabulary<'_>) -> Result<Self> {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let model = text(&acoustic_model.to_string_lossy())?;
        // SAFETY: a null stream is documented to turn logging off.
        unsafe { err_set_logfp(ptr::null_mut()) };
        let config = match vocabulary {
            // SAFETY: the variable arguments are pairs of NUL-terminated strings ended by a null pointer, as the
            // function wants; strings are copied.
            Vocabulary::Words(_) => unsafe {
                let end = ptr::null::<c_char>();
                cmd_ln_init(ptr::null_mut(), ps_args(), 1, c"-hmm".as_ptr(), model.as_ptr(), end)
            },
            Vocabulary::Language { dictionary, model: language } => {
                let dictionary = text(&dictionary.to_string_lossy())?;
                let language = text(&language.to_string_lossy())?;
                // SAFETY: as above.
                unsafe {
                    cmd_ln_init(
                        ptr::null_mut(),
                        ps_args(),
                        1,
                        c"-hmm".as_ptr(),
                        model.as_ptr(),
                        c"-dict".as_ptr(),
                        dictionary.as_ptr(),
                        c"-lm".as_ptr(),
                        language.as_ptr(),
                        ptr::null::<c_char>(),
                    )
                }
            }
        };
        if config.is_null() {
            return Err(failed("its options"));
        }
        // SAFETY: `config` is valid; the decoder keeps its own reference, ours is released right after.
        let raw = unsafe {
            let raw = ps_init(config);
            cmd_ln_free_r(config);
            raw
        };
        let mut decoder = Self { raw: NonNull::new(raw).ok_or_else(|| failed("its model"))? };
        if let Vocabulary::Words(words) = vocabulary {
            for (word, phones) in *words {
                decoder.add_word(word, phones)?;
            }
        }
        Ok(decoder)
    }

    fn add_word(&mut self, word: &str, phones: &str) -> Result<()> {
        let (name, phones) = (text(word)?, text(phones)?);
        // SAFETY: valid decoder and strings; no search exists yet, so nothing has to be updated.
        let id = unsafe { ps_add_word(self.raw.as_ptr(), name.as_ptr(), phones.as_ptr(), 0) };
        if id < 0 { Err(failed(&format!("the word {word:?}"))) } else { Ok(()) }
    }

    /// Compiles a JSGF grammar into a search called `name`.
    pub(super) fn add_grammar(&mut self, name: &CStr, jsgf: &str, beam: Beam) -> Result<()> {
        let _building = BUILDING.lock().unwrap_or_else(PoisonError::into_inner);
        let jsgf = text(jsgf)?;
        if let Beam::Narrow(width) = beam {
            // SAFETY: the decoder's own options; a search reads them once, when it is made.
            unsafe {
                let config = ps_get_config(self.raw.as_ptr());
                for option in [c"-beam", c"-wbeam", c"-pbeam"] {
                    cmd_ln_set_float_r(config, option.as_ptr(), width);
                }
            }
        }
        // SAFETY: valid decoder and strings, which are copied.
        let code = unsafe { ps_set_jsgf_string(self.raw.as_ptr(), name.as_ptr(), jsgf.as_ptr()) };
        if code < 0 { Err(failed("its grammar")) } else { Ok(()) }
    }

    /// Makes a search the one that [`Decoder::decode`] runs.
    pub(super) fn select(&mut self, name: &CStr) -> Result<()> {
        // SAFETY: valid decoder and string; unknown names are refused by the library.
        let code = unsafe { ps_set_search(self.raw.as_ptr(), name.as_ptr()) };
        if code < 0 { Err(failed("its search")) } else { Ok(()) }
    }

    /// Decodes a whole utterance of 16 kHz audio. With `complete` the result is a whole sentence of the grammar or
    /// nothing; without, the best beginning of one.
    pub(super) fn decode(&mut self, pcm: &[i16], complete: bool) -> Result<Decoded> {
        let raw = self.raw.as_ptr();
        // SAFETY: the calls follow the documented order start, process, end; `pcm` is read only and for the call's
        // duration; results are read before the next utterance starts.
        unsafe {
            // Forgets the noise estimate of the utterance before: the same audio gives the same frames every time,
            // which the comparison of two readings relies on.
            if ps_start_stream(raw) < 0 || ps_start_utt(raw) < 0 {
                return Err(failed("the start of an utterance"));
            }
            // The whole utterance at once, so that the cepstral mean is the utterance's own: with the running mean the
            // first utterance of a telephone call is often missed.
            let frames = ps_process_raw(raw, pcm.as_ptr(), pcm.len(), 0, 1);
            let partial = (!complete).then(|| self.hypothesis());
            if ps_end_utt(raw) < 0 || frames < 0 {
                return Err(failed("an utterance"));
            }
            if let Some(text) = partial {
                return Ok(Decoded { text, segments: Vec::new(), probability: 0.0 });
            }
            let text = self.hypothesis();
            let probability = logmath_exp(ps_get_logmath(raw), ps_get_prob(raw));
            Ok(Decoded { text, segments: self.segments(), probability: probability as f32 })
        }
    }

    fn hypothesis(&mut self) -> String {
        let mut score = 0;
        // SAFETY: valid decoder; the string belongs to it and is copied before anything else happens.
        unsafe { copied(ps_get_hyp(self.raw.as_ptr(), &raw mut score)) }
    }

    fn segments(&mut self) -> Vec<Segment> {
        let mut found = Vec::new();
        // SAFETY: the iterator is valid until it returns null, when the library has freed it; words are copied.
        unsafe {
            let mut iterator = ps_seg_iter(self.raw.as_ptr());
            while !iterator.is_null() {
                let (mut start, mut end) = (0, 0);
                let (mut acoustic, mut language, mut backoff) = (0, 0, 0);
                ps_seg_frames(iterator, &raw mut start, &raw mut end);
                ps_seg_prob(iterator, &raw mut acoustic, &raw mut language, &raw mut backoff);
                let word = copied(ps_seg_word(iterator));
                if end >= start && start >= 0 && word != "(NULL)" && !word.is_empty() {
                    found.push(Segment {
                        word,
                        start: start as usize,
                        end: end as usize + 1,
                        score: f64::from(acoustic),
                    });
                }
                iterator = ps_seg_next(iterator);
            }
        }
        found
    }
}

impl Drop for Decoder {
    fn drop(&mut self) {
        // SAFETY: made by `ps_init`, freed once.
        unsafe { ps_free(self.raw.as_ptr()) };
    }
}

/// What a search found in an utterance.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Decoded {
    /// Words; empty when nothing fits.
    pub(super) text: String,
    /// The path, silences included; empty for partial results.
    pub(super) segments: Vec<Segment>,
    /// Posterior probability among the search's own alternatives.
    pub(super) probability: f32,
}

/// Copies a C string; null gives an empty one.
///
/// # Safety
/// `string` is null or NUL-terminated and valid during the call.
unsafe fn copied(string: *const c_char) -> String {
    if string.is_null() {
        return String::new();
    }
    // SAFETY: the caller's promise.
    unsafe { CStr::from_ptr(string) }.to_string_lossy().into_owned()
}

fn text(value: &str) -> Result<CString> {
    CString::new(value).map_err(|_| ProviderError::protocol("a NUL character in a word or path"))
}

fn failed(what: &str) -> ProviderError {
    ProviderError::protocol(format!("pocketsphinx refused {what}"))
}
