//! The `lookalike` command.

use std::process::ExitCode;

use clap::Parser as _;
use lookalike::config::{Cli, Command};
use lookalike::{catalog, control, logging, server};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

fn main() -> ExitCode {
    // Official builds of ONNX Runtime report to their makers, from the moment they are loaded,
    // unless this is set. SAFETY: no other thread has been started that could read the environment.
    unsafe { std::env::set_var("ORT_DISABLE_TELEMETRY", "1") };
    run(Cli::parse())
}

#[tokio::main]
async fn run(cli: Cli) -> ExitCode {
    let result: Result<(), AnyError> = match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Health { listen }) => control::ask_ready(listen).await.map_err(Into::into),
        Some(Command::Models(command)) => catalog::run(command).await.map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let causes = aws_json::causes(&*error);
            let separator = if causes.is_empty() { "" } else { ": " };
            eprintln!("lookalike: {error}{separator}{causes}");
            ExitCode::FAILURE
        }
    }
}

async fn serve(config: lookalike::config::ServeConfig) -> Result<(), AnyError> {
    logging::init(config.log_format);
    let server = server::Server::bind(&config).await?;
    server.run(server::stop_signal(), server::patience()).await?;
    Ok(())
}
