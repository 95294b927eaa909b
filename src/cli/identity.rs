//! `visavis id`: the ID and the link of this profile.

use crate::identity::{ContactLink, Identity};
use crate::store::Store;

use super::options::CommonOptions;

/// Prints the ID and the link to give to others; makes the key if this is the profile's first start.
pub fn run(common: &CommonOptions) -> anyhow::Result<()> {
    let options = common.open()?;
    let settings = Store::open(options.profile.dir())?.settings()?;
    let identity = Identity::load_or_create(options.profile.dir())?;
    let link = ContactLink::new(identity.id(), &options.own_name(&settings));
    Ok(super::output::line(&format!("{}\n{link}", identity.id()))?)
}
