//! Lookalike's search behind a line protocol, so that `compare.py` can put the same queries to it
//! and to others in turn.
//!
//! `engine VECTORS.npy QUERIES.npy` loads a file, `engine --generate ROWS QUERIES.npy` makes
//! independent unit vectors. Then, line by line: `search QUERY K MIN` answers `MICROSECONDS
//! ROW:COSINE ...`; `clients CLIENTS THREADS SECONDS K MIN` answers `QUERIES P50 P99`
//! (microseconds); `memory` answers `ROWS BYTES RESIDENT PEAK`.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read, Write};
use std::sync::Arc;
use std::time::{Duration, Instant};

use lookalike_search::{Arena, Query, Scanner, simd::Isa};

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let arguments: Vec<String> =
        std::env::args().skip(1).filter(|argument| argument != "--bench").collect();
    let (arena, queries) = match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["--generate", rows, queries] => (generate(rows.parse()?)?, rows_of(queries)?),
        [vectors, queries] => (load(vectors)?, rows_of(queries)?),
        // `cargo bench` runs every bench; without files there is nothing to compare.
        _ => return Ok(()),
    };
    let arena = Arc::new(arena);
    println!("ready {}", Isa::best().name());
    for line in std::io::stdin().lock().lines() {
        println!("{}", answer(&arena, &queries, &line?)?);
        std::io::stdout().flush()?;
    }
    Ok(())
}

fn answer(arena: &Arc<Arena>, queries: &[Vec<f32>], line: &str) -> Outcome<String> {
    let words: Vec<&str> = line.split_whitespace().collect();
    match words[..] {
        ["search", query, k, min] => {
            let (query, k, min) = (&queries[query.parse::<usize>()?], k.parse()?, min.parse()?);
            let began = Instant::now();
            let hits = arena.search(query, min, k)?;
            let elapsed = began.elapsed().as_secs_f64() * 1e6;
            let hits: Vec<String> =
                hits.iter().map(|hit| format!("{}:{}", hit.id, hit.cosine)).collect();
            Ok(format!("{elapsed} {}", hits.join(" ")))
        }
        ["clients", clients, threads, seconds, k, min] => {
            let load = Load {
                clients: clients.parse()?,
                seconds: seconds.parse()?,
                k: k.parse()?,
                min: min.parse()?,
            };
            load.run(arena, queries, threads.parse()?)
        }
        ["memory"] => {
            let status = fs::read_to_string("/proc/self/status")?;
            let field = |name: &str| {
                status
                    .lines()
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap_or("")
                    .trim()
                    .to_owned()
            };
            let (resident, peak) = (field("VmRSS:"), field("VmHWM:"));
            Ok(format!(
                "{} {} {} {}",
                arena.len(),
                arena.memory_bytes(),
                resident.replace(' ', ""),
                peak.replace(' ', "")
            ))
        }
        _ => Err(format!("what is {line:?}?").into()),
    }
}

#[derive(Clone, Copy)]
struct Load {
    clients: usize,
    seconds: f64,
    k: usize,
    min: f32,
}

impl Load {
    /// Clients that each ask again as soon as they are answered.
    fn run(self, arena: &Arc<Arena>, queries: &[Vec<f32>], threads: usize) -> Outcome<String> {
        let scanner = Scanner::new(threads)?;
        let runtime = tokio::runtime::Builder::new_current_thread().build()?;
        let until = Instant::now() + Duration::from_secs_f64(self.seconds);
        let one = async |client: usize| -> Outcome<Vec<f64>> {
            let mut times = Vec::new();
            for query in queries.iter().cycle().skip(client * 7) {
                let began = Instant::now();
                if began >= until {
                    break;
                }
                scanner.search(arena, Query::new(query, self.min, self.k)?).await?;
                times.push(began.elapsed().as_secs_f64() * 1e6);
            }
            Ok(times)
        };
        let all = runtime.block_on(futures_util::future::join_all((0..self.clients).map(one)));
        let mut times = Vec::new();
        for client in all {
            times.extend(client?);
        }
        times.sort_by(f64::total_cmp);
        let percentile =
            |percent: usize| times.get(times.len() * percent / 100).copied().unwrap_or(f64::NAN);
        Ok(format!("{} {} {}", times.len(), percentile(50), percentile(99)))
    }
}

fn load(path: &str) -> Outcome<Arena> {
    let mut reader = NpyRows::open(path)?;
    let arena = Arena::new(reader.columns);
    for id in 0.. {
        let Some(row) = reader.next()? else { break };
        arena.insert(id, &row)?;
    }
    Ok(arena)
}

fn rows_of(path: &str) -> Outcome<Vec<Vec<f32>>> {
    let mut reader = NpyRows::open(path)?;
    let mut rows = Vec::new();
    while let Some(row) = reader.next()? {
        rows.push(row);
    }
    Ok(rows)
}

/// Independent unit vectors of 128 components, made one at a time.
fn generate(rows: i64) -> Outcome<Arena> {
    const DIMENSION: usize = 128;
    let arena = Arena::new(DIMENSION);
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    let mut normal = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        // The sum of eight bytes is normal enough.
        state.to_le_bytes().map(f32::from).iter().sum::<f32>() - 8.0 * 127.5
    };
    for id in 0..rows {
        let mut row: Vec<f32> = (0..DIMENSION).map(|_| normal()).collect();
        let norm = row.iter().map(|value| value * value).sum::<f32>().sqrt();
        row.iter_mut().for_each(|value| *value /= norm);
        arena.insert(id, &row)?;
    }
    Ok(arena)
}

/// Rows of a two-dimensional little-endian `f32` array in NumPy's format.
struct NpyRows {
    reader: BufReader<File>,
    columns: usize,
}

impl NpyRows {
    fn open(path: &str) -> Outcome<Self> {
        let mut reader = BufReader::with_capacity(1 << 20, File::open(path)?);
        let mut start = [0u8; 10];
        reader.read_exact(&mut start)?;
        let mut header = vec![0u8; usize::from(u16::from_le_bytes([start[8], start[9]]))];
        reader.read_exact(&mut header)?;
        let header = String::from_utf8(header)?;
        let shape = header
            .split("'shape': (")
            .nth(1)
            .and_then(|rest| rest.split(')').next())
            .ok_or("no shape")?;
        let columns = shape.split(',').nth(1).ok_or("not two-dimensional")?.trim().parse()?;
        if !header.contains("'<f4'") || header.contains("'fortran_order': True") {
            return Err("not an array of little-endian f32 in row order".into());
        }
        Ok(Self { reader, columns })
    }

    fn next(&mut self) -> Outcome<Option<Vec<f32>>> {
        let mut bytes = vec![0u8; self.columns * 4];
        if self.reader.fill_buf()?.is_empty() {
            return Ok(None);
        }
        self.reader.read_exact(&mut bytes)?;
        Ok(Some(
            bytes
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes([four[0], four[1], four[2], four[3]]))
                .collect(),
        ))
    }
}
