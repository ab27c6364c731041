//! What `--version` says: the version, and the commit where it is known.
//!
//! Rule: nothing is made up. Unpacked from an archive, or inside somebody else's repository, there is no commit; and one
//! commit gives the same answer everywhere.

use std::path::{Path, PathBuf};
use std::process::Command;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let version = env!("CARGO_PKG_VERSION");
    let version = match commit() {
        Some(commit) => format!("{version} ({commit})"),
        None => version.to_owned(),
    };
    println!("cargo::rustc-env=GATEWATCH_VERSION={version}");
}

/// The first twelve digits of the commit that is checked out, if this folder is the top of a repository.
fn commit() -> Option<String> {
    if !git(&["rev-parse", "--show-prefix"])?.is_empty() {
        return None;
    }
    // HEAD moves by itself, or the branch does that it names; a branch has a file, or stands in one file with others.
    watch(&path("HEAD")?);
    watch(&path("packed-refs")?);
    if let Some(branch) = git(&["symbolic-ref", "--quiet", "HEAD"]) {
        // Its file comes with the next commit, if it is not there.
        path(&branch)?.ancestors().find(|path| path.exists()).map(watch);
    }
    Some(git(&["rev-parse", "HEAD"])?.get(..12)?.to_owned())
}

/// Builds anew when a file changes. What is not there counts as changed each time, so it is not watched.
fn watch(path: &Path) {
    if path.exists() {
        println!("cargo::rerun-if-changed={}", path.display());
    }
}

/// Where the repository keeps something.
fn path(name: &str) -> Option<PathBuf> {
    git(&["rev-parse", "--git-path", name]).map(|path| root().join(path))
}

/// What git answers about this folder, and only about it: variables that lead elsewhere are those of a hook.
fn git(arguments: &[&str]) -> Option<String> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root()).args(arguments);
    for variable in ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR"] {
        git.env_remove(variable);
    }
    let output = git.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}
