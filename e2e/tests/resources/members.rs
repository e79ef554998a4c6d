//! The promise: members of a tenant or an agency may do what their role says, there and nowhere else, until they leave
//! the list. Asked of the API server's own authorizer.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use k8s_openapi::api::authorization::v1::SubjectAccessReview;
use kube::{Api, api::PostParams};
use serde_json::json;
use tokio::time::{Instant, sleep};
use voxplane_e2e::{
    cluster::changed,
    scratch::{only_the_agency, with_own},
    world::{READY_LIMIT, World},
};

const AGENCY: &str = "e2e-members";
const HOME: &str = "vx-e2e-members";
const SHOP: &str = "vx-e2e-members--shop";
const OTHER: &str = "vx-e2e-members--other";
/// The authorizer learns of a binding within moments.
const SOON: Duration = Duration::from_secs(10);

const MANIFEST: &str = "
apiVersion: voxplane.dev/v1alpha1
kind: Agency
metadata: {name: e2e-members}
spec:
  members:
    - {kind: User, name: chief, role: Admin}
    - {kind: User, name: guest, role: Viewer}
---
apiVersion: voxplane.dev/v1alpha1
kind: Tenant
metadata: {name: shop, namespace: vx-e2e-members}
spec:
  members:
    - {kind: User, name: owner, role: Admin}
    - {kind: User, name: clerk, role: Editor}
    - {kind: User, name: auditor, role: Viewer}
---
apiVersion: voxplane.dev/v1alpha1
kind: Tenant
metadata: {name: other, namespace: vx-e2e-members}
spec: {}
";

/// Who, verb, resource (with its group), namespace.
type Question = (&'static str, &'static str, &'static str, &'static str);

const ALLOWED: [Question; 11] = [
    ("owner", "create", "phonenumbers.voxplane.dev", SHOP),
    ("owner", "delete", "voiceagents.voxplane.dev", SHOP),
    ("clerk", "create", "voiceagents.voxplane.dev", SHOP),
    ("clerk", "patch", "phonenumbers.voxplane.dev", SHOP),
    ("auditor", "list", "phonenumbers.voxplane.dev", SHOP),
    ("chief", "create", "tenants.voxplane.dev", HOME),
    ("chief", "set-members", "tenants.voxplane.dev", HOME),
    ("chief", "create", "phonenumbers.voxplane.dev", SHOP),
    ("chief", "create", "phonenumbers.voxplane.dev", OTHER),
    ("guest", "get", "tenants.voxplane.dev", HOME),
    ("guest", "get", "voiceagents.voxplane.dev", OTHER),
];

const REFUSED: [Question; 21] = [
    ("owner", "get", "secrets", SHOP),
    ("owner", "create", "pods/exec", SHOP),
    ("owner", "create", "serviceaccounts/token", SHOP),
    ("owner", "create", "rolebindings.rbac.authorization.k8s.io", SHOP),
    ("owner", "get", "voiceagents.voxplane.dev", OTHER),
    ("owner", "get", "tenants.voxplane.dev", HOME),
    ("owner", "get", "voiceagents.voxplane.dev", "default"),
    ("owner", "set-limits", "voiceagents.voxplane.dev", SHOP),
    ("clerk", "create", "phonenumbers.voxplane.dev", SHOP),
    ("clerk", "delete", "phonenumbers.voxplane.dev", SHOP),
    ("clerk", "get", "secrets", SHOP),
    ("clerk", "get", "voiceagents.voxplane.dev", OTHER),
    ("auditor", "patch", "voiceagents.voxplane.dev", SHOP),
    ("auditor", "get", "voiceagents.voxplane.dev", OTHER),
    ("chief", "set-limits", "tenants.voxplane.dev", HOME),
    ("chief", "get", "secrets", HOME),
    ("chief", "get", "secrets", SHOP),
    ("chief", "get", "agencies.voxplane.dev", ""),
    ("chief", "get", "tenants.voxplane.dev", "default"),
    ("guest", "patch", "tenants.voxplane.dev", HOME),
    ("guest", "patch", "voiceagents.voxplane.dev", SHOP),
];

#[tokio::test(flavor = "multi_thread")]
async fn members_may_do_what_their_role_says_there_and_nowhere_else() -> Result<()> {
    with_own(&only_the_agency(AGENCY), |world| async move {
        let objects = world.cluster.apply_ready(MANIFEST, READY_LIMIT).await?;
        for question in ALLOWED {
            become_so(&world, question, true).await?;
        }
        for question in REFUSED {
            ensure!(!may(&world, question).await?, "allowed: {question:?}");
        }
        let shop =
            changed(&objects[1], |spec| spec["members"] = json!([{"kind": "User", "name": "owner", "role": "Viewer"}]));
        world.cluster.apply(&shop).await?;
        for (who, verb, resource, namespace) in ALLOWED.into_iter().take(5).filter(|question| question.0 != "owner") {
            become_so(&world, (who, verb, resource, namespace), false).await.context("left the list")?;
        }
        become_so(&world, ("owner", "delete", "voiceagents.voxplane.dev", SHOP), false).await?;
        ensure!(may(&world, ("owner", "get", "voiceagents.voxplane.dev", SHOP)).await?, "a lesser role is one, too");
        ensure!(may(&world, ("chief", "create", "phonenumbers.voxplane.dev", SHOP)).await?, "the agency's stay");
        Ok(())
    })
    .await
}

async fn become_so(world: &World, question: Question, wanted: bool) -> Result<()> {
    let deadline = Instant::now() + SOON;
    while may(world, question).await? != wanted {
        ensure!(Instant::now() < deadline, "allowed is not {wanted}: {question:?}");
        sleep(Duration::from_millis(100)).await;
    }
    Ok(())
}

async fn may(world: &World, (who, verb, resource, namespace): Question) -> Result<bool> {
    let (resource, group) = resource.split_once('.').unwrap_or((resource, ""));
    let (resource, subresource) = resource.split_once('/').unwrap_or((resource, ""));
    let review: SubjectAccessReview = serde_json::from_value(json!({
        "apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "metadata": {}, "spec": {
            "user": who, "groups": ["system:authenticated"],
            "resourceAttributes": {
                "verb": verb, "group": group, "resource": resource, "subresource": subresource, "namespace": namespace,
            },
        },
    }))?;
    let reviews = Api::<SubjectAccessReview>::all(world.cluster.client());
    let answer = reviews.create(&PostParams::default(), &review).await?;
    Ok(answer.status.context("a review has a status")?.allowed)
}
