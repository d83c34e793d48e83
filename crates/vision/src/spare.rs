//! Networks that no worker uses at the moment.
//!
//! As many sets are loaded as jobs have ever run at once: a machine with many cores and little to do
//! holds few.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use super::networks::ModelBytes;
use super::pool::describe;
use super::{Networks, Pack, VisionError};

/// Loads and warms one set.
pub(crate) type LoadNetworks = fn(&Arc<Pack>, &ModelBytes) -> Result<Networks, VisionError>;

/// Sets of networks that jobs take and put back.
pub(crate) struct Spare {
    pack: Arc<Pack>,
    load: LoadNetworks,
    /// Memory that one set takes, in bytes, judged by the size of its files.
    pub set_bytes: usize,
    sets: Mutex<Sets>,
    returned: Condvar,
}

struct Sets {
    /// The last used on top, so that jobs one after another use the same.
    spare: Vec<Networks>,
    /// Whether one more can be loaded, as far as is known.
    may_grow: bool,
}

impl Spare {
    /// Loads so many sets, all at once.
    pub fn load(pack: &Arc<Pack>, count: usize, load: LoadNetworks) -> Result<Self, VisionError> {
        let bytes = ModelBytes::read(pack)?;
        let one = || caught(load, pack, &bytes);
        let sets = thread::scope(|scope| {
            let loads: Vec<_> = (0..count).map(|_| scope.spawn(one)).collect();
            let ended = loads.into_iter().map(|load| load.join().expect("panics are caught"));
            ended.collect::<Result<Vec<_>, _>>()
        })?;
        let sets = Mutex::new(Sets { spare: sets, may_grow: true });
        let set_bytes = bytes.size() / 2 * 3;
        Ok(Self { pack: Arc::clone(pack), load, set_bytes, sets, returned: Condvar::new() })
    }

    /// A set: the last one put back, else a new one, else the next one that is put back.
    pub fn take(&self) -> Networks {
        let mut sets = self.sets();
        loop {
            if let Some(networks) = sets.spare.pop() {
                return networks;
            }
            if sets.may_grow {
                drop(sets);
                match self.load_one() {
                    Ok(networks) => return networks,
                    Err(error) => tracing::error!(
                        %error,
                        "networks for one more worker cannot be loaded: fewer jobs run at once until \
                         the server is started again"
                    ),
                }
                sets = self.sets();
                sets.may_grow = false;
            } else {
                sets = self.returned.wait(sets).unwrap_or_else(PoisonError::into_inner);
            }
        }
    }

    /// Puts a set back.
    pub fn put(&self, networks: Networks) {
        self.sets().spare.push(networks);
        self.returned.notify_one();
    }

    fn load_one(&self) -> Result<Networks, VisionError> {
        caught(self.load, &self.pack, &ModelBytes::read(&self.pack)?)
    }

    fn sets(&self) -> MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn caught(
    load: LoadNetworks,
    pack: &Arc<Pack>,
    bytes: &ModelBytes,
) -> Result<Networks, VisionError> {
    catch_unwind(AssertUnwindSafe(|| load(pack, bytes)))
        .unwrap_or_else(|panic| Err(VisionError::Panicked(describe(&*panic))))
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
    use std::time::Duration;

    use super::*;
    use crate::testing::{default_pack, init_runtime};

    #[test]
    fn as_many_sets_are_loaded_as_are_used_at_once() {
        static LOADS: AtomicUsize = AtomicUsize::new(0);
        init_runtime();
        let load: LoadNetworks = |pack, bytes| {
            LOADS.fetch_add(1, SeqCst);
            Networks::load(pack, bytes)
        };
        let spare = Spare::load(&Arc::new(default_pack()), 1, load).expect("loads");
        for _ in 0..3 {
            let networks = spare.take();
            spare.put(networks);
        }
        assert_eq!(LOADS.load(SeqCst), 1);
        let (first, second) = (spare.take(), spare.take());
        assert_eq!(LOADS.load(SeqCst), 2);
        spare.put(first);
        spare.put(second);
        drop((spare.take(), spare.take()));
        assert_eq!(LOADS.load(SeqCst), 2);
    }

    #[test]
    fn where_no_more_can_be_loaded_a_job_waits_for_another() {
        static LOADS: AtomicUsize = AtomicUsize::new(0);
        init_runtime();
        let load: LoadNetworks = |pack, bytes| match LOADS.fetch_add(1, SeqCst) {
            0 => Networks::load(pack, bytes),
            _ => panic!("boom"),
        };
        let spare = Spare::load(&Arc::new(default_pack()), 1, load).expect("loads");
        let networks = spare.take();
        thread::scope(|scope| {
            let waits = scope.spawn(|| drop(spare.take()));
            thread::sleep(Duration::from_millis(50));
            assert!(!waits.is_finished());
            spare.put(networks);
        });
        assert_eq!(LOADS.load(SeqCst), 2);
    }
}
