//! Where objects are, as the command line names it.

use std::convert::Infallible;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// Where `S3Object` reads from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum S3Location {
    /// Nowhere: every `S3Object` is refused.
    #[default]
    None,
    /// A folder of buckets, each a folder of objects. It has no versions. Symbolic links in it are
    /// followed.
    Folder(PathBuf),
    /// AWS, or the endpoint of `AWS_ENDPOINT_URL_S3`; credentials and region from the `AWS_*`
    /// environment or the machine's role.
    Aws,
    /// This endpoint, in path style; credentials and region as with `Aws`.
    Endpoint(String),
}

impl FromStr for S3Location {
    type Err = Infallible;

    /// `none`, `aws`, an `http://` or `https://` address, or else the path of a folder.
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(match text {
            "" | "none" => Self::None,
            "aws" => Self::Aws,
            url if url.starts_with("http://") || url.starts_with("https://") => {
                Self::Endpoint(url.to_owned())
            }
            folder => Self::Folder(folder.into()),
        })
    }
}

/// As the command line names it; of an address, without what it may hold of a user and password.
impl fmt::Display for S3Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none"),
            Self::Folder(folder) => write!(f, "{}", folder.display()),
            Self::Aws => f.write_str("aws"),
            Self::Endpoint(url) => match url.parse::<reqwest::Url>() {
                Ok(url) => f.write_str(&url.origin().ascii_serialization()),
                Err(_) => f.write_str("an endpoint"),
            },
        }
    }
}
