//! The command line and its environment variables.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use bytesize::ByteSize;
use clap::builder::RangedU64ValueParser;
use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::admin::access::AdminToken;
use crate::catalog::ModelsCommand;
use crate::cluster::{NodeAddress, parse_address};
use crate::console::ThumbnailTemplate;
use crate::enroll::EnrollCommand;
use crate::faults::{FaultPlan, Preset};
use crate::forward::parse_forward;
use crate::installation::Installation;
use crate::listen::parse_listen;
use crate::objects::S3Location;
use crate::operations::Rekognition;
use crate::seed::SeedCommand;
use crate::server::browsers::{AllowedOrigin, parse_host_name};
use crate::shell::EnvCommand;
use crate::thumbnails::Keeping;
use crate::transfer::{ExportCommand, ImportCommand};
use aws_json::{RateLimit, Service as _};

/// A self-hosted server that speaks Amazon Rekognition's face API with real inference.
#[derive(Debug, Parser)]
#[command(version, about, subcommand_negates_reqs = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub serve: ServeConfig,
}

impl Cli {
    /// The settings of the server, if the command is to serve.
    pub fn serves(&self) -> Option<&ServeConfig> {
        match &self.command {
            None => Some(&self.serve),
            Some(Command::Serve(config)) => Some(config),
            Some(_) => None,
        }
    }
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve the API (the default).
    Serve(Box<ServeConfig>),
    /// Ask a running server whether it is ready; exits with 1 when it is not. For container health
    /// checks.
    Health {
        /// The address that the server listens on.
        #[arg(long, env = "LOOKALIKE_LISTEN", default_value = "127.0.0.1:9340", value_parser = parse_listen)]
        listen: SocketAddr,
    },
    /// Verify a data folder that no server is using, or a PostgreSQL database beside its servers;
    /// exits with 1 when it is damaged.
    Check {
        /// Folder of the database, or its address.
        #[arg(long, env = "LOOKALIKE_DATA", hide_env_values = true, default_value_t = default_data())]
        data: String,
    },
    /// Copy the data folder, whether or not a server is using it.
    Backup {
        /// Folder of the copy, which must not be there.
        target: PathBuf,
        /// Folder of the database.
        #[arg(long, env = "LOOKALIKE_DATA", default_value_os_t = Installation::find().data())]
        data: PathBuf,
    },
    /// Write collections to a file.
    Export(Box<ExportCommand>),
    /// Read collections from a file.
    Import(Box<ImportCommand>),
    /// Make the collections that a file describes.
    Seed(Box<SeedCommand>),
    /// Put people into a collection: a folder for each, with photographs of that person.
    Enroll(Box<EnrollCommand>),
    /// Print what sends a shell's AWS SDKs here: eval "$(lookalike env)".
    Env(EnvCommand),
    /// Copy a data folder that no server is using into a PostgreSQL database, and verify the copy. Run
    /// again after an interruption, it goes on where it ended.
    Migrate {
        /// Folder of the database to copy.
        from: PathBuf,
        /// Address of the database that gets it: postgres://USER:PASSWORD@HOST:PORT/DATABASE.
        to: String,
    },
    /// List, fetch and verify model packs.
    #[command(subcommand)]
    Models(ModelsCommand),
}

