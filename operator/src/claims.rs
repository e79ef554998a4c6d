//! Who has a telephone number. Pure, and the same for the PhoneNumber and for the trunk it is put on.
//!
//! A claim counts if the agency's carrier connection grants the number to the tenant. Among claims that count, the
//! oldest object has the number; of equally old ones, the one with the smaller id.

use std::collections::{BTreeSet, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt as _;
use voxplane_crds::agency::CarrierConnection;
use voxplane_crds::conditions::reasons;
use voxplane_crds::names::{self, NamespaceOwner};
use voxplane_crds::{Agency, PhoneNumber};
use voxplane_telephony::E164;

use crate::home::is_being_deleted;
use crate::status::Problem;
use crate::watch::{Guarded, ObjectKey, Stores, decoded};

/// Whether the agency grants what the PhoneNumber claims.
///
/// # Errors
/// A problem that names the field and the fix.
pub fn granted(number: &PhoneNumber, agency: &Agency, tenant: &str) -> Result<E164, Refusal> {
    let claimed = number.number().ok_or_else(|| {
        Refusal::Carrier(Problem::unknown(
            reasons::PENDING,
            "no number was bought yet: the agency's carrier was not asked",
        ))
    })?;
    let e164 = E164::parse(claimed)
        .map_err(|error| Refusal::Spec(Problem::new(reasons::INVALID, format!("spec.number: {error}"))))?;
    let (carrier, connection) = (&number.spec.carrier, connection(number, agency)?);
    if connection.numbers.iter().any(|grant| grant.grants(e164.as_str(), tenant)) {
        return Ok(e164);
    }
    Err(Refusal::Spec(Problem::new(
        reasons::NUMBER_NOT_GRANTED,
        format!(
            "carrier connection {carrier:?} does not grant this number to tenant {tenant:?}: the agency adds it under \
             spec.carriers[].numbers"
        ),
    )))
}

/// The carrier connection that a PhoneNumber names.
///
/// # Errors
/// The agency has none of that name.
pub fn connection<'a>(number: &PhoneNumber, agency: &'a Agency) -> Result<&'a CarrierConnection, Refusal> {
    let carrier = &number.spec.carrier;
    agency.spec.carriers.iter().find(|connection| connection.name == *carrier).ok_or_else(|| {
        Refusal::Reference(Problem::new(
            reasons::REF_NOT_FOUND,
            format!("spec.carrier: agency {:?} has no carrier connection {carrier:?}", agency.name_any()),
        ))
    })
}

/// Why a claim does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The spec itself: for `Accepted`.
    Spec(Problem),
    /// Something the spec names does not exist: for `ResolvedRefs`.
    Reference(Problem),
    /// The carrier has not delivered a number yet: for `Programmed`.
    Carrier(Problem),
}

/// What decides between claims for the same number.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    created: Option<Timestamp>,
    /// An object without an id yet comes last among equally old ones.
    without_id: bool,
    id: String,
    uid: String,
}

fn rank(number: &PhoneNumber) -> Rank {
    let id = number.status.as_ref().and_then(|status| status.id.clone());
    Rank {
        created: number.metadata.creation_timestamp.as_ref().map(|time| time.0),
        without_id: id.is_none(),
        id: id.unwrap_or_default(),
        uid: number.uid().unwrap_or_default(),
    }
}

/// Who has a number, and over which carrier connection.
#[derive(Debug)]
struct Holder {
    key: ObjectKey,
    carrier: String,
}

/// All PhoneNumbers, ready to be asked who has which number.
#[derive(Debug)]
pub struct Claims {
    holders: HashMap<E164, Holder>,
}

/// The last judgement, which stands until a number or an agency means something else: every number's pass asks, and each
/// judgement looks at all of them.
#[derive(Debug, Default)]
pub struct Court {
    /// Counts what may change the judgement.
    changes: AtomicU64,
    last: Mutex<Option<(u64, Arc<Claims>)>>,
}

