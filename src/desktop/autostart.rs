//! Start with the desktop session (Desktop Application Autostart Specification 0.5): a desktop entry of this program,
//! in the background, for one profile.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::profile_digest::digest_of;
use crate::ui::{APP_ID, TITLE};

/// The entry of one profile.
#[derive(Debug)]
pub struct Autostart {
    path: PathBuf,
    command: Vec<OsString>,
}

impl Autostart {
    /// The entry of this program and of the profile in this folder, or of the usual one; `None` where the system names
    /// no folder for it, or the program's own path is not known.
    pub fn new(profile: Option<&Path>) -> Option<Self> {
        let folder = directories::BaseDirs::new()?.config_dir().join("autostart");
        // An AppImage runs from a place that is gone after it.
        let program = std::env::var_os("APPIMAGE").map(PathBuf::from).or_else(|| std::env::current_exe().ok())?;
        Some(Self::of(&folder, &program, profile))
    }

    fn of(folder: &Path, program: &Path, profile: Option<&Path>) -> Self {
        let mut command = vec![program.as_os_str().to_owned(), "--background".into()];
        let mut name = APP_ID.to_owned();
        if let Some(profile) = profile {
            command.extend(["--profile".into(), profile.as_os_str().to_owned()]);
            name = format!("{name}-{}", digest_of(profile));
        }
        Self { path: folder.join(format!("{name}.desktop")), command }
    }

    /// Whether the session starts this program, of this path. Keys that a desktop or the person has added are left
    /// alone.
    pub fn is_on(&self) -> bool {
        let exec = self.entry().and_then(|entry| value_of(&entry, "Exec").map(str::to_owned));
        self.written().is_some_and(|written| exec.is_some() && value_of(&written, "Exec") == exec.as_deref())
    }

    /// Whether there is an entry, of whatever path, which a desktop has not turned off: some do so by a key instead of
    /// removing it.
    pub fn exists(&self) -> bool {
        self.written().is_some()
    }

    /// The entry as it is written, where it is not turned off.
    fn written(&self) -> Option<String> {
        let written = fs::read_to_string(&self.path).ok()?;
        let is_off = value_of(&written, "Hidden") == Some("true")
            || value_of(&written, "X-GNOME-Autostart-enabled") == Some("false");
        (!is_off).then_some(written)
    }

    /// Writes the entry, or removes it.
    pub fn set(&self, on: bool) -> io::Result<()> {
        if !on {
            return match fs::remove_file(&self.path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
                _ => Ok(()),
            };
        }
        let entry = self.entry().ok_or(io::ErrorKind::InvalidFilename)?;
        if let Some(folder) = self.path.parent() {
            fs::create_dir_all(folder)?;
        }
        fs::write(&self.path, entry)
    }

    /// The desktop entry; `None` for a path that no desktop entry can hold.
    fn entry(&self) -> Option<String> {
        let words: Option<Vec<String>> = self.command.iter().map(|word| word.to_str().and_then(quoted)).collect();
        let command = words?.join(" ");
        Some(format!(
            "[Desktop Entry]\nType=Application\nName={TITLE}\nExec={command}\nIcon={APP_ID}\nTerminal=false\n\
             X-GNOME-Autostart-enabled=true\n"
        ))
    }
}

/// Value of a key in the group of a desktop entry (Desktop Entry Specification 1.5, "Basic format of the file").
fn value_of<'a>(entry: &'a str, key: &str) -> Option<&'a str> {
    let group = entry.lines().skip_while(|line| line.trim() != "[Desktop Entry]").skip(1);
    let mut pairs = group.take_while(|line| !line.starts_with('[')).filter_map(|line| line.split_once('='));
    pairs.find(|(name, _)| name.trim() == key).map(|(_, value)| value.trim())
}

/// A word of `Exec` (Desktop Entry Specification 1.5, "The Exec key"): quoted, its reserved characters escaped, and the
/// result escaped once more as any text of an entry; `None` for a line break or another control character.
fn quoted(word: &str) -> Option<String> {
    if word.chars().any(char::is_control) {
        return None;
    }
    let mut quoted = String::from("\"");
    for character in word.chars() {
        match character {
            '"' | '`' | '$' => quoted.extend(["\\\\", character.encode_utf8(&mut [0; 4])]),
            '\\' => quoted.push_str("\\\\\\\\"),
            '%' => quoted.push_str("%%"),
            _ => quoted.push(character),
        }
    }
    quoted.push('"');
    Some(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_written_and_removed_and_a_program_that_moved_is_told_from_this_one() {
        let folder = tempfile::tempdir().unwrap();
        let autostart = folder.path().join("autostart");
        let here = Autostart::of(&autostart, Path::new("/opt/My Apps/visavis"), None);
        assert!(!here.is_on() && !here.exists());
        here.set(false).unwrap();
        here.set(true).unwrap();
        assert!(here.is_on() && here.exists());
        let entry = fs::read_to_string(autostart.join("org.visavis.Visavis.desktop")).unwrap();
        assert!(entry.contains("\nExec=\"/opt/My Apps/visavis\" \"--background\"\n"), "{entry}");
        let moved = Autostart::of(&autostart, Path::new("/usr/bin/visavis"), None);
        assert!(!moved.is_on() && moved.exists());
        let other = Autostart::of(&autostart, Path::new("/usr/bin/visavis"), Some(folder.path()));
        assert!(!other.exists(), "each profile has its own");
        other.set(true).unwrap();
        here.set(false).unwrap();
        assert!(!here.exists() && other.is_on());
    }

    #[test]
    fn an_entry_that_the_desktop_has_turned_off_counts_as_removed_and_its_other_keys_stay() {
        let folder = tempfile::tempdir().unwrap();
        let entry = Autostart::of(folder.path(), Path::new("/usr/bin/visavis"), None);
        let path = folder.path().join("org.visavis.Visavis.desktop");
        entry.set(true).unwrap();
        let written = fs::read_to_string(&path).unwrap();
        for off in [
            written.replace("enabled=true", "enabled=false"),
            format!("{written}Hidden=true\n"),
            format!("{written}Hidden = true\n"),
        ] {
            fs::write(&path, off).unwrap();
            assert!(!entry.is_on() && !entry.exists());
            let moved = Autostart::of(folder.path(), Path::new("/opt/visavis"), None);
            assert!(!moved.is_on() && !moved.exists(), "nor may a program that moved write it anew");
        }
        for on in [
            format!("{written}X-GNOME-Autostart-Delay=10\nHidden=false\n"),
            format!("{written}[Desktop Action New]\nHidden=true\n"),
            format!("[Another]\nHidden=true\n{written}"),
        ] {
            fs::write(&path, on).unwrap();
            assert!(entry.is_on() && entry.exists());
        }
        entry.set(true).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), written, "turned on again by its setting");
    }

    #[test]
    fn reserved_characters_are_escaped_and_control_characters_refused() {
        assert_eq!(quoted("/a b").as_deref(), Some("\"/a b\""));
        assert_eq!(quoted(r#"a"$`\%u"#).as_deref(), Some(r#""a\\"\\$\\`\\\\%%u""#));
        assert_eq!(quoted("a\nExec=rm"), None);
        let evil = Autostart::of(Path::new("/nowhere"), Path::new("/a\nb"), None);
        assert!(evil.set(true).is_err() && !evil.is_on());
    }
}
