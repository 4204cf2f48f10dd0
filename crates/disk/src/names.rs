//! The kinds of files in the folder, by name.

/// Files with higher numbers are not ours. It is far below what the format allows, so that a hostile name cannot leave
/// the next life without a number.
const NUMBER_MAX: u64 = 1 << 40;

/// The file that names the owner of the log.
pub(crate) const IDENTITY: &str = "identity";
/// An identity that is being written.
pub(crate) const IDENTITY_NEW: &str = "identity.new";
/// A manifest that is being written.
pub(crate) const MANIFEST_NEW: &str = "manifest.new";

/// The name of a segment of the log.
pub(crate) fn segment(number: u64) -> String {
    format!("log-{number:016x}")
}

/// The name of a file that waits to become a segment.
pub(crate) fn spare(number: u64) -> String {
    format!("spare-{number:016x}")
}

/// The name of a checkpoint part.
pub(crate) fn part(number: u64) -> String {
    format!("part-{number:016x}")
}

/// The name of the manifest of the life that begins with this segment. Another life's manifest has another name, so
/// that even a damaged one cannot pass for ours.
pub(crate) fn manifest(first_segment: u64) -> String {
    format!("manifest-{first_segment:016x}")
}

/// The files of a folder, by kind. Files of other names are not touched.
#[derive(Default, Debug)]
pub(crate) struct Names {
    pub identity: bool,
    /// Files that a crash left half written.
    pub unfinished: Vec<&'static str>,
    /// In ascending order.
    pub segments: Vec<u64>,
    pub spares: Vec<u64>,
    pub parts: Vec<u64>,
    pub manifests: Vec<u64>,
}

impl Names {
    /// Sorts names by kind.
    pub fn sort(list: &[String]) -> Names {
        let mut names = Names::default();
        for name in list {
            match name.as_str() {
                IDENTITY => names.identity = true,
                IDENTITY_NEW => names.unfinished.push(IDENTITY_NEW),
                MANIFEST_NEW => names.unfinished.push(MANIFEST_NEW),
                _ => names.sort_numbered(name),
            }
        }
        names.segments.sort_unstable();
        names.spares.sort_unstable();
        names
    }

    fn sort_numbered(&mut self, name: &str) {
        let Some((kind, digits)) = name.split_once('-') else { return };
        let Ok(number) = u64::from_str_radix(digits, 16) else { return };
        // Parts are numbered by the process; only the form of the name is checked for them.
        match kind {
            _ if format!("{number:016x}") != digits => {}
            "part" => self.parts.push(number),
            _ if number > NUMBER_MAX => {}
            "log" => self.segments.push(number),
            "spare" => self.spares.push(number),
            "manifest" => self.manifests.push(number),
            _ => {}
        }
    }
}
