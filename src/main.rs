//! The binary: command line -> a way of running -> exit code. Everything else is in the library.

mod cli;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Command, Format};
use gatewatch::aws::clients::{Clients, NoTrust, check_trust};
use gatewatch::config::place::{DEFAULT_FILE, Place, VARIABLE};
use gatewatch::config::{Config, ConfigError, LogConfig, LogLevel};
use gatewatch::model::own::marked;
use gatewatch::ops::clock::Clock;
use gatewatch::ops::http::Listener;
use gatewatch::ops::service::Service;
use gatewatch::ops::{ecs, inquiry, signals, telemetry};
use gatewatch::read::Template;
use gatewatch::run::follow::{Mode, Show, terminal};
use gatewatch::run::reload::{Load, Reload};
use gatewatch::run::sinks::Unusable;
use gatewatch::run::{daemon, demo, follow, health, replay, send_test, sim, sinks};
use gatewatch::view::Paint;
use tokio_util::sync::CancellationToken;

/// Failed while running.
const FAILED: u8 = 1;
/// Wrong usage or configuration.
const USAGE: u8 = 2;

/// Why a run ended badly.
enum Failure {
    /// Nothing was started.
    Usage(String),
    /// It was running.
    Run(anyhow::Error),
}

impl From<ConfigError> for Failure {
    fn from(e: ConfigError) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<Unusable> for Failure {
    fn from(e: Unusable) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<NoTrust> for Failure {
    fn from(e: NoTrust) -> Self {
        Self::Usage(e.to_string())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(e: anyhow::Error) -> Self {
        // The daemon makes its sinks before anything starts.
        match e.downcast::<Unusable>() {
            Ok(unusable) => unusable.into(),
            Err(e) => Self::Run(e),
        }
    }
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let code = match run(cli) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Usage(why)) => {
            complain(&why);
            USAGE
        }
        Err(Failure::Run(why)) => {
            complain(&format!("{why:#}"));
            FAILED
        }
    };
    ExitCode::from(code)
}

#[expect(clippy::print_stderr, reason = "the last words of the process")]
fn complain(why: &str) {
    // In a container they are a log event, which must not be read back.
    if io::stderr().is_terminal() { eprintln!("gatewatch: {why}") } else { eprintln!("{}", marked(why)) }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if cli.command.is_none() && cli.follow.is_none() {
        return in_runtime(run_daemon(cli));
    }
    // At a terminal what goes well is not worth a word.
    telemetry::init(LogConfig { level: LogLevel::Warn, ..LogConfig::default() });
    match &cli.command {
        Some(Command::Replay(args)) => return run_replay(&cli, args),
        Some(Command::Healthcheck(args)) => return healthcheck(&cli, args),
        Some(Command::Generate(args)) => {
            let cannot = || format!("cannot write into {}", args.folder.display());
            return Ok(cli::generate(&args.folder).with_context(cannot)?);
        }
        Some(Command::SendTest(_) | Command::Demo(_) | Command::Sim(_)) | None => {}
    }
    in_runtime(run_live(cli))
}

fn in_runtime(work: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    // Two threads: the work is waiting for AWS. A host with 64 cores should not get 64 threads for that.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .context("cannot start the runtime")?;
    let outcome = runtime.block_on(work);
    // A write to a full pipe cannot be cancelled, and must not hold up the end.
    runtime.shutdown_timeout(Duration::from_secs(1));
    outcome
}

async fn run_live(cli: Cli) -> Result<(), Failure> {
    let stop = CancellationToken::new();
    signals::stop_on_signals(stop.clone(), terminal::give_back).context("cannot listen for signals")?;
    if let Some(Command::Sim(args)) = cli.command {
        let options = sim::Options {
            listen: args.listen,
            scenario: sim::load(&args.scenario).map_err(Failure::Usage)?,
            speed: args.speed,
            events: args.events,
        };
        return Ok(sim::run(options, &mut io::stdout(), stop).await?);
    }
    check_trust()?;
    if let Some(Command::Demo(args)) = &cli.command {
        if args.screen {
            return Ok(demo::screen(args.speed, Paint(has_colour()), stop).await?);
        }
        let json = args.output.map_or_else(|| !io::stdout().is_terminal(), |f| f == Format::Json);
        return Ok(demo::run(args.speed, json, stop).await?);
    }
    if let Some(Command::SendTest(args)) = &cli.command {
        return send_test(&cli, args, stop).await;
    }
    let label = cli.follow.as_deref().expect("without a command, and no daemon, it follows");
    let config = followed(&cli, label)?;
    let clients = clients(&config).await?;
    let mode = mode(&cli.following);
    let since = cli.following.since.unwrap_or_else(|| mode.since(&config));
    Ok(follow::run(config, clients, Clock::wall(), since, mode, stop).await?)
}

async fn run_daemon(cli: Cli) -> Result<(), Failure> {
    let place = Place::of(cli.config.as_deref());
    let mut config = place.load()?;
    check_trust()?;
    telemetry::init(config.log);
    let listener = Listener::bind(&config.http).await.map_err(|e| Failure::Usage(e.to_string()))?;
    let own = ecs::own_log_group().await;
    config.refuse(own.as_ref());
    let stop = CancellationToken::new();
    signals::stop_on_signals(stop.clone(), || {}).context("cannot listen for signals")?;
    let asked = signals::reload_on_signal().context("cannot listen for signals")?;
    let clients = clients(&config).await?;
    let service = Service::of_environment();
    let (inquiry, questions) = inquiry::channel();
    if let Some(listener) = listener {
        tokio::spawn(listener.serve(health::pages(&config.http, inquiry.clone()), stop.clone()));
    }
    let informing = tokio::spawn(service.clone().inform(inquiry, stop.clone()));
    let load: Load = Box::new(move || {
        let (place, own) = (place.clone(), own.clone());
        Box::pin(async move {
            let mut config = place.load().map_err(|e| e.to_string())?;
            config.refuse(own.as_ref());
            let clients = clients_of(&config).await?;
            Ok((config, clients))
        })
    });
    let options = daemon::Options {
        clock: Clock::wall(),
        requests: false,
        state_dir: config.state_dir.clone().or_else(state_directory),
        questions: Some(questions),
        reload: Some(Reload { asked, load, service }),
        stop: stop.clone(),
    };
    let outcome = daemon::run(config, clients, options, |_| {}).await;
    // Also where it ended by a failure: the service manager is told.
    stop.cancel();
    let _ = informing.await;
    Ok(outcome?)
}

/// No threads, no AWS: it is run every few seconds.
fn healthcheck(cli: &Cli, args: &cli::Healthcheck) -> Result<(), Failure> {
    let url = if let Some(url) = &args.url {
        url.clone()
    } else {
        let none = "the daemon listens nowhere: set `listen` of [http] in its configuration, or name it with --url";
        let listen =
            Place::of(cli.config.as_deref()).load()?.http.listen.ok_or_else(|| Failure::Usage(none.to_owned()))?;
        health::url(listen)
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.context("cannot start the runtime")?;
    let said = runtime.block_on(health::check(&url, args.ready)).map_err(|why| anyhow::anyhow!(why))?;
    writeln!(io::stdout(), "{said}").context("standard output")?;
    Ok(())
}

async fn send_test(cli: &Cli, args: &cli::SendTest, stop: CancellationToken) -> Result<(), Failure> {
    let mut config = Place::of(cli.config.as_deref()).load()?;
    if let Some(name) = &args.sink {
        let known: Vec<_> = config.sinks.iter().map(|sink| sink.audience.name.to_string()).collect();
        config.sinks.retain(|sink| *sink.audience.name == **name);
        if config.sinks.is_empty() {
            return Err(Failure::Usage(format!("no sink `{name}` in the configuration; it has {}", known.join(", "))));
        }
    }
    // Each topic's Region stands in its ARN.
    let mut clients = Clients::load(config.region.as_deref()).await;
    let sinks = sinks::open(&config, &mut clients, &mut None)?;
    let mut out = io::stdout();
    let tested = stop.run_until_cancelled(send_test::run(sinks, &Clock::wall(), &mut out)).await;
    if !tested.context("stopped before the tests were over")?? {
        return Err(anyhow::anyhow!("not every sink took its test message").into());
    }
    Ok(())
}

/// The folder that systemd makes for a unit with `StateDirectory=`; the first of several. Source: systemd.exec(5).
fn state_directory() -> Option<PathBuf> {
    let folders = std::env::var_os("STATE_DIRECTORY")?;
    let first = folders.to_str()?.split(':').next()?;
    (!first.is_empty()).then(|| first.into())
}

/// A missing Region is a mistake in the configuration, to be said before anything starts.
async fn clients(config: &Config) -> Result<Clients, Failure> {
    clients_of(config).await.map_err(Failure::Usage)
}

async fn clients_of(config: &Config) -> Result<Clients, String> {
    let clients = Clients::load(config.region.as_deref()).await;
    if clients.region().is_none() && config.apis.iter().any(|api| api.region.is_none()) {
        let how = "no AWS Region: set `region` in the configuration, AWS_REGION, or a region in the AWS profile";
        return Err(how.to_owned());
    }
    Ok(clients)
}

/// The configuration of what `--follow` names.
fn followed(cli: &Cli, label: &str) -> Result<Config, Failure> {
    let place = Place::of(cli.config.as_deref());
    let groups = &cli.following;
    // Whoever names log groups needs no file, and the usual one says nothing about them.
    let wanted = groups.access_log_group.is_empty() || place != Place::Default;
    let file = if wanted && place.is_given() { Some(place.load()?) } else { None };
    if !groups.access_log_group.is_empty() {
        let ad_hoc = Config::ad_hoc(label, groups.access_log_group.clone(), groups.lambda_log_group.clone());
        return Ok(match file {
            Some(file) => Config { apis: ad_hoc.apis, ..file },
            None => ad_hoc,
        });
    }
    let Some(mut config) = file else {
        let how = format!(
            "there is neither {DEFAULT_FILE} nor ${VARIABLE} to find API `{label}` in: name a file with --config, or its \
             log groups with --access-log-group and --lambda-log-group"
        );
        return Err(Failure::Usage(how));
    };
    let known: Vec<_> = config.apis.iter().map(|a| a.name.clone()).collect();
    config.apis.retain(|a| a.name == label);
    if config.apis.is_empty() {
        let how = format!("no API `{label}` in the configuration; it has {}", known.join(", "));
        return Err(Failure::Usage(how));
    }
    Ok(config)
}

fn run_replay(cli: &Cli, args: &cli::Replay) -> Result<(), Failure> {
    let config = match &cli.config {
        Some(path) => Config::load(path)?,
        None if args.api.is_some() => {
            return Err(Failure::Usage("--api names an API of the configuration: name that with --config".to_owned()));
        }
        None => Config::ad_hoc("api", Vec::new(), Vec::new()),
    };
    let config = match &args.api {
        Some(name) => {
            let api = config.apis.iter().find(|a| a.name == *name).cloned();
            let known = config.apis.iter().map(|a| a.name.as_str()).collect::<Vec<_>>().join(", ");
            let missing = || Failure::Usage(format!("no API `{name}` in the configuration; it has {known}"));
            Config { apis: vec![api.ok_or_else(missing)?], ..config }
        }
        None => Config { apis: config.apis[..1].to_vec(), ..config },
    };
    let mut config = config;
    if let Some(format) = &args.access_format {
        let wrong = |e| Failure::Usage(format!("--access-format `{format}` {e}"));
        config.apis[0].access_log_format = Some(Template::compile(format).map_err(wrong)?);
    }
    let replay = replay::Replay {
        config,
        access: args.access.clone(),
        lambda: args.lambda.clone(),
        execution: args.execution.clone(),
        requests: args.requests,
        show: show(args.output),
    };
    Ok(replay::run(&replay, &mut io::BufWriter::new(io::stdout().lock()))?)
}

fn show(format: Format) -> Show {
    match format {
        Format::Text => Show::Text(Paint(has_colour())),
        Format::Json => Show::Json,
    }
}

/// A full screen needs a terminal that can move its cursor, for the picture and for the keys.
fn mode(following: &cli::Following) -> Mode {
    let is_terminal = io::stdout().is_terminal() && io::stdin().is_terminal();
    let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if following.output == Format::Text && !following.plain && is_terminal && !is_dumb {
        Mode::Screen(Paint(has_colour()))
    } else {
        Mode::Lines(show(following.output))
    }
}

/// See no-color.org: any value but none at all says no.
fn has_colour() -> bool {
    io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
