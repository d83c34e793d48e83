//! Whose data a request speaks of: the account and region of its credential scope.

/// The account of a caller whose access key does not spell one.
pub const DEFAULT_ACCOUNT: &str = "000000000000";
/// The region of a caller without a credential scope.
pub const DEFAULT_REGION: &str = "us-east-1";

/// The account and region that own a collection; nothing is ever shared between two of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// Twelve digits.
    pub account: String,
    /// As in the credential scope, for example `eu-west-1`.
    pub region: String,
}

impl Default for Tenant {
    fn default() -> Self {
        Self { account: DEFAULT_ACCOUNT.to_owned(), region: DEFAULT_REGION.to_owned() }
    }
}

impl Tenant {
    /// The ARN of a collection, without the leading `arn:` that AWS leaves out in CreateCollection's answer.
    pub fn collection_arn(&self, collection_id: &str) -> String {
        format!("aws:rekognition:{}:{}:collection/{collection_id}", self.region, self.account)
    }
}
