//! Which of the numbers for sale may be bought. Pure.

use voxplane_crds::conditions::reasons;
use voxplane_telephony::E164;
use voxplane_telephony::market::AvailableNumber;

use super::Wish;
use crate::status::Problem;

/// Digits of a number that are told when no pattern covers it: country and area, not the line.
const PREFIX: usize = 5;

/// The numbers that may be bought, in the carrier's order.
///
/// # Errors
/// Why none of them may.
pub fn candidates(offers: &[AvailableNumber], wish: &Wish, tried: &[String]) -> Result<Vec<E164>, Problem> {
    let fresh: Vec<&E164> = offers
        .iter()
        .map(|offer| &offer.number)
        .filter(|number| !tried.iter().any(|other| other == number.as_str()) && !wish.claimed.contains(*number))
        .collect();
    if fresh.is_empty() {
        let message = "the carrier has no number for sale at the moment that is like spec.search";
        return Err(Problem::new(reasons::NO_NUMBER_FOUND, message));
    }
    let granted = |number: &E164| wish.grants.iter().any(|grant| grant.grants(number.as_str(), &wish.tenant));
    let good: Vec<E164> = fresh.iter().copied().filter(|number| granted(number)).cloned().collect();
    if good.is_empty() { Err(not_granted(&fresh, wish)) } else { Ok(good) }
}

/// Whether every number of the area that is looked for may be bought: which one it will be, the carrier decides.
///
/// # Errors
/// Why not.
pub fn area(prefix: &str, wish: &Wish) -> Result<(), Problem> {
    if wish.grants.iter().any(|grant| grant.grants(prefix, &wish.tenant)) {
        return Ok(());
    }
    let (carrier, tenant) = (&wish.new.carrier, &wish.tenant);
    Err(Problem::new(
        reasons::NUMBER_NOT_GRANTED,
        format!(
            "the carrier picks the number, and carrier connection {carrier:?} does not grant every number of the area to \
             tenant {tenant:?}: the agency adds the pattern \"{prefix}*\" under spec.carriers[].numbers"
        ),
    ))
}

fn not_granted(offers: &[&E164], wish: &Wish) -> Problem {
    let (carrier, tenant) = (&wish.new.carrier, &wish.tenant);
    Problem::new(
        reasons::NUMBER_NOT_GRANTED,
        format!(
            "the carrier has numbers like spec.search, but carrier connection {carrier:?} grants none of them to tenant \
             {tenant:?}: the agency adds a pattern like {:?} under spec.carriers[].numbers",
            pattern(offers)
        ),
    )
}

/// A pattern that covers all of the numbers; if they have too little in common, only the first and those near it.
fn pattern(numbers: &[&E164]) -> String {
    let first = numbers.first().map(|number| number.as_str()).unwrap_or_default();
    let common = numbers.iter().fold(first, |common, number| {
        let same = common.bytes().zip(number.as_str().bytes()).take_while(|(one, other)| one == other).count();
        common.get(..same).unwrap_or_default()
    });
    let prefix =
        if common.len() > 1 && common.len() < first.len() { common } else { first.get(..PREFIX).unwrap_or(first) };
    format!("{prefix}*")
}
