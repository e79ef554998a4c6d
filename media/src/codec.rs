//! Opus.

use opus::{Application, Channels};

use crate::clock::{FRAME, RATE};

/// Longest packet Opus knows, in milliseconds.
const MAX_PACKET_MS: usize = 120;

/// Enough for any 20 ms frame at our bit rate.
const MAX_ENCODED: usize = 1275;

/// Bits per second: transparent for wideband speech.
const BITRATE: i32 = 32_000;

/// Half the processor time of the default, inaudible on speech.
const COMPLEXITY: i32 = 5;

/// The Opus library refused something.
#[derive(Debug, thiserror::Error)]
#[error("Opus could not {what}")]
pub struct CodecError {
    what: &'static str,
    #[source]
    source: opus::Error,
}

fn failed(what: &'static str) -> impl FnOnce(opus::Error) -> CodecError {
    move |source| CodecError { what, source }
}

/// Encodes 20 ms frames of 48 kHz mono speech.
#[derive(Debug)]
pub struct Encoder(opus::Encoder);

impl Encoder {
    /// An encoder for speech, without discontinuous transmission (the pacer decides when to be silent).
    ///
    /// # Errors
    /// When the library cannot allocate or configure an encoder.
    pub fn new() -> Result<Self, CodecError> {
        let mut inner =
            opus::Encoder::new(RATE as u32, Channels::Mono, Application::Voip).map_err(failed("create an encoder"))?;
        inner.set_complexity(COMPLEXITY).map_err(failed("set the complexity"))?;
        inner.set_bitrate(opus::Bitrate::Bits(BITRATE)).map_err(failed("set the bit rate"))?;
        inner.set_dtx(false).map_err(failed("turn discontinuous transmission off"))?;
        Ok(Self(inner))
    }

    /// Encodes one frame of 960 samples.
    ///
    /// # Errors
    /// When `pcm` is not one frame.
    pub fn encode(&mut self, pcm: &[i16]) -> Result<Vec<u8>, CodecError> {
        self.0.encode_vec(pcm, MAX_ENCODED).map_err(failed("encode a frame"))
    }
}

/// Decodes Opus packets to mono at a chosen rate.
#[derive(Debug)]
pub struct Decoder {
    inner: opus::Decoder,
    rate: u32,
    buffer: Vec<i16>,
}

impl Decoder {
    /// A decoder that puts out `rate` samples per second: 8, 12, 16, 24 or 48 kHz.
    ///
    /// # Errors
    /// For any other rate.
    pub fn new(rate: u32) -> Result<Self, CodecError> {
        let inner = opus::Decoder::new(rate, Channels::Mono).map_err(failed("create a decoder"))?;
        let longest = rate as usize / 1000 * MAX_PACKET_MS;
        Ok(Self { inner, rate, buffer: vec![0; longest] })
    }

    /// Decodes one packet.
    ///
    /// # Errors
    /// When the packet is not valid Opus. The decoder stays usable.
    pub fn decode(&mut self, packet: &[u8]) -> Result<&[i16], CodecError> {
        let samples = self.inner.decode(packet, &mut self.buffer, false).map_err(failed("decode a packet"))?;
        Ok(&self.buffer[..samples])
    }

    /// Guesses how lost audio sounded. `duration` is in 48 kHz samples and is rounded down to 2.5 ms, at most 60 ms.
    ///
    /// # Errors
    /// When the library fails.
    pub fn conceal(&mut self, duration: i64) -> Result<&[i16], CodecError> {
        // Concealment works in units of 2.5 ms.
        let unit = self.rate as usize / 400;
        let units = usize::try_from(duration / (RATE / 400)).unwrap_or(0).min(24);
        let mut made = 0;
        // Frame by frame, as a device would ask for it: the guess fades from frame to frame.
        while made < units * unit {
            let end = (made + 8 * unit).min(units * unit);
            made +=
                self.inner.decode(&[], &mut self.buffer[made..end], false).map_err(failed("conceal a lost packet"))?;
        }
        Ok(&self.buffer[..made])
    }
}

/// The length of an Opus packet in 48 kHz samples.
///
/// # Errors
/// When the packet is not valid Opus.
pub fn packet_duration(packet: &[u8]) -> Result<i64, CodecError> {
    let samples = opus::packet::get_nb_samples(packet, RATE as u32).map_err(failed("read a packet"))?;
    Ok(samples as i64)
}

const _: () = assert!(FRAME == RATE / 50, "a frame is 20 ms");

#[cfg(test)]
mod tests {
    use std::f64::consts::TAU;

    use super::*;

    fn tone(hz: f64, frames: usize) -> Vec<i16> {
        (0..frames * 960).map(|n| (8000.0 * (TAU * hz * n as f64 / 48_000.0).sin()) as i16).collect()
    }

    fn rms(pcm: &[i16]) -> f64 {
        (pcm.iter().map(|sample| f64::from(*sample).powi(2)).sum::<f64>() / pcm.len() as f64).sqrt()
    }

    #[test]
    fn speech_band_survives_at_16_khz() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new(16_000).unwrap());
        let mut heard = Vec::new();
        for frame in tone(440.0, 25).chunks(960) {
            let packet = encoder.encode(frame).unwrap();
            assert_eq!(packet_duration(&packet).unwrap(), FRAME);
            heard.extend_from_slice(decoder.decode(&packet).unwrap());
        }
        assert_eq!(heard.len(), 25 * 320);
        let level = rms(&heard[1600..]);
        assert!((4_500.0..6_800.0).contains(&level), "8000 peak is 5657 RMS, heard {level}");
    }

    #[test]
    fn concealment_is_as_long_as_asked_and_sounds_like_what_was_before() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new(16_000).unwrap());
        for frame in tone(440.0, 10).chunks(960) {
            decoder.decode(&encoder.encode(frame).unwrap()).unwrap();
        }
        let guess = decoder.conceal(2880).unwrap();
        assert_eq!(guess.len(), 960);
        assert!(rms(&guess[..320]) > 2_000.0);
        assert_eq!(decoder.conceal(48_000).unwrap().len(), 960, "60 ms at most");
        assert_eq!(decoder.conceal(0).unwrap().len(), 0);
    }

    #[test]
    fn garbage_is_an_error_and_the_decoder_lives_on() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new(16_000).unwrap());
        assert!(decoder.decode(&[0xff; 3]).is_err());
        assert!(packet_duration(&[]).is_err());
        assert_eq!(decoder.decode(&encoder.encode(&[0; 960]).unwrap()).unwrap().len(), 320);
        assert!(encoder.encode(&[0; 7]).is_err());
    }
}
