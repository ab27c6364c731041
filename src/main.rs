//! The binary: command line -> a way of running -> exit code. Everything else is in the library.

mod cli;

use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use cli::{Cli, Command, Format};
use gatewatch::aws::clients::{Clients, check_trust};
use gatewatch::config::place::Place;
use gatewatch::config::{Config, LogConfig, LogLevel};
use gatewatch::model::own::marked;
use gatewatch::ops::clock::Clock;
use gatewatch::ops::{signals, telemetry};
use gatewatch::read::Template;
use gatewatch::run::failure::Failure;
use gatewatch::run::follow::{Mode, Show, terminal};
use gatewatch::run::named::Named;
use gatewatch::run::{check, demo, follow, health, init, process, replay, send_test, sim, sinks};
use gatewatch::view::Paint;
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            complain(&failure.words());
            ExitCode::from(failure.code())
        }
    }
}

#[expect(clippy::print_stderr, reason = "the last words of the process")]
fn complain(why: &str) {
    // In a container they are a log event, which must not be read back.
    if io::stderr().is_terminal() { eprintln!("gatewatch: {why}") } else { eprintln!("{}", marked(why)) }
}

fn run(cli: Cli) -> Result<(), Failure> {
    if cli.command.is_none() && cli.follow.is_none() {
        let place = Place::of(cli.config.as_deref());
        if !place.is_given() {
            return Err(Failure::Usage(cli::welcome()));
        }
        return in_runtime(process::run(place, cli.region));
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
        Some(Command::Init(_) | Command::Check(_) | Command::SendTest(_) | Command::Demo(_) | Command::Sim(_))
        | None => {}
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
    if let Some(Command::Check(args)) = &cli.command {
        let (place, region) = (Place::of(cli.config.as_deref()), cli.region.as_deref());
        let config = check::Wish { place: &place, api: args.api.as_deref(), region }.config()?;
        let (clock, mut out) = (Clock::wall(), io::stdout());
        let run = Box::pin(check::run(&config, &clock, show(args.output), &mut out));
        return stop.run_until_cancelled(run).await.context("stopped before the check was over")?;
    }
    if let Some(Command::Init(args)) = cli.command {
        let init = init::Init { api: args.api, region: cli.region, file: args.output, force: args.force };
        let (mut out, mut notes) = (io::stdout(), io::stderr());
        let written = stop.run_until_cancelled(Box::pin(init::run(&init, &mut out, &mut notes))).await;
        return written.context("stopped before anything was written")?;
    }
    let label = cli.follow.as_deref().expect("without a command, and no daemon, it follows");
    let named = Named {
        place: &Place::of(cli.config.as_deref()),
        label,
        access_log_groups: &cli.following.access_log_group,
        lambda_log_groups: &cli.following.lambda_log_group,
        region: cli.region.as_deref(),
    };
    let Some(resolved) = stop.run_until_cancelled(Box::pin(named.resolve())).await else { return Ok(()) };
    let (config, clients) = resolved?;
    let mode = mode(&cli.following);
    let since = cli.following.since.unwrap_or_else(|| mode.since(&config));
    Ok(follow::run(config, clients, Clock::wall(), since, mode, stop).await?)
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
    let mut clients = Clients::load(cli.region.as_deref().or(config.region.as_deref())).await;
    let sinks = sinks::open(&config, &mut clients, &mut None)?;
    let mut out = io::stdout();
    let tested = stop.run_until_cancelled(send_test::run(sinks, &Clock::wall(), &mut out)).await;
    if !tested.context("stopped before the tests were over")?? {
        return Err(anyhow::anyhow!("not every sink took its test message").into());
    }
    Ok(())
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
