//! Which row of which chunk holds which id, and where there is room.

use std::collections::{BTreeSet, HashMap};

use super::chunk::CHUNK_ROWS;

/// Chunk and row of a stored vector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Slot {
    pub chunk: usize,
    pub row: usize,
}

/// Book-keeping of an arena; it holds no vectors.
pub struct Directory {
    /// Sharded, so that growth rehashes a small part at a time.
    shards: Box<[HashMap<i64, u32>]>,
    rooms: Vec<Room>,
    /// Chunks with room, filled from the lowest.
    roomy: BTreeSet<usize>,
    /// Chunks that are not empty and at most half full.
    sparse: BTreeSet<usize>,
    len: usize,
}

#[derive(Default)]
struct Room {
    /// Rows that were written and then cleared.
    free: Vec<u16>,
    /// Rows that were ever written.
    used: usize,
}

impl Room {
    fn live(&self) -> usize {
        self.used - self.free.len()
    }
}

const SHARDS: usize = 64;

impl Default for Directory {
    fn default() -> Self {
        let shards = (0..SHARDS).map(|_| HashMap::new()).collect();
        Self { shards, rooms: Vec::new(), roomy: BTreeSet::new(), sparse: BTreeSet::new(), len: 0 }
    }
}

impl Directory {
    /// Number of ids.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Where an id is.
    pub fn find(&self, id: i64) -> Option<Slot> {
        self.shards[shard(id)].get(&id).map(|&packed| unpack(packed))
    }

    /// The place of an id, a new one if it has none; it may be in a chunk that does not exist yet.
    pub fn place(&mut self, id: i64) -> Slot {
        if let Some(slot) = self.find(id) {
            return slot;
        }
        let chunk = self.roomy.first().copied().unwrap_or_else(|| {
            self.rooms.push(Room::default());
            self.rooms.len() - 1
        });
        let room = &mut self.rooms[chunk];
        let row = room.free.pop().map_or(room.used, usize::from);
        room.used = room.used.max(row + 1);
        self.note(chunk);
        self.len += 1;
        let slot = Slot { chunk, row };
        self.shards[shard(id)].insert(id, pack(slot));
        slot
    }

    /// Forgets an id and returns where it was.
    pub fn remove(&mut self, id: i64) -> Option<Slot> {
        let slot = unpack(self.shards[shard(id)].remove(&id)?);
        let room = &mut self.rooms[slot.chunk];
        room.free.push(u16::try_from(slot.row).expect("a chunk has at most 65,536 rows"));
        self.note(slot.chunk);
        self.len -= 1;
        Some(slot)
    }

    /// Whether a chunk has rows.
    pub fn is_empty(&self, chunk: usize) -> bool {
        self.rooms[chunk].live() == 0
    }

    /// Two chunks whose rows fit in one, if `chunk` is one of them.
    pub fn mergeable(&self, chunk: usize) -> Option<(usize, usize)> {
        if !self.sparse.contains(&chunk) {
            return None;
        }
        let other = self.sparse.iter().copied().find(|&other| other != chunk)?;
        Some((chunk.min(other), chunk.max(other)))
    }

    /// Says that a chunk now holds just these ids, in this order.
    pub fn repacked(&mut self, chunk: usize, ids: &[i64]) {
        for (row, &id) in ids.iter().enumerate() {
            self.shards[shard(id)].insert(id, pack(Slot { chunk, row }));
        }
        self.rooms[chunk] = Room { free: Vec::new(), used: ids.len() };
        self.note(chunk);
    }

    /// Bytes allocated: 16 for an entry and one to control it, with a seventh of the table always
    /// free.
    pub fn memory_bytes(&self) -> usize {
        self.shards.iter().map(|shard| shard.capacity() * 17 * 8 / 7).sum::<usize>()
            + self
                .rooms
                .iter()
                .map(|room| room.free.capacity() * 2 + size_of::<Room>())
                .sum::<usize>()
    }

    fn note(&mut self, chunk: usize) {
        let live = self.rooms[chunk].live();
        keep(&mut self.roomy, chunk, live < CHUNK_ROWS);
        keep(&mut self.sparse, chunk, live > 0 && live <= CHUNK_ROWS / 2);
    }
}

fn keep(set: &mut BTreeSet<usize>, chunk: usize, member: bool) {
    if member {
        set.insert(chunk);
    } else {
        set.remove(&chunk);
    }
}

/// Consecutive ids go to different shards, so that these grow alike.
fn shard(id: i64) -> usize {
    usize::try_from(id.rem_euclid(SHARDS as i64)).expect("a remainder is small")
}

fn pack(slot: Slot) -> u32 {
    u32::try_from(slot.chunk * CHUNK_ROWS + slot.row).expect("at most 2^32 rows")
}

fn unpack(packed: u32) -> Slot {
    let packed = packed as usize;
    Slot { chunk: packed / CHUNK_ROWS, row: packed % CHUNK_ROWS }
}
