//! Version negotiation: the API serves a range, the runtime offers a range, the highest common version wins.

/// Oldest contract version this build speaks.
pub const MIN: u32 = 1;
/// Newest contract version this build speaks.
pub const MAX: u32 = 2;
/// First version in which the API acknowledges `CallFinished`.
pub const ACKNOWLEDGED_ENDS: u32 = 2;

/// The highest version inside both inclusive ranges, or `None` when they do not meet.
pub fn choose(ours: (u32, u32), theirs: (u32, u32)) -> Option<u32> {
    let low = ours.0.max(theirs.0);
    let high = ours.1.min(theirs.1);
    (low <= high).then_some(high)
}

#[cfg(test)]
mod tests {
    use super::choose;

    #[test]
    fn the_highest_common_version_wins() {
        assert_eq!(choose((1, 3), (2, 5)), Some(3));
        assert_eq!(choose((2, 2), (1, 9)), Some(2));
    }

    #[test]
    fn ranges_that_do_not_meet_have_no_version() {
        assert_eq!(choose((3, 4), (1, 2)), None);
        assert_eq!(choose((1, 1), (2, 2)), None);
    }
}
