use super::*;

fn pod(slots: u32) -> (Arc<Pod>, mpsc::Receiver<ApiMessage>) {
    let (outbox, inbox) = mpsc::channel(8);
    let info = PodInfo {
        session: SessionId::new(),
        pool: PoolId::pooled("acme", "dental"),
        pod: "p".into(),
        pod_uid: "u".into(),
        agency: AgencyId::new(),
        tenant: TenantId::new(),
        slots,
        capabilities: HashSet::new(),
        version: "test".into(),
    };
    (Arc::new(Pod::new(info, outbox, "h".into(), false)), inbox)
}

fn start(call: CallId, epoch: u32) -> StartCall {
    StartCall { call_id: call.to_string(), epoch, ..StartCall::default() }
}

fn lost(inbox: &mut mpsc::Receiver<ApiMessage>) -> Option<u32> {
    while let Ok(message) = inbox.try_recv() {
        if let Some(api_message::Body::LeaseLost(lost)) = message.body {
            return Some(lost.epoch);
        }
    }
    None
}

#[tokio::test]
async fn an_accepted_call_takes_a_slot_until_it_is_released() {
    let (pod, _inbox) = pod(1);
    let call = CallId::new();
    let offered = tokio::spawn({
        let pod = Arc::clone(&pod);
        async move { pod.offer(call, Work::Call, start(call, 1)).await }
    });
    tokio::task::yield_now().await;
    assert_eq!(pod.report().0, 1, "taken while the pod still thinks");
    pod.answered(call, 1, Answer::Accepted);
    assert_eq!(offered.await.unwrap(), Answer::Accepted);
    assert!(pod.holds(call, 1));
    assert_eq!(pod.release(call, 2), None, "another epoch is another call");
    assert_eq!(pod.release(call, 1), Some(Work::Call));
    assert_eq!(pod.report().0, 0);
}

#[tokio::test]
async fn silence_frees_the_slot_and_a_late_yes_is_turned_down() {
    let (pod, mut inbox) = pod(1);
    let call = CallId::new();
    assert_eq!(pod.offer(call, Work::Call, start(call, 3)).await, Answer::Silent);
    assert_eq!(lost(&mut inbox), Some(3));
    assert_eq!(pod.report().0, 0);
    pod.answered(call, 3, Answer::Accepted);
    assert_eq!(lost(&mut inbox), Some(3), "the pod must not keep a call that went elsewhere");
}

#[tokio::test]
async fn a_refusal_frees_the_slot_and_a_lost_session_ends_the_wait() {
    let (pod, _inbox) = pod(1);
    let call = CallId::new();
    let refused = Answer::Refused(call_refused::Reason::NoSlot, String::new());
    let (answer, ()) = tokio::join!(pod.offer(call, Work::Call, start(call, 1)), async {
        tokio::task::yield_now().await;
        pod.answered(call, 1, refused.clone());
    });
    assert_eq!((answer, pod.report().0), (refused, 0));
    let (answer, ()) = tokio::join!(pod.offer(call, Work::Call, start(call, 2)), async { pod.ended.cancel() });
    assert_eq!((answer, pod.report().0), (Answer::Gone, 0));
}

#[tokio::test]
async fn refusals_do_not_take_call_slots() {
    let (pod, _inbox) = pod(1);
    let call = CallId::new();
    let (answer, ()) = tokio::join!(pod.offer(call, Work::Refusal(RefusalReason::NoCapacity), start(call, 1)), async {
        tokio::task::yield_now().await;
        let seen = pod.candidate();
        assert_eq!((seen.busy, seen.overflow_busy), (0, 1));
        pod.answered(call, 1, Answer::Accepted);
    });
    assert_eq!(answer, Answer::Accepted);
}

#[test]
fn a_pod_has_one_stream() {
    let registry = Registry::default();
    let (first, _a) = pod(1);
    let (second, _b) = pod(1);
    registry.insert(Arc::clone(&first));
    registry.insert(Arc::clone(&second));
    assert!(first.ended.is_cancelled() && !second.ended.is_cancelled());
    registry.remove(first.info.session);
    assert!(registry.is_connected("u"));
}

#[test]
fn a_pod_that_does_not_read_is_disconnected() {
    let (outbox, _inbox) = mpsc::channel(1);
    let (other, _rest) = pod(1);
    let pod = Pod::new(other.info.clone(), outbox, String::new(), false);
    let beat = || api_message::Body::Heartbeat(voxplane_control::v1::ApiHeartbeat {});
    assert!(pod.send(beat()));
    assert!(!pod.send(beat()));
    assert!(pod.ended.is_cancelled());
}
