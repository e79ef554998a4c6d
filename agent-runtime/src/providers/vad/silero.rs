//! The Silero voice detector on ONNX Runtime, which is loaded at run time.
//!
//! The graph takes 64 samples of context and a 512-sample window at 16 kHz plus a recurrent state of 2×1×128, and
//! gives one probability and the next state (<https://github.com/snakers4/silero-vad>, `OnnxWrapper`). The recurrent
//! state is the only thing that belongs to a call, so sessions are shared: there is one per processor, taken for the
//! ~0.1 ms of a window. A hop to another thread would cost as much as the inference itself, so it runs where the
//! audio is.

use std::{
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, TryLockError,
        atomic::{AtomicUsize, Ordering},
    },
};

use ort::{
    environment::Environment,
    session::{Session, builder::GraphOptimizationLevel},
    value::TensorRef,
};

use super::VadFrame;
use crate::providers::{INPUT_RATE, ProviderError, Result};

/// Samples per window: 32 ms.
pub const WINDOW: usize = 512;
const CONTEXT: usize = 64;
const STATE_SHAPE: [usize; 3] = [2, 1, 128];
const STATE: usize = 2 * 128;

const LIBRARY: &str = "libonnxruntime.so";
const MODEL: &str = "silero_vad.onnx";

/// The model, loaded once per process and shared by its calls.
pub struct SileroModel {
    sessions: Vec<Mutex<Session>>,
    next: AtomicUsize,
    /// Some exports of the model serve two sample rates and want to be told which.
    takes_rate: bool,
}

