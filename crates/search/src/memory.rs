//! Zeroed memory for the planes that are streamed through: page-aligned, and in huge pages where
//! the system gives them.
//!
//! Walking page tables costs a third of a scan over ordinary pages.

use std::ops::{Deref, DerefMut};

use memmap2::MmapMut;

/// Size and alignment of a huge page.
const HUGE: usize = 2 << 20;

/// A zeroed, page-aligned array of bytes.
pub struct Pages {
    map: Option<MmapMut>,
    start: usize,
    len: usize,
}

impl Pages {
    /// Takes `len` bytes from the system; they are resident once they are touched.
    ///
    /// # Panics
    /// If the system has no memory left.
    pub fn zeroed(len: usize) -> Self {
        if len == 0 {
            return Self { map: None, start: 0, len };
        }
        // Room to begin on a huge page; what is not used of it is never touched.
        let slack = if len < HUGE { 0 } else { HUGE };
        let map = MmapMut::map_anon(len + slack).expect("out of memory");
        let start = if slack == 0 { 0 } else { map.as_ptr().align_offset(HUGE).min(slack) };
        #[cfg(target_os = "linux")]
        if slack > 0 {
            // Only those that are used whole: a touch of the rest would make a huge page of it too.
            // Where huge pages are switched off, ordinary ones do.
            let _ = map.advise_range(memmap2::Advice::HugePage, start, len / HUGE * HUGE);
        }
        Self { map: Some(map), start, len }
    }

    /// Grows to `len` bytes; the new ones are zero.
    pub fn grow(&mut self, len: usize) {
        let mut grown = Self::zeroed(len);
        grown[..self.len].copy_from_slice(self);
        *self = grown;
    }
}

impl Deref for Pages {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        self.map.as_ref().map_or(&[], |map| &map[self.start..self.start + self.len])
    }
}

impl DerefMut for Pages {
    fn deref_mut(&mut self) -> &mut [u8] {
        self.map.as_mut().map_or(&mut [], |map| &mut map[self.start..self.start + self.len])
    }
}
