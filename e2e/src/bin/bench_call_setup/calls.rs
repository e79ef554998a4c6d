//! Calls that are placed and given up: from INVITE to the ringing, and to the offer at the API's own agent worker.

use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use tokio::{sync::mpsc, task::JoinHandle, time::timeout};
use tokio_util::sync::CancellationToken;
use voxplane_api::livekit::{JobOffer, JobReport, LiveKitAccount, Worker, WorkerStatus};
use voxplane_e2e::{
    caller::{Call, DialOptions},
    env::LabEnv,
};
use voxplane_telephony::E164;

/// How long a call may take to ring, and to be offered.
const WITHIN: Duration = Duration::from_secs(20);
/// Between two calls: what LiveKit still does for the last one must not slow down the next one.
const PAUSE: Duration = Duration::from_millis(500);

/// A telephone, and the worker to whom its calls are offered.
pub struct Line {
    env: LabEnv,
    offers: mpsc::Receiver<JobOffer>,
    /// Jobs end with their rooms; nothing is reported, but the worker asks for the reports.
    _reports: mpsc::Sender<JobReport>,
    stop: CancellationToken,
    worker: JoinHandle<()>,
}

/// Times of one call, from just before its INVITE.
#[derive(Clone, Copy, Debug)]
pub struct Times {
    /// To 180 at the caller: LiveKit knows the trunk.
    pub ringing: Duration,
    /// To the offer at the worker: the caller is in its room.
    pub offered: Duration,
}

impl Line {
    /// Registers the worker.
    pub async fn open(env: &LabEnv) -> Result<Self> {
        let secret = env.livekit_api_secret.clone().into();
        let account = LiveKitAccount::new(&env.livekit_url, None, env.livekit_api_key.clone(), secret)?;
        let (offer, offers) = mpsc::channel(8);
        let (_reports, reported) = mpsc::channel(8);
        let (worker, mut status) = Worker::new(account, offer, reported);
        let stop = CancellationToken::new();
        let worker = tokio::spawn(worker.run(stop.clone()));
        let registered = timeout(WITHIN, status.wait_for(|status| *status == WorkerStatus::Registered));
        registered.await.context("the worker does not register with LiveKit")??;
        Ok(Self { env: env.clone(), offers, _reports, stop, worker })
    }

    /// Calls the numbers one after another. The first call is not counted.
    pub async fn calls(&mut self, numbers: &[E164]) -> Result<Vec<Times>> {
        let mut times = Vec::new();
        for number in numbers {
            times.push(self.call(number).await.context("a call")?);
        }
        Ok(times.split_off(1.min(times.len())))
    }

    async fn call(&mut self, number: &E164) -> Result<Times> {
        while self.offers.try_recv().is_ok() {}
        let started = Instant::now();
        let mut call = Call::dial(DialOptions::to(self.env.sip_uri(number.as_str()))).await?;
        let ringing = async {
            call.rings(WITHIN).await?;
            anyhow::Ok(started.elapsed())
        };
        let offered = async {
            let offer = timeout(WITHIN, self.offers.recv()).await.context("the call is not offered")?;
            anyhow::Ok((started.elapsed(), offer.context("the worker is gone")?))
        };
        let (ringing, (offered, offer)) = tokio::try_join!(ringing, offered)?;
        ensure!(offer.room.contains(number.as_str()), "another call was offered");
        call.give_up().await?;
        tokio::time::sleep(PAUSE).await;
        Ok(Times { ringing, offered })
    }

    /// Ends the worker.
    pub async fn close(self) {
        self.stop.cancel();
        // A worker that panicked has said so.
        let _ = self.worker.await;
    }
}
