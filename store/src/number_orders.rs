//! What was asked of carriers: one row per number that a PhoneNumber has at a carrier. The row is written before money is
//! spent and after, by compare-and-set, so that a process that was cut off anywhere is followed by one that knows what
//! may have happened.

use jiff::Timestamp;
use serde_json::Value;
use uuid::Uuid;

use crate::text_enum::text_enum;
use crate::{AgencyId, ScopedTx, StoreError, TenantId, timestamp};

/// What [`save`] says is in conflict when the chosen number is being bought for another PhoneNumber.
pub const NUMBER_KEY: &str = "number_orders_number_key";

/// What [`save`] says is in conflict when an order without a mark is under way over the same connection.
pub const BASELINE_KEY: &str = "number_orders_baseline_key";

text_enum! {
    /// How far an order is: the last step that is certain.
    OrderState {
        /// A number is being looked for. Nothing is ordered.
        Choosing => "choosing",
        /// A number is chosen. Nothing is ordered, or it is known that no order was carried out.
        Intended => "intended",
        /// The number may have been ordered.
        Ordering => "ordering",
        /// The number is in the account.
        Ordered => "ordered",
        /// Its calls come to us.
        Routed => "routed",
        /// It was given back.
        Released => "released",
        /// It ended without a number.
        Failed => "failed",
    }
}

text_enum! {
    /// What a carrier said to a repeated order. It may say so because the first one was carried out.
    Verdict {
        /// The number is not for sale.
        Taken => "taken",
        /// It does not sell it to us.
        Refused => "refused",
    }
}

/// What is in the way of an order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderProblem {
    /// One word, for conditions.
    pub reason: String,
    /// A sentence for people.
    pub message: String,
}

/// An order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberOrder {
    /// Its id, and our reference at the carrier.
    pub id: Uuid,
    /// The agency.
    pub agency: AgencyId,
    /// The tenant.
    pub tenant: TenantId,
    /// The PhoneNumber.
    pub resource: Uuid,
    /// Name of the agency's carrier connection.
    pub carrier: String,
    /// What is looked for. `None`: the number is in the account already, nothing is bought.
    pub search: Option<Value>,
    /// E.164.
    pub number: Option<String>,
    /// Numbers that turned out not to be for sale.
    pub tried: Vec<String>,
    /// How far it is.
    pub state: OrderState,
    /// How often the chosen number was ordered.
    pub attempts: i32,
    /// When it was last ordered.
    pub attempted_at: Option<Timestamp>,
    /// What the carrier said to a repeated order.
    pub verdict: Option<Verdict>,
    /// The carrier's id of the order.
    pub carrier_order_id: Option<String>,
    /// The carrier's id of the number.
    pub carrier_number_id: Option<String>,
    /// The carrier's id of the trunk or connection that the number's calls go to.
    pub connection: Option<String>,
    /// What is in the way.
    pub problem: Option<OrderProblem>,
    /// How often in a row something was in the way.
    pub failures: i32,
    /// Nothing is tried before.
    pub retry_at: Option<Timestamp>,
    /// Rises with every change.
    pub fence: i64,
    /// The PhoneNumber was deleted and the number stayed in the account.
    pub kept_at: Option<Timestamp>,
    /// Where the carrier picks the number: its ids of the orders that were there before this one. Such an order has no
    /// number until it is delivered.
    pub baseline: Option<Vec<String>>,
}

impl NumberOrder {
    /// Whether the number is bought for its PhoneNumber, or was in the account before.
    #[must_use]
    pub fn buys(&self) -> bool {
        self.search.is_some()
    }
}

/// An order to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewNumberOrder {
    /// The agency.
    pub agency: AgencyId,
    /// The tenant.
    pub tenant: TenantId,
    /// The PhoneNumber.
    pub resource: Uuid,
    /// Name of the agency's carrier connection.
    pub carrier: String,
    /// What is looked for, to buy it.
    pub search: Option<Value>,
    /// The number, if it is in the account already.
    pub number: Option<String>,
}

