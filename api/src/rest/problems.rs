//! Errors of the layers below → what the caller is told.

use voxplane_store::StoreError;

use super::code::Code;
use super::error::{ApiError, Detail};
use super::extract::shape;
use super::outcome::{fault, owned_by_others, ownership, refused};
use crate::cluster::WriteError;

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        let answer = match &error {
            StoreError::NotFound { .. } => return Self::not_found(),
            StoreError::Conflict { .. } => {
                Self::new(Code::ResConflict, "somebody else was faster; read again and repeat")
            }
            StoreError::Invalid { field, message } => Self::field(*field, Code::ValInvalidFormat, message.clone()),
            error if error.is_retryable() => {
                Self::new(Code::SrvMaintenance, "the database is not available; try again").retry_in(2)
            }
            _ => Self::new(Code::SrvDatabaseError, "the database operation failed"),
        };
        answer.caused_by(&error)
    }
}

impl From<WriteError> for ApiError {
    fn from(error: WriteError) -> Self {
        match &error {
            WriteError::Kube(source) => refused(source),
            WriteError::Shape { field, source } => {
                let mut error = shape(&source.to_string());
                for detail in &mut error.details {
                    detail.field = if field == "." { "spec".to_owned() } else { format!("spec.{field}") };
                }
                error
            }
            WriteError::Rules(source) => {
                let details = source
                    .as_slice()
                    .iter()
                    .map(|failed| Detail {
                        field: failed.field_path.trim_start_matches('.').to_owned(),
                        code: fault(failed.reason.as_deref().unwrap_or_default(), &failed.message),
                        message: failed.message.clone(),
                    })
                    .collect();
                let message = "the resource breaks a rule; see details";
                Self { details, ..Self::new(Code::BizOperationFailed, message) }
            }
            WriteError::Precondition => {
                Self::new(Code::ResConflict, "the resource is not the version named by If-Match; read it again")
            }
            WriteError::Owned(foreign) => {
                owned_by_others(foreign.iter().map(|owned| ownership(&owned.field, &owned.manager)).collect())
            }
            WriteError::Tracked { mark } => Self::new(
                Code::ResConflict,
                format!("the resource is tracked by a GitOps tool ({mark}) which would bring it back; delete it there"),
            ),
        }
    }
}
