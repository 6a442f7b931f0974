//! `mqtt-lab check` finds what `mqtt-lab run` refuses: a table of wrong files and environments, told by both with the same
//! words.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Long enough for a busy machine; a program that does not end by then does not refuse its file.
const PATIENCE: Duration = Duration::from_secs(60);
/// Programs at a time.
const AT_ONCE: usize = 6;

#[derive(Deserialize)]
struct Table {
    case: Vec<Case>,
}

/// One wrong file, with what stands beside it and in the environment.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    file: String,
    /// `latin-1` or `utf-16`; UTF-8 if it is left out.
    #[serde(default)]
    encoding: String,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default)]
    files: BTreeMap<String, String>,
    /// Files in Latin-1.
    #[serde(default)]
    latin: BTreeMap<String, String>,
    /// Whether other users of the computer may read the file.
    #[serde(default)]
    shared: bool,
    /// Errors, or else warnings: each the message, and the hint or nothing.
    #[serde(default)]
    errors: Vec<[String; 2]>,
    #[serde(default)]
    warnings: Vec<[String; 2]>,
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn encoded(text: &str, encoding: &str) -> Vec<u8> {
    match encoding {
        "latin-1" => text.chars().map(|c| u8::try_from(u32::from(c)).expect("Latin-1")).collect(),
        "utf-16" => [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect(),
        _ => text.as_bytes().to_vec(),
    }
}

impl Case {
    fn write(&self, folder: &Path) {
        let write = |name: &str, bytes: Vec<u8>| {
            let path = folder.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("writable");
            std::fs::write(&path, bytes).expect("writable");
            path
        };
        let lab = write("lab.toml", encoded(&self.file, &self.encoding));
        self.files.iter().for_each(|(name, text)| drop(write(name, encoded(text, ""))));
        self.latin.iter().for_each(|(name, text)| drop(write(name, encoded(text, "latin-1"))));
        permit(&lab, if self.shared { 0o644 } else { 0o600 });
    }

    fn command(&self, arguments: &[&str], folder: &Path) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_mqtt-lab"));
        command.args(arguments).current_dir(folder).env_remove("RUST_LOG").envs(&self.env);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// What does not hold, or nothing.
    fn judge(&self) -> Result<(), String> {
        let folder = tempfile::tempdir().expect("a folder");
        self.write(folder.path());
        let check = self.command(&["check", "lab.toml"], folder.path()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        let expected = if self.errors.is_empty() { 0 } else { 78 };
        if check.status.code() != Some(expected) {
            return Err(format!("`check` ended with {}:\n{said}", check.status));
        }
        let told = |kind: &str, said: &str| blocks(kind, said);
        let same = |what: &str, told: &[[String; 2]], expected: &[[String; 2]]| match told == expected {
            true => Ok(()),
            false => Err(format!("{what} tells\n{told:#?}\ninstead of\n{expected:#?}")),
        };
        same("`check`", &told("error: ", &said), &self.errors)?;
        same("`check` (warnings)", &told("warning: ", &said), &self.warnings)?;

        let set = format!("{}{:?}", self.file, self.env);
        let mut arguments = vec!["run", "lab.toml"];
        // A case about addresses must not have others.
        if !set.to_lowercase().contains("bind") && !set.contains("websocket") {
            arguments.extend(["--web", "127.0.0.1:0", "--broker", "127.0.0.1:0"]);
        }
        let child = self.command(&arguments, folder.path()).spawn().expect("the program starts");
        let (code, said) = self.until_it_ends_or_runs(Running(child));
        if self.errors.is_empty() {
            let missing = self.warnings.iter().flatten().find(|part| !said.contains(part.as_str()));
            return match missing {
                Some(missing) => Err(format!("`run` does not warn of {missing}:\n{said}")),
                None => Ok(()),
            };
        }
        if code != Some(78) {
            return Err(format!("`run` ended with {code:?} (none: it runs):\n{said}"));
        }
        same("`run`", &told("error: ", &said), &self.errors)
    }

    /// The exit code, if it ends before it runs, and what it said.
    fn until_it_ends_or_runs(&self, mut program: Running) -> (Option<i32>, String) {
        let mut outputs = Vec::new();
        let pipes: [Option<Box<dyn std::io::Read + Send>>; 2] = [
            program.0.stdout.take().map(|pipe| Box::new(pipe) as _),
            program.0.stderr.take().map(|pipe| Box::new(pipe) as _),
        ];
        let said = std::sync::Arc::new(std::sync::Mutex::new(String::new()));
        for mut pipe in pipes.into_iter().flatten() {
            let said = std::sync::Arc::clone(&said);
            outputs.push(std::thread::spawn(move || {
                let mut bytes = [0; 4096];
                while let Ok(count @ 1..) = pipe.read(&mut bytes) {
                    said.lock().expect("no panic").push_str(&String::from_utf8_lossy(&bytes[..count]));
                }
            }));
        }
        let begin = Instant::now();
        let code = loop {
            if let Some(status) = program.0.try_wait().expect("our child") {
                break status.code();
            }
            let text = said.lock().expect("no panic").clone();
            let all_warned = self.warnings.iter().flatten().all(|part| text.contains(part.as_str()));
            let runs = text.contains("Ctrl-C stops");
            if begin.elapsed() > PATIENCE || runs && (all_warned || !self.errors.is_empty()) {
                break None;
            }
            std::thread::park_timeout(Duration::from_millis(10));
        };
        drop(program);
        outputs.into_iter().for_each(|output| output.join().expect("no panic"));
        let said = said.lock().expect("no panic").clone();
        (code, said)
    }
}

/// Ended with the test, whatever happens.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The messages of a kind, each with its hint.
fn blocks(kind: &str, said: &str) -> Vec<[String; 2]> {
    let mut blocks: Vec<[String; 2]> = Vec::new();
    let mut open = false;
    for line in said.lines() {
        if let Some(message) = line.strip_prefix(kind) {
            blocks.push([message.to_owned(), String::new()]);
            open = true;
        } else if let (Some(hint), true, Some(last)) =
            (line.strip_prefix("  hint: "), open, blocks.last_mut())
        {
            last[1] = hint.to_owned();
        } else {
            open = false;
        }
    }
    blocks
}

#[cfg(unix)]
fn permit(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt as _;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("our file");
}

#[cfg(not(unix))]
fn permit(_: &Path, _: u32) {}

/// Does the work for each of `count` numbers, some at a time; what went wrong.
fn for_each(count: usize, work: impl Fn(usize) -> Result<(), String> + Sync) -> Vec<String> {
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut wrong = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            if at >= count {
                return wrong;
            }
            wrong.extend(work(at).err());
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    })
}

