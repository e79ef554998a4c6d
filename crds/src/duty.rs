//! Which entry of a number's schedule counts at a time. Pure, and the same for the operator, the API and the kubectl
//! plugin, like [`hours`](crate::hours).

use k8s_openapi::jiff::Timestamp;

use crate::hours::{BadHours, Moment, Schedule};
use crate::phone_number::ScheduleEntry;

/// An entry that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnDuty<'a> {
    /// The entry.
    pub entry: &'a ScheduleEntry,
    /// By which of its rules, and what the clocks show.
    pub moment: Moment,
}

/// The entries that count at `now`, in the order of the list; `timezone` is the tenant's. An entry that makes no sense
/// never counts: [`check`] says what is wrong with it.
pub fn on_duty<'a>(schedule: &'a [ScheduleEntry], timezone: &str, now: Timestamp) -> impl Iterator<Item = OnDuty<'a>> {
    schedule.iter().filter_map(move |entry| {
        let moment = hours(entry, timezone).ok()?.at(now);
        moment.open.then_some(OnDuty { entry, moment })
    })
}

/// Whether all entries make sense.
///
/// # Errors
/// The first field that does not.
pub fn check(schedule: &[ScheduleEntry], timezone: &str) -> Result<(), BadHours> {
    schedule.iter().try_for_each(|entry| hours(entry, timezone).map(drop))
}

fn hours(entry: &ScheduleEntry, timezone: &str) -> Result<Schedule, BadHours> {
    Schedule::at_path(&format!("spec.schedule[{}]", entry.name), &entry.weekly, &entry.dates, timezone)
}
