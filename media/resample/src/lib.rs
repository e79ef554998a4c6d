//! Sample-rate conversion of a stream, in pieces of any size.

use audioadapter_buffers::direct::SequentialSlice;
use rubato::{Fft, FixedSync, Resampler as _};

/// Input is converted in blocks of about 20 ms: long enough for a steep filter, short enough to wait for.
const BLOCKS_PER_SECOND: u32 = 50;

/// Why a conversion cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum ResampleError {
    /// The library does not support the rates.
    #[error("cannot convert {from} Hz to {to} Hz")]
    Rates {
        /// Input rate.
        from: u32,
        /// Output rate.
        to: u32,
        /// The library's reason.
        #[source]
        source: rubato::ResamplerConstructionError,
    },
}

/// Converts 16-bit mono audio from one rate to another. The filter's delay is taken out: sample `n` of the output lies
/// at the time of sample `n * from / to` of the input, and [`Resampler::finish`] brings out the rest.
#[derive(Debug)]
pub struct Resampler {
    from: u32,
    to: u32,
    state: Option<State>,
}

#[derive(Debug)]
struct State {
    fft: Fft<f32>,
    input: Vec<f32>,
    output: Vec<f32>,
    /// Output samples of the filter's delay that are still to be dropped.
    delay: usize,
    taken: u64,
    given: u64,
}

impl Resampler {
    /// A converter from `from` to `to` samples per second; equal rates copy.
    ///
    /// # Errors
    /// For rates of zero.
    pub fn new(from: u32, to: u32) -> Result<Self, ResampleError> {
        let state = if from == to { None } else { Some(State::new(from, to)?) };
        Ok(Self { from, to, state })
    }

    /// Converts what can be converted now; up to 20 ms of input wait for more.
    pub fn push(&mut self, pcm: &[i16]) -> Vec<i16> {
        let Some(state) = &mut self.state else { return pcm.to_vec() };
        state.taken += pcm.len() as u64;
        state.input.extend(pcm.iter().map(|sample| f32::from(*sample)));
        let mut out = Vec::new();
        state.convert(&mut out);
        state.given += out.len() as u64;
        out
    }

    /// Ends the stream and returns the rest. The converter is ready for a new stream afterwards.
    pub fn finish(&mut self) -> Vec<i16> {
        let Some(state) = &mut self.state else { return Vec::new() };
        let expected = (state.taken * u64::from(self.to)).div_ceil(u64::from(self.from));
        let missing = usize::try_from(expected.saturating_sub(state.given)).unwrap_or(0);
        let mut out = Vec::new();
        while out.len() < missing {
            let block = state.fft.input_frames_next();
            state.input.resize(state.input.len().next_multiple_of(block).max(block), 0.0);
            state.convert(&mut out);
        }
        out.truncate(missing);
        state.reset();
        out
    }
}

impl State {
    fn new(from: u32, to: u32) -> Result<Self, ResampleError> {
        let fft = Fft::new(from as usize, to as usize, block_size(from, to), 1, FixedSync::Both)
            .map_err(|source| ResampleError::Rates { from, to, source })?;
        let (delay, output) = (fft.output_delay(), vec![0.0; fft.output_frames_max()]);
        Ok(Self { fft, input: Vec::new(), output, delay, taken: 0, given: 0 })
    }

    fn reset(&mut self) {
        self.fft.reset();
        self.input.clear();
        self.delay = self.fft.output_delay();
        (self.taken, self.given) = (0, 0);
    }

    fn convert(&mut self, out: &mut Vec<i16>) {
        let mut used = 0;
        loop {
            let block = self.fft.input_frames_next();
            let Some(input) = self.input.get(used..used + block) else { break };
            let made = convert_block(&mut self.fft, input, &mut self.output);
            let skipped = made.min(self.delay);
            self.delay -= skipped;
            // `as` saturates, which is the clipping wanted here.
            out.extend(self.output[skipped..made].iter().map(|sample| sample.round() as i16));
            used += block;
        }
        self.input.drain(..used);
    }
}

