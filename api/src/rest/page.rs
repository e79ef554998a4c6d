//! Collections: `{"data": [...], "pagination": {...}}`, by offset or by cursor.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::code::Code;
use super::error::ApiError;

/// Items per page when the request does not say.
pub const DEFAULT_LIMIT: u32 = 50;
/// Items per page at most.
pub const MAX_LIMIT: u32 = 100;
/// Events are small and come in long runs.
pub const MAX_EVENT_LIMIT: u32 = 1_000;

/// A checked page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Items at most.
    pub limit: u32,
    /// Items to skip.
    pub offset: u32,
}

impl Page {
    /// Checks the parameters against the collection's own maximum.
    ///
    /// # Errors
    /// `VAL_OUT_OF_RANGE` naming the parameter.
    pub fn checked(limit: Option<u32>, offset: Option<u32>, max: u32) -> Result<Self, ApiError> {
        let limit = limit.unwrap_or(DEFAULT_LIMIT.min(max));
        if limit == 0 || limit > max {
            let message = format!("limit must be 1 to {max}");
            return Err(ApiError::field("limit", Code::ValOutOfRange, message));
        }
        Ok(Self { limit, offset: offset.unwrap_or(0) })
    }

    /// This page of a list that is in memory, and the page's description.
    pub fn cut<T>(self, items: Vec<T>) -> (Vec<T>, Pagination) {
        let total = items.len();
        let skipped = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let taken = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let page: Vec<T> = items.into_iter().skip(skipped).take(taken).collect();
        let pagination = Pagination {
            limit: self.limit,
            offset: Some(self.offset),
            total: Some(total as u64),
            next_cursor: None,
            has_more: skipped.saturating_add(page.len()) < total,
        };
        (page, pagination)
    }
}

/// Describes a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Pagination {
    /// Items per page.
    pub limit: u32,
    /// Items skipped; absent when a cursor was used.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub offset: Option<u32>,
    /// Items in all; absent where counting would be expensive.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total: Option<u64>,
    /// Pass it as `cursor` for the next page; absent on the last page.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_cursor: Option<String>,
    /// Whether there is more.
    pub has_more: bool,
}

/// One thing.
#[derive(Debug, Serialize, ToSchema)]
pub struct Single<T> {
    /// The thing.
    pub data: T,
}

/// One page of things.
#[derive(Debug, Serialize, ToSchema)]
pub struct Collection<T> {
    /// The things.
    pub data: Vec<T>,
    /// Where this page lies.
    pub pagination: Pagination,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_are_checked() {
        assert_eq!(Page::checked(None, None, 100).unwrap(), Page { limit: 50, offset: 0 });
        assert_eq!(Page::checked(Some(0), None, 100).unwrap_err().code, Code::ValOutOfRange);
        assert_eq!(Page::checked(Some(101), None, 100).unwrap_err().details[0].field, "limit");
        assert!(Page::checked(Some(1_000), None, MAX_EVENT_LIMIT).is_ok());
    }

    #[test]
    fn pages_are_cut() {
        let page = Page { limit: 2, offset: 2 };
        let (items, pagination) = page.cut(vec![1, 2, 3, 4, 5]);
        assert_eq!(items, [3, 4]);
        assert!(pagination.has_more);
        assert_eq!(pagination.total, Some(5));
        let (items, pagination) = Page { limit: 2, offset: 9 }.cut(vec![1]);
        assert!(items.is_empty() && !pagination.has_more);
    }
}
