//! Collections that leave and arrive as a whole.

use async_trait::async_trait;

use super::{Postgres, export, import};
use crate::error::StoreResult;
use crate::rows::Collection;
use crate::tenant::Tenant;
use crate::transfer::{Export, Import, NewImport, Transfer, TransferRows};

#[async_trait]
impl Transfer for Postgres {
    async fn export_collection(&self, tenant: &Tenant, name: &str) -> StoreResult<Export> {
        export::export(self.engine.loader().await?, tenant, name).await
    }

    async fn begin_import(&self, tenant: &Tenant, new: NewImport) -> StoreResult<Import> {
        let now = (self.clock)();
        let import = self.writer.write(import::Begin { tenant: tenant.clone(), new, now }).await?;
        self.importing().insert(import.key);
        Ok(import)
    }

    async fn import_rows(&self, import: &Import, rows: TransferRows) -> StoreResult<()> {
        let (import, now) = (import.clone(), (self.clock)());
        self.writer.write(import::Rows { import, rows, now }).await
    }

    async fn finish_imports(
        &self,
        imports: &[Import],
        replace: bool,
    ) -> StoreResult<Vec<Collection>> {
        let finish = import::Finish { imports: imports.to_vec(), replace };
        let shown = self.writer.write(finish).await?;
        self.ended(imports);
        Ok(shown)
    }

    async fn abandon_imports(&self, imports: &[Import]) -> StoreResult<()> {
        let keys = imports.iter().map(|import| import.key).collect();
        self.writer.write(import::Abandon { imports: keys }).await?;
        self.ended(imports);
        Ok(())
    }
}
