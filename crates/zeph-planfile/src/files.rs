//! Files: the plans and included files that a plan names, and who may have written them.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use nix::unistd::{getegid, geteuid};
use zeph_diagnostics::{Diagnostic, Diagnostics, Node, Source, quote};

use crate::code;
use crate::format::{Format, MAX_PLAN_BYTES};

/// The most files that a plan names, with those of the plans in it.
const MAX_FILES: usize = 1_000;

/// How deep plans may be nested, the outermost one not counted.
const MAX_DEPTH: usize = 8;

/// The files that a plan may name: those in its folder and below, and others by their paths.
#[derive(Clone, Debug)]
pub(crate) struct Files {
    pub(crate) folder: PathBuf,
    /// The plans around this one, the outermost one first, and this one last, if they are files.
    chain: Vec<PathBuf>,
    /// The folder of the outermost plan.
    root: PathBuf,
    /// The owner of the outermost plan, which a person named.
    owner: Option<u32>,
    /// How many files were read for the outermost plan.
    count: Rc<Cell<usize>>,
    /// Those files with the hashes of their bytes.
    hashes: Rc<RefCell<BTreeMap<String, String>>>,
}

/// A file that was read.
pub(crate) struct NamedFile {
    pub(crate) source: Source,
    pub(crate) format: Format,
    /// For the files that it names itself.
    pub(crate) files: Files,
    /// Whether it is in the folder of the outermost plan or below.
    is_inside: bool,
}

impl NamedFile {
    /// Adds the problems of the file. Those of a file outside of the plan's folder are only counted: a plan that
    /// names any file that its reader may read must not print parts of it.
    pub(crate) fn report(&self, own: Diagnostics, node: &Node, problems: &mut Diagnostics) {
        if self.is_inside || own.is_empty() {
            problems.append(own);
            return;
        }
        let message = format!(
            "the file has {} problems, which are not shown because it is outside of the plan's folder",
            own.len()
        );
        let one = Diagnostic::new(code::BAD_PLAN_FILE, message).at(node.span);
        problems.push(one.help("`zeph validate FILE` shows them, if it is a plan"));
    }
}

impl Files {
    /// For a plan of that name, with the folder that it is in.
    pub(crate) fn new(folder: &Path, name: &str) -> Self {
        let file = Path::new(name).file_name().map(|file| folder.join(file));
        let file = file.filter(|file| file.is_file());
        let owner = file
            .as_ref()
            .and_then(|file| Some(file.metadata().ok()?.uid()));
        Self {
            root: folder.canonicalize().unwrap_or_else(|_| folder.to_owned()),
            folder: folder.to_owned(),
            chain: file
                .iter()
                .filter_map(|file| file.canonicalize().ok())
                .collect(),
            owner,
            count: Rc::default(),
            hashes: Rc::default(),
        }
    }

    /// The absolute paths of the files that were read, with the hashes of their bytes.
    pub(crate) fn hashes(&self) -> BTreeMap<String, String> {
        self.hashes.borrow().clone()
    }

    /// Reads the file that a text of the plan names, relative to the folder of the plan.
    pub(crate) fn read(
        files: Option<&Self>,
        node: &Node,
        what: &str,
        problems: &mut Diagnostics,
    ) -> Option<NamedFile> {
        let name = node.string(what, problems)?;
        let bad = |message: String, help: &str| {
            let one = Diagnostic::new(code::BAD_PLAN_FILE, message).at(node.span);
            if help.is_empty() {
                one
            } else {
                one.help(help.to_owned())
            }
        };
        if name.is_empty() || name.contains("${{") {
            let message = format!("{what} must be the path of a file, without expressions");
            problems.push(Diagnostic::new(code::BAD_VALUE, message).at(node.span));
            return None;
        }
        let Some(files) = files else {
            let message = format!("{what} names a file, and this plan has no folder");
            problems.push(bad(message, "write the plan to a file, and run that"));
            return None;
        };
        match files.open(name) {
            Ok(file) => Some(file),
            Err(Refused { why, help }) => {
                problems.push(bad(format!("{} {why}", quote(name)), help));
                None
            }
        }
    }

