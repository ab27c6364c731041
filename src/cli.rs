//! The command line.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::{Args, CommandFactory, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use gatewatch::config::place::{DEFAULT_FILE, VARIABLE};
use gatewatch::model::time::parse_human;

/// How the program is called.
const NAME: &str = "gatewatch";

/// What the manual page says at its end.
const MORE: &str =
    "Exit codes: 0 fine, 1 failed while running, 2 wrong usage or configuration, 3 `check` found a fault.

Variables: GATEWATCH_CONFIG_TOML holds the text of a configuration file, RUST_LOG the level of logs on standard error. \
What AWS's own tools know counts as well: AWS_REGION, AWS_PROFILE, AWS_ENDPOINT_URL.

SIGTERM ends the daemon within 10 seconds.";

/// Watches AWS API Gateway live: which endpoint answers 5xx, how much, since when, and why.
///
/// Without a command it runs as a daemon with the APIs of the configuration file. Credentials and Region come from
/// the usual AWS places (environment, profile, container, instance).
#[derive(Debug, Parser)]
#[command(name = NAME, version = env!("GATEWATCH_VERSION"), after_long_help = MORE, args_conflicts_with_subcommands = false, subcommand_negates_reqs = true)]
pub struct Cli {
    /// Configuration file [default: the text in the variable `GATEWATCH_CONFIG_TOML`, else /etc/gatewatch/config.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,

    /// AWS Region [default: the configuration's, else `AWS_REGION`, else the profile's]
    #[arg(long, global = true, value_name = "REGION")]
    pub region: Option<String>,

    /// Watch one API at the terminal: by its name in the configuration, by its name or ID in AWS, with a stage
    /// (shop/prod) if it has several, or by any label together with --access-log-group
    #[arg(long, value_name = "API")]
    pub follow: Option<String>,

    #[command(flatten)]
    pub following: Following,

    #[command(subcommand)]
    pub command: Option<Command>,
}

/// Options of --follow.
#[derive(Debug, Args)]
pub struct Following {
    /// Access-log group of the API; may be given several times
    #[arg(long, value_name = "GROUP", requires = "follow")]
    pub access_log_group: Vec<String>,

    /// Lambda log group of the API; may be given several times
    #[arg(long, value_name = "GROUP", requires = "follow", requires = "access_log_group")]
    pub lambda_log_group: Vec<String>,

    /// Begin this far back, and fill the windows from there [default: 1m, on a full screen the window of the figures, 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration, requires = "follow")]
    pub since: Option<Duration>,

    /// A line for each request, also on a terminal, where there is a full screen otherwise
    #[arg(long, requires = "follow")]
    pub plain: bool,

    /// text, or one JSON object per line
    #[arg(long, value_enum, default_value = "text", requires = "follow")]
    pub output: Format,
}

/// How results are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Other ways of running.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Write a configuration file for a live API: its logs, functions and timeouts, with comments
    Init(Init),
    /// Run the same engine over files and report
    Replay(Replay),
    /// Look at what is configured and what AWS says of it: what works, what does not, and the command that mends it; exit
    /// code 3 if there is a fault
    Check(Check),
    /// Send a test message through each configured sink and say what became of it
    SendTest(SendTest),
    /// Ask the running daemon how it is; exit code 0 if it lives
    Healthcheck(Healthcheck),
    /// See all of it on a simulated AWS: no account, no network, about a minute
    Demo(Demo),
    /// Serve a simulated CloudWatch Logs to any client: to try a tail on it
    #[command(hide = true)]
    Sim(Sim),
    /// Write manual pages and shell completions into a folder: for those who make packages
    #[command(hide = true)]
    Generate(Generate),
}

/// Options of init.
#[derive(Debug, Args)]
pub struct Init {
    /// The API: its name or ID, with a stage (shop/prod) if it has several
    #[arg(long, value_name = "API")]
    pub api: String,

    /// Where to write it [default: standard output]
    #[arg(short, long, value_name = "FILE")]
    pub output: Option<PathBuf>,

    /// Replace the file if it is there
    #[arg(long, requires = "output")]
    pub force: bool,
}

/// Options of replay.
#[derive(Debug, Args)]
pub struct Replay {
    /// Access-log files: JSON from `aws logs filter-log-events`, JSON lines of events, S3 exports (also .gz), plain
    /// lines; `-` is standard input
    #[arg(long, value_name = "FILE", num_args = 1.., required_unless_present_any = ["lambda", "execution"])]
    pub access: Vec<PathBuf>,