/// Everything that a server is started with.
#[derive(Debug, Clone, Args)]
pub struct ServeConfig {
    /// Address and port to listen on, such as 9600 or localhost:9600 for this machine alone; port 0
    /// takes a free one.
    #[arg(long, env = "LOOKALIKE_LISTEN", default_value = "127.0.0.1:9340", value_parser = parse_listen)]
    pub listen: SocketAddr,
    /// Folder of the database; the address of a PostgreSQL database that several servers may share,
    /// postgres://USER:PASSWORD@HOST:PORT,HOST:PORT/DATABASE; or `:memory:` to keep nothing.
    #[arg(long, env = "LOOKALIKE_DATA", hide_env_values = true, default_value_t = default_data())]
    pub data: String,
    /// TOML file of collections, users and folders of images that are made at start.
    #[arg(long, env = "LOOKALIKE_SEED", value_name = "FILE")]
    pub seed: Option<PathBuf>,
    /// Give the same answers at every run: ids of faces come from this seed and the images, and the
    /// time stands still. For tests.
    #[arg(long, env = "LOOKALIKE_DETERMINISTIC", value_name = "SEED", num_args = 0..=1, require_equals = true, default_missing_value = "0")]
    pub deterministic: Option<u64>,
    /// Log format.
    #[arg(long, env = "LOOKALIKE_LOG_FORMAT", value_enum, default_value_t = LogFormat::Text)]
    pub log_format: LogFormat,
    /// Memory that the server may use, such as 512M or 2G; by default the limit of its control
    /// group, or the machine's memory.
    #[arg(long, env = "LOOKALIKE_MEMORY", value_name = "SIZE")]
    pub memory: Option<ByteSize>,
    #[command(flatten)]
    pub vision: VisionConfig,
    #[command(flatten)]
    pub auth: AuthConfig,
    #[command(flatten)]
    pub browsers: BrowserConfig,
    #[command(flatten)]
    pub admin: AdminConfig,
    #[command(flatten)]
    pub api: ApiConfig,
    #[command(flatten)]
    pub telemetry: TelemetryConfig,
    #[command(flatten)]
    pub cluster: ClusterConfig,
}

/// What operators are shown.
#[derive(Debug, Clone, Args)]
pub struct TelemetryConfig {
    /// Log requests that take longer as warnings, for example 500ms or 2s.
    #[arg(long, env = "LOOKALIKE_SLOW", value_name = "DURATION", value_parser = humantime::parse_duration)]
    pub slow: Option<Duration>,
    /// Answer as AWS does and no more: without the header `x-lookalike-cause`, which states what
    /// AWS's text of an error leaves out.
    #[arg(long, env = "LOOKALIKE_STRICT")]
    pub strict: bool,
    /// Requests that the control plane and the console show, the last ones.
    #[arg(long, env = "LOOKALIKE_RECENT_REQUESTS", value_name = "COUNT", default_value_t = 500, value_parser = whole(0..=100_000))]
    pub recent_requests: usize,
}

