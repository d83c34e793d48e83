//! The `lookalike` command.

use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use clap::{CommandFactory as _, Parser as _};
use lookalike::admin::health;
use lookalike::config::{Cli, Command, ServeConfig};
use lookalike::{
    backup, catalog, check, enroll, environment, logging, memory, migrate, seed, server, shell,
    transfer,
};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    // Official builds of ONNX Runtime report to their makers, from the moment they are loaded,
    // unless this is set. SAFETY: no other thread has been started that could read the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    let cli = Cli::parse();
    if let Err(error) = environment::check(&Cli::command(), std::env::vars_os()) {
        return fail(&error);
    }
    if let Some(config) = cli.serves() {
        memory::prepare(memory::limit(config.memory));
    }
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&error),
    };
    let result = runtime.block_on(run(cli));
    // A read that hangs, of a folder on a network say, is not waited for.
    runtime.shutdown_background();
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&*error),
    }
}

/// Prints an error with all of its causes.
fn fail(error: &(dyn std::error::Error + 'static)) -> ExitCode {
    let causes = aws_json::causes(error);
    let separator = if causes.is_empty() { "" } else { ": " };
    eprintln!("lookalike: {error}{separator}{causes}");
    ExitCode::FAILURE
}

async fn run(cli: Cli) -> Result<(), AnyError> {
    match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Health { listen }) => health::ask_ready(listen).await.map_err(Into::into),
        Some(Command::Check { data }) => check::run(&data).await.map_err(Into::into),
        Some(Command::Backup { target, data }) => {
            backup::run(&data, &target).await.map_err(Into::into)
        }
        Some(Command::Export(command)) => transfer::run_export(*command).await.map_err(Into::into),
        Some(Command::Import(command)) => transfer::run_import(*command).await.map_err(Into::into),
        Some(Command::Seed(command)) => seed::run(*command).await.map_err(Into::into),
        Some(Command::Env(command)) => {
            shell::run(&command);
            Ok(())
        }
        Some(Command::Enroll(command)) => enroll::run(*command).await.map_err(Into::into),
        Some(Command::Migrate { from, to }) => migrate::run(&from, &to).await.map_err(Into::into),
        Some(Command::Models(command)) => catalog::run(command).await.map_err(Into::into),
    }
}

async fn serve(config: ServeConfig) -> Result<(), AnyError> {
    let traces = logging::init(config.log_format);
    let server = server::Server::bind(&config).await?;
    // Who reads `ready` in the log may stop the server at once.
    let stopped = server::stop_signal();
    let stop = async {
        stopped.await;
        exit_after(server::STOP_DEADLINE);
    };
    server.run(stop, server::patience()).await;
    tokio::task::block_in_place(|| traces.shut_down());
    Ok(())
}

/// Ends the process then, whatever still holds it.
fn exit_after(deadline: Duration) {
    thread::spawn(move || {
        thread::sleep(deadline);
        tracing::warn!("the server did not stop in time: it ends now");
        std::process::exit(1);
    });
}
