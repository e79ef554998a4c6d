//! Looks into LiveKit again and again, because LiveKit tells nobody of changes: keeps the rule for strangers, and has
//! every agency looked at when something of ours changed or went (somebody's hand, an emptied Redis).

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash as _, Hasher as _};
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use voxplane_platform::error_chain::describe;
use voxplane_platform::health::Check;

use super::client::{LiveKit, LiveKitError};
use super::plan::Found;
use super::strangers;
use crate::watch::{Router, Stores};

/// How often LiveKit is looked at: how long a number may be out of order after somebody's mistake.
const EVERY: Duration = Duration::from_secs(20);
/// How soon after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(3);
/// What all our trunks' and rules' names begin with.
const OURS: &str = "voxplane";

/// Runs until `stop` is cancelled.
pub async fn run(livekit: &LiveKit, router: &Router, check: &Check, stop: &CancellationToken) {
    let mut last = None;
    loop {
        let wait = match Box::pin(look(livekit)).await {
            Ok(now) => {
                // The first look only remembers: every agency has a pass after a start anyway.
                if last.replace(now).is_some_and(|before| before != now) {
                    Stores::all_keys(&router.stores.agencies)
                        .into_iter()
                        .for_each(|key| router.queues.agencies.push(key));
                }
                check.pass();
                EVERY
            }
            Err(error) => {
                check.fail(describe(&error));
                AFTER_FAILURE
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop.cancelled() => return,
        }
    }
}

async fn look(livekit: &LiveKit) -> Result<u64, LiveKitError> {
    let found = livekit.look().await?;
    strangers::ensure(livekit, &found.rules).await?;
    Ok(fingerprint(&found))
}

/// Changes whenever anything of ours in LiveKit changes.
fn fingerprint(found: &Found) -> u64 {
    let trunks = found.trunks.iter().filter(|trunk| trunk.name.starts_with(OURS)).map(|trunk| format!("{trunk:?}"));
    let rules = found.rules.iter().filter(|rule| rule.name.starts_with(OURS)).map(|rule| {
        // Maps print in any order; the attributes of the only rule that has some are checked by `strangers`.
        format!("{} {:?} {:?} {:?}", rule.sip_dispatch_rule_id, rule.name, rule.rule, rule.trunk_ids)
    });
    let mut all: Vec<String> = trunks.chain(rules).collect();
    all.sort();
    let mut hasher = DefaultHasher::new();
    all.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use livekit_protocol::{SipDispatchRuleInfo, SipInboundTrunkInfo};

    #[test]
    fn the_fingerprint_follows_our_objects_only() {
        let trunk = |name: &str, number: &str| SipInboundTrunkInfo {
            name: name.to_owned(),
            numbers: vec![number.to_owned()],
            ..SipInboundTrunkInfo::default()
        };
        let rule = |name: &str, id: &str| SipDispatchRuleInfo {
            name: name.to_owned(),
            sip_dispatch_rule_id: id.to_owned(),
            ..SipDispatchRuleInfo::default()
        };
        let base = Found { trunks: vec![trunk("voxplane/a/main", "1")], rules: vec![rule("voxplane/a/main", "R1")] };
        let with_other = Found { trunks: vec![trunk("other", "9"), base.trunks[0].clone()], ..base.clone() };
        assert_eq!(fingerprint(&base), fingerprint(&with_other));
        assert_ne!(fingerprint(&base), fingerprint(&Found { trunks: Vec::new(), ..base.clone() }));
        assert_ne!(
            fingerprint(&base),
            fingerprint(&Found { rules: vec![rule("voxplane/a/main", "R2")], ..base.clone() })
        );
        assert_ne!(
            fingerprint(&base),
            fingerprint(&Found { trunks: vec![trunk("voxplane/a/main", "2")], ..base.clone() })
        );
    }
}
