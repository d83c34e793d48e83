//! Rows of faces that were indexed or searched with lately.

use std::collections::HashMap;

use uuid::Uuid;

use super::seen::History;

/// Faces that are known at the most: 3 MB.
const MOST_FACES: usize = 1 << 16;

/// Rows by face id. What was not asked for since so many others came is forgotten.
#[derive(Default)]
pub struct RecentFaces {
    young: HashMap<(History, Uuid), i64>,
    old: HashMap<(History, Uuid), i64>,
}

impl RecentFaces {
    pub fn insert(&mut self, history: History, face_id: Uuid, row: i64) {
        if self.young.len() >= MOST_FACES / 2 {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert((history, face_id), row);
    }

    pub fn row(&mut self, history: History, face_id: Uuid) -> Option<i64> {
        if let Some(row) = self.young.get(&(history, face_id)) {
            return Some(*row);
        }
        let row = self.old.remove(&(history, face_id))?;
        self.insert(history, face_id, row);
        Some(row)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_stays_and_the_rest_makes_room() {
        let mut faces = RecentFaces::default();
        let id = |number: usize| Uuid::from_u128(number as u128);
        let (one, other) = (History::default(), History::default().next());
        for number in 0..3 * MOST_FACES {
            faces.insert(one, id(number), number as i64);
            assert_eq!(faces.row(one, id(0)), Some(0), "asked for all the time");
            assert_eq!(faces.row(other, id(number)), None);
        }
        let known = (0..3 * MOST_FACES).filter(|number| faces.row(one, id(*number)).is_some());
        assert!((MOST_FACES / 2..=MOST_FACES).contains(&known.count()));
        assert!(faces.young.len() + faces.old.len() <= MOST_FACES);
    }
}
