//! Artifacts: files that a task leaves to its dependants.

use bytes::Bytes;
use zeph_common::is_invisible;

/// The blobs of files, and those of files that may be executed.
const PREFIXES: [(&str, bool); 2] = [("artifact/", false), ("executable/", true)];

/// A file that a task leaves to its dependants. It is stored as a blob of the task's output.
///
/// # Examples
/// ```
/// use zeph_executor::{Artifact, TaskOutput};
/// let artifact = Artifact::new("dist/page.html", "<p>");
/// let output = TaskOutput::null().with_artifact(artifact.clone());
/// assert_eq!(output.artifacts().collect::<Vec<_>>(), [artifact]);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Artifact {
    /// The name: a relative path with `/` between its parts, see [`is_name`](Self::is_name).
    pub name: String,
    /// The content.
    pub bytes: Bytes,
    /// Whether the file may be executed.
    pub executable: bool,
}

impl Artifact {
    /// The most bytes of one artifact: 64 MiB.
    pub const MAX_BYTES: u64 = 64 << 20;
    /// The most bytes of all artifacts of a task: 256 MiB.
    pub const MAX_TOTAL_BYTES: u64 = 256 << 20;
    /// The most artifacts of a task.
    pub const MAX_COUNT: usize = 1_000;

    /// A file that may not be executed.
    #[must_use]
    pub fn new(name: impl Into<String>, bytes: impl Into<Bytes>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
            executable: false,
        }
    }

    /// Whether the text can name an artifact: at most 1,024 bytes of visible text, a relative path of parts that
    /// are neither empty nor `.` nor `..` and do not begin with `-`.
    ///
    /// So a name is never taken for an option, changes no terminal, and a file of that name is in its folder.
    ///
    /// # Examples
    /// ```
    /// use zeph_executor::Artifact;
    /// assert!(Artifact::is_name("dist/a b.tar.gz"));
    /// assert!(!["/etc/passwd", "a/../b", "-rf", "a\nb", ""].iter().any(|name| Artifact::is_name(name)));
    /// ```
    #[must_use]
    pub fn is_name(text: &str) -> bool {
        let is_part = |part: &str| !["", ".", ".."].contains(&part) && !part.starts_with('-');
        let is_unclean = |c: char| c.is_control() || is_invisible(c);
        text.len() <= 1_024 && text.split('/').all(is_part) && !text.contains(is_unclean)
    }

    /// The BLAKE3 hash of the content, as 64 hexadecimal digits.
    #[must_use]
    pub fn hash(&self) -> String {
        blake3::hash(&self.bytes).to_hex().to_string()
    }

    /// The name of the blob that holds it.
    #[must_use]
    pub fn blob_name(&self) -> String {
        let found = PREFIXES.iter().find(|(_, is)| *is == self.executable);
        let prefix = found.map_or("", |(prefix, _)| prefix);
        format!("{prefix}{}", self.name)
    }

    /// The artifact that a blob is; `None` for any other blob.
    #[must_use]
    pub fn of_blob(name: &str, bytes: &Bytes) -> Option<Self> {
        PREFIXES.iter().find_map(|(prefix, executable)| {
            let name = name
                .strip_prefix(prefix)
                .filter(|name| Self::is_name(name))?;
            Some(Self {
                name: name.to_owned(),
                bytes: bytes.clone(),
                executable: *executable,
            })
        })
    }
}
