//! Lines of LLVM IR: what the compiler hands to its back end for one crate, and a measure that no load changes.

use std::path::Path;

use anyhow::{Context, Result, bail};

use crate::cargo;
use crate::workspace::Workspace;

/// The lines of the functions of a library, before any pass: at level 1 with assertions, as tests build it, in one unit, over
/// dependencies of a release, which share no generic code with it.
pub fn of_package(workspace: &Workspace, folder: &Path, package: &str) -> Result<u64> {
    let mut command = cargo::offline(workspace, &["rustc", "--quiet", "--release", "--lib", "--package", package]);
    command.args(["--", "--emit=llvm-ir", "-Cno-prepopulate-passes", "-Ccodegen-units=1"]);
    command.args(["-Copt-level=1", "-Cdebug-assertions=yes"]);
    cargo::run(command.env("CARGO_TARGET_DIR", folder))?;
    let prefix = format!("{}-", package.replace('-', "_"));
    let deps = folder.join("release/deps");
    let mut newest = None;
    for entry in std::fs::read_dir(&deps).with_context(|| format!("cannot list {}", deps.display()))? {
        let entry = entry?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with(&prefix) && name.ends_with(".ll") {
            newest = newest.max(Some((entry.metadata()?.modified()?, entry.path())));
        }
    }
    let Some((_, path)) = newest else { bail!("no IR of {package} in {}", deps.display()) };
    let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    Ok(in_functions(&text))
}

/// Lines between `define` and the brace that ends it, both included, without blank ones.
fn in_functions(text: &str) -> u64 {
    let (mut count, mut is_inside) = (0, false);
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        is_inside |= line.starts_with("define ");
        count += u64::from(is_inside);
        is_inside &= line != "}";
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_functions_are_counted() {
        let text = "declare void @f()\n\ndefine void @g() {\nstart:\n\n  ret void\n}\n\n@x = global i8 0\ndefine i8 @h() {\n}\n";
        assert_eq!(in_functions(text), 6);
    }
}
