//! Which commands were already applied.

/// Ids remembered: as many as a broker may send once more after a cut.
const REMEMBERED: usize = 64;

/// The ids of the last commands, as 64-bit hashes: FNV-1a, whose chance of taking one for another is below
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

    pub(crate) fn knows(&self, id: &str) -> bool {
        self.hashes.contains(&hash(id))
    }

    pub(crate) fn remember(&mut self, id: &str) {
        self.hashes[self.next] = hash(id);
        self.next = (self.next + 1) % REMEMBERED;
    }
}

/// FNV-1a (draft-eastlake-fnv, 64 bits); never 0, which means an empty place.
fn hash(id: &str) -> u64 {
    let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
    for byte in id.bytes() {
        hash = (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    }
    hash.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;

    #[test]
    fn the_hash_is_fnv_1a() {
        // Test vectors of the draft.
        assert_eq!(hash(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(hash("foobar"), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn the_oldest_of_65_ids_is_forgotten() {
        let mut told = Told::new();
        assert!(!told.knows("c0"));
        for i in 0..=REMEMBERED {
            told.remember(&format!("c{i}"));
        }
        assert!(!told.knows("c0") && told.knows("c1") && told.knows("c64"));
    }
}
