//! Which of an image's faces are kept already: the rule is the same for every engine.

use crate::rows::{BoundingBox, NewFace};

/// Two boxes in the same image that share more of their union than this show the same face: more
/// than two detectors differ on one face, and less than two faces share.
const SAME_FACE_IOU: f32 = 0.4;

/// Gives each face of an image that was indexed before the ordinal of the kept face that it shows
/// again, and each other a free ordinal.
///
/// The position among the detected faces is not enough: another detector, or another version of
/// one, may find one face more and shift all that follow.
pub(crate) fn renumber(kept: &[(u32, BoundingBox)], faces: &mut [NewFace]) {
    let mut pairs = Vec::new();
    for (index, face) in faces.iter().enumerate() {
        for (ordinal, bounding_box) in kept {
            let iou = face.bounding_box.iou(bounding_box);
            if iou > SAME_FACE_IOU {
                pairs.push((index, *ordinal, iou));
            }
        }
    }
    // Best overlap first; of equal ones the same position.
    let moved = |&(index, ordinal, _): &(usize, u32, f32)| faces[index].ordinal != ordinal;
    pairs.sort_by(|a, b| b.2.total_cmp(&a.2).then(moved(a).cmp(&moved(b))));
    let mut taken: Vec<Option<u32>> = vec![None; faces.len()];
    for (index, ordinal, _) in pairs {
        if taken[index].is_none() && !taken.contains(&Some(ordinal)) {
            taken[index] = Some(ordinal);
        }
    }
    let mut free = kept
        .iter()
        .map(|(ordinal, _)| *ordinal)
        .chain(faces.iter().map(|face| face.ordinal))
        .max()
        .map_or(0, |last| last + 1);
    for (face, ordinal) in faces.iter_mut().zip(taken) {
        let is_kept = |wanted| kept.iter().any(|(ordinal, _)| *ordinal == wanted);
        if let Some(ordinal) = ordinal {
            face.ordinal = ordinal;
        } else if is_kept(face.ordinal) {
            face.ordinal = free;
            free += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn at(left: f32) -> BoundingBox {
        BoundingBox { left, top: 0.2, width: 0.1, height: 0.1 }
    }

    fn face(ordinal: u32, left: f32) -> NewFace {
        NewFace {
            face_id: Uuid::nil(),
            ordinal,
            bounding_box: at(left),
            confidence: 99.0,
            vector: vec![1.0],
        }
    }

    fn renumbered(kept: &[(u32, f32)], faces: &[(u32, f32)]) -> Vec<u32> {
        let kept: Vec<_> = kept.iter().map(|&(ordinal, left)| (ordinal, at(left))).collect();
        let mut faces: Vec<_> = faces.iter().map(|&(ordinal, left)| face(ordinal, left)).collect();
        renumber(&kept, &mut faces);
        faces.iter().map(|face| face.ordinal).collect()
    }

    #[test]
    fn a_face_that_moved_in_the_order_keeps_its_ordinal() {
        let kept = [(0, 0.1), (1, 0.5)];
        assert_eq!(renumbered(&kept, &[(0, 0.5), (1, 0.11)]), [1, 0]);
        // A third face comes first.
        assert_eq!(renumbered(&kept, &[(0, 0.8), (1, 0.1), (2, 0.5)]), [3, 0, 1]);
    }

    #[test]
    fn no_kept_face_is_given_twice() {
        assert_eq!(renumbered(&[(0, 0.1)], &[(0, 0.1), (1, 0.12)]), [0, 1]);
        assert_eq!(renumbered(&[(0, 0.1)], &[(0, 0.12), (1, 0.1)]), [2, 0]);
    }

    #[test]
    fn equal_boxes_keep_their_order() {
        let same = [(0, 0.1), (1, 0.1), (2, 0.1)];
        assert_eq!(renumbered(&same, &same), [0, 1, 2]);
    }
}
