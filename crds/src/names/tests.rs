use super::*;
use proptest::prelude::*;

#[test]
fn namespaces_are_readable() {
    assert_eq!(agency_namespace("brightline"), "vx-brightline");
    assert_eq!(tenant_namespace("brightline", "dental-clinic"), "vx-brightline--dental-clinic");
}

#[test]
fn the_longest_names_fit_a_namespace() {
    let namespace = tenant_namespace(&"a".repeat(MAX_AGENCY), &"t".repeat(MAX_TENANT));
    assert!(namespace.len() <= 63, "{} is {} bytes long", namespace, namespace.len());
}

#[test]
fn foreign_namespaces_are_nobodys() {
    for name in
        ["default", "kube-system", SYSTEM_NAMESPACE, "vx-", "vx---t", "vx-a--", "vx-a--b--c", "vx-A", "vx-a--b-"]
    {
        assert_eq!(owner_of_namespace(name), None, "{name}");
    }
}

#[test]
fn a_pool_is_known_by_its_service_account() {
    let pool = PoolId::pooled("brightline", "dental-clinic");
    assert_eq!(pool.to_string(), "vx-brightline--dental-clinic/voxplane-runtime");
    assert_eq!(
        PoolId::of_service_account("system:serviceaccount:vx-brightline--dental-clinic:voxplane-runtime"),
        Some(pool)
    );
    for stranger in [
        "system:serviceaccount:vx-brightline--dental-clinic:default",
        "system:serviceaccount:vx-brightline:voxplane-runtime",
        "system:serviceaccount:voxplane-system:voxplane-runtime",
        "system:serviceaccount:vx-brightline--dental-clinic:voxplane-runtime-",
        "system:serviceaccount:vx-brightline--dental-clinic:voxplane-runtimes",
        "system:serviceaccount:vx-brightline--dental-clinic:voxplane-runtime-A",
        "system:node:vx-a--b:voxplane-runtime",
        "voxplane-runtime",
    ] {
        assert_eq!(PoolId::of_service_account(stranger), None, "{stranger}");
    }
}

#[test]
fn a_dedicated_pool_is_its_agents_own() {
    let namespace = tenant_namespace("brightline", "dental-clinic");
    let pool = PoolId::dedicated_in(&namespace, "night");
    assert_eq!(pool.to_string(), "vx-brightline--dental-clinic/voxplane-runtime-night");
    assert_eq!(
        (pool.deployment(), pool.credentials().as_str()),
        ("voxplane-runtime-night", "voxplane-runtime-night-credentials")
    );
    assert_eq!(
        PoolId::of_service_account(&format!("system:serviceaccount:{namespace}:{}", pool.deployment())),
        Some(pool.clone())
    );
    assert_eq!(PoolId::asked_for(&namespace, "night", Placement::Dedicated), pool);
    assert_eq!(PoolId::asked_for(&namespace, "night", Placement::Pooled), PoolId::pooled_in(&namespace));
    assert!(!pool.is_shared() && PoolId::pooled_in(&namespace).is_shared());
    assert_eq!(PoolId::pooled_in(&namespace).credentials(), POOL_CREDENTIALS);
    for text in ["", "vx-a--t", "vx-a/voxplane-runtime", "vx-a--t/other", "vx-a--t/voxplane-runtime-a/b"] {
        assert_eq!(PoolId::parse(text), None, "{text}");
    }
}

#[test]
fn a_canary_is_a_pool_of_its_own_whatever_agents_are_called() {
    let namespace = tenant_namespace("brightline", "dental-clinic");
    let canary = PoolId::canary_in(&namespace, "night");
    assert_eq!(canary.to_string(), "vx-brightline--dental-clinic/voxplane-canary-night");
    assert_eq!(PoolId::parse(&canary.to_string()), Some(canary.clone()));
    assert_eq!(
        PoolId::of_service_account(&format!("system:serviceaccount:{namespace}:voxplane-canary-night")),
        Some(canary.clone())
    );
    assert!(canary.is_canary() && !canary.is_shared());
    for agent in ["night", "canary", "canary-night", "night-canary"] {
        let own = PoolId::dedicated_in(&namespace, agent);
        assert!(!own.is_canary() && own != canary, "{agent}");
    }
    for text in ["vx-a--t/voxplane-canary", "vx-a--t/voxplane-canary-", "vx-a--t/voxplane-canary-a/b"] {
        assert_eq!(PoolId::parse(text), None, "{text}");
    }
}

#[test]
fn the_hash_of_a_bounded_name_never_changes() {
    // Names outside the cluster are looked up again by later versions.
    assert_eq!(bounded(&["brightline", "lab"], 64), "brightline-lab-aa094618");
}

fn part(longest: usize) -> impl Strategy<Value = String> {
    "[a-z0-9]([a-z0-9]|-[a-z0-9]){0,28}".prop_filter("too long", move |name| name.len() <= longest)
}

proptest! {
    #[test]
    fn namespaces_lead_back_to_their_owner(agency in part(MAX_AGENCY), tenant in part(MAX_TENANT)) {
        prop_assert!(is_agency_name(&agency) && is_tenant_name(&tenant));
        let of_tenant = owner_of_namespace(&tenant_namespace(&agency, &tenant));
        prop_assert_eq!(of_tenant, Some(NamespaceOwner::Tenant { agency: agency.clone(), tenant }));
        let of_agency = owner_of_namespace(&agency_namespace(&agency));
        prop_assert_eq!(of_agency, Some(NamespaceOwner::Agency(agency)));
    }

    #[test]
    fn pools_have_names_that_kubernetes_takes_and_lead_back_to_them(
        agency in part(MAX_AGENCY), tenant in part(MAX_TENANT), a in "[a-z0-9]([-a-z0-9.]{0,38}[a-z0-9])?",
        b in "[a-z0-9]([-a-z0-9.]{0,38}[a-z0-9])?",
    ) {
        let namespace = tenant_namespace(&agency, &tenant);
        let pool = PoolId::dedicated_in(&namespace, &a);
        // A label's value, which is the shortest of all the places that it stands in.
        prop_assert!(pool.deployment().len() <= 63);
        prop_assert_eq!(PoolId::parse(&pool.to_string()), Some(pool.clone()));
        prop_assert!(pool.to_string().len() <= 127, "status.pool");
        prop_assert_ne!(&pool, &PoolId::pooled_in(&namespace));
        let other = PoolId::dedicated_in(&namespace, &b);
        prop_assert_eq!(a == b, other.deployment() == pool.deployment());
        prop_assert_eq!(a == b, other.credentials() == pool.credentials());
        prop_assert_ne!(pool.credentials(), POOL_CREDENTIALS);
    }

    #[test]
    fn bounded_names_keep_their_bound_and_differ(
        a in "\\PC{0,80}", b in "\\PC{0,80}", longest in 9_usize..80,
    ) {
        let one = bounded(&[&a, &b], longest);
        prop_assert!(one.len() <= longest);
        prop_assert_eq!(&one, &bounded(&[&a, &b], longest));
        let joined = format!("{a}{b}");
        prop_assert_ne!(&one, &bounded(&[&joined], longest));
    }
}
