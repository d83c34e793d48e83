//! What became of each photograph.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::kept::KeptFace;

/// What became of a photograph.
#[derive(Debug)]
pub enum Outcome {
    /// New faces, and how many others in the image were passed over.
    Indexed {
        faces: Vec<KeptFace>,
        others: usize,
    },
    /// The collection held its faces before.
    Known(Vec<KeptFace>),
    /// A dry run found so many faces.
    Detected {
        faces: usize,
    },
    Refused(Refusal),
}

impl Outcome {
    /// The face that is the user's.
    pub(super) fn face(&self) -> Option<&KeptFace> {
        match self {
            Self::Indexed { faces, .. } | Self::Known(faces) => faces.first(),
            Self::Detected { .. } | Self::Refused(_) => None,
        }
    }
}

/// Why a photograph, or its face, was not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// A reason or error code of the API, or one of this program's in the same style.
    pub reason: String,
    pub detail: String,
    /// What to do.
    pub hint: &'static str,
}

impl Refusal {
    pub(super) fn new(reason: &str, detail: &str) -> Self {
        Self { reason: reason.to_owned(), detail: detail.to_owned(), hint: hint(reason) }
    }
}

fn hint(reason: &str) -> &'static str {
    match reason {
        "NO_FACE" => "use a photograph that shows the face from the front, at least 40 pixels wide",
        "LOW_BRIGHTNESS" => "use a brighter photograph",
        "LOW_SHARPNESS" => "use a sharper photograph",
        "SMALL_BOUNDING_BOX" => "crop the photograph, or use a larger one",
        "EXTREME_POSE" => "use a photograph that shows the face from the front",
        "LOW_CONFIDENCE" | "LOW_FACE_QUALITY" => {
            "use a photograph that shows the whole face, well lit and from the front"
        }
        "LOW_MATCH_CONFIDENCE" => {
            "it does not look like the other faces of this person: look whether it is in the right \
             folder, or lower --threshold"
        }
        "ASSOCIATED_TO_A_DIFFERENT_USER" => "the same photograph is in the folder of that person",
        "TOO_MANY_FACES" => "a user has at most 100 faces: keep the best ones",
        "TOO_MANY_BYTES" | "ImageTooLargeException" => "shrink the image to less than 5 MB",
        "InvalidImageFormatException" => "save the image as JPEG or PNG",
        "UNREADABLE" => "look at the permissions of the file",
        _ => "",
    }
}

/// How much was done.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Totals {
    pub images: u64,
    /// Images with new faces.
    pub indexed: u64,
    /// Images that the collection held before.
    pub known: u64,
    /// Images in which a dry run found a face.
    pub detected: u64,
    /// Images, or faces of images, that were refused.
    pub refused: u64,
    /// Faces that were passed over beside the largest one.
    pub other_faces: u64,
    pub users: u64,
    /// Faces that their users gained.
    pub associated: u64,
}

/// What became of all photographs.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    #[serde(flatten)]
    pub totals: Totals,
    pub refusals: BTreeMap<PathBuf, Refusal>,
}

/// A line of a report as CSV.
#[derive(Serialize)]
struct Row<'r> {
    file: &'r Path,
    reason: &'r str,
    detail: &'r str,
    hint: &'r str,
}

impl Report {
    pub(super) fn add(&mut self, path: &Path, outcome: Outcome) {
        self.totals.images += 1;
        match outcome {
            Outcome::Indexed { others, .. } => {
                self.totals.indexed += 1;
                self.totals.other_faces += others as u64;
            }
            Outcome::Known(_) => self.totals.known += 1,
            Outcome::Detected { .. } => self.totals.detected += 1,
            Outcome::Refused(refusal) => self.refuse(path, refusal),
        }
    }

    pub(super) fn refuse(&mut self, path: &Path, refusal: Refusal) {
        self.totals.refused += 1;
        self.refusals.insert(path.to_owned(), refusal);
    }

    /// Prints what was refused, a line each, and the totals.
    pub fn print(&self, output: &mut dyn Write) -> io::Result<()> {
        let width = |of: fn(&Refusal) -> &str| {
            self.refusals.values().map(|refusal| of(refusal).len()).max().unwrap_or(0)
        };
        let reasons = width(|refusal| &refusal.reason);
        let names = self.refusals.keys().map(|path| path.as_os_str().len()).max().unwrap_or(0);
        for (path, Refusal { reason, detail, hint }) in &self.refusals {
            let why = match (detail.is_empty(), hint.is_empty()) {
                (false, false) => format!("{detail}; {hint}"),
                _ => format!("{detail}{hint}"),
            };
            writeln!(output, "{:names$}  {reason:reasons$}  {why}", path.display())?;
        }
        let Totals { images, indexed, known, detected, refused, other_faces, users, associated } =
            &self.totals;
        write!(output, "{images} images: {indexed} indexed, {known} known, {refused} refused")?;
        if *detected > 0 {
            write!(output, ", {detected} with a face")?;
        }
        if *other_faces > 0 {
            write!(output, "; {other_faces} smaller faces passed over")?;
        }
        writeln!(output, "; {users} users, {associated} faces associated")
    }

    /// Writes the report as JSON, or as CSV by the ending of the file's name.
    pub fn write(&self, path: &Path) -> io::Result<()> {
        let file = File::create(path)?;
        if path.extension().is_some_and(|ending| ending.eq_ignore_ascii_case("csv")) {
            let mut rows = csv::Writer::from_writer(file);
            for (file, Refusal { reason, detail, hint }) in &self.refusals {
                rows.serialize(Row { file, reason, detail, hint })?;
            }
            return rows.flush();
        }
        serde_json::to_writer_pretty(&file, self)?;
        (&file).write_all(b"\n")
    }
}
