//! The `runbook` command.

fn main() -> std::process::ExitCode {
    runbook::cli::main()
}
