//! Faults: what goes wrong on purpose.

use std::sync::Arc;

use axum::extract::State;

use super::Admin;
use super::error::{AdminError, ErrorBody};
use super::extract::Json;
use crate::faults::{FaultPlan, FaultReport};

/// The faults in force, and how often each struck.
#[utoipa::path(get, path = "/faults", tag = "testing", responses(
    (status = OK, body = FaultReport),
    (status = "4XX", body = ErrorBody),
))]
pub async fn show(State(admin): State<Arc<Admin>>) -> Json<FaultReport> {
    Json(admin.app().faults.report())
}

/// Puts these faults in the place of those in force.
#[utoipa::path(put, path = "/faults", tag = "testing", request_body = FaultPlan, responses(
    (status = OK, body = FaultReport),
    (status = "4XX", body = ErrorBody),
))]
pub async fn replace(
    State(admin): State<Arc<Admin>>,
    Json(plan): Json<FaultPlan>,
) -> Result<Json<FaultReport>, AdminError> {
    plan.check().map_err(AdminError::Invalid)?;
    admin.app().faults.set(plan);
    Ok(Json(admin.app().faults.report()))
}

/// Turns all faults off, those that the server was started with too.
#[utoipa::path(delete, path = "/faults", tag = "testing", responses(
    (status = OK, body = FaultReport),
    (status = "4XX", body = ErrorBody),
))]
pub async fn clear(State(admin): State<Arc<Admin>>) -> Json<FaultReport> {
    admin.app().faults.set(FaultPlan::default());
    Json(admin.app().faults.report())
}