impl SileroModel {
    /// Loads `libonnxruntime.so` and `silero_vad.onnx` from a directory, with as many sessions as there are processors.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] naming the file that is missing or does not load.
    pub fn load(directory: &Path) -> Result<Arc<Self>> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from);
        Self::load_with(directory, threads)
    }

    fn load_with(directory: &Path, sessions: usize) -> Result<Arc<Self>> {
        let library = existing(directory, LIBRARY)?;
        let model = existing(directory, MODEL)?;
        let environment = environment(&library)?;
        let broken = |error: ort::Error| ProviderError::unavailable(model.display().to_string(), error);
        let sessions =
            (0..sessions.max(1)).map(|_| open(&environment, &model).map_err(broken)).collect::<Result<Vec<_>>>()?;
        let takes_rate =
            sessions.first().is_some_and(|session| session.inputs().iter().any(|input| input.name() == "sr"));
        let model =
            Self { sessions: sessions.into_iter().map(Mutex::new).collect(), next: AtomicUsize::new(0), takes_rate };
        // A graph with other inputs or shapes fails here, at start, and not in the first call.
        let mut state = [0.0; STATE];
        model.infer(&[0.0; CONTEXT + WINDOW], &mut state)?;
        Ok(Arc::new(model))
    }

    /// Opens one call's detector.
    pub fn open(self: &Arc<Self>) -> Vad {
        Vad { model: self.clone(), state: [0.0; STATE], window: [0.0; CONTEXT + WINDOW], filled: 0, position: 0 }
    }

    fn infer(&self, window: &[f32; CONTEXT + WINDOW], state: &mut [f32; STATE]) -> Result<f32> {
        let failed = |error: ort::Error| ProviderError::unavailable("the voice detector", error);
        let mut session = self.session();
        let input = TensorRef::from_array_view(([1, CONTEXT + WINDOW], window.as_slice())).map_err(failed)?;
        let before = *state;
        let recurrent = TensorRef::from_array_view((STATE_SHAPE, before.as_slice())).map_err(failed)?;
        let rate = [i64::from(INPUT_RATE)];
        let outputs = if self.takes_rate {
            let rate = TensorRef::from_array_view(([0usize; 0], rate.as_slice())).map_err(failed)?;
            session.run(ort::inputs!["input" => input, "state" => recurrent, "sr" => rate])
        } else {
            session.run(ort::inputs!["input" => input, "state" => recurrent])
        }
        .map_err(failed)?;
        let output = |name: &str| {
            outputs.get(name).ok_or_else(|| ProviderError::protocol(format!("{MODEL} has no output {name:?}")))
        };
        let (_, probability) = output("output")?.try_extract_tensor::<f32>().map_err(failed)?;
        let (_, after) = output("stateN")?.try_extract_tensor::<f32>().map_err(failed)?;
        let (&[probability, ..], Ok(after)) = (probability, after.try_into()) else {
            return Err(ProviderError::protocol(format!("{MODEL} has outputs of another shape")));
        };
        *state = after;
        Ok(probability)
    }

    /// A free session, or the next in turn: waiting takes one inference at most per waiting call.
    fn session(&self) -> MutexGuard<'_, Session> {
        let first = self.next.fetch_add(1, Ordering::Relaxed) % self.sessions.len();
        let rotated = self.sessions[first..].iter().chain(&self.sessions[..first]);
        for session in rotated {
            match session.try_lock() {
                Ok(guard) => return guard,
                // A session carries no state between runs, so a panic elsewhere cannot have spoilt it.
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
        }
        self.sessions[first].lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One call's detector. Takes audio in any block size, answers per window.
pub struct Vad {
    model: Arc<SileroModel>,
    state: [f32; STATE],
    /// Context of the window before, then the window being filled.
    window: [f32; CONTEXT + WINDOW],
    filled: usize,
    position: u64,
}

impl Vad {
    /// Takes mono audio at 16 kHz; returns the windows it completed, in order. About 0.1 ms of processor time per
    /// window.
    ///
    /// # Errors
    /// [`ProviderError::Unavailable`] when the inference fails; its windows are lost, the detector goes on.
    pub fn push(&mut self, mut pcm: &[i16]) -> Result<Vec<VadFrame>> {
        let mut frames = Vec::with_capacity((self.filled + pcm.len()) / WINDOW);
        let mut failure = None;
        while !pcm.is_empty() {
            let taken = pcm.len().min(WINDOW - self.filled);
            let at = CONTEXT + self.filled;
            for (slot, &sample) in self.window[at..at + taken].iter_mut().zip(pcm) {
                *slot = f32::from(sample) / 32768.0;
            }
            self.filled += taken;
            pcm = &pcm[taken..];
            if self.filled == WINDOW {
                self.filled = 0;
                self.position += WINDOW as u64;
                let result = self.model.infer(&self.window, &mut self.state);
                self.window.copy_within(WINDOW.., 0);
                match result {
                    Ok(probability) => frames.push(VadFrame { end_sample: self.position, probability }),
                    Err(error) => failure = Some(error),
                }
            }
        }
        // All audio is taken before the error is told, so that positions stay right.
        failure.map_or(Ok(frames), Err)
    }

    /// Forgets what was heard, positions included; for a new caller on the same detector.
    pub fn reset(&mut self) {
        *self = self.model.open();
    }
}

/// ONNX Runtime, loaded once: a process has one library and one environment, whichever directory asked first.
fn environment(library: &Path) -> Result<Environment> {
    static ENVIRONMENT: Mutex<Option<Environment>> = Mutex::new(None);
    let mut loaded = ENVIRONMENT.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(environment) = &*loaded {
        return Ok(environment.clone());
    }
    let environment = ort::init_from(library)
        .map_err(|error| ProviderError::unavailable(library.display().to_string(), error))?
        .with_telemetry(false)
        .build()
        .map_err(|error| ProviderError::unavailable("ONNX Runtime", error))?;
    *loaded = Some(environment.clone());
    Ok(environment)
}

fn existing(directory: &Path, name: &str) -> Result<std::path::PathBuf> {
    let path = directory.join(name);
    if path.is_file() {
        return Ok(path);
    }
    let missing = std::io::Error::new(std::io::ErrorKind::NotFound, "no such file");
    Err(ProviderError::unavailable(path.display().to_string(), missing))
}

fn open(environment: &Environment, model: &Path) -> ort::Result<Session> {
    Session::builder(environment)?
        .with_optimization_level(GraphOptimizationLevel::Level3)?
        // One thread per inference: calls are the parallelism, and a pool per session would fight over the cores.
        .with_intra_threads(1)?
        .with_inter_threads(1)?
        .with_intra_op_spinning(false)?
        .commit_from_file(model)
}
