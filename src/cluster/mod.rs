//! Nodes that search for one another, so that a collection may outgrow the memory of one.
//!
//! The rows of a collection are divided into parts, and each part belongs to one of the nodes that
//! live ([`ownership`]). A search asks the owners, which bring their copies to the state that the
//! asking node has read, and merges what they find. Who owns what is never more than advice: every
//! node can load every part, so a wrong view of the others costs memory and time, and no answer.

mod address;
mod local;
mod membership;
mod ownership;
mod peers;
pub mod route;
mod seal;
mod wire;

#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use futures_util::future::join_all;
use tokio::task::JoinHandle;

use crate::config::ClusterConfig;
use crate::gallery::{Found, Gallery, MemberKind, Part, SearchError};
use crate::telemetry::{ClusterMetrics, SearchOutcome};
use lookalike_store::{Collection, RowRange, Store};

pub use address::{NodeAddress, parse_address};
use membership::{Membership, View};
use ownership::{parts, ranked};
use peers::Peers;
use wire::{Answer, Patience, Question};

/// Searches of this node's clients, and of other nodes.
pub struct Cluster {
    gallery: Arc<Gallery>,
    /// None where this node searches for itself.
    sharing: Option<Sharing>,
}

struct Sharing {
    membership: Arc<Membership>,
    peers: Peers,
    /// Rows of a part.
    part_rows: i64,
    metrics: ClusterMetrics,
    beating: tokio::sync::Mutex<Option<JoinHandle<()>>>,
}

/// A node that lives, as the control plane shows it.
pub struct NodeState {
    pub address: String,
    /// Whether it is this one.
    pub is_own: bool,
    /// Whether it is asked; a node that did not answer is left alone for a while.
    pub is_asked: bool,
}

/// Whom to ask for a part, and how long the asked one may take: who owns it, if it is in memory
/// there; who comes next, and had it before the owner came; the owner, once it has loaded it.
const ROUNDS: [(usize, Patience); 3] =
    [(0, Patience::Little), (1, Patience::None), (0, Patience::Long)];

impl Cluster {
    /// A node that searches for itself.
    pub fn alone(gallery: Arc<Gallery>) -> Self {
        Self { gallery, sharing: None }
    }

    /// A node that may join others over the same store, where the configuration has an address.
    pub fn new(
        gallery: Arc<Gallery>,
        store: Arc<dyn Store>,
        config: &ClusterConfig,
        metrics: ClusterMetrics,
    ) -> Result<Self, reqwest::Error> {
        if config.node_address.is_none() {
            return Ok(Self::alone(gallery));
        }
        let sharing = Sharing {
            membership: Arc::new(Membership::new(store)),
            peers: Peers::new()?,
            part_rows: config.part_rows,
            metrics,
            beating: tokio::sync::Mutex::default(),
        };
        Ok(Self { gallery, sharing: Some(sharing) })
    }

    /// Tells the others that this node can be asked at that address.
    pub async fn join(&self, address: String) {
        let Some(sharing) = &self.sharing else { return };
        let (gallery, part_rows) = (Arc::clone(&self.gallery), sharing.part_rows);
        let tidy = move |view: &View| {
            let is_own = |part: Part| {
                let is_whole = part.rows.end.abs_diff(part.rows.first) == part_rows.cast_unsigned();
                let owner = ranked(&view.addresses, part.collection, part.rows).next();
                is_whole && owner == Some(view.own.as_str())
            };
            gallery.forget_idle(is_own, membership::IDLE_BEATS);
        };
        let beating = Arc::clone(&sharing.membership).keep(address, tidy).await;
        *sharing.beating.lock().await = Some(beating);
    }

    /// Tells the others that this node is not to be asked any more.
    pub async fn leave(&self) {
        let Some(sharing) = &self.sharing else { return };
        if let Some(beating) = sharing.beating.lock().await.take() {
            beating.abort();
            let _ = beating.await;
            sharing.membership.leave().await;
        }
    }

    /// The nodes that live; none where this node searches for itself.
    pub fn nodes(&self) -> Vec<NodeState> {
        let Some(sharing) = &self.sharing else { return Vec::new() };
        let Some(view) = sharing.membership.view() else { return Vec::new() };
        let state = |address: &String| NodeState {
            is_own: *address == view.own,
            is_asked: !sharing.peers.is_suspect(address),
            address: address.clone(),
        };
        view.addresses.iter().map(state).collect()
    }

