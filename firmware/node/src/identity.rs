//! The client id of a node: `<root>_<group>_<device>_<word>`, as all clients of a lab have it.

use crate::{Settings, SetupError};
use core::fmt::Write as _;

/// Longest client id, in bytes: the client library's limit.
pub(crate) type ClientId = heapless::String<64>;

/// The client id; a `/` in the root becomes `.`. Two boards with the same names have different ones, so that the
/// broker does not disconnect them in turn.
pub(crate) fn client_id(settings: &Settings<'_>) -> Result<ClientId, SetupError> {
    let Settings { root, group, device, .. } = settings;
    let mut id = ClientId::new();
    for letter in root.chars() {
        id.push(if letter == '/' { '.' } else { letter }).map_err(|_| SetupError::TooLong)?;
    }
    write!(id, "_{group}_{device}_").map_err(|_| SetupError::TooLong)?;
    for letter in word(settings.unique.unwrap_or(settings.random)) {
        id.push(letter).map_err(|_| SetupError::TooLong)?;
    }
    Ok(id)
}

/// Eight letters and digits made of a number, of which any two bits may be all that differs.
fn word(number: u64) -> impl Iterator<Item = char> {
    const DIGITS: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";
    // The last steps of splitmix64 (Steele and others, OOPSLA 2014) spread it over all bits.
    let mixed = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    let mixed = mixed ^ mixed >> 31;
    (0..8).map(move |at| char::from(DIGITS[(mixed >> (5 * at) & 31) as usize]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(root: &'static str, unique: Option<u64>, random: u64) -> ClientId {
        let mut settings = Settings::new("probe", "test", random);
        (settings.root, settings.unique) = (root, unique);
        client_id(&settings).expect("it fits")
    }

    #[test]
    fn a_board_keeps_its_id_and_another_board_has_another_one() {
        let mac = 0x5254_0012_3456;
        let own = id("lab", Some(mac), 1);
        assert!(own.starts_with("lab_demo_probe_"), "{own}");
        assert_eq!(own.len(), "lab_demo_probe_".len() + 8);
        assert_eq!(id("lab", Some(mac), 2), own, "after a reboot");
        assert_ne!(id("lab", Some(mac + 1), 1), own);
        assert_ne!(id("lab", None, 1), id("lab", None, 2));
    }

    #[test]
    fn a_root_may_have_several_levels() {
        assert!(id("school/lab", Some(1), 1).starts_with("school.lab_demo_probe_"));
        let mut settings = Settings::new("probe", "test", 1);
        settings.group = "a-group-of-which-the-name-is-so-long-that-no-board-can-be-in-it";
        assert_eq!(client_id(&settings), Err(SetupError::TooLong));
    }
}
