//! When a tenant is open.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A time of day, `00:00` to `24:00`.
const TIME: &str = "^([01][0-9]|2[0-3]):[0-5][0-9]$|^24:00$";
/// A date as ISO 8601 writes it.
const DATE: &str = "^[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$";

/// When the tenant is open, by the clocks in its `timezone`. What an agent does outside of these hours is in its
/// `closed`; an agent without that takes calls at any time.
#[derive(KubeSchema, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BusinessHours {
    /// The usual week. A day that is not listed is closed. Omitted: closed on every day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 7))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["day".into()]))]
    pub weekly: Vec<OpeningDay>,
    /// Dates that differ from the usual week: holidays, or other hours. Dates that are over may stay. Omitted: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 100))]
    #[x_kube(merge_strategy = ListMerge::Map(vec!["date".into()]))]
    pub dates: Vec<SpecialDate>,
}

/// A day of the usual week.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpeningDay {
    /// Which day.
    pub day: Day,
    /// When it is open. Omitted: closed all day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ranges: Vec<TimeRange>,
}

/// A date that differs from the usual week.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SpecialDate {
    /// Which date (`2026-12-25`).
    #[schemars(length(min = 10, max = 10), pattern(DATE))]
    pub date: String,
    /// What it is (`Christmas Day`), for people and for the ledger of calls. Omitted: it has no name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 60))]
    pub name: Option<String>,
    /// When it is open. Omitted: closed all day.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 8))]
    #[x_kube(merge_strategy = ListMerge::Atomic)]
    pub ranges: Vec<TimeRange>,
}

/// From when until when it is open.
#[derive(KubeSchema, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("self.nextDay || self.from < self.to")
        .message("a range ends after it begins: write afternoon times as 13:00 to 24:00, or set `nextDay: true` if it ends on the day after"),
    validation = Rule::new("!self.nextDay || self.to <= self.from")
        .message("a range is at most a day long: with `nextDay: true`, `to` is not later than `from`")
)]
pub struct TimeRange {
    /// The first minute that is open, `00:00` to `23:59`.
    #[schemars(length(min = 5, max = 5), pattern(TIME))]
    pub from: String,
    /// The first minute that is closed again, up to `24:00`.
    #[schemars(length(min = 5, max = 5), pattern(TIME))]
    pub to: String,
    /// `to` is on the day after. Such a range belongs to the day on which it begins. Omitted: false.
    #[serde(default)]
    pub next_day: bool,
}

/// A day of the week.
#[derive(JsonSchema, Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Day {
    /// Monday.
    Monday,
    /// Tuesday.
    Tuesday,
    /// Wednesday.
    Wednesday,
    /// Thursday.
    Thursday,
    /// Friday.
    Friday,
    /// Saturday.
    Saturday,
    /// Sunday.
    Sunday,
}