/// Converts one block into the front of `output` and returns how much of it was written.
fn convert_block(fft: &mut Fft<f32>, input: &[f32], output: &mut [f32]) -> usize {
    let frames = output.len();
    let input = SequentialSlice::new(input, 1, input.len()).expect("a slice holds one channel of its length");
    let mut output = SequentialSlice::new_mut(output, 1, frames).expect("a slice holds one channel of its length");
    let (_, made) = fft.process_into_buffer(&input, &mut output, None).expect("both buffers have the sizes asked for");
    made
}

/// About 20 ms of input in whole, even multiples of the smallest block. The delay of an odd block is not a whole number
/// of samples, and taking it out would shift the audio by half of one.
fn block_size(from: u32, to: u32) -> usize {
    let smallest = from / gcd(from, to).max(1);
    let smallest = if smallest.is_multiple_of(2) { smallest } else { 2 * smallest };
    (from / BLOCKS_PER_SECOND).max(1).next_multiple_of(smallest.max(1)) as usize
}

fn gcd(a: u32, b: u32) -> u32 {
    if b == 0 { a } else { gcd(b, a % b) }
}

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(rate: u32, hz: f64, seconds: f64) -> Vec<i16> {
        let samples = (f64::from(rate) * seconds) as usize;
        (0..samples).map(|n| (8000.0 * (TAU * hz * n as f64 / f64::from(rate)).sin()) as i16).collect()
    }

    /// Largest difference to the ideal tone, ends left out (the filter sees silence beyond them).
    fn error(pcm: &[i16], ideal: &[i16]) -> i32 {
        let edge = pcm.len() / 10;
        (edge..pcm.len() - edge).map(|n| (i32::from(pcm[n]) - i32::from(ideal[n])).abs()).max().unwrap()
    }

    #[test]
    fn every_rate_in_use_converts_without_delay_or_distortion() {
        for (from, to) in [(8_000, 48_000), (16_000, 48_000), (22_050, 48_000), (24_000, 48_000), (48_000, 16_000)] {
            let mut resampler = Resampler::new(from, to).unwrap();
            let input = tone(from, 440.0, 1.0);
            let mut output = Vec::new();
            // Pieces of awkward sizes.
            for piece in input.chunks(317) {
                output.extend(resampler.push(piece));
            }
            output.extend(resampler.finish());
            assert_eq!(output.len(), to as usize, "{from} to {to}");
            let worst = error(&output, &tone(to, 440.0, 1.0));
            assert!(worst < 40, "{from} to {to}: off by {worst}");
        }
    }

    #[test]
    fn what_the_lower_rate_cannot_carry_is_filtered_out() {
        let mut resampler = Resampler::new(48_000, 16_000).unwrap();
        let mut output = resampler.push(&tone(48_000, 11_000.0, 0.5));
        output.extend(resampler.finish());
        let loudest = output[800..7200].iter().map(|sample| sample.unsigned_abs()).max().unwrap();
        assert!(loudest < 80, "an 11 kHz tone aliased to {loudest}");
    }

    #[test]
    fn equal_rates_copy_and_short_streams_keep_their_length() {
        let mut copy = Resampler::new(48_000, 48_000).unwrap();
        assert_eq!(copy.push(&[1, 2, 3]), [1, 2, 3]);
        assert!(copy.finish().is_empty());

        let mut resampler = Resampler::new(8_000, 48_000).unwrap();
        for _ in 0..2 {
            let mut output = resampler.push(&[1000; 5]);
            output.extend(resampler.finish());
            assert_eq!(output.len(), 30, "the converter is reusable");
        }
        assert!(Resampler::new(0, 48_000).is_err());
    }

    #[test]
    fn waiting_input_is_bounded() {
        let mut resampler = Resampler::new(22_050, 48_000).unwrap();
        let mut given = 0;
        for n in 1..2_000 {
            given += resampler.push(&[0; 10]).len();
            let behind = f64::from(n) * 10.0 / 22_050.0 - given as f64 / 48_000.0;
            assert!(behind < 0.06, "{behind} s wait");
        }
    }
}
