//! What the operating system knows of this process, by Prometheus' standard names.

use std::fmt;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;

use crate::memory;

/// Read at each scrape.
#[derive(Debug)]
pub struct Process;

/// Seconds since 1970.
static STARTED: LazyLock<f64> = LazyLock::new(|| {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |passed| passed.as_secs_f64())
});

/// Remembers that the process starts now.
pub fn started() {
    LazyLock::force(&STARTED);
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder) -> fmt::Result {
        let mut add = |name: &str, help: &str, metric: &dyn EncodeAny| {
            metric.encode_into(&mut encoder, name, help)
        };
        if let Some(seconds) = cpu_seconds() {
            let spent = ConstCounter::new(seconds);
            add("process_cpu_seconds", "Time on processors, of user and system", &spent)?;
        }
        if let Some(files) = open_files() {
            add("process_open_fds", "Open file descriptors", &ConstGauge::new(files))?;
        }
        let resident = ConstGauge::new(memory::resident() as u64);
        add("process_resident_memory_bytes", "Resident memory", &resident)?;
        let began = ConstGauge::new(*STARTED);
        add("process_start_time_seconds", "Start of the process, since 1970", &began)
    }
}

/// A metric of any kind.
trait EncodeAny {
    fn encode_into(&self, encoder: &mut DescriptorEncoder, name: &str, help: &str) -> fmt::Result;
}

impl<M: EncodeMetric> EncodeAny for M {
    fn encode_into(&self, encoder: &mut DescriptorEncoder, name: &str, help: &str) -> fmt::Result {
        self.encode(encoder.encode_descriptor(name, help, None, self.metric_type())?)
    }
}

#[cfg(unix)]
fn cpu_seconds() -> Option<f64> {
    let spent = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(spent.tv_sec as f64 + spent.tv_nsec as f64 / 1e9)
}

#[cfg(not(unix))]
fn cpu_seconds() -> Option<f64> {
    None
}

/// Where the system lists them.
fn open_files() -> Option<u64> {
    // Reading the folder opens it too.
    std::fs::read_dir("/proc/self/fd").ok().map(|files| (files.count() as u64).saturating_sub(1))
}
