//! Finds what is there of each chapter of a family, so that a file that is added is listed nowhere.
//!
//! One script for all families: `build = "../../crates/lab/found/build.rs"`. For each `scenarios/ID.txt` it writes a card of the
//! chapter `ID`, with its scenario and with every golden script below `crates/FAMILY/tests/scripts/ID`; `found!("ID")` is that
//! card.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let family = here.file_name().ok_or("a family is a folder")?;
    let scripts = here.join("../../crates").join(family).join("tests/scripts");
    let scenarios = here.join("scenarios");
    println!("cargo::rerun-if-changed=../../crates/lab/found/build.rs");
    for folder in [&scenarios, &scripts].into_iter().filter(|folder| folder.is_dir()) {
        println!("cargo::rerun-if-changed={}", folder.display());
    }
    for scenario in texts(&scenarios)? {
        let id =
            scenario.file_stem().and_then(|name| name.to_str()).ok_or("the name of a scenario is its chapter's")?;
        let folder = scripts.join(id);
        let mut golden = String::new();
        for script in texts(&folder)? {
            let name = script.strip_prefix(&folder)?.display().to_string().replace('\\', "/");
            golden += &format!(
                "        Golden {{ name: {name:?}, text: include_str!({:?}) }},\n",
                script.display().to_string()
            );
        }
        let scenario = scenario.display().to_string();
        let card = format!(
            "{{\n    use ::volvox_lab::chapter::{{Card, Golden}};\n    const GOLDEN: &[Golden] = &[\n{golden}    ];\n    \
             Card {{ scenario: include_str!({scenario:?}), golden: GOLDEN, ..Card::named({id:?}) }}\n}}\n"
        );
        fs::write(out.join(format!("{id}.rs")), card)?;
    }
    Ok(())
}

/// Every text below a folder, in the order of their names; none where there is no folder.
fn texts(folder: &Path) -> Result<Vec<PathBuf>, Box<dyn Error>> {
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            found.extend(texts(&path)?);
        } else if path.extension().is_some_and(|extension| extension == "txt") {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}
