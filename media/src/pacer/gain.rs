//! The level of outgoing speech, without clicks.

/// -18 dB: quiet enough that the caller notices that they are heard, loud enough to resume from.
const DUCKED: f32 = 0.125_892_54;

/// Full scale in 10 ms at 48 kHz.
const STEP: f32 = 1.0 / 480.0;

#[derive(Debug)]
pub(super) struct Gain {
    current: f32,
    target: f32,
}

impl Default for Gain {
    fn default() -> Self {
        Self { current: 1.0, target: 1.0 }
    }
}

impl Gain {
    pub(super) fn set_ducked(&mut self, ducked: bool) {
        self.target = if ducked { DUCKED } else { 1.0 };
    }

    pub(super) fn reset(&mut self) {
        *self = Self::default();
    }

    pub(super) fn apply(&mut self, pcm: &mut [i16]) {
        if self.current == 1.0 && self.target == 1.0 {
            return;
        }
        for sample in pcm {
            self.current += (self.target - self.current).clamp(-STEP, STEP);
            // Gain is at most 1, so the product fits.
            *sample = (f32::from(*sample) * self.current) as i16;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ducking_takes_ten_milliseconds_and_eighteen_decibels() {
        let mut gain = Gain::default();
        let mut pcm = vec![10_000i16; 960];
        gain.set_ducked(true);
        gain.apply(&mut pcm);
        assert!(pcm.windows(2).all(|pair| pair[0] >= pair[1] && pair[0] - pair[1] <= 21));
        assert_eq!(pcm[480], 1258);
        assert_eq!(pcm[959], 1258);

        let mut pcm = vec![10_000i16; 960];
        gain.set_ducked(false);
        gain.apply(&mut pcm);
        assert_eq!(pcm[959], 10_000);
        assert_eq!(gain.current, 1.0);
    }
}
