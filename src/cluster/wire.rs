//! What nodes ask one another, in JSON. Numbers come back as they were, to the last bit.

use serde::{Deserialize, Serialize};

use crate::gallery::{Found, MemberKind, Part};
use lookalike_search::Hit;
use lookalike_store::{CollectionKey, Revision, RowRange};

/// A search.
#[derive(Debug, Clone, PartialEq)]
pub struct Question {
    pub collection: CollectionKey,
    /// The state that the answer has to know of.
    pub revision: Revision,
    pub kind: MemberKind,
    /// Finite.
    pub min_cosine: f32,
    pub k: usize,
    pub vector: Vec<f32>,
}

impl Question {
    /// Some of the rows that it is about.
    pub fn part(&self, rows: RowRange) -> Part {
        Part { collection: self.collection, kind: self.kind, rows }
    }
}

/// How long the answer to a question may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Patience {
    /// Only parts that are in memory are searched.
    None,
    /// The same; the others are loaded, but not waited for.
    Little,
    /// All parts are searched.
    Long,
}

/// An answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Answer {
    pub found: Found,
    /// Parts that were not searched.
    pub missing: Vec<RowRange>,
}

/// A question on its way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QuestionBody {
    /// The node that is asked.
    pub to: String,
    /// When, in milliseconds since 1970-01-01 UTC, by the clock of the database.
    pub asked_at: i64,
    pub patience: Patience,
    pub collection: i64,
    pub version: i64,
    pub nonce: i64,
    pub kind: MemberKind,
    pub parts: Vec<RowRange>,
    pub min_cosine: f32,
    pub k: usize,
    pub vector: Vec<f32>,
}

/// An answer on its way.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AnswerBody {
    /// Rows and cosines.
    pub hits: Vec<(i64, f32)>,
    pub compared: usize,
    pub missing: Vec<RowRange>,
}

impl QuestionBody {
    pub fn new(
        to: &str,
        asked_at: i64,
        question: &Question,
        parts: &[RowRange],
        patience: Patience,
    ) -> Self {
        Self {
            to: to.to_owned(),
            asked_at,
            patience,
            collection: question.collection.0,
            version: question.revision.version,
            nonce: question.revision.nonce,
            kind: question.kind,
            parts: parts.to_vec(),
            min_cosine: question.min_cosine,
            k: question.k,
            vector: question.vector.clone(),
        }
    }

    /// The question without its address.
    pub fn open(self) -> (Question, Vec<RowRange>, Patience) {
        let question = Question {
            collection: CollectionKey(self.collection),
            revision: Revision { version: self.version, nonce: self.nonce },
            kind: self.kind,
            min_cosine: self.min_cosine,
            k: self.k,
            vector: self.vector,
        };
        (question, self.parts, self.patience)
    }
}

impl From<Answer> for AnswerBody {
    fn from(Answer { found, missing }: Answer) -> Self {
        let hits = found.hits.into_iter().map(|hit| (hit.id, hit.cosine)).collect();
        Self { hits, compared: found.compared, missing }
    }
}

impl From<AnswerBody> for Answer {
    fn from(AnswerBody { hits, compared, missing }: AnswerBody) -> Self {
        let hits = hits.into_iter().map(|(id, cosine)| Hit { id, cosine }).collect();
        Self { found: Found { hits, compared }, missing }
    }
}
