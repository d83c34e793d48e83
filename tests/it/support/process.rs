//! The real binary in a process of its own, to be killed and measured.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;

use serde_json::Value;

/// A running `lookalike`; it is killed when it is dropped.
pub struct Process {
    child: Child,
    pub url: String,
}

impl Process {
    /// Starts the binary on a data directory and waits until it is ready.
    pub fn start(data: &Path) -> Self {
        Self::with(data, &[], &[])
    }

    /// The same with more options and environment variables.
    pub fn with(data: &Path, options: &[&str], variables: &[(&str, &str)]) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_lookalike"))
            .args(["--listen", "127.0.0.1:0", "--log-format", "json", "--data"])
            .arg(data)
            .args(options)
            .envs(variables.iter().copied())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .stderr(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut log = BufReader::new(child.stderr.take().expect("piped")).lines();
        let mut told = Vec::new();
        let address = loop {
            let Some(Ok(line)) = log.next() else {
                panic!("the server did not get ready: {told:#?}")
            };
            let event: Value = serde_json::from_str(&line).unwrap_or_default();
            if event["message"] == "ready" {
                break event["address"].as_str().expect("an address").to_owned();
            }
            told.push(line);
        };
        thread::spawn(move || log.for_each(drop));
        Self { child, url: format!("http://{address}") }
    }

    /// Ends the process as a crash does: nothing is told to it.
    pub fn kill(&mut self) {
        self.child.kill().expect("SIGKILL");
        self.child.wait().expect("is gone");
    }

    /// Asks the process to stop, as a container engine does.
    #[cfg(unix)]
    pub fn terminate(&self) {
        self.signal("TERM");
    }

    /// Sends a signal, for example `HUP`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) {
        let sent =
            Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status();
        assert!(sent.expect("kill runs").success());
    }

    /// How the process ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child")
    }

    /// The most memory that the process has held, in bytes.
    #[cfg(target_os = "linux")]
    pub fn peak_memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))
            .expect("the process runs");
        let line = status
            .lines()
            .find_map(|line| line.strip_prefix("VmHWM:"))
            .expect("Linux tells the peak");
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse().expect("a number");
        kibibytes * 1024
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