impl Court {
    /// Something may be judged otherwise. Called when the caches hold it.
    pub fn reopen(&self) {
        self.changes.fetch_add(1, Ordering::Release);
    }

    /// Who has which number now.
    #[must_use]
    pub fn judgement(&self, stores: &Stores) -> Arc<Claims> {
        self.standing(|| Claims::now(stores))
    }

    fn standing(&self, judge: impl FnOnce() -> Claims) -> Arc<Claims> {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // Read before the caches: what changes in between is judged once more.
        let changes = self.changes.load(Ordering::Acquire);
        match &*last {
            Some((at, claims)) if *at == changes => Arc::clone(claims),
            _ => {
                let claims = Arc::new(judge());
                *last = Some((changes, Arc::clone(&claims)));
                claims
            }
        }
    }
}

impl Claims {
    /// Judges all claims.
    #[must_use]
    pub fn judge(numbers: &[Arc<Guarded<PhoneNumber>>], agencies: &[Arc<Guarded<Agency>>]) -> Self {
        let agencies: HashMap<String, &Agency> = agencies
            .iter()
            .filter_map(|agency| decoded(agency))
            .filter(|agency| !is_being_deleted(&agency.metadata))
            .map(|agency| (agency.name_any(), agency))
            .collect();
        let mut best: HashMap<E164, (Rank, Holder)> = HashMap::new();
        for number in numbers.iter().filter_map(|number| decoded(number)) {
            if is_being_deleted(&number.metadata) {
                continue;
            }
            let namespace = number.namespace().unwrap_or_default();
            let Some(NamespaceOwner::Tenant { agency, tenant }) = names::owner_of_namespace(&namespace) else {
                continue;
            };
            let Some(agency) = agencies.get(&agency) else { continue };
            let Ok(e164) = granted(number, agency, &tenant) else { continue };
            let holder = Holder { key: ObjectKey::of(number), carrier: number.spec.carrier.clone() };
            let rank = rank(number);
            match best.get(&e164) {
                Some((other, _)) if *other <= rank => {}
                _ => {
                    best.insert(e164, (rank, holder));
                }
            }
        }
        Self { holders: best.into_iter().map(|(number, (_, holder))| (number, holder)).collect() }
    }

    /// Judges what the watches have seen.
    fn now(stores: &Stores) -> Self {
        Self::judge(&stores.numbers.state(), &stores.agencies.state())
    }

    /// Who has a number.
    #[must_use]
    pub fn holder(&self, number: &E164) -> Option<&ObjectKey> {
        self.holders.get(number).map(|holder| &holder.key)
    }

    /// The carrier connection over which whoever has a number has it.
    #[must_use]
    pub fn carrier(&self, number: &E164) -> Option<&str> {
        self.holders.get(number).map(|holder| holder.carrier.as_str())
    }

    /// The numbers that others than `own` have.
    #[must_use]
    pub fn of_others(&self, own: &ObjectKey) -> BTreeSet<E164> {
        self.holders.iter().filter(|(_, holder)| holder.key != *own).map(|(number, _)| number.clone()).collect()
    }

    /// The numbers that tenants of an agency have over one of its carrier connections. An object without an id is not
    /// accepted yet.
    #[must_use]
    pub fn of_carrier(&self, numbers: &[Arc<Guarded<PhoneNumber>>], agency: &str, carrier: &str) -> BTreeSet<E164> {
        numbers
            .iter()
            .filter_map(|number| decoded(number))
            .filter(|number| number.spec.carrier == carrier)
            .filter(|number| number.status.as_ref().is_some_and(|status| status.id.is_some()))
            .filter(|number| {
                let namespace = number.namespace().unwrap_or_default();
                let owner = names::owner_of_namespace(&namespace);
                matches!(owner, Some(NamespaceOwner::Tenant { agency: name, .. }) if name == agency)
            })
            .filter_map(|number| {
                let e164 = E164::parse(number.number()?).ok()?;
                (self.holder(&e164) == Some(&ObjectKey::of(number))).then_some(e164)
            })
            .collect()
    }
}

#[cfg(test)]
mod tests;
