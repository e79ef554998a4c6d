//! Where orders are stored. Every call is one transaction, committed when it returns.

use uuid::Uuid;
use voxplane_store::StoreError;
use voxplane_store::number_orders::{self, NewNumberOrder, NumberOrder};

use crate::database::Database;
use crate::error::Error;

/// Whether the intent to buy a number is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Intent {
    /// It is.
    Stored(Box<NumberOrder>),
    /// It is being bought for another PhoneNumber, or, where the carrier picks the number, another one is under way over
    /// the connection.
    Wanted,
    /// So many numbers were bought over the connection that no more may be.
    LimitReached,
}

/// Where orders are stored. A trait, so that a test can cut the process off at every commit.
pub trait Journal: Send + Sync {
    /// The order of a PhoneNumber, made if there is none.
    fn open(&self, new: &NewNumberOrder) -> impl Future<Output = Result<NumberOrder, Error>> + Send;
    /// The order of a PhoneNumber.
    fn find(&self, resource: Uuid) -> impl Future<Output = Result<Option<NumberOrder>, Error>> + Send;
    /// Stores an order, unless somebody changed it since it was read.
    fn save(&self, order: &NumberOrder) -> impl Future<Output = Result<NumberOrder, Error>> + Send;
    /// Stores the intent to buy a number, unless `limit` numbers were bought.
    fn intend(&self, order: &NumberOrder, limit: i64) -> impl Future<Output = Result<Intent, Error>> + Send;
}

impl Journal for Database {
    async fn open(&self, new: &NewNumberOrder) -> Result<NumberOrder, Error> {
        let mut tx = self.begin().await?;
        let order = number_orders::open(&mut tx, new).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn find(&self, resource: Uuid) -> Result<Option<NumberOrder>, Error> {
        let mut tx = self.begin().await?;
        let order = number_orders::find(&mut tx, resource).await?;
        tx.rollback().await?;
        Ok(order)
    }

    async fn save(&self, order: &NumberOrder) -> Result<NumberOrder, Error> {
        let mut tx = self.begin().await?;
        let order = number_orders::save(&mut tx, order).await?;
        tx.commit().await?;
        Ok(order)
    }

    async fn intend(&self, order: &NumberOrder, limit: i64) -> Result<Intent, Error> {
        let mut tx = self.begin().await?;
        if number_orders::bought(&mut tx, order.agency, &order.carrier).await? >= limit {
            tx.rollback().await?;
            return Ok(Intent::LimitReached);
        }
        match number_orders::save(&mut tx, order).await {
            Ok(order) => {
                tx.commit().await?;
                Ok(Intent::Stored(Box::new(order)))
            }
            Err(StoreError::Conflict { what })
                if what == number_orders::NUMBER_KEY || what == number_orders::BASELINE_KEY =>
            {
                Ok(Intent::Wanted)
            }
            Err(error) => Err(error.into()),
        }
    }
}