    /// Whether a search of a collection in that state may begin before anybody has asked whether it
    /// still is in that state.
    pub fn may_begin(&self, collection: &Collection, kind: MemberKind) -> bool {
        let all = Part::whole(collection.key, kind);
        // Nodes that share keep parts, and bring them to any state that they are asked for.
        self.sharing.is_some() || self.gallery.is_at(all, collection.revision)
    }

    /// The vector of a face or user, where this node has the whole collection in memory in that
    /// state, or a later one.
    pub fn vector(&self, collection: &Collection, kind: MemberKind, row: i64) -> Option<Vec<f32>> {
        let all = Part::whole(collection.key, kind);
        self.gallery.vector(all, collection.revision, row)
    }

    /// The `k` best faces or users of a collection whose cosine is at least `min_cosine`, highest
    /// cosine first, then lowest row. Finds all that was committed before the collection was looked
    /// up, wherever it is in memory.
    pub async fn search(
        &self,
        collection: &Collection,
        kind: MemberKind,
        vector: &[f32],
        min_cosine: f32,
        k: usize,
    ) -> Result<Found, SearchError> {
        let Some(sharing) = &self.sharing else {
            return self.gallery.search(collection, kind, vector, min_cosine, k).await;
        };
        let question = Question {
            collection: collection.key,
            revision: collection.revision,
            kind,
            // Infinity has no place in JSON.
            min_cosine: min_cosine.clamp(f32::MIN, f32::MAX),
            k,
            vector: vector.to_vec(),
        };
        let mut found = Found::default();
        let mut missing = parts(collection.next_row, sharing.part_rows);
        for (rank, patience) in ROUNDS {
            if !missing.is_empty() {
                missing = self.round(sharing, &question, missing, rank, patience, &mut found).await;
            }
        }
        for rows in missing {
            sharing.metrics.count(SearchOutcome::Fallback);
            let part = question.part(rows);
            let here = self.gallery.search_part(part, question.revision, vector, min_cosine, k);
            found.merge(here.await?, k);
        }
        Ok(found)
    }

    /// Asks for each part the node that has this rank among those who may own it, all nodes at once.
    /// Adds what they find, and returns the parts that are still to be searched.
    async fn round(
        &self,
        sharing: &Sharing,
        question: &Question,
        parts: Vec<RowRange>,
        rank: usize,
        patience: Patience,
        found: &mut Found,
    ) -> Vec<RowRange> {
        // Before it has been able to join, a node searches for itself.
        let Some(view) = sharing.membership.view() else { return parts };
        let mut missing = Vec::new();
        let mut of_nodes: BTreeMap<&str, Vec<RowRange>> = BTreeMap::new();
        for rows in parts {
            let mut nodes = ranked(&view.addresses, question.collection, rows)
                .filter(|node| *node == view.own || !sharing.peers.is_suspect(node));
            match nodes.nth(rank) {
                Some(node) => of_nodes.entry(node).or_default().push(rows),
                None => missing.push(rows),
            }
        }
        let mut asked = Vec::with_capacity(of_nodes.len());
        for (node, parts) in of_nodes {
            asked.push(self.ask(sharing, &view, node, question, parts, patience));
        }
        for answer in join_all(asked).await {
            found.merge(answer.found, question.k);
            missing.extend(answer.missing);
        }
        missing
    }

    /// Asks a node, which may be this one.
    async fn ask(
        &self,
        sharing: &Sharing,
        view: &View,
        node: &str,
        question: &Question,
        parts: Vec<RowRange>,
        patience: Patience,
    ) -> Answer {
        if node == view.own {
            return local::answer(&self.gallery, question, parts, patience).await;
        }
        match sharing.peers.ask(view, node, question, &parts, patience).await {
            Some(answer) => {
                if answer.missing.len() < parts.len() {
                    sharing.metrics.count(SearchOutcome::Forwarded);
                }
                answer
            }
            None => {
                sharing.metrics.count(SearchOutcome::Failed);
                Answer { found: Found::default(), missing: parts }
            }
        }
    }
}
