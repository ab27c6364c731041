//! Python environments for the tests: pinned packages from the package index, made at first use.
//!
//! Not the programs that run in them: `moto_server` and `runtime_client` say what they need and how it is started. An
//! environment stands under `target/tmp` and later runs reuse it. Rule: a test that cannot have its environment fails
//! with one line that says what to install; it is never skipped.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// The file whose presence says that an environment is finished. It is written last and holds the requirements.
const FINISHED: &str = "finished";

/// An environment that somebody needs.
pub(crate) struct Wanted {
    /// What it is called: the folder begins with it, so a new pin makes a new environment if the version is in it.
    pub(crate) name: String,
    /// Who needs it, for messages: "the tests against ..".
    pub(crate) purpose: &'static str,
    /// For pip, each with its exact version: a package that behaves differently overnight should not fail a build.
    pub(crate) requirements: Vec<String>,
    /// A program that ends well in a complete environment: the imports.
    pub(crate) check: &'static str,
}

/// How to run Python so that it finds the packages of an environment.
pub(crate) struct Python {
    program: PathBuf,
    /// `PYTHONPATH`, where the packages are in a plain folder instead of a virtual environment.
    packages: Option<PathBuf>,
    folder: PathBuf,
}

impl Python {
    /// Python's own program.
    pub(crate) fn program(&self) -> &Path {
        &self.program
    }

    /// The folder it all lives in; named in messages because deleting it is the cure for a damaged one.
    pub(crate) fn folder(&self) -> &Path {
        &self.folder
    }

    /// Python with its packages, without those of the user and settings of the shell: they would make results depend on
    /// who runs the tests.
    pub(crate) fn command(&self) -> Command {
        self.command_by(Command::new(&self.program))
    }

    /// The same, started by a program whose arguments so far want Python and its arguments behind them.
    pub(crate) fn command_behind(&self, mut starter: Command) -> Command {
        starter.arg(&self.program);
        self.command_by(starter)
    }

    fn command_by(&self, mut command: Command) -> Command {
        command.arg("-s").env_remove("PYTHONHOME").env_remove("PYTHONPATH");
        if let Some(packages) = &self.packages {
            command.env("PYTHONPATH", packages);
        }
        command
    }
}

/// The environment, made when it is asked for first. What went wrong once goes wrong for every test of the process
/// without trying again: waiting for an unreachable package index once is enough.
pub(crate) fn made_once(
    cell: &'static OnceLock<Result<Python, String>>,
    wanted: impl FnOnce() -> Wanted,
) -> &'static Python {
    let made = cell.get_or_init(|| find_or_make(Path::new(env!("CARGO_TARGET_TMPDIR")), &wanted()));
    made.as_ref().unwrap_or_else(|reason| panic!("{reason}"))
}

/// The folder's name carries the version of Python: a virtual environment dies with the Python it was made from. Making
/// is guarded by a file lock, which the system releases whatever becomes of its holder; a folder without the `finished`
/// file is what an interrupted run left, and is made anew.
fn find_or_make(parent: &Path, wanted: &Wanted) -> Result<Python, String> {
    let purpose = wanted.purpose;
    let version = run(Command::new("python3").args(["-c", "import platform; print(platform.python_version())"]))
        .map_err(|reason| format!("{purpose} need Python 3.10 or later as `python3` on the PATH ({reason})"))?;
    let name = format!("{}-python-{version}", wanted.name);
    let folder = parent.join(&name);
    let python = || {
        let in_venv = folder.join("venv/bin/python3");
        let (program, packages) =
            if in_venv.exists() { (in_venv, None) } else { ("python3".into(), Some(folder.join("packages"))) };
        Python { program, packages, folder: folder.clone() }
    };
    let requirements = wanted.requirements.join("\n");
    let finished = || fs::read_to_string(folder.join(FINISHED)).is_ok_and(|text| text == requirements);
    if finished() {
        return Ok(python());
    }
    let cannot = |error: std::io::Error| format!("cannot make {} for {purpose}: {error}", folder.display());
    fs::create_dir_all(parent).map_err(cannot)?;
    let lock = File::create(parent.join(format!("{name}.lock"))).map_err(cannot)?;
    lock.lock().map_err(cannot)?;
    // Another process may have made it while this one waited.
    if !finished() {
        if folder.exists() {
            fs::remove_dir_all(&folder).map_err(cannot)?;
        }
        fs::create_dir_all(&folder).map_err(cannot)?;
        make(&folder, wanted)?;
        run(python().command().args(["-c", wanted.check])).map_err(|reason| {
            format!("{} was installed for {purpose} but does not load: {reason}", wanted.requirements.join(" "))
        })?;
        fs::write(folder.join(FINISHED), &requirements).map_err(cannot)?;
    }
    Ok(python())
}

/// Installs into a virtual environment, or, where Python comes without the means to make one (Debian ships `venv` as a
/// package of its own), into a plain folder.
fn make(folder: &Path, wanted: &Wanted) -> Result<(), String> {
    let venv = folder.join("venv");
    let made = run(Command::new("python3").args(["-m", "venv"]).arg(&venv));
    let installed = made.and_then(|_| run(pip(&venv.join("bin/python3")).args(&wanted.requirements)));
    let Err(no_venv) = installed else { return Ok(()) };
    // Not left half made: its presence is how the two ways are told apart.
    if venv.exists() {
        fs::remove_dir_all(&venv).map_err(|error| format!("cannot remove {}: {error}", venv.display()))?;
    }
    let to_folder =
        run(pip(Path::new("python3")).arg("--target").arg(folder.join("packages")).args(&wanted.requirements));
    to_folder.map(drop).map_err(|no_pip| {
        format!(
            "{} install {} from the package index at first use and could not: install Python's venv module (Debian, \
             Ubuntu: `apt install python3-venv`) or pip, or look at the network. `python3 -m venv` and pip in it: \
             {no_venv}. `python3 -m pip install --target`: {no_pip}",
            wanted.purpose,
            wanted.requirements.join(" ")
        )
    })
}

/// `pip install`, without the compiling of modules nobody imports (half of its time), and with an end when there is no
/// network.
fn pip(python: &Path) -> Command {
    let mut command = Command::new(python);
    command.args(["-m", "pip", "install", "--quiet", "--no-input", "--disable-pip-version-check", "--no-compile"]);
    command.args(["--timeout", "20", "--retries", "2"]);
    command
}

/// Runs a command to its end: what it printed, or one line that says what went wrong.
fn run(command: &mut Command) -> Result<String, String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("cannot run {program}: {error}"))?;
    let stdout = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() {
        return Ok(stdout);
    }
    let stderr = String::from_utf8_lossy(&output.stderr);
    let said: Vec<_> = stdout.lines().chain(stderr.lines()).map(str::trim).filter(|line| !line.is_empty()).collect();
    let said = said.join(" ");
    // The end of it: pip and Python tracebacks name the reason last.
    let end: String = said.chars().skip(said.chars().count().saturating_sub(400)).collect();
    Err(format!("{}: {end}", output.status))
}