impl ServeConfig {
    /// The faults to begin with.
    pub fn faults(&self) -> FaultPlan {
        let AdminConfig { faults, fault_seed, .. } = &self.admin;
        let seed = fault_seed.or(self.deterministic);
        FaultPlan { seed, presets: faults.clone(), rules: Vec::new() }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum LogFormat {
    Text,
    Json,
}

/// Networks and the threads that run them.
#[derive(Debug, Clone, Args)]
pub struct VisionConfig {
    /// Folder of model packs, looked at before those of the installation.
    #[arg(long, env = "LOOKALIKE_MODELS", default_value_os_t = Installation::find().models())]
    pub models: PathBuf,
    /// Pack to serve: its name in a folder of packs, or the path of a pack.
    #[arg(long, env = "LOOKALIKE_PACK", default_value = "default")]
    pub pack: PathBuf,
    /// ONNX Runtime's shared library, if it is not where the installation has it.
    #[arg(long = "onnxruntime", env = "ORT_DYLIB_PATH")]
    pub runtime: Option<PathBuf>,
    /// Inference threads; as many as there are cores if not given, or as there is memory for.
    #[arg(long, env = "LOOKALIKE_WORKERS", value_parser = threads())]
    pub workers: Option<usize>,
    /// Images that may wait for an inference thread before requests are throttled.
    #[arg(long, env = "LOOKALIKE_QUEUE", default_value_t = 64, value_parser = whole(1..=65_536))]
    pub queue: usize,
}

/// Who may call.
#[derive(Debug, Clone, Args)]
pub struct AuthConfig {
    /// `open` takes any signature; `verify` checks it against the credentials file. Without this
    /// option a credentials file means `verify`, and no file means `open`.
    #[arg(long, env = "LOOKALIKE_AUTH", value_enum)]
    pub auth: Option<AuthKind>,
    /// TOML file of access keys with what each may do.
    #[arg(long, env = "LOOKALIKE_CREDENTIALS", required_if_eq("auth", "verify"))]
    pub credentials: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum AuthKind {
    Open,
    Verify,
}

/// What pages in browsers may do.
#[derive(Debug, Clone, Args)]
pub struct BrowserConfig {
    /// Whose pages may call: an origin such as `https://app.example`, `loopback` for those of this
    /// machine, `*` for all. May be repeated.
    #[arg(
        long,
        env = "LOOKALIKE_CORS_ORIGIN",
        default_value = "loopback",
        value_delimiter = ',',
        value_name = "ORIGIN"
    )]
    pub cors_origin: Vec<AllowedOrigin>,
    /// A name by which callers of an open server know it, beside localhost and addresses. May be
    /// repeated.
    #[arg(long, env = "LOOKALIKE_HOST_NAME", value_delimiter = ',', value_name = "NAME", value_parser = parse_host_name)]
    pub host_name: Vec<String>,
}

/// The control plane under `/_lookalike/`.
#[derive(Debug, Clone, Args)]
pub struct AdminConfig {
    /// Address of a listener of its own for the control plane and the console; the API is there
    /// too.
    #[arg(long, env = "LOOKALIKE_ADMIN_LISTEN", value_name = "ADDRESS", value_parser = parse_listen)]
    pub admin_listen: Option<SocketAddr>,
    /// Token that the control plane asks for; required for it where signatures are verified.
    #[arg(long, env = "LOOKALIKE_ADMIN_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    pub admin_token: Option<AdminToken>,
    /// Whether browsers get the web console.
    #[arg(long, env = "LOOKALIKE_CONSOLE", value_enum, default_value_t = Switch::On)]
    pub console: Switch,
    /// Where to keep a small picture of each indexed face for the console: `memory` until the
    /// server ends; `disk` in the data folder, for collections with the tag `lookalike:thumbnails`
    /// = `on`.
    #[arg(long, env = "LOOKALIKE_THUMBNAILS", value_enum, default_value_t = Keeping::Off)]
    pub thumbnails: Keeping,
    /// Where the console finds pictures of enrolled people, for example
    /// `https://app.example/people/{ExternalImageId}.jpg`; the browser fetches them.
    #[arg(long, env = "LOOKALIKE_CONSOLE_THUMBNAILS", value_name = "URL")]
    pub console_thumbnails: Option<ThumbnailTemplate>,
    /// Faults to begin with: AWS's quotas, throttled requests, slow ones, S3 objects that cannot be
    /// read. May be repeated.
    #[arg(
        long,
        env = "LOOKALIKE_FAULTS",
        value_enum,
        value_delimiter = ',',
        value_name = "PRESET"
    )]
    pub faults: Vec<Preset>,
    /// Where the chance of --faults begins, by default that of --deterministic; the log shows the
    /// seed if none is given.
    #[arg(long, env = "LOOKALIKE_FAULT_SEED", value_name = "NUMBER")]
    pub fault_seed: Option<u64>,
}

