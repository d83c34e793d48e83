//! From a file to rows: lines that are whole, in order, and add up.

use std::collections::{HashSet, VecDeque};
use std::io;

use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use thiserror::Error;

use super::checks::{check_collection, check_face};
use super::format::{CollectionLine, Header, LONGEST_LINE, Line, VERSION};
use crate::shapes::UserId;
use lookalike_store::{StoredFace, TransferRows};

/// Rows that are handed over at a time.
const AT_A_TIME: usize = 1024;

/// Why a file is refused.
#[derive(Debug, Error)]
pub enum ReadError {
    #[error("the export cannot be read")]
    Io(#[from] io::Error),
    #[error("this is no export of Lookalike: {0}")]
    Foreign(String),
    #[error(
        "the export has format {0} and this version reads format {VERSION}: use the version that wrote it, or a newer one"
    )]
    Version(u32),
    #[error("line {line} of the export is wrong: {problem}")]
    Line { line: u64, problem: String },
    #[error("the export ends before its last line: it was cut off")]
    CutOff,
    #[error("the export is damaged: its SHA-256 is not the one that its last line states")]
    Damaged,
}

/// What comes next in a file.
#[derive(Debug)]
pub enum Item {
    Collection(CollectionLine),
    /// Of the last collection.
    Rows(TransferRows),
    /// The file is whole.
    End,
}

/// Reads a file from pieces of any size; each piece that is none ends it.
pub struct Reader<S> {
    source: S,
    buffer: Vec<u8>,
    /// Bytes of the buffer that were read as lines.
    taken: usize,
    digest: Sha256,
    line: u64,
    state: State,
}

/// Where in a file the reader is.
#[derive(Default)]
struct State {
    header: bool,
    current: Option<CollectionLine>,
    /// Of the current collection.
    users: u64,
    faces: u64,
    dimensions: usize,
    total: Totals,
    seen: HashSet<(String, String, String)>,
    waiting_users: Vec<String>,
    waiting_faces: Vec<StoredFace>,
    /// What is handed over next.
    ready: VecDeque<Item>,
    ended: bool,
}

#[derive(Default)]
struct Totals {
    collections: u64,
    users: u64,
    faces: u64,
}

impl<S: AsyncFnMut() -> io::Result<Option<Bytes>>> Reader<S> {
    pub fn new(source: S) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            taken: 0,
            digest: Sha256::new(),
            line: 0,
            state: State::default(),
        }
    }

    /// The next item; after the end there is none to ask for.
    pub async fn next(&mut self) -> Result<Item, ReadError> {
        loop {
            if let Some(item) = self.state.ready.pop_front() {
                return Ok(item);
            }
            if !self.fill_line().await? {
                let is_begun = self.state.header || self.buffer.is_empty();
                return Err(if is_begun {
                    ReadError::CutOff
                } else {
                    ReadError::Foreign("it has not one whole line".to_owned())
                });
            }
            let rest = &self.buffer[self.taken..];
            let line = &rest[..line_length(rest).unwrap_or(rest.len())];
            self.line += 1;
            self.state.take(line, self.line, &self.digest)?;
            self.digest.update(line);
            self.taken += line.len();
            if self.state.ended {
                self.expect_nothing_more().await?;
            }
        }
    }

    /// Reads until the buffer holds a whole line; not at the end of the file.
    async fn fill_line(&mut self) -> Result<bool, ReadError> {
        while line_length(&self.buffer[self.taken..]).is_none() {
            self.buffer.drain(..self.taken);
            self.taken = 0;
            if self.buffer.len() >= LONGEST_LINE {
                return Err(self.state.wrong_start(self.line + 1, "it is longer than 1 MiB"));
            }
            match (self.source)().await? {
                Some(piece) => self.buffer.extend_from_slice(&piece),
                None => return Ok(false),
            }
        }
        Ok(true)
    }

    async fn expect_nothing_more(&mut self) -> Result<(), ReadError> {
        let mut more = self.buffer.len() - self.taken;
        while more == 0 {
            match (self.source)().await? {
                Some(piece) => more = piece.len(),
                None => return Ok(()),
            }
        }
        let problem = "it comes after the last one".to_owned();
        Err(ReadError::Line { line: self.line + 1, problem })
    }
}

/// Up to the end of the first line, which is part of it.
fn line_length(text: &[u8]) -> Option<usize> {
    text.iter().position(|byte| *byte == b'\n').map(|end| end + 1)
}

