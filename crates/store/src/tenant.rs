//! Whose data a request speaks of: the account and region of its credential scope.

/// The account and region that own a collection; nothing is ever shared between two of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// Twelve digits.
    pub account: String,
    /// As in the credential scope, for example `eu-west-1`.
    pub region: String,
}

impl Tenant {
    /// The ARN of a collection, without the leading `arn:` that AWS leaves out in
    /// CreateCollection's answer.
    pub fn collection_arn(&self, collection_id: &str) -> String {
        format!("aws:rekognition:{}:{}:collection/{collection_id}", self.region, self.account)
    }
}

/// Some tenants: those of an account, of a region, or of both; all of them by default.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Scope {
    pub account: Option<String>,
    pub region: Option<String>,
}

impl Scope {
    /// Whether a tenant is one of these.
    pub fn contains(&self, tenant: &Tenant) -> bool {
        let is = |wanted: &Option<String>, own: &String| {
            wanted.as_ref().is_none_or(|wanted| wanted == own)
        };
        is(&self.account, &tenant.account) && is(&self.region, &tenant.region)
    }
}
