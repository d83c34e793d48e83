//! What every operation needs of its request: the tenant's collections, the image's bytes, a turn
//! on the networks.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use tracing::{Instrument as _, warn};

use super::picture::Picture;
use super::scene::{ModelRules, Viewer, decode_error};
use crate::app::App;
use crate::door::Admission;
use crate::faults::Target;
use crate::gallery::{History, MemberKind};
use crate::objects::ImageBytes;
use crate::operations::error::{OperationError, OperationResult};
use crate::shapes::ImageLocation;
use crate::shapes::{CollectionId, ResourceArn, S3ObjectVersion};
use crate::telemetry::{Fetch, Findings, stage};
use aws_json::{ApiError, ApiResult, ErrorCode};
use lookalike_store::{Collection, Tenant};
use lookalike_vision::{Networks, RunError, Vision};

/// One request that has passed all checks of the wire and of the model.
pub struct Context {
    pub app: Arc<App>,
    pub tenant: Tenant,
    /// Where the operation notes what it finds out.
    pub findings: Arc<Findings>,
    /// That of a request with images, until they were looked at.
    pub admission: Mutex<Option<Admission>>,
}

impl Context {
    /// The tenant's collection of that name.
    pub async fn collection(&self, id: &CollectionId) -> OperationResult<Collection> {
        Ok(self.noted_collection(id).await?.0)
    }

    async fn noted_collection(&self, id: &CollectionId) -> OperationResult<(Collection, History)> {
        let found = self.app.store.collection(&self.tenant, id.as_str());
        let found = found.instrument(stage::store()).await?;
        let history = self.app.seen.note(&self.tenant, &found);
        Ok((found, history))
    }

    /// The same for an operation that embeds or compares, with the networks that the collection was
    /// made with.
    pub async fn searchable_collection(&self, id: &CollectionId) -> OperationResult<Searchable> {
        let (collection, history) = self.noted_collection(id).await?;
        let packs = &self.app.packs;
        let Some(vision) = packs.of(&collection.pack).await.map_err(ApiError::internal)? else {
            let (its, ours) = (&collection.pack, packs.id());
            let text = format!(
                "The collection {id} was indexed with model pack {} {}; this server runs {} {}. \
                 Put that pack beside the served one, or index the images into a new collection.",
                its.name, its.version, ours.name, ours.version
            );
            warn!("{text}");
            return Err(ApiError::new(ErrorCode::InvalidParameterException, text).into());
        };
        Ok(Searchable { collection, vision, history, is_assumed: false })
    }

    /// The same as it was seen last, where a search may begin with that and most likely need not be
    /// repeated.
    pub async fn assumed_collection(
        &self,
        id: &CollectionId,
        kind: MemberKind,
    ) -> OperationResult<Option<Searchable>> {
        let Some((collection, history)) = self.app.seen.steady(&self.tenant, id.as_str()) else {
            return Ok(None);
        };
        if !self.app.cluster.may_begin(&collection, kind) {
            return Ok(None);
        }
        let vision = self.app.packs.of(&collection.pack).await.map_err(ApiError::internal)?;
        Ok(vision.map(|vision| Searchable { collection, vision, history, is_assumed: true }))
    }

    /// How the newest model version looks at images: stateless operations always use it.
    pub fn newest_rules(&self) -> ModelRules {
        ModelRules::of(&self.app.face_model_version)
    }

    /// The name of the collection behind an ARN, with or without the leading `arn:`; it has to be
    /// the tenant's own.
    pub fn tagged<'a>(&self, arn: &'a ResourceArn) -> ApiResult<&'a str> {
        let name = arn.resource().unwrap_or_default();
        let bare = arn.as_str().strip_prefix("arn:").unwrap_or(arn.as_str());
        if bare == self.tenant.collection_arn(name) {
            self.findings.collection(name);
            return Ok(name);
        }
        Err(ApiError::new(
            ErrorCode::ResourceNotFoundException,
            format!("The resource {arn} does not exist"),
        ))
    }

    /// The bytes of an image of an operation.
    pub async fn image_bytes(
        &self,
        operation: &str,
        location: ImageLocation,
    ) -> ApiResult<ImageBytes> {
        match location {
            ImageLocation::Request(bytes) => Ok(bytes.into()),
            ImageLocation::S3 { bucket, name, version } => {
                // S3 may be slow.
                drop(self.take_admission());
                self.app.faults.meet(Target::S3, operation, &self.tenant).await?;
                let version = version.as_ref().map(S3ObjectVersion::as_str);
                let object = self.app.images.fetch(bucket.as_str(), name.as_str(), version);
                let began = Instant::now();
                let fetched = object.instrument(stage::fetch()).await.map_err(ApiError::from);
                let error = fetched.as_ref().err().map(ApiError::code);
                self.findings.fetch(Fetch { took: began.elapsed(), error });
                fetched
            }
        }
    }

    /// How this request looks at its images. It waits here for a place in line and for memory, so
    /// that no inference thread does.
    pub async fn viewer<const N: usize>(
        &self,
        rules: ModelRules,
        pictures: [&Picture; N],
    ) -> ApiResult<Viewer> {
        let admission = match self.take_admission() {
            Some(admission) => admission,
            None => self.app.door.enter().await?,
        };
        let plans = pictures.into_iter().filter_map(Picture::plan);
        let memory = self.app.pixels.reserve(plans).await.map_err(decode_error)?;
        *self.admission.lock().unwrap_or_else(PoisonError::into_inner) = Some(admission);
        Ok(Viewer { rules, findings: Arc::clone(&self.findings), memory })
    }

    fn take_admission(&self) -> Option<Admission> {
        self.admission.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Runs a job on an inference thread of these networks; throttled when too many are waiting.
    pub async fn run<T: Send + 'static>(
        &self,
        vision: &Vision,
        job: impl FnOnce(&mut Networks) -> ApiResult<T> + Send + 'static,
    ) -> ApiResult<T> {
        let admission = match self.take_admission() {
            Some(admission) => admission,
            None => self.app.door.enter().await?,
        };
        let app = Arc::clone(&self.app);
        let job = move |networks: &mut Networks| {
            // Until the job has run or was skipped, whatever becomes of its client.
            let _admission = admission;
            let result = job(networks);
            app.trim_memory();
            result
        };
        match vision.run(job).await {
            Ok(result) => result,
            Err(busy @ RunError::Busy) => Err(ApiError::throttled().because(busy)),
            Err(failed) => Err(ApiError::internal(failed)),
        }
    }

    /// The same with the served pack.
    pub async fn with_networks<T: Send + 'static>(
        &self,
        job: impl FnOnce(&mut Networks) -> ApiResult<T> + Send + 'static,
    ) -> ApiResult<T> {
        self.run(self.app.packs.served(), job).await
    }
}

/// A collection and the networks whose vectors it holds.
pub struct Searchable {
    pub collection: Collection,
    pub vision: Vision,
    pub history: History,
    /// Whether nobody was asked yet: the answer has to find out whether the collection is so.
    pub is_assumed: bool,
}

impl Searchable {
    /// The error where something is missing from the collection.
    pub fn lacks(&self, error: ApiError) -> OperationError {
        if self.is_assumed { OperationError::Outdated } else { error.into() }
    }
}