impl State {
    /// Takes a line in.
    fn take(&mut self, text: &[u8], number: u64, before: &Sha256) -> Result<(), ReadError> {
        let wrong = |problem: String| ReadError::Line { line: number, problem };
        let line = match serde_json::from_slice(text) {
            Ok(line) => line,
            Err(error) => return Err(self.wrong_start(number, &error.to_string())),
        };
        match line {
            Line::LookalikeExport(Header { version, .. }) if !self.header => {
                self.header = true;
                if version != VERSION {
                    return Err(ReadError::Version(version));
                }
            }
            _ if !self.header => {
                return Err(ReadError::Foreign(
                    "its first line is not that of an export".to_owned(),
                ));
            }
            Line::LookalikeExport(_) => return Err(wrong("it is a second first line".to_owned())),
            Line::Collection(collection) => {
                self.finish_collection().map_err(wrong)?;
                check_collection(&collection).map_err(wrong)?;
                let id = (&collection.account, &collection.region, &collection.name);
                if !self.seen.insert((id.0.clone(), id.1.clone(), id.2.clone())) {
                    return Err(wrong(format!(
                        "the collection {} is there twice",
                        collection.name
                    )));
                }
                self.total.collections += 1;
                self.current = Some(collection.clone());
                self.ready.push_back(Item::Collection(collection));
            }
            Line::User(user) => self.take_user(user).map_err(wrong)?,
            Line::Face(face) => {
                self.take_face(StoredFace::try_from(*face).map_err(wrong)?).map_err(wrong)?;
            }
            Line::End(end) => {
                self.finish_collection().map_err(wrong)?;
                if end.sha256 != hex::encode(before.clone().finalize()) {
                    return Err(ReadError::Damaged);
                }
                let Totals { collections, users, faces } = self.total;
                if (end.collections, end.users, end.faces) != (collections, users, faces) {
                    return Err(wrong("it counts other rows than there are".to_owned()));
                }
                self.ended = true;
                self.ready.push_back(Item::End);
            }
        }
        Ok(())
    }

    /// A line that is no JSON: at the beginning of the file, the file is something else.
    fn wrong_start(&self, line: u64, problem: &str) -> ReadError {
        if self.header {
            ReadError::Line { line, problem: problem.to_owned() }
        } else {
            ReadError::Foreign(problem.to_owned())
        }
    }

    fn take_user(&mut self, user: String) -> Result<(), String> {
        if self.current.is_none() || self.faces > 0 {
            return Err("a user comes before the faces of its collection".to_owned());
        }
        if UserId::parse(&user).is_none() {
            return Err(format!("{user:?} is no user id"));
        }
        self.users += 1;
        self.waiting_users.push(user);
        if self.waiting_users.len() >= AT_A_TIME {
            self.hand_over_rows();
        }
        Ok(())
    }

    fn take_face(&mut self, face: StoredFace) -> Result<(), String> {
        if self.current.is_none() {
            return Err("a face comes after its collection".to_owned());
        }
        if self.faces == 0 {
            self.dimensions = face.vector.len();
        }
        check_face(&face, self.dimensions)?;
        self.faces += 1;
        self.waiting_faces.push(face);
        if self.waiting_faces.len() >= AT_A_TIME {
            self.hand_over_rows();
        }
        Ok(())
    }

    /// Users first: they come before the faces of their collection.
    fn hand_over_rows(&mut self) {
        let users = std::mem::take(&mut self.waiting_users);
        let faces = std::mem::take(&mut self.waiting_faces);
        if !users.is_empty() {
            self.ready.push_back(Item::Rows(TransferRows::Users(users)));
        }
        if !faces.is_empty() {
            self.ready.push_back(Item::Rows(TransferRows::Faces(faces)));
        }
    }

    fn finish_collection(&mut self) -> Result<(), String> {
        let Some(CollectionLine { name, users, faces, .. }) = self.current.take() else {
            return Ok(());
        };
        self.hand_over_rows();
        if (self.users, self.faces) != (users, faces) {
            return Err(format!(
                "the collection {name} has {} users and {} faces instead of {users} and {faces}",
                self.users, self.faces
            ));
        }
        self.total.users += users;
        self.total.faces += faces;
        (self.users, self.faces) = (0, 0);
        Ok(())
    }
}