    fn open(&self, name: &str) -> Result<NamedFile, Refused> {
        self.count.set(self.count.get() + 1);
        if self.count.get() > MAX_FILES {
            return Err(Refused {
                why: format!("is one file too many: a plan names at most {MAX_FILES}"),
                help: "write several tasks into one plan",
            });
        }
        let path = self.folder.join(name);
        let unreadable = |error: io::Error| Refused {
            why: format!("cannot be read: {error}"),
            help: "a path is relative to the folder of the file that names it",
        };
        let canonical = path.canonicalize().map_err(unreadable)?;
        let mut chain = self.chain.clone();
        chain.push(canonical.clone());
        if self.chain.contains(&canonical) {
            let names = chain
                .iter()
                .map(|path| path.file_name().unwrap_or_default());
            let names: Vec<_> = names.map(|name| name.to_string_lossy()).collect();
            return Err(Refused {
                why: format!("is a plan around this one: {}", names.join(" → ")),
                help: "a plan cannot contain itself; remove one of these",
            });
        }
        if self.chain.len() > MAX_DEPTH {
            return Err(Refused {
                why: format!("is nested more than {MAX_DEPTH} deep"),
                help: "let one plan name several others instead",
            });
        }
        let folder = canonical.parent().unwrap_or(&self.folder).to_owned();
        let file = open_file(&canonical).map_err(unreadable)?;
        if let Some(why) = others_write(&file, &folder, self.owner).map_err(unreadable)? {
            return Err(Refused {
                why: format!("is refused: {why}"),
                help: "a plan cannot bring in a file of another user; copy it to a folder of your own",
            });
        }
        let mut text = String::new();
        let limit = MAX_PLAN_BYTES as u64 + 1;
        file.take(limit)
            .read_to_string(&mut text)
            .map_err(unreadable)?;
        let hash = blake3::hash(text.as_bytes()).to_hex().to_string();
        let name_of = canonical.display().to_string();
        self.hashes.borrow_mut().insert(name_of, hash);
        // The places in its problems are those of the file, whatever its line breaks are.
        let text = text.replace("\r\n", "\n");
        let shown = path
            .strip_prefix(".")
            .unwrap_or(&path)
            .display()
            .to_string();
        Ok(NamedFile {
            source: Source::new(&shown, &text),
            format: Format::of_name(name),
            is_inside: canonical.starts_with(&self.root),
            files: Self {
                root: self.root.clone(),
                folder,
                chain,
                owner: self.owner,
                count: Rc::clone(&self.count),
                hashes: Rc::clone(&self.hashes),
            },
        })
    }
}

struct Refused {
    why: String,
    help: &'static str,
}

/// Opens a regular file. Opening a pipe would wait for a writer.
fn open_file(path: &Path) -> io::Result<File> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    File::open(path)
}

/// Why another user could have written the file; `None` if only this user, root and `owner` can.
///
/// `folder` is the folder that the file is in: who may write to it may replace the file. The group of this
/// process may write to both, because the group of a user's own files is often that user's alone.
///
/// # Errors
/// If the permissions cannot be read.
pub fn others_write(file: &File, folder: &Path, owner: Option<u32>) -> io::Result<Option<String>> {
    let is_ours = |uid: u32| uid == geteuid().as_raw() || uid == 0 || Some(uid) == owner;
    let writable =
        |mode: u32, gid: u32| mode & 0o002 != 0 || (mode & 0o020 != 0 && gid != getegid().as_raw());
    let about = file.metadata()?;
    if !is_ours(about.uid()) {
        return Ok(Some(format!("it belongs to the user {}", about.uid())));
    }
    if writable(about.mode(), about.gid()) {
        return Ok(Some("other users can write to it".to_owned()));
    }
    let about = fs::metadata(folder)?;
    // In a folder with the sticky bit, others cannot replace files.
    let is_sticky = about.mode() & 0o1000 != 0;
    if !is_ours(about.uid()) || (writable(about.mode(), about.gid()) && !is_sticky) {
        return Ok(Some("other users can write to its folder".to_owned()));
    }
    Ok(None)
}