    /// Lambda log files, in the same shapes
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub lambda: Vec<PathBuf>,

    /// Execution-log files of a REST or WebSocket stage, in the same shapes; without --access the requests are read from
    /// them
    #[arg(long, value_name = "FILE", num_args = 1..)]
    pub execution: Vec<PathBuf>,

    /// The stage's access-log format, as it stands in accessLogSettings.format [default: recognised]
    #[arg(long, value_name = "TEMPLATE", requires = "access")]
    pub access_format: Option<String>,

    /// With --config: the API whose settings apply [default: the first]
    #[arg(long, value_name = "NAME")]
    pub api: Option<String>,

    /// Print every request, and in text every failure too
    #[arg(long)]
    pub requests: bool,

    /// text, or one JSON object per line
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Options of check.
#[derive(Debug, Args)]
pub struct Check {
    /// One API alone: by its name in the configuration, else by its name or ID in AWS, with a stage (shop/prod) if it has
    /// several
    #[arg(long, value_name = "API")]
    pub api: Option<String>,

    /// text, or one JSON object per line
    #[arg(long, value_enum, default_value = "text")]
    pub output: Format,
}

/// Options of send-test.
#[derive(Debug, Args)]
pub struct SendTest {
    /// Only through the sink with this name: its `name` in the configuration, else `stdout`, the topic's ARN, or what
    /// send-test calls it
    #[arg(long, value_name = "NAME")]
    pub sink: Option<String>,
}

/// Options of healthcheck.
#[derive(Debug, Args)]
pub struct Healthcheck {
    /// Where the daemon listens, such as `http://127.0.0.1:9502` [default: `listen` of [http] in the configuration]
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,

    /// Ask whether it does its work: every log group is read, and a sink takes messages
    #[arg(long)]
    pub ready: bool,
}

/// Options of demo.
#[derive(Debug, Args)]
pub struct Demo {
    /// How many times as fast as real time, 1 to 20
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u32).range(1..=20))]
    pub speed: u32,

    /// text, or one JSON object per line [default: text on a terminal, json in a pipe]
    #[arg(long, value_enum)]
    pub output: Option<Format>,

    /// On the full screen of --follow, with an incident every ten minutes, until it is ended
    #[arg(long, conflicts_with = "output")]
    pub screen: bool,
}

/// Options of sim.
#[derive(Debug, Args)]
pub struct Sim {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:0")]
    pub listen: SocketAddr,

    /// What to play: groups, traffic, quotas and faults, as in tests/sim/rough.toml
    #[arg(long, value_name = "FILE")]
    pub scenario: PathBuf,

    /// How many times as fast as real time, 1 to 1000
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub speed: u32,

    /// Write every event made to this file, one JSON object per line
    #[arg(long, value_name = "FILE")]
    pub events: Option<PathBuf>,
}

/// Options of generate.
#[derive(Debug, Args)]
pub struct Generate {
    /// The folder; it must be there
    #[arg(value_name = "FOLDER")]
    pub folder: PathBuf,
}

/// What is said to somebody who has configured nothing yet.
#[must_use]
pub fn welcome() -> String {
    format!(
        "there is no configuration yet.

  gatewatch demo                    see all of it on a simulated AWS: no account, a minute
  gatewatch --follow API            watch an API now, by its name or ID in AWS, with nothing configured
  gatewatch check --api API         look whether it can be watched, what is wrong with it, and what mends that
  gatewatch init --api API -o FILE  write a configuration for a live API
  gatewatch --config FILE           watch as a daemon what FILE says

API is shop, shop/prod or a1b2c3d4e5/prod; credentials and Region come from the usual AWS places.
A configuration is looked for in ${VARIABLE} (its text), then in {DEFAULT_FILE};
config.example.toml explains every key. `gatewatch --help` shows the rest."
    )
}

/// Writes the manual pages (`gatewatch.1`, and one for each command that is shown) and the completions of each shell, all
/// from the definition above.
///
/// # Errors
/// A file cannot be written.
pub fn generate(folder: &Path) -> io::Result<()> {
    clap_mangen::generate_to(Cli::command(), folder)?;
    for shell in Shell::value_variants() {
        clap_complete::generate_to(*shell, &mut Cli::command(), NAME, folder)?;
    }
    Ok(())
}

fn duration(text: &str) -> Result<Duration, String> {
    let span = parse_human(text)?;
    if span > Duration::from_hours(24 * 14) {
        return Err(format!("`{text}` is too far back: at most 336h"));
    }
    Ok(span)
}
