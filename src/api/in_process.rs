//! This server's own operations, without a request between.

use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::{Api, CallError};
use crate::app::App;
use crate::operations::call_in_process;
use lookalike_store::Tenant;

/// The operations of a server, called for one tenant.
pub struct InProcess {
    pub app: Arc<App>,
    pub tenant: Tenant,
}

#[async_trait]
impl Api for InProcess {
    async fn call_once(&self, operation: &str, input: &Value) -> Result<Value, CallError> {
        let call = call_in_process(&self.app, &self.tenant, operation, input.clone());
        call.await.map_err(|error| CallError::Refused {
            status: error.code().status().as_u16(),
            code: error.code().name().to_owned(),
            message: error.to_string(),
        })
    }
}
