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
        "system:node:vx-a--b:voxplane-runtime",
        "voxplane-runtime",
    ] {
        assert_eq!(PoolId::of_service_account(stranger), None, "{stranger}");
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
