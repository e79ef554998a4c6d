//! A telephone: a SIP user agent that dials, speaks, records what it hears on one clock, and hangs up.
//!
//! SIP transactions and dialogs are `rsipstack`'s; the media (RTP, G.711, RFC 4733 digits) is small and here, because
//! the tests need sample-accurate recordings of both directions.

mod endpoint;
mod exchange;
mod jitter;
mod media;
mod rtp;
mod sdp;
mod signalling;

use std::{
    net::{IpAddr, SocketAddr},
    path::Path,
    time::Duration,
};

use anyhow::{Context, Result, bail};
use tokio::{sync::watch, time::timeout};

pub use self::exchange::{Arrival, Exchange};
pub use self::signalling::{CallState, EndCause};

/// How to place a call.
#[derive(Debug, Clone)]
pub struct DialOptions {
    /// SIP URI of the number to dial, for example `sip:+15550100@10.243.0.1:5060`.
    pub target: String,
    /// The caller's own number, as it appears in From.
    pub from: String,
    /// Digest user name and password, for trunks that ask for them.
    pub auth: Option<(String, String)>,
}

impl DialOptions {
    /// Dials `target` from a fictional number, without authentication.
    pub fn to(target: impl Into<String>) -> Self {
        Self { target: target.into(), from: "+15550999".to_owned(), auth: None }
    }
}

/// What was said and heard, on one 8 kHz clock that starts when the call was answered.
#[derive(Debug, Clone, Default)]
pub struct Recording {
    /// The far end as it arrived; silence where nothing did.
    pub heard: Vec<i16>,
    /// What this telephone sent.
    pub spoken: Vec<i16>,
    /// How the far end's audio arrived.
    pub arrivals: Arrivals,
}

/// How audio arrived: what went wrong on the way, for whoever wonders why it was not understood.
#[derive(Debug, Clone, Copy, Default)]
pub struct Arrivals {
    /// Packets that never came.
    pub lost: usize,
    /// Times that audio came too late for its place.
    pub late: usize,
    /// The longest time without a packet, in milliseconds; one is sent every 20 ms.
    pub longest_pause_ms: usize,
}

impl Recording {
    /// Writes a stereo WAV: the caller left, the agent right.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub fn save(&self, path: &Path) -> Result<()> {
        let spec = hound::WavSpec {
            channels: 2,
            sample_rate: 8000,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec)?;
        for index in 0..self.heard.len().max(self.spoken.len()) {
            writer.write_sample(self.spoken.get(index).copied().unwrap_or_default())?;
            writer.write_sample(self.heard.get(index).copied().unwrap_or_default())?;
        }
        Ok(writer.finalize()?)
    }
}

/// A call in progress. Dropping it ends the call's tasks.
pub struct Call {
    signalling: signalling::Signalling,
    media: media::Media,
    state: watch::Receiver<CallState>,
}

impl Call {
    /// Sends INVITE and returns while it rings.
    ///
    /// # Errors
    /// When the target is not a SIP URI with an IP address, or sockets cannot be opened.
    pub async fn dial(options: DialOptions) -> Result<Self> {
        let remote = signalling::remote_address(&options.target)?;
        let local = local_ip_towards(remote)?;
        let media = media::Media::bind(local)?;
        let (signalling, state) = signalling::Signalling::invite(&options, local, remote, media.port()).await?;
        Ok(Self { signalling, media, state })
    }

    /// Waits until it rings, or was answered without.
    ///
    /// # Errors
    /// When the call is refused, or nothing but 100 comes within `limit`.
    pub async fn rings(&mut self, limit: Duration) -> Result<()> {
        let state = timeout(limit, self.state.wait_for(|state| *state != CallState::Calling))
            .await
            .with_context(|| format!("it does not ring within {limit:?}"))??
            .clone();
        match state {
            CallState::Ended(cause) => bail!("it does not ring: {cause:?}"),
            _ => Ok(()),
        }
    }

    /// Waits for the 200 OK; media flows from then on.
    ///
    /// # Errors
    /// When the call is refused (the SIP status is named) or nothing final comes within `limit`.
    pub async fn answered(&mut self, limit: Duration) -> Result<()> {
        let state =
            timeout(limit, self.state.wait_for(|state| !matches!(state, CallState::Calling | CallState::Ringing)))
                .await
                .with_context(|| format!("no final SIP response within {limit:?}"))??
                .clone();
        match state {
            CallState::Answered { media } => self.media.start(media),
            CallState::Ended(cause) => bail!("the call was not answered: {cause:?}"),
            CallState::Calling | CallState::Ringing => unreachable!("waited for a later state"),
        }
    }

    /// Waits until the call is over, for whatever reason.
    ///
    /// # Errors
    /// When it is still up after `limit`.
    pub async fn ended(&mut self, limit: Duration) -> Result<EndCause> {
        let state = timeout(limit, self.state.wait_for(|state| matches!(state, CallState::Ended(_))))
            .await
            .with_context(|| format!("the call is still up after {limit:?}"))??
            .clone();
        let CallState::Ended(cause) = state else { unreachable!("waited for the end") };
        Ok(cause)
    }

    /// The call's state right now.
    pub fn state(&self) -> CallState {
        self.state.borrow().clone()
    }

    /// Queues 8 kHz samples to be spoken; returns the sample of this call's clock at which they will have been said.
    pub fn speak(&self, samples: &[i16]) -> usize {
        self.media.speak(samples)
    }

    /// Queues an RFC 4733 digit (`0`–`9`, `*`, `#`).
    ///
    /// # Errors
    /// When the digit is none.
    pub fn dtmf(&self, digit: char) -> Result<()> {
        self.media.dtmf(digit)
    }

    /// Samples since the answer, on the clock of the recording.
    pub fn now(&self) -> usize {
        self.media.now()
    }

    /// A copy of the recording so far.
    pub fn recording(&self) -> Recording {
        self.media.recording()
    }

    /// Gives up while it rings. LiveKit SIP closes the call at a CANCEL and leaves the INVITE without a final answer, so
    /// nothing is waited for.
    ///
    /// # Errors
    /// When the transport fails.
    pub async fn give_up(&self) -> Result<()> {
        self.signalling.hang_up().await
    }

    /// Sends BYE (or CANCEL while it rings) and waits for the end.
    ///
    /// # Errors
    /// When the far end does not agree within five seconds.
    pub async fn hang_up(&mut self) -> Result<EndCause> {
        self.signalling.hang_up().await?;
        self.ended(Duration::from_secs(5)).await
    }
}

impl Drop for Call {
    /// Keeps the recording, where somebody wants to listen to it.
    #[allow(clippy::print_stdout, reason = "for whoever asked for recordings")]
    fn drop(&mut self) {
        let Some(folder) = std::env::var_os("VOXPLANE_RECORDINGS") else { return };
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let path = Path::new(&folder).join(format!("{}.wav", now.as_millis()));
        match self.media.recording() {
            Recording { spoken, .. } if spoken.is_empty() => {}
            recording => match recording.save(&path) {
                Ok(()) => println!("{}: {:?}", path.display(), recording.arrivals),
                Err(error) => println!("the recording {} is lost: {error:#}", path.display()),
            },
        }
    }
}

/// The address of this machine that packets to `remote` leave from.
///
/// # Errors
/// When there is no route.
pub fn local_ip_towards(remote: SocketAddr) -> Result<IpAddr> {
    let probe = std::net::UdpSocket::bind(if remote.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" })?;
    probe.connect(remote).with_context(|| format!("no route to {remote}"))?;
    Ok(probe.local_addr()?.ip())
}
