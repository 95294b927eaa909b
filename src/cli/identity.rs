//! `visavis id`: the ID and the link of this profile. `visavis identity`: its key as a backup file, and back.

use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use clap::Subcommand;
use zeroize::Zeroizing;

use crate::identity::{
    ContactLink, Identity, Installed, MAX_BACKUP, make_backup, open_backup, private_file::make_private,
};
use crate::media::{open_regular_file, write_new_file};
use crate::store::Store;

use super::options::CommonOptions;

/// Bytes of a passphrase file that are read.
const MAX_PASSPHRASE_FILE: u64 = 4096;

/// Work on the identity's key.
#[derive(Debug, Subcommand)]
pub enum IdentityAction {
    /// Write this profile's identity to a new file, encrypted with a passphrase
    Export {
        /// The file, which must not exist
        file: PathBuf,
        /// Read the passphrase from the first line of this file instead of the terminal
        #[arg(long, value_name = "PATH")]
        passphrase_file: Option<PathBuf>,
    },
    /// Make the identity of a backup file this profile's
    Import {
        /// A file that `export` made
        file: PathBuf,
        /// Read the passphrase from the first line of this file instead of the terminal
        #[arg(long, value_name = "PATH")]
        passphrase_file: Option<PathBuf>,
        /// Replace the profile's identity; it is kept under another name beside the new one
        #[arg(long)]
        replace: bool,
    },
}

/// Prints the ID and the link to give to others; makes the key if this is the profile's first start.
pub fn run(common: &CommonOptions) -> anyhow::Result<()> {
    let options = common.open()?;
    let settings = Store::open(options.profile.dir())?.settings()?;
    let identity = Identity::load_or_create(options.profile.dir())?;
    let link = ContactLink::new(identity.id(), &options.own_name(&settings));
    Ok(super::output::line(&format!("{}\n{link}", identity.id()))?)
}

/// Makes a backup of the identity, or brings one back.
///
/// # Errors
///
/// One sentence for a person.
pub fn carry_out(action: &IdentityAction, common: &CommonOptions) -> anyhow::Result<()> {
    // No other Visavis may have the profile: it would go on with the key that it has read.
    let options = common.open()?;
    let profile = options.profile.dir();
    match action {
        IdentityAction::Export { file, passphrase_file } => export(profile, file, passphrase_file.as_deref()),
        IdentityAction::Import { file, passphrase_file, replace } => {
            import(profile, file, passphrase_file.as_deref(), *replace)
        }
    }
}

fn export(profile: &Path, file: &Path, passphrase_file: Option<&Path>) -> anyhow::Result<()> {
    let identity = Identity::load_existing(profile)?
        .ok_or_else(|| anyhow::anyhow!("This profile has no identity yet. Start Visavis once, or check --profile."))?;
    let passphrase = match passphrase_file {
        Some(path) => passphrase_in(path)?,
        None => new_passphrase()?,
    };
    let text = make_backup(&identity, &passphrase)?;
    write_new_file(file, |output| {
        make_private(output.get_ref())?;
        output.write_all(text.as_bytes())
    })
    .map_err(|error| match error.kind() {
        io::ErrorKind::AlreadyExists => anyhow::anyhow!("{} exists already. Choose another name.", file.display()),
        _ => anyhow::anyhow!("The backup could not be written to {}: {error}. Choose another place.", file.display()),
    })?;
    let id = identity.id();
    Ok(super::output::line(&format!("The identity {id} is in {}. Keep the passphrase elsewhere.", file.display()))?)
}

fn import(profile: &Path, file: &Path, passphrase_file: Option<&Path>, replace: bool) -> anyhow::Result<()> {
    // Before a passphrase is asked for in vain.
    let refused = "This profile has an identity already. Give --replace to put the imported one in its place; the present \
                   one is kept beside it.";
    anyhow::ensure!(replace || !Identity::exists(profile), refused);
    let text = read_bounded(file, MAX_BACKUP)
        .map_err(|error| anyhow::anyhow!("The backup {} cannot be read: {error}.", file.display()))?;
    let passphrase = match passphrase_file {
        Some(path) => passphrase_in(path)?,
        None => ask("Passphrase of the backup: ")?,
    };
    let identity = open_backup(&text, &passphrase)?;
    let id = identity.id();
    let done = match identity.install(profile, replace)? {
        Installed::New => format!("This profile has the identity {id} now."),
        Installed::Replaced { kept } => {
            format!("This profile has the identity {id} now. The earlier one is kept in {}.", kept.display())
        }
        Installed::Refused => anyhow::bail!("{refused}"),
    };
    Ok(super::output::line(&done)?)
}

/// The first line of a file.
fn passphrase_in(path: &Path) -> anyhow::Result<Zeroizing<String>> {
    let failed =
        |why: &dyn std::fmt::Display| anyhow::anyhow!("The passphrase file {} cannot be used: {why}.", path.display());
    let bytes = read_bounded(path, MAX_PASSPHRASE_FILE).map_err(|error| failed(&error))?;
    let text = std::str::from_utf8(&bytes).map_err(|_| failed(&"it is no UTF-8 text"))?;
    let line = text.strip_prefix('\u{feff}').unwrap_or(text).lines().next().unwrap_or_default();
    anyhow::ensure!(!line.is_empty(), failed(&"its first line is empty"));
    Ok(Zeroizing::new(line.to_owned()))
}

/// All of a regular file of at most `most` bytes.
fn read_bounded(path: &Path, most: u64) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut bytes = Zeroizing::new(Vec::with_capacity(most as usize + 1));
    open_regular_file(path)
        .map_err(|error| match error.kind() {
            io::ErrorKind::NotSeekable => io::Error::other("it is no file but a pipe or a device"),
            _ => error,
        })?
        .take(most + 1)
        .read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most {
        return Err(io::Error::other(format!("it has more than {most} bytes, too many for what it should be")));
    }
    Ok(bytes)
}

/// Asks on the terminal, without echo.
fn ask(prompt: &str) -> anyhow::Result<Zeroizing<String>> {
    rpassword::prompt_password(prompt).map(Zeroizing::new).map_err(|error| {
        tracing::debug!("no terminal: {error}");
        anyhow::anyhow!("There is no terminal to ask for the passphrase on. Give it with --passphrase-file.")
    })
}

/// Asks for a passphrase twice, because a mistyped one would make the backup useless.
fn new_passphrase() -> anyhow::Result<Zeroizing<String>> {
    let first = ask("New passphrase for the backup: ")?;
    let second = ask("The same again: ")?;
    anyhow::ensure!(first == second, "The two passphrases differ, so no backup was made. Try again.");
    Ok(first)
}