impl AdminConfig {
    /// Whether browsers get the web console.
    pub fn has_console(&self) -> bool {
        self.console == Switch::On
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Switch {
    On,
    Off,
}

/// How the API behaves.
#[derive(Debug, Clone, Args)]
pub struct ApiConfig {
    /// AWS face model version to emulate in new collections.
    #[arg(long, env = "LOOKALIKE_FACE_MODEL_VERSION", default_value = "7.0", value_parser = ["1.0", "2.0", "3.0", "4.0", "5.0", "6.0", "7.0"])]
    pub face_model_version: String,
    /// Where S3Object images are read: a folder of buckets, an endpoint such as
    /// http://localhost:9000, or `aws`.
    #[arg(long, env = "LOOKALIKE_S3", default_value = "none")]
    pub s3: S3Location,
    /// Limit an operation's requests a second, for example `IndexFaces=50`; `*=100` for all others.
    /// May be repeated.
    #[arg(long = "limit", env = "LOOKALIKE_LIMITS", value_delimiter = ',', value_name = "OPERATION=RATE", value_parser = rate_limit)]
    pub limits: Vec<RateLimit>,
    /// Server to pass Rekognition's other operations on to, for example http://moto:5000.
    #[arg(long, env = "LOOKALIKE_FORWARD", value_name = "URL", value_parser = parse_forward)]
    pub forward: Option<reqwest::Url>,
    /// Search threads; as many as cores if not given.
    #[arg(long, env = "LOOKALIKE_SEARCH_THREADS", value_parser = threads())]
    pub search_threads: Option<usize>,
    /// Memory for the vectors of searched collections, for example `2GB`; half of the machine's or
    /// the container's if not given.
    #[arg(long, env = "LOOKALIKE_SEARCH_MEMORY", value_name = "SIZE")]
    pub search_memory: Option<ByteSize>,
}

/// What several servers over one database do for one another.
#[derive(Debug, Clone, Args)]
pub struct ClusterConfig {
    /// URL by which other servers over the same database reach this one, for example
    /// `http://10.0.0.5:9340`: servers with one search for one another, each a part of the
    /// collections; port 0 stands for that of --listen.
    #[arg(long, env = "LOOKALIKE_NODE_ADDRESS", value_name = "URL", value_parser = parse_address)]
    pub node_address: Option<NodeAddress>,
    /// Rows of a collection that one of these servers keeps together; the same for all of them.
    #[arg(long, env = "LOOKALIKE_PART_ROWS", value_name = "COUNT", default_value_t = 1_000_000, value_parser = clap::value_parser!(i64).range(1_000..=1_000_000_000))]
    pub part_rows: i64,
}

fn default_data() -> String {
    Installation::find().data().to_string_lossy().into_owned()
}

/// How many threads of a kind there may be; each holds memory of its own.
fn threads() -> RangedU64ValueParser<usize> {
    whole(1..=1024)
}

fn whole(range: RangeInclusive<u64>) -> RangedU64ValueParser<usize> {
    RangedU64ValueParser::new().range(range)
}

/// A limit of an operation that is here.
fn rate_limit(text: &str) -> Result<RateLimit, String> {
    let limit: RateLimit = text.parse()?;
    let (operation, operations) = (limit.operation(), Rekognition::OPERATIONS);
    if operation != "*" && !operations.contains(&operation) {
        return Err(format!(
            "there is no operation `{operation}`; there are *, {}",
            operations.join(", ")
        ));
    }
    Ok(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_of_an_unknown_operation_is_refused() {
        for operation in ["IndexFace", "indexfaces", "", "**"] {
            let error = rate_limit(&format!("{operation}=5")).expect_err(operation);
            assert!(
                error.contains("CreateCollection") && error.contains("SearchUsersByImage"),
                "{error}"
            );
        }
        assert!(rate_limit("IndexFaces=5").is_ok() && rate_limit("*=100").is_ok());
    }

    #[test]
    fn numbers_that_no_server_survives_are_refused() {
        for (option, value) in
            [("--workers", "0"), ("--workers", "5000"), ("--search-threads", "0"), ("--queue", "0")]
        {
            let refusal = Cli::try_parse_from(["lookalike", option, value]).expect_err(option);
            assert!(refusal.to_string().contains(".."), "{refusal}");
        }
        assert!(Cli::try_parse_from(["lookalike", "--workers", "1024"]).is_ok());
    }
}
