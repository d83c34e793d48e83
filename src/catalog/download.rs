//! Fetching one file: resumable, and checked before anything can use it.

use std::error::Error;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http::header::{CONTENT_RANGE, RANGE};
use http::{HeaderMap, StatusCode};
use indicatif::ProgressBar;
use reqwest::Client;
use sha2::{Digest, Sha256};

/// How often a cut connection is taken up again.
const ATTEMPTS: u32 = 4;
const BACKOFF: Duration = Duration::from_millis(300);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// The longest silence of a server.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// Why a file could not be fetched.
#[derive(Debug, thiserror::Error)]
pub enum DownloadError {
    #[error("cannot fetch {url}: {cause}")]
    Unreachable { url: String, cause: String },
    #[error("cannot fetch {url}: the server answers {status}")]
    Status { url: String, status: StatusCode },
    #[error("{url} was cut off after {received} of {size} bytes; pull again to fetch the rest")]
    Cut { url: String, received: u64, size: u64 },
    #[error(
        "{url} has {offered} bytes, but the catalog says {size}: it is another file, or an error page; nothing of it was kept"
    )]
    Size { url: String, offered: u64, size: u64 },
    #[error(
        "{url} has SHA-256 {found}, but the catalog says {expected}: it was changed or damaged on the way; the download was deleted"
    )]
    Digest { url: String, expected: String, found: String },
    #[error("cannot write {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
}

impl DownloadError {
    /// Whether another attempt may succeed.
    fn passes(&self) -> bool {
        match self {
            Self::Unreachable { .. } | Self::Cut { .. } => true,
            Self::Status { status, .. } => {
                status.is_server_error() || *status == StatusCode::RANGE_NOT_SATISFIABLE
            }
            Self::Size { .. } | Self::Digest { .. } | Self::File { .. } => false,
        }
    }
}

/// A file to fetch and what it must be.
#[derive(Debug, Clone, Copy)]
pub(super) struct RemoteFile<'a> {
    pub url: &'a str,
    pub sha256: &'a str,
    /// In bytes.
    pub size: u64,
    pub target: &'a Path,
}

/// The client that all files of a pack are fetched with.
pub(super) fn client() -> Client {
    let user_agent = concat!("lookalike/", env!("CARGO_PKG_VERSION"));
    let builder = Client::builder()
        .user_agent(user_agent)
        .connect_timeout(CONNECT_TIMEOUT)
        .read_timeout(READ_TIMEOUT);
    builder.build().expect("the client has no setting that can fail")
}

/// SHA-256 of a file in lower-case hexadecimal.
pub(super) fn digest(file: &Path) -> io::Result<String> {
    let mut hasher = Sha256::new();
    io::copy(&mut File::open(file)?, &mut hasher)?;
    Ok(format!("{:x}", hasher.finalize()))
}

/// Fetches a file into `<target>.part`, beginning where an earlier attempt was cut off, and renames
/// it when its SHA-256 is right.
pub(super) async fn fetch(
    client: &Client,
    wanted: RemoteFile<'_>,
    progress: &ProgressBar,
) -> Result<(), DownloadError> {
    let part = part_of(wanted.target);
    let on_file = |source| DownloadError::File { path: part.clone(), source };
    let mut attempt = 1;
    while let Err(error) = fetch_part(client, wanted, &part, progress).await {
        if !error.passes() || attempt == ATTEMPTS {
            return Err(error);
        }
        tokio::time::sleep(BACKOFF * attempt).await;
        attempt += 1;
    }

    let found = digest(&part).map_err(on_file)?;
    if found != wanted.sha256 {
        fs::remove_file(&part).map_err(on_file)?;
        return Err(DownloadError::Digest {
            url: wanted.url.to_owned(),
            expected: wanted.sha256.to_owned(),
            found,
        });
    }
    fs::rename(&part, wanted.target).map_err(on_file)
}

/// `detector.onnx.part`
pub(super) fn part_of(target: &Path) -> PathBuf {
    let mut name = target.as_os_str().to_owned();
    name.push(".part");
    name.into()
}

/// One request for what the part does not have yet; a part that is no beginning of the file is
/// emptied.
async fn fetch_part(
    client: &Client,
    wanted: RemoteFile<'_>,
    part: &Path,
    progress: &ProgressBar,
) -> Result<(), DownloadError> {
    let RemoteFile { url, size, .. } = wanted;
    let on_file = |source| DownloadError::File { path: part.to_owned(), source };
    let on_network =
        |error| DownloadError::Unreachable { url: url.to_owned(), cause: root_cause(&error) };

    let mut file = OpenOptions::new().create(true).append(true).open(part).map_err(on_file)?;
    let mut received = file.seek(SeekFrom::End(0)).map_err(on_file)?;
    if received == size {
        return Ok(());
    }
    if received > size {
        file.set_len(0).map_err(on_file)?;
        received = 0;
    }
    let mut request = client.get(url);
    if received > 0 {
        request = request.header(RANGE, format!("bytes={received}-"));
    }
    let mut response = request.send().await.map_err(on_network)?;
    match response.status() {
        StatusCode::PARTIAL_CONTENT if starts_at(response.headers(), received) => {}
        // The server does not know ranges, or sent one that was not asked for.
        StatusCode::OK => {
            file.set_len(0).map_err(on_file)?;
            received = 0;
        }
        status => {
            if matches!(status, StatusCode::RANGE_NOT_SATISFIABLE | StatusCode::PARTIAL_CONTENT) {
                file.set_len(0).map_err(on_file)?;
                return Err(DownloadError::Status {
                    url: url.to_owned(),
                    status: StatusCode::RANGE_NOT_SATISFIABLE,
                });
            }
            return Err(DownloadError::Status { url: url.to_owned(), status });
        }
    }
    let refuse_size = |file: &File, offered| {
        file.set_len(0).map_err(on_file)?;
        Err(DownloadError::Size { url: url.to_owned(), offered, size })
    };
    if let Some(offered) =
        response.content_length().map(|rest| received + rest).filter(|offered| *offered != size)
    {
        return refuse_size(&file, offered);
    }
    progress.set_position(received);
    while let Some(chunk) = response.chunk().await.map_err(on_network)? {
        received += chunk.len() as u64;
        if received > size {
            return refuse_size(&file, received);
        }
        file.write_all(&chunk).map_err(on_file)?;
        progress.set_position(received);
    }
    file.sync_all().map_err(on_file)?;
    if received < size {
        return Err(DownloadError::Cut { url: url.to_owned(), received, size });
    }
    Ok(())
}

/// Whether a `Content-Range` such as `bytes 100-999/1000` begins at this byte.
fn starts_at(headers: &HeaderMap, first: u64) -> bool {
    let range = headers.get(CONTENT_RANGE).and_then(|value| value.to_str().ok());
    let start = range.and_then(|text| text.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok());
    start == Some(first)
}

/// The innermost reason: the outer ones repeat the address.
fn root_cause(error: &reqwest::Error) -> String {
    let mut cause: &dyn Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}
