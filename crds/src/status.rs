//! What every status has, whatever its kind.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The part of a status that all kinds share.
pub trait CommonStatus: Default + Clone + PartialEq {
    /// The id under which the database, the REST API and external systems know the resource.
    fn id(&self) -> Option<&str>;
    /// Sets the id.
    fn set_id(&mut self, id: String);
    /// The generation this status was computed from.
    fn observed_generation(&self) -> Option<i64>;
    /// Sets the generation this status was computed from.
    fn set_observed_generation(&mut self, generation: Option<i64>);
    /// The conditions, at most one per type.
    fn conditions(&self) -> &[Condition];
    /// The conditions, for [`crate::conditions::set`].
    fn conditions_mut(&mut self) -> &mut Vec<Condition>;
}

macro_rules! common_status {
    ($ty:ty) => {
        impl $crate::status::CommonStatus for $ty {
            fn id(&self) -> Option<&str> {
                self.id.as_deref()
            }
            fn set_id(&mut self, id: String) {
                self.id = Some(id);
            }
            fn observed_generation(&self) -> Option<i64> {
                self.observed_generation
            }
            fn set_observed_generation(&mut self, generation: Option<i64>) {
                self.observed_generation = generation;
            }
            fn conditions(&self) -> &[Condition] {
                &self.conditions
            }
            fn conditions_mut(&mut self) -> &mut Vec<Condition> {
                &mut self.conditions
            }
        }
    };
}

pub(crate) use common_status;