/// Some of the words are the system's.
#[cfg(target_os = "linux")]
#[test]
fn what_run_refuses_is_what_check_finds() {
    let text = std::fs::read_to_string(root().join("tests/check_and_run/cases.toml")).expect("the table");
    let Table { case: cases } = toml::from_str(&text).expect("a table of cases");
    assert!(cases.len() >= 80, "{} cases", cases.len());
    let wrong = for_each(cases.len(), |at| {
        let case = &cases[at];
        assert!(!case.errors.is_empty() || !case.warnings.is_empty(), "nothing is expected of {}", case.file);
        case.judge().map_err(|wrong| format!("case {at}: {:?} {:?}\n{wrong}", case.file, case.env))
    });
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n\n"));
}

/// The blocks of TOML that a page shows as whole files: those with a table of their own.
fn shown_files(page: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(page).expect("a page");
    let blocks = text.split("```toml\n").skip(1).filter_map(|rest| rest.split("```").next());
    blocks.filter(|block| block.contains('[')).map(str::to_owned).collect()
}

/// What the lab makes is for its user alone.
#[cfg(unix)]
#[test]
fn what_run_makes_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().expect("a folder");
    let toml = "[store]\nurl = \"sqlite:data/lab.sqlite\"\n[spool]\nfolder = \"spool\"\n[broker]\nstorage = \"broker/state\"\n\
                [[sensor]]\nkind = \"temperature\"\ninterval_s = 0.1\nqos = 2\n";
    let case = Case { file: toml.into(), ..Case::default() };
    case.write(folder.path());
    let arguments = ["run", "lab.toml", "--web", "127.0.0.1:0", "--broker", "127.0.0.1:0"];
    let child = case.command(&arguments, folder.path()).spawn().expect("the program starts");
    let (code, said) = case.until_it_ends_or_runs(Running(child));
    assert_eq!(code, None, "{said}");
    let mut seen = 0;
    let mut folders: Vec<PathBuf> = ["data", "spool", "broker"].map(|name| folder.path().join(name)).into();
    while let Some(path) = folders.pop() {
        let mode = path.metadata().expect("made").permissions().mode() & 0o777;
        let allowed = if path.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(mode & !allowed, 0, "{} has mode {mode:o}", path.display());
        seen += 1;
        if path.is_dir() {
            let inside =
                std::fs::read_dir(&path).expect("a folder").map(|entry| entry.expect("readable").path());
            folders.extend(inside);
        }
    }
    assert!(seen > 8, "{seen} files and folders");
}

#[test]
fn no_valid_file_of_the_product_is_refused() {
    let mut files: Vec<(String, String)> = Vec::new();
    for entry in std::fs::read_dir(root().join("config")).expect("the setups") {
        let path = entry.expect("readable").path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push((path.display().to_string(), std::fs::read_to_string(&path).expect("text")));
        }
    }
    for page in ["README.md", "README.de.md", "docs/configuration.md", "docs/configuration.de.md"] {
        let shown = shown_files(&root().join(page));
        assert!(!shown.is_empty(), "{page} shows no file");
        files.extend(shown.into_iter().map(|text| (page.to_owned(), text)));
    }
    let free_ports = "[web]\nbind = \"127.0.0.1:0\"\n[broker]\nbind = \"127.0.0.1:0\"\n[[sensor]]\nkind = \"temperature\"\n";
    files.push(("ports that the system chooses".to_owned(), free_ports.to_owned()));
    for arguments in [["sensor", "a", "--lang", "python"], ["actuator", "b", "--lang", "python"]] {
        let folder = tempfile::tempdir().expect("a folder");
        let run = |arguments: &[&str]| {
            let command = Case::default().command(arguments, folder.path()).output();
            command.expect("the program starts")
        };
        assert!(run(&[&["new"], &arguments[..]].concat()).status.success());
        let checked = run(&["check", &format!("{}/lab.toml", arguments[1])]);
        assert!(checked.status.success(), "{}", String::from_utf8_lossy(&checked.stderr));
    }
    let wrong = for_each(files.len(), |at| {
        let (name, text) = &files[at];
        let beside = ["base.toml", "room.toml"].map(|name| (name.to_owned(), String::new()));
        let case = Case { file: text.clone(), files: beside.into(), ..Case::default() };
        let folder = tempfile::tempdir().expect("a folder");
        case.write(folder.path());
        let output =
            case.command(&["check", "lab.toml"], folder.path()).output().expect("the program starts");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        if output.status.success() && said.is_empty() {
            return Ok(());
        }
        Err(format!("{name}:\n{text}\n{said}"))
    });
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
