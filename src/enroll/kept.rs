//! What a collection holds already: where a run that broke off left it.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::api::{Api, CallError, call};

/// A face that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptFace {
    pub face_id: String,
    /// The user it is associated with.
    pub user: Option<String>,
}

impl KeptFace {
    /// Whether it belongs to no user.
    pub fn is_free(&self) -> bool {
        self.user.is_none()
    }
}

/// The faces of each image, by its external image id.
pub type Kept = BTreeMap<String, Vec<KeptFace>>;

/// Lists a whole collection.
pub async fn faces(api: &dyn Api, collection: &str) -> Result<Kept, CallError> {
    let mut kept = Kept::new();
    let mut token = Value::Null;
    loop {
        let mut input = json!({ "CollectionId": collection, "MaxResults": 4096 });
        if !token.is_null() {
            input["NextToken"] = token;
        }
        let mut page = call(api, "ListFaces", input).await?;
        for face in page["Faces"].as_array().into_iter().flatten() {
            let Some(external) = face["ExternalImageId"].as_str() else { continue };
            kept.entry(external.to_owned()).or_default().push(KeptFace {
                face_id: face["FaceId"].as_str().unwrap_or_default().to_owned(),
                user: face["UserId"].as_str().map(str::to_owned),
            });
        }
        token = page["NextToken"].take();
        if token.is_null() {
            return Ok(kept);
        }
    }
}
