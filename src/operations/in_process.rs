//! Operations that the server itself calls: the same checks of the input, and no caller.

use std::sync::{Arc, Mutex};

use serde_json::Value;

use super::Rekognition;
use super::support::Context;
use crate::app::App;
use aws_json::constraint::{Request as _, Violations};
use aws_json::{ApiError, ApiResult, ErrorCode, Operation, OperationVisitor, Service as _};
use lookalike_store::Tenant;

/// Runs an operation of a tenant.
pub async fn call_in_process(
    app: &Arc<App>,
    tenant: &Tenant,
    operation: &str,
    input: Value,
) -> ApiResult<Value> {
    let context = Context {
        app: Arc::clone(app),
        tenant: tenant.clone(),
        findings: Arc::default(),
        admission: Mutex::default(),
    };
    Rekognition::dispatch(operation, Call { context, input }).await
}

struct Call {
    context: Context,
    input: Value,
}

impl OperationVisitor<Context> for Call {
    type Answer = Value;

    async fn visit<O: Operation<Context = Context>>(self) -> ApiResult<Value> {
        let input: O::Input = serde_json::from_value(self.input)
            .map_err(|error| ApiError::new(ErrorCode::SerializationException, error.to_string()))?;
        let mut violations = Violations::default();
        input.check(&mut violations);
        violations.into_result()?;
        let output = O::run(&self.context, input).await.map_err(Into::into)?;
        serde_json::to_value(&output).map_err(ApiError::internal)
    }

    async fn unknown(self) -> ApiResult<Value> {
        Err(ApiError::bare(ErrorCode::UnknownOperationException))
    }
}
