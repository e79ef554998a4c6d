//! Each rule of scaling by itself, and what holds whatever happens.

use proptest::prelude::*;

use super::super::samples::Sample;
use super::*;

fn policy() -> Policy {
    Policy {
        min: 1,
        max: 10,
        warm_minimum: 0,
        is_open: true,
        headroom: Headroom::Slots(2),
        stabilisation: Duration::from_secs(300),
        calls_per_replica: 4,
        caps: Vec::new(),
    }
}

/// A pool under test: what it has, and what is seen of it every two seconds.
struct Bench {
    samples: Samples,
    policy: Policy,
    current: i32,
    now: Instant,
}

impl Bench {
    fn new(current: i32) -> Self {
        Self { samples: Samples::default(), policy: policy(), current, now: Instant::now() }
    }

    /// `busy` calls for so many seconds; the last decision that changed something, else the last.
    fn busy(&mut self, busy: i32, seconds: u64) -> Decision {
        self.seen(Sample { busy, slots: self.current * self.policy.calls_per_replica, is_complete: true }, seconds)
    }

    fn seen(&mut self, sample: Sample, seconds: u64) -> Decision {
        let (mut last, mut changed) = (None, None);
        for _ in 0..seconds.div_ceil(2).max(1) {
            self.now += Duration::from_secs(2);
            self.samples.record(self.now, sample);
            let before = self.current;
            last = Some(self.decide());
            if self.current != before {
                changed.clone_from(&last);
            }
        }
        changed.or(last).unwrap()
    }

    fn decide(&mut self) -> Decision {
        let decision = decide(&self.samples, &self.policy, self.current, self.now);
        self.current = decision.replicas;
        decision
    }
}

fn said(decision: &Decision) -> (i32, Reason) {
    (decision.replicas, decision.reason)
}

#[test]
fn more_pods_come_at_once_and_fewer_after_a_while() {
    let mut bench = Bench::new(1);
    assert_eq!(said(&bench.busy(2, 2)), (1, Reason::Steady));
    assert_eq!(said(&bench.busy(3, 2)), (2, Reason::MoreCalls), "three calls and two free slots do not fit one pod");
    assert_eq!(said(&bench.busy(20, 2)), (6, Reason::MoreCalls));
    let waiting = bench.busy(1, 290);
    assert_eq!(said(&waiting), (6, Reason::Stabilising));
    assert!(waiting.look_again.is_some_and(|left| left <= Duration::from_secs(12)), "{waiting:?}");
    assert_eq!(said(&bench.busy(1, 20)), (1, Reason::FewerCalls));
    assert!(bench.busy(1, 2).message.contains("1 calls and 2 free slots"));
}

#[test]
fn nothing_is_given_up_while_calls_are_not_known() {
    let mut bench = Bench::new(8);
    assert_eq!(said(&bench.decide()), (8, Reason::Unknown));
    // A new leader knows nothing of the last five minutes.
    assert_eq!(said(&bench.busy(1, 290)), (8, Reason::Stabilising));
    bench.now += Duration::from_secs(60);
    assert_eq!(said(&bench.decide()), (8, Reason::Unknown), "the database was away");
    assert_eq!(said(&bench.busy(1, 290)), (8, Reason::Stabilising));
    let hidden = Sample { busy: 1, slots: 4, is_complete: false };
    assert_eq!(said(&bench.seen(hidden, 20)), (8, Reason::Stabilising), "a pod is not heard of");
    assert_eq!(said(&bench.busy(1, 290)), (8, Reason::Stabilising));
    assert_eq!(said(&bench.busy(1, 20)), (1, Reason::FewerCalls));
    let crowded = Sample { busy: 9, slots: 4, is_complete: false };
    assert_eq!(said(&bench.seen(crowded, 2)), (3, Reason::MoreCalls), "what is known is enough for more pods");
}

#[test]
fn bounds_hold_at_once_and_say_which_field_they_are() {
    let mut bench = Bench::new(1);
    bench.policy.caps = vec![Cap { pods: 3, field: "the tenant's quotas.concurrentCalls.max" }];
    let capped = bench.busy(30, 2);
    assert_eq!(said(&capped), (3, Reason::AtMaximum));
    assert!(capped.message.contains("quotas.concurrentCalls.max"), "{}", capped.message);
    bench.policy.caps.clear();
    bench.policy.max = 2;
    let capped = bench.busy(30, 2);
    assert_eq!(said(&capped), (2, Reason::AtMaximum));
    assert!(capped.message.contains("scaling.max"), "{}", capped.message);
    bench.policy.min = 2;
    assert_eq!(said(&bench.busy(0, 2)), (2, Reason::AtMinimum));
    bench.policy.caps = vec![Cap { pods: 1, field: "quota" }];
    assert_eq!(bench.busy(0, 2).replicas, 1, "a quota is stronger than a minimum");
}

#[test]
fn a_pool_that_nobody_can_call_rests_and_wakes_up_when_it_opens() {
    let mut bench = Bench::new(1);
    bench.busy(2, 400);
    bench.policy.is_open = false;
    assert_eq!(bench.busy(2, 400).replicas, 1, "the calls under way keep their pod");
    assert_eq!(said(&bench.busy(0, 400)), (0, Reason::Closed));
    bench.policy.is_open = true;
    assert_eq!(said(&bench.busy(0, 2)), (1, Reason::AtMinimum));
}

#[test]
fn headroom_in_percent_grows_with_the_calls() {
    let percent = Headroom::Percent(25);
    assert_eq!([0, 1, 4, 5, 40].map(|busy| percent.beside(busy)), [1, 1, 1, 2, 10]);
    assert_eq!(Headroom::Slots(3).beside(40), 3);
}

fn policies() -> impl Strategy<Value = Policy> {
    (1..5_i32, 0..15_i32, 0..5_i32, any::<bool>(), 1..10_i32, 0..120_u64, 1..8_i32, prop::option::of(0..12_i32))
        .prop_map(|(min, more, warm, is_open, headroom, window, calls_per_replica, cap)| Policy {
            min,
            max: min + more,
            warm_minimum: warm.min(min),
            is_open,
            headroom: if headroom < 5 { Headroom::Slots(headroom) } else { Headroom::Percent(headroom * 10) },
            stabilisation: Duration::from_secs(window),
            calls_per_replica,
            caps: cap.map(|pods| Cap { pods, field: "quota" }).into_iter().collect(),
        })
}

proptest! {
    #[test]
    fn calls_never_lack_a_pod_that_may_be_had(
        policy in policies(),
        calls in prop::collection::vec((0..60_i32, any::<bool>()), 1..120),
        current in 0..20_i32,
    ) {
        let mut bench = Bench { policy, ..Bench::new(current) };
        for (busy, is_complete) in calls {
            let before = bench.current;
            let decision = bench.seen(Sample { busy, slots: 0, is_complete }, 2);
            let (ceiling, _) = bench.policy.ceiling();
            let needed = bench.policy.needed(busy).clamp(bench.policy.floor(), ceiling);
            prop_assert!(decision.replicas >= needed, "{decision:?}");
            prop_assert!(decision.replicas <= ceiling, "{decision:?}");
            if decision.replicas > before {
                prop_assert_eq!(decision.replicas, needed, "no more than is needed");
            }
            if !is_complete && before <= ceiling {
                prop_assert!(decision.replicas >= before, "nothing is given up blindly");
            }
        }
    }
}
