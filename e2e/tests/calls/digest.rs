//! The promise: a carrier connection with `authSecretRef` takes calls of whoever knows the password, from any address,
//! and of nobody else.

use std::time::Duration;

use anyhow::Result;
use voxplane_e2e::{
    caller::{Call, DialOptions, EndCause},
    heard,
    scratch::{agent, only_the_agency, with_own},
    world::{READY_LIMIT, World},
};

const AGENCY: &str = "e2e-digest";
const NUMBER: &str = "+15559013001";
/// A refusal or an answer that takes longer than this is a hang.
const LIMIT: Duration = Duration::from_secs(20);

fn manifest() -> String {
    format!(
        "
{{apiVersion: voxplane.dev/v1alpha1, kind: Agency, metadata: {{name: {AGENCY}}}, spec: {{carriers: [
  {{name: main, type: sip, sip: {{authSecretRef: {{name: carrier}}}}, numbers: [{{pattern: '{NUMBER}'}}]}}]}}}}
---
apiVersion: v1
kind: Secret
type: voxplane.dev/credentials
metadata: {{name: carrier, namespace: vx-{AGENCY}, labels: {{voxplane.dev/provider: sip}}}}
stringData: {{username: exchange, password: correct-horse}}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: Tenant, metadata: {{name: shop, namespace: vx-{AGENCY}}}, spec: {{}}}}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: KnowledgeBase, metadata: {{name: faq, namespace: vx-{AGENCY}--shop}}, spec: {{
  sources: [{{name: hours, inline: {{text: We open at nine.}}}}]}}}}
---
{agent}
---
{{apiVersion: voxplane.dev/v1alpha1, kind: PhoneNumber, metadata: {{name: main, namespace: vx-{AGENCY}--shop}},
  spec: {{number: '{NUMBER}', carrier: main, agentRef: {{name: clerk}}}}}}
",
        agent = agent(AGENCY)
    )
}

async fn dial(world: &World, login: Option<(&str, &str)>) -> Result<Call> {
    let auth = login.map(|(username, password)| (username.to_owned(), password.to_owned()));
    Call::dial(DialOptions { auth, ..DialOptions::to(world.env.sip_uri(NUMBER)) }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_caller_with_the_password_is_answered() -> Result<()> {
    with_own(&only_the_agency(AGENCY), |world| async move {
        let objects = world.cluster.apply_text(&manifest(), READY_LIMIT).await?;
        for object in objects.iter().filter(|object| object.types.as_ref().is_some_and(|types| types.kind != "Secret"))
        {
            world.cluster.wait_condition(object, "Ready", "True", READY_LIMIT).await?;
        }
        // The name is not compared by livekit-sip 1.0, only the password: docs/carriers.md says so.
        for wrong in [None, Some(("exchange", "battery-staple"))] {
            let cause = dial(&world, wrong).await?.ended(LIMIT).await?;
            println!("with {wrong:?}: {cause:?}");
            assert!(matches!(cause, EndCause::Refused(400..)), "{wrong:?} got in: {cause:?}");
        }

        let mut call = dial(&world, Some(("exchange", "correct-horse"))).await?;
        call.answered(LIMIT).await?;
        let deadline = tokio::time::Instant::now() + LIMIT;
        while heard::segments(&call.recording().heard).is_empty() && tokio::time::Instant::now() < deadline {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        assert!(!heard::segments(&call.recording().heard).is_empty(), "the call was answered, but nothing is heard");
        call.hang_up().await?;
        Ok(())
    })
    .await
}
