//! Who has a number when several want it.

use super::*;
use crate::testing::{agency, guarded, number};
use voxplane_crds::conditions::reasons;

fn e164(text: &str) -> E164 {
    E164::parse(text).unwrap()
}

fn created(mut number: PhoneNumber, at: &str, uid: &str) -> Arc<Guarded<PhoneNumber>> {
    number.metadata.creation_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(at.parse().unwrap()));
    number.metadata.uid = Some(uid.to_owned());
    guarded(number)
}

fn holder(numbers: &[Arc<Guarded<PhoneNumber>>], agencies: Vec<Agency>) -> Option<String> {
    let agencies: Vec<_> = agencies.into_iter().map(guarded).collect();
    Claims::judge(numbers, &agencies).holder(&e164("+15550100")).map(ToString::to_string)
}

#[test]
fn the_oldest_claim_has_the_number_across_agencies_and_ties_go_by_id() {
    let younger = created(number("vx-a--t", "n", "+15550100"), "2026-01-02T00:00:00Z", "1");
    let older = created(number("vx-b--t", "n", "+15550100"), "2026-01-01T00:00:00Z", "2");
    let agencies = || vec![agency("a"), agency("b")];
    assert_eq!(holder(&[younger.clone(), older.clone()], agencies()).as_deref(), Some("vx-b--t/n"));
    assert_eq!(holder(&[older, younger], agencies()).as_deref(), Some("vx-b--t/n"));
    let at = "2026-01-01T00:00:00Z";
    let one = created(number("vx-a--t", "n", "+15550100"), at, "1");
    let two = created(number("vx-a--u", "n", "+15550100"), at, "2");
    assert_eq!(holder(&[two.clone(), one.clone()], agencies()).as_deref(), Some("vx-a--t/n"));
    let mut registered = number("vx-a--u", "n", "+15550100");
    registered.status = Some(crate::testing::accepted(7, vec![]));
    let registered = created(registered, at, "9");
    assert_eq!(holder(&[one, registered], agencies()).as_deref(), Some("vx-a--u/n"));
}

#[test]
fn a_claim_that_is_not_granted_or_is_going_keeps_nobody_from_the_number() {
    let old = "2026-01-01T00:00:00Z";
    let new = created(number("vx-b--t", "n", "+15550100"), "2026-01-02T00:00:00Z", "2");
    let mut elsewhere = agency("a");
    elsewhere.spec.carriers[0].numbers[0].tenants = vec!["other".to_owned()];
    let ungranted = created(number("vx-a--t", "n", "+15550100"), old, "1");
    assert_eq!(holder(&[ungranted.clone(), new.clone()], vec![elsewhere, agency("b")]).as_deref(), Some("vx-b--t/n"));
    let mut going = number("vx-a--t", "n", "+15550100");
    going.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::testing::now()));
    let going = created(going, old, "1");
    assert_eq!(holder(&[going, new.clone()], vec![agency("a"), agency("b")]).as_deref(), Some("vx-b--t/n"));
    let mut leaving = agency("a");
    leaving.metadata.deletion_timestamp =
        Some(k8s_openapi::apimachinery::pkg::apis::meta::v1::Time(crate::testing::now()));
    assert_eq!(holder(&[ungranted, new], vec![leaving, agency("b")]).as_deref(), Some("vx-b--t/n"));
}

#[test]
fn refusals_name_the_field_and_the_fix() {
    let wrong_carrier = {
        let mut wrong = number("vx-a--t", "n", "+15550100");
        wrong.spec.carrier = "backup".to_owned();
        granted(&wrong, &agency("a"), "t")
    };
    assert!(matches!(wrong_carrier, Err(Refusal::Reference(problem)) if problem.reason == reasons::REF_NOT_FOUND));
    let foreign = granted(&number("vx-a--t", "n", "+4930123456"), &agency("a"), "t");
    let Err(Refusal::Spec(problem)) = foreign else { panic!("{foreign:?}") };
    assert_eq!(problem.reason, reasons::NUMBER_NOT_GRANTED);
    assert!(problem.message.contains("spec.carriers[].numbers"), "{}", problem.message);
    assert!(!problem.message.contains("4930"), "{}", problem.message);
}

#[test]
fn only_what_tenants_of_the_agency_have_is_put_on_its_trunk() {
    let with_id = |mut number: PhoneNumber| {
        number.status = Some(crate::testing::accepted(9, vec![]));
        guarded(number)
    };
    let numbers = [
        with_id(number("vx-a--t", "one", "+15550100")),
        with_id(number("vx-a--u", "two", "+15550101")),
        with_id(number("vx-b--t", "three", "+15550102")),
        with_id(number("elsewhere", "four", "+15550103")),
        guarded(number("vx-a--t", "without-an-id", "+15550104")),
    ];
    let claims = Claims::judge(&numbers, &[guarded(agency("a")), guarded(agency("b"))]);
    let on_trunk: Vec<_> = claims.of_carrier(&numbers, "a", "main").into_iter().collect();
    assert_eq!(on_trunk, [e164("+15550100"), e164("+15550101")]);
    assert!(claims.of_carrier(&numbers, "a", "backup").is_empty());
}

#[test]
fn a_judgement_stands_until_something_may_change_it() {
    let court = Court::default();
    let judged = std::cell::Cell::new(0);
    let ask = || {
        court.standing(|| {
            judged.set(judged.get() + 1);
            Claims::judge(&[], &[])
        })
    };
    ask();
    ask();
    assert_eq!(judged.get(), 1);
    court.reopen();
    ask();
    assert_eq!(judged.get(), 2);
}
