//! Asking other nodes.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use reqwest::{Client, redirect};
use thiserror::Error;
use tracing::{debug, info, warn};

use super::membership::View;
use super::seal::{self, Message, SEAL};
use super::wire::{Answer, AnswerBody, Patience, Question, QuestionBody};
use crate::telemetry::traces;
use aws_json::causes;
use lookalike_store::RowRange;

/// Where a node is asked.
pub const PATH: &str = "/_lookalike/cluster/search";

const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// For an answer from what is in memory; more than the asked node takes for one.
const ANSWER: Duration = Duration::from_secs(5);
/// For one that may have to wait for a load.
const LOAD: Duration = Duration::from_mins(1);
/// Shorter than the time after which a server closes a connection without a request.
const IDLE: Duration = Duration::from_secs(30);
/// More than any answer has.
const MOST_BYTES: usize = 8 << 20;

/// How long a node is left alone that did not answer; twice as long each further time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(64);

/// The way to the other nodes.
pub struct Peers {
    client: Client,
    suspects: Mutex<HashMap<String, Suspect>>,
}

/// A node that did not answer.
#[derive(Clone, Copy)]
struct Suspect {
    until: Instant,
    pause: Duration,
}

/// Why there is no answer.
#[derive(Debug, Error)]
enum Unanswered {
    #[error("it cannot be reached")]
    Unreachable(#[source] reqwest::Error),
    #[error("its answer broke off")]
    Broken(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("it refused with HTTP {0}")]
    Refused(StatusCode),
    #[error("who answered is no node of this database")]
    Foreign,
    #[error("its answer cannot be read")]
    Unreadable(#[source] serde_json::Error),
}

impl Peers {
    pub fn new() -> Result<Self, reqwest::Error> {
        let client = Client::builder()
            // What goes between nodes is for no proxy of the environment.
            .no_proxy()
            .redirect(redirect::Policy::none())
            .connect_timeout(CONNECT_TIMEOUT)
            .pool_idle_timeout(IDLE)
            .build()?;
        Ok(Self { client, suspects: Mutex::default() })
    }

    /// Whether a node is left alone because it did not answer.
    pub fn is_suspect(&self, address: &str) -> bool {
        self.suspects().get(address).is_some_and(|suspect| Instant::now() < suspect.until)
    }

    /// Asks a node; one that does not answer as it should is left alone for a while.
    pub async fn ask(
        &self,
        view: &View,
        address: &str,
        question: &Question,
        parts: &[RowRange],
        patience: Patience,
    ) -> Option<Answer> {
        let body = QuestionBody::new(address, view.now(), question, parts, patience);
        let body = serde_json::to_vec(&body).expect("numbers and texts are plain JSON");
        let time = if patience == Patience::Long { LOAD } else { ANSWER };
        match self.send(view, address, body, time).await {
            Ok(answer) => {
                if self.suspects().remove(address).is_some() {
                    info!(node = address, "a node answers again");
                }
                Some(answer)
            }
            Err(error) => {
                self.suspect(view, address, &error);
                None
            }
        }
    }

    async fn send(
        &self,
        view: &View,
        address: &str,
        body: Vec<u8>,
        time: Duration,
    ) -> Result<Answer, Unanswered> {
        let asked = view.seal.of(Message::Question, &body);
        let mut trace = HeaderMap::new();
        traces::pass_on(&mut trace);
        let request = self
            .client
            .post(format!("{address}{PATH}"))
            .timeout(time)
            .header(header::CONTENT_TYPE, "application/json")
            .header(SEAL, seal::value(&asked))
            .headers(trace)
            .body(body);
        let again = request.try_clone().expect("the body is in memory");
        let response = match request.send().await {
            // A kept connection may have been closed just then.
            Err(error) if !error.is_connect() && !error.is_timeout() => again.send().await,
            result => result,
        };
        let response = response.map_err(Unanswered::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(Unanswered::Refused(response.status()));
        }
        let answered = seal::read(response.headers()).ok_or(Unanswered::Foreign)?;
        let body = Limited::new(reqwest::Body::from(response), MOST_BYTES).collect().await;
        let body = body.map_err(Unanswered::Broken)?.to_bytes();
        if !view.seal.is(&answered, Message::Answer(&asked), &body) {
            return Err(Unanswered::Foreign);
        }
        let answer: AnswerBody = serde_json::from_slice(&body).map_err(Unanswered::Unreadable)?;
        Ok(answer.into())
    }

    fn suspect(&self, view: &View, address: &str, error: &Unanswered) {
        let mut suspects = self.suspects();
        suspects.retain(|known, _| view.addresses.contains(known));
        let now = Instant::now();
        let before = suspects.get(address).copied();
        if before.is_some_and(|suspect| now < suspect.until) {
            // Asked at the same time as the one that was found out first.
            return debug!(node = address, error = %causes(error), "a node does not answer");
        }
        let pause = before.map_or(FIRST_PAUSE, |suspect| (suspect.pause * 2).min(LONGEST_PAUSE));
        suspects.insert(address.to_owned(), Suspect { until: now + pause, pause });
        warn!(node = address, %error, cause = causes(error), ?pause, "a node does not answer: others search for it");
    }

    fn suspects(&self) -> MutexGuard<'_, HashMap<String, Suspect>> {
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
