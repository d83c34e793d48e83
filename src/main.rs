//! The `lookalike` command.

use std::process::ExitCode;

use clap::Parser as _;
use lookalike::config::{Cli, Command};
use lookalike::{catalog, control, logging, server};

type AnyError = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result: Result<(), AnyError> = match cli.command {
        None => serve(cli.serve).await,
        Some(Command::Serve(config)) => serve(*config).await,
        Some(Command::Health { listen }) => control::ask_ready(listen).await.map_err(Into::into),
        Some(Command::Models(command)) => catalog::run(command).await.map_err(Into::into),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("lookalike: {error}");
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
