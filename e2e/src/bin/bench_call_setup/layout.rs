//! How numbers are spread over trunks. Pure.

use std::collections::BTreeSet;

use anyhow::Result;
use uuid::Uuid;
use voxplane_operator::livekit::desired::Holder;
use voxplane_telephony::E164;

use crate::scope::Scope;

/// The smallest layout, to compare with.
const FEW: u32 = 10;

/// Numbers on trunks; every trunk has a rule, and belongs to an agency of its own.
#[derive(Clone, Debug)]
pub struct Layout {
    numbers: u32,
    trunks: u32,
}

/// All layouts in the order in which they are measured. The first is also the last: it tells what the machine did
/// meanwhile.
pub fn all(scope: &Scope) -> Result<Vec<Layout>> {
    let (all, part) = (scope.numbers, scope.numbers / 10);
    let pairs = [(FEW, 1), (part, 1), (all, 1), (all, 2), (all, scope.trunks), (part, part), (all, all), (FEW, 1)];
    // Whether they can be written as numbers is known before anything is measured.
    number(all + FEW)?;
    Ok(pairs.map(|(numbers, trunks)| Layout { numbers, trunks }).to_vec())
}

impl Layout {
    /// For people.
    pub fn name(&self) -> String {
        let trunks = if self.trunks == 1 { "1 trunk".to_owned() } else { format!("{} trunks", self.trunks) };
        format!("{} numbers on {trunks}", self.numbers)
    }

    /// How many trunks there are.
    pub fn trunks(&self) -> u32 {
        self.trunks
    }

    /// Whether there is a trunk for each number, as nobody should do it.
    pub fn is_one_per_number(&self) -> bool {
        self.trunks == self.numbers
    }

    /// The numbers of a trunk.
    pub fn on(&self, trunk: u32) -> Result<BTreeSet<E164>> {
        let each = self.numbers / self.trunks;
        let end = if trunk + 1 == self.trunks { self.numbers } else { (trunk + 1) * each };
        (trunk * each..end).map(number).collect()
    }

    /// Numbers that this layout does not have.
    pub fn spare(&self, count: u32) -> Result<Vec<E164>> {
        (self.numbers..self.numbers + count).map(number).collect()
    }

    /// Numbers to call, evenly spread over the first `trunks` trunks, and one more before them.
    pub fn spread(&self, count: u32, trunks: usize) -> Vec<E164> {
        let trunks = u32::try_from(trunks).unwrap_or(self.trunks).min(self.trunks);
        let known = u64::from(self.numbers) * u64::from(trunks) / u64::from(self.trunks);
        let at = |call: u32| u32::try_from(u64::from(call) * known.saturating_sub(1) / u64::from(count.max(1)));
        (0..=count).filter_map(|call| number(at(call).ok()?).ok()).collect()
    }
}

/// Whose trunk it is.
pub fn holder(trunk: u32) -> Holder {
    // The last digits of the id begin the names of rooms.
    Holder { agency_id: Uuid::from_u128(u128::from(trunk) + 1), agency: format!("agency-{trunk:05}") }
}

fn number(index: u32) -> Result<E164> {
    Ok(E164::parse(&format!("+1555{index:07}"))?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_is_on_one_trunk() {
        for (numbers, trunks) in [(10, 1), (103, 10), (50, 50)] {
            let layout = Layout { numbers, trunks };
            let all: Vec<E164> = (0..trunks).flat_map(|trunk| layout.on(trunk).unwrap()).collect();
            let different: BTreeSet<_> = all.iter().collect();
            assert_eq!((all.len(), different.len()), (numbers as usize, numbers as usize), "{layout:?}");
            assert!(layout.spare(2).unwrap().iter().all(|spare| !different.contains(spare)));
        }
    }

    #[test]
    fn calls_are_spread_over_what_is_programmed() {
        let layout = Layout { numbers: 1_000, trunks: 100 };
        let whole = layout.spread(4, 100);
        assert_eq!((whole.len(), whole.last()), (5, Some(&number(999).unwrap())));
        let half = layout.spread(4, 50);
        assert_eq!(half.last(), Some(&number(499).unwrap()));
    }
}
