//! Objects in a folder of buckets.

use std::io;
use std::path::{Path, PathBuf};

use bytes::BytesMut;
use tokio::fs::{self, File};
use tokio::io::AsyncReadExt as _;

use super::ObjectError;
use super::room::Arriving;

/// A folder of buckets, each a folder of objects. Symbolic links in it are followed.
pub struct Folder(PathBuf);

impl Folder {
    /// Fails when there is no such folder.
    pub fn open(path: &Path) -> io::Result<Self> {
        let path = path.canonicalize()?;
        if path.is_dir() { Ok(Self(path)) } else { Err(io::ErrorKind::NotADirectory.into()) }
    }

    /// Reads an object.
    pub async fn read(
        &self,
        bucket: &str,
        name: &str,
        arriving: &mut Arriving,
    ) -> Result<(), ObjectError> {
        let path = self.path(bucket, name)?;
        let size = match fs::metadata(&path).await.map_err(ObjectError::File)? {
            file if file.is_file() => file.len(),
            _ => return Err(ObjectError::File(io::ErrorKind::IsADirectory.into())),
        };
        arriving.expect(size)?;
        let mut file = File::open(&path).await.map_err(ObjectError::File)?;
        let mut chunk = BytesMut::new();
        loop {
            chunk.reserve(64 << 10);
            if file.read_buf(&mut chunk).await.map_err(ObjectError::File)? == 0 {
                return Ok(());
            }
            arriving.push(&chunk)?;
            chunk.clear();
        }
    }

    /// The file of an object, which is never outside of its bucket.
    fn path(&self, bucket: &str, name: &str) -> Result<PathBuf, ObjectError> {
        let mut path = self.0.join(bucket);
        for segment in name.split('/') {
            if segment.is_empty() || segment.contains('\0') {
                let text = "in a folder no name has an outer slash, two in a row or a NUL";
                return Err(ObjectError::Name(text));
            }
            path.push(segment);
        }
        Ok(path)
    }
}