/// The order that a PhoneNumber has; else the number that was kept when the same PhoneNumber was deleted, if it asks for
/// the same again; else a new one.
///
/// # Errors
/// [`StoreError::NotFound`] when the PhoneNumber is not registered; [`StoreError::Conflict`] when another process opens
/// it at the same time.
pub async fn open(tx: &mut ScopedTx, new: &NewNumberOrder) -> Result<NumberOrder, StoreError> {
    if let Some(current) = find(tx, new.resource).await? {
        return Ok(current);
    }
    let kept = sqlx::query_as!(
        Row,
        "UPDATE number_orders SET kept_at = NULL, fence = fence + 1, updated_at = now()
         WHERE id = (SELECT id FROM number_orders
                     WHERE resource_id = $1 AND kept_at IS NOT NULL AND carrier = $2
                       AND search IS NOT DISTINCT FROM $3 AND ($3::jsonb IS NOT NULL OR number = $4)
                     ORDER BY kept_at DESC, id DESC LIMIT 1)
         RETURNING id, agency_id, tenant_id, resource_id, carrier, search, number, tried, state, attempts, attempted_at,
                   verdict, carrier_order_id, carrier_number_id, connection, problem_reason, problem, failures, retry_at,
                   fence, kept_at, baseline",
        new.resource,
        new.carrier,
        new.search,
        new.number
    )
    .fetch_optional(tx.connection())
    .await?;
    if let Some(kept) = kept {
        return kept.try_into();
    }
    sqlx::query_as!(
        Row,
        "INSERT INTO number_orders (id, agency_id, tenant_id, resource_id, carrier, search, number, state)
         VALUES ($1, $2, $3, $4, $5, $6, $7, 'choosing')
         RETURNING id, agency_id, tenant_id, resource_id, carrier, search, number, tried, state, attempts, attempted_at,
                   verdict, carrier_order_id, carrier_number_id, connection, problem_reason, problem, failures, retry_at,
                   fence, kept_at, baseline",
        Uuid::now_v7(),
        new.agency.0,
        new.tenant.0,
        new.resource,
        new.carrier,
        new.search,
        new.number
    )
    .fetch_one(tx.connection())
    .await
    .map_err(|error| match &error {
        sqlx::Error::Database(database) if database.is_foreign_key_violation() => {
            StoreError::NotFound { what: "phone number of this tenant" }
        }
        _ => error.into(),
    })?
    .try_into()
}

/// The order that a PhoneNumber has.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn find(tx: &mut ScopedTx, resource: Uuid) -> Result<Option<NumberOrder>, StoreError> {
    sqlx::query_as!(
        Row,
        "SELECT id, agency_id, tenant_id, resource_id, carrier, search, number, tried, state, attempts, attempted_at,
                verdict, carrier_order_id, carrier_number_id, connection, problem_reason, problem, failures, retry_at,
                fence, kept_at, baseline
         FROM number_orders WHERE resource_id = $1 AND kept_at IS NULL AND state NOT IN ('released', 'failed')",
        resource
    )
    .fetch_optional(tx.connection())
    .await?
    .map(NumberOrder::try_from)
    .transpose()
}

/// How many numbers were bought over a connection, or are about to be, those included that were kept. Nobody else can
/// ask until the transaction ends, so that a limit holds.
///
/// # Errors
/// [`StoreError::Unavailable`], [`StoreError::Database`].
pub async fn bought(tx: &mut ScopedTx, agency: AgencyId, carrier: &str) -> Result<i64, StoreError> {
    tx.needs_whole_agency(agency)?;
    sqlx::query!(
        "SELECT pg_advisory_xact_lock(hashtextextended('voxplane.number_orders/' || $1::text || '/' || $2::text, 0))",
        agency.to_string(),
        carrier
    )
    .execute(tx.connection())
    .await?;
    Ok(sqlx::query_scalar!(
        r#"SELECT count(*) AS "count!" FROM number_orders
           WHERE agency_id = $1 AND carrier = $2 AND search IS NOT NULL
             AND state IN ('intended', 'ordering', 'ordered', 'routed')"#,
        agency.0,
        carrier
    )
    .fetch_one(tx.connection())
    .await?)
}

