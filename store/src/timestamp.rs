//! Between jiff (our API) and time (what sqlx reads and writes). Postgres keeps microseconds.

use jiff::Timestamp;
use time::OffsetDateTime;

use crate::StoreError;

pub(crate) fn from_db(at: OffsetDateTime) -> Result<Timestamp, StoreError> {
    Timestamp::from_nanosecond(at.unix_timestamp_nanos()).map_err(|_| StoreError::Corrupt { what: "a time" })
}

pub(crate) fn from_db_opt(at: Option<OffsetDateTime>) -> Result<Option<Timestamp>, StoreError> {
    at.map(from_db).transpose()
}

pub(crate) fn to_db(field: &'static str, at: Timestamp) -> Result<OffsetDateTime, StoreError> {
    OffsetDateTime::from_unix_timestamp_nanos(at.as_nanosecond())
        .map_err(|_| StoreError::Invalid { field, message: format!("{at} is outside of the years that can be stored") })
}

pub(crate) fn to_db_opt(field: &'static str, at: Option<Timestamp>) -> Result<Option<OffsetDateTime>, StoreError> {
    at.map(|at| to_db(field, at)).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_survives_the_round_trip_and_an_unstorable_one_is_refused() {
        let at: Timestamp = "2026-07-01T12:34:56.789012Z".parse().unwrap();
        assert_eq!(from_db(to_db("at", at).unwrap()).unwrap(), at);
        let before_christ: Timestamp = "-009998-01-01T00:00:00Z".parse().unwrap();
        assert_eq!(from_db(to_db("at", before_christ).unwrap()).unwrap(), before_christ);
    }
}
