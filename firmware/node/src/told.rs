//! Which commands were already applied.

/// Ids remembered: as many as a broker may send once more after a cut.
const REMEMBERED: usize = 64;

/// The ids of the last commands, with their channels, as 64-bit hashes: FNV-1a, whose chance of taking one for another is below
/// one in 10^17 per pair.
#[derive(Debug)]
pub(crate) struct Told {
    hashes: [u64; REMEMBERED],
    next: usize,
}

impl Told {
    pub(crate) const fn new() -> Self {
        Self { hashes: [0; REMEMBERED], next: 0 }
    }

    pub(crate) fn knows(&self, channel: u8, id: &str) -> bool {
        self.hashes.contains(&hash(channel, id))
    }

    pub(crate) fn remember(&mut self, channel: u8, id: &str) {
        self.hashes[self.next] = hash(channel, id);
        self.next = (self.next + 1) % REMEMBERED;
    }
}

/// The hash of a channel's number and an id; never 0, which means an empty place.
fn hash(channel: u8, id: &str) -> u64 {
    fnv(core::iter::once(channel).chain(id.bytes())).max(1)
}

/// FNV-1a (draft-eastlake-fnv, 64 bits).
fn fnv(bytes: impl Iterator<Item = u8>) -> u64 {
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of the draft.
        assert_eq!(fnv("".bytes()), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv("foobar".bytes()), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_oldest_of_65_ids_is_forgotten() {
        let mut told = Told::new();
        assert!(!told.knows(0, "c0"));
        for i in 0..=REMEMBERED {
            told.remember(0, &format!("c{i}"));
        }
        assert!(!told.knows(0, "c0") && told.knows(0, "c1") && told.knows(0, "c64"));
    }

    #[test]
    fn the_same_id_on_another_channel_is_another_command() {
        let mut told = Told::new();
        told.remember(0, "c1");
        assert!(told.knows(0, "c1") && !told.knows(1, "c1") && !told.knows(0, "c"));
    }
}