/// Writes an order, if nobody has changed it since it was read. Returns it with its new fence.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody has, or, with [`NUMBER_KEY`], when the chosen number is being bought for another
/// PhoneNumber, or, with [`BASELINE_KEY`], when it cannot be told from another order.
pub async fn save(tx: &mut ScopedTx, order: &NumberOrder) -> Result<NumberOrder, StoreError> {
    let row = sqlx::query_as!(
        Row,
        "UPDATE number_orders
         SET number = $3, tried = $4, state = $5, attempts = $6, attempted_at = $7, verdict = $8,
             carrier_order_id = $9, carrier_number_id = $10, connection = $11, problem_reason = $12, problem = $13,
             failures = $14, retry_at = $15, kept_at = $16, baseline = $17, fence = fence + 1,
             updated_at = now()
         WHERE id = $1 AND fence = $2
         RETURNING id, agency_id, tenant_id, resource_id, carrier, search, number, tried, state, attempts, attempted_at,
                   verdict, carrier_order_id, carrier_number_id, connection, problem_reason, problem, failures, retry_at,
                   fence, kept_at, baseline",
        order.id,
        order.fence,
        order.number,
        &order.tried,
        order.state.as_str(),
        order.attempts,
        timestamp::to_db_opt("attempted_at", order.attempted_at)?,
        order.verdict.map(Verdict::as_str),
        order.carrier_order_id,
        order.carrier_number_id,
        order.connection,
        order.problem.as_ref().map(|problem| &problem.reason),
        order.problem.as_ref().map(|problem| &problem.message),
        order.failures,
        timestamp::to_db_opt("retry_at", order.retry_at)?,
        timestamp::to_db_opt("kept_at", order.kept_at)?,
        order.baseline.as_deref()
    )
    .fetch_optional(tx.connection())
    .await?;
    row.map_or_else(
        || Err(StoreError::Conflict { what: "the order was changed by somebody else".into() }),
        NumberOrder::try_from,
    )
}

struct Row {
    id: Uuid,
    agency_id: Uuid,
    tenant_id: Uuid,
    resource_id: Uuid,
    carrier: String,
    search: Option<Value>,
    number: Option<String>,
    tried: Vec<String>,
    state: String,
    attempts: i32,
    attempted_at: Option<time::OffsetDateTime>,
    verdict: Option<String>,
    carrier_order_id: Option<String>,
    carrier_number_id: Option<String>,
    connection: Option<String>,
    problem_reason: Option<String>,
    problem: Option<String>,
    failures: i32,
    retry_at: Option<time::OffsetDateTime>,
    fence: i64,
    kept_at: Option<time::OffsetDateTime>,
    baseline: Option<Vec<String>>,
}

impl TryFrom<Row> for NumberOrder {
    type Error = StoreError;

    fn try_from(row: Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id,
            agency: row.agency_id.into(),
            tenant: row.tenant_id.into(),
            resource: row.resource_id,
            carrier: row.carrier,
            search: row.search,
            number: row.number,
            tried: row.tried,
            state: row.state.parse()?,
            attempts: row.attempts,
            attempted_at: timestamp::from_db_opt(row.attempted_at)?,
            verdict: row.verdict.map(|verdict| verdict.parse()).transpose()?,
            carrier_order_id: row.carrier_order_id,
            carrier_number_id: row.carrier_number_id,
            connection: row.connection,
            problem: row.problem_reason.map(|reason| OrderProblem { reason, message: row.problem.unwrap_or_default() }),
            failures: row.failures,
            retry_at: timestamp::from_db_opt(row.retry_at)?,
            fence: row.fence,
            kept_at: timestamp::from_db_opt(row.kept_at)?,
            baseline: row.baseline,
        })
    }
}
