//! This computer's addresses, ranked by use: which of them lead to other people, for media and for announcements alike.
//! Asked for anew each time, since networks come and go. Sends nothing.

mod address;
mod interface;
mod rank;

pub use address::{LocalAddress, Path, PathFinder, Standing, is_own, is_scoped, scoped, source_for};
pub use rank::ranked;

/// The addresses that this computer has now, those that lead to other people first. Empty where they cannot be listed.
pub fn local_addresses() -> Vec<LocalAddress> {
    ranked(interface::list())
}
