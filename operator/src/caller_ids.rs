//! Which number those who are called see. Pure, and the same for the PhoneNumber and for the trunk its calls go over.
//!
//! A caller id is never anybody's word: it is the PhoneNumber's own number, or one that the same tenant has over the same
//! carrier connection, so that the carrier knows it as its customer's and whoever calls back reaches the tenant.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kube::ResourceExt as _;
use voxplane_crds::PhoneNumber;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_telephony::E164;

use crate::claims::Claims;
use crate::status::Problem;
use crate::watch::{Guarded, ObjectKey, decoded};

/// The caller id of a PhoneNumber that has the number `own`; none: no calls are placed with it.
///
/// # Errors
/// A problem for `ResolvedRefs`. A number that another tenant has is told as one that nobody has.
pub fn caller_id(number: &PhoneNumber, own: &E164, claims: &Claims) -> Option<Result<E164, Problem>> {
    let Some(shown) = &number.outbound()?.caller_id else { return Some(Ok(own.clone())) };
    let (carrier, namespace) = (&number.spec.carrier, number.namespace());
    let found = E164::parse(shown).ok().filter(|shown| {
        let of_tenant = claims.holder(shown).is_some_and(|holder| holder.namespace == namespace);
        shown == own || of_tenant && claims.carrier(shown) == Some(carrier.as_str())
    });
    Some(found.ok_or_else(|| {
        Problem::new(
            reasons::REF_NOT_FOUND,
            format!(
                "spec.outbound.callerId: no PhoneNumber of this tenant has this number over carrier connection \
                 {carrier:?}: name one that does, or leave callerId out for the number itself"
            ),
        )
    }))
}

/// The numbers that those who are called may see, of the tenants of an agency, by carrier connection.
#[must_use]
pub fn of_agency(
    agency: &str,
    claims: &Claims,
    numbers: &[Arc<Guarded<PhoneNumber>>],
) -> BTreeMap<String, BTreeSet<E164>> {
    let mut shown: BTreeMap<String, BTreeSet<E164>> = BTreeMap::new();
    for number in numbers.iter().filter_map(|number| decoded(number)).filter(|number| number.outbound().is_some()) {
        let namespace = number.namespace().unwrap_or_default();
        let owner = names::owner_of_namespace(&namespace);
        let of_agency = matches!(owner, Some(NamespaceOwner::Tenant { agency: name, .. }) if name == agency);
        // An object without an id is not accepted yet.
        let accepted = number.status.as_ref().is_some_and(|status| status.id.is_some());
        let Some(own) = number.number().and_then(|number| E164::parse(number).ok()) else { continue };
        if !of_agency || !accepted || claims.holder(&own) != Some(&ObjectKey::of(number)) {
            continue;
        }
        if let Some(Ok(caller_id)) = caller_id(number, &own, claims) {
            shown.entry(number.spec.carrier.clone()).or_default().insert(caller_id);
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{accepted, agency, guarded, object};

    const SHOP: &str = "vx-brightline--shop";
    const OFFICE: &str = "vx-brightline--office";

    fn with(namespace: &str, name: &str, number: &str, more: &str) -> PhoneNumber {
        let mut number: PhoneNumber = object(&format!(
            "{{metadata: {{name: {name}, namespace: {namespace}}}, \
             spec: {{number: '{number}', carrier: main, agentRef: {{name: clerk}}, {more}}}}}"
        ));
        number.status = Some(accepted(0xd, vec![]));
        number
    }

    fn shown(numbers: Vec<PhoneNumber>) -> Vec<String> {
        let numbers: Vec<_> = numbers.into_iter().map(guarded).collect();
        let claims = Claims::judge(&numbers, &[guarded(agency("brightline"))]);
        let shown = of_agency("brightline", &claims, &numbers);
        shown.into_values().flatten().map(|number| number.as_str().to_owned()).collect()
    }

    const ENABLED: &str = "outbound: {enabled: true}";
    const AS_SECOND: &str = "outbound: {enabled: true, callerId: '+15550101'}";

    #[test]
    fn only_numbers_that_are_enabled_and_held_may_be_shown() {
        let main = with(SHOP, "main", "+15550100", ENABLED);
        let silent = with(SHOP, "silent", "+15550101", "outbound: {enabled: false, callerId: '+15550100'}");
        assert_eq!(shown(vec![main.clone(), silent, with(SHOP, "plain", "+15550102", "")]), ["+15550100"]);
        // Another object has the number.
        let mut late = with(OFFICE, "late", "+15550100", ENABLED);
        late.status = Some(accepted(0xe, vec![]));
        let mut first = with(SHOP, "main", "+15550100", "");
        first.status = Some(accepted(0xc, vec![]));
        assert!(shown(vec![late, first]).is_empty());
        let mut unknown = main;
        unknown.status = None;
        assert!(shown(vec![unknown]).is_empty(), "not accepted yet");
        assert!(shown(vec![with(SHOP, "foreign", "+4930123456", ENABLED)]).is_empty(), "not granted");
    }

    #[test]
    fn another_number_may_be_shown_if_the_tenant_has_it_over_the_same_connection() {
        let main = with(SHOP, "main", "+15550100", AS_SECOND);
        assert_eq!(shown(vec![main.clone(), with(SHOP, "second", "+15550101", "")]), ["+15550101"]);
        let mut elsewhere = with(SHOP, "second", "+15550101", "");
        elsewhere.spec.carrier = "other".to_owned();
        let tenants = with(OFFICE, "second", "+15550101", "");
        let mut told = Vec::new();
        for others in [vec![], vec![elsewhere], vec![tenants]] {
            let numbers: Vec<_> = others.into_iter().chain([main.clone()]).map(guarded).collect();
            let mut two = agency("brightline");
            let mut other = two.spec.carriers[0].clone();
            other.name = "other".to_owned();
            two.spec.carriers.push(other);
            let claims = Claims::judge(&numbers, &[guarded(two)]);
            assert!(of_agency("brightline", &claims, &numbers).is_empty());
            let own = E164::parse("+15550100").unwrap();
            told.push(caller_id(&main, &own, &claims).unwrap().unwrap_err());
        }
        assert_eq!(told[0].reason, reasons::REF_NOT_FOUND);
        assert!(told.iter().all(|problem| *problem == told[0]), "whose it is cannot be told apart");
        assert!(!told[0].message.contains("555"), "{}", told[0].message);
    }
}
