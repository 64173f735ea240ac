//! Two hashes that are cheaper than the standard one, each for keys that need no more.

use std::hash::{BuildHasher, BuildHasherDefault, Hasher, RandomState};

/// For keys that whoever writes `http.yaml` has chosen, as the paths of routes are. The standard hash, `SipHash`, is there
/// for keys that an enemy chooses so that they collide; nobody is an enemy of their own configuration.
pub(crate) type Fnv = BuildHasherDefault<FnvHasher>;

/// FNV-1a, 64 bits.
pub(crate) struct FnvHasher(u64);

impl Default for FnvHasher {
    fn default() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }
}

impl Hasher for FnvHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3);
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// For one number that a stranger may choose, where a table has an end: a multiplication with a secret of this process.
/// `SipHash` would cost three times as much, and keep the numbers apart from one who sees the hashes. Nobody does, and
/// one who finds collisions all the same makes a table slower that has a few thousand entries at most.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seeded {
    mask: u64,
    factor: u64,
}

impl Default for Seeded {
    fn default() -> Self {
        let secret = RandomState::new();
        // An odd factor loses nothing.
        Self { mask: secret.hash_one(0), factor: secret.hash_one(1) | 1 }
    }
}

impl BuildHasher for Seeded {
    type Hasher = SeededHasher;

    #[inline]
    fn build_hasher(&self) -> SeededHasher {
        SeededHasher { seed: *self, hash: 0 }
    }
}

/// The hash of one number.
pub(crate) struct SeededHasher {
    seed: Seeded,
    hash: u64,
}

impl Hasher for SeededHasher {
    #[inline]
    fn write_u64(&mut self, number: u64) {
        // Twice: neighbours, which networks are, differ in the low bits only, and one round moves those too little.
        let once = folded(number ^ self.seed.mask ^ self.hash, self.seed.factor);
        self.hash = folded(once, self.seed.factor.rotate_left(32) | 1);
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64(u64::from(*byte));
        }
    }

    fn finish(&self) -> u64 {
        self.hash
    }
}

/// The product, whose halves are laid over each other: so each bit reaches the low ones, by which a table is indexed.
#[inline]
#[expect(clippy::cast_possible_truncation, reason = "the lower half is what is meant")]
fn folded(number: u64, factor: u64) -> u64 {
    let product = u128::from(number) * u128::from(factor);
    (product as u64) ^ (product >> 64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn fnv_is_the_one_of_the_books() {
        let mut hasher = FnvHasher::default();
        hasher.write(b"foobar");
        assert_eq!(hasher.finish(), 0x8594_4171_f739_67e8);
    }

    #[test]
    fn neighbours_are_far_apart_and_no_two_processes_agree() {
        let hash = |seed: Seeded, number: u64| seed.hash_one(number);
        let seed = Seeded::default();
        // As many buckets as a table has, each by the bits that a table takes: what is usual for random numbers.
        for shift in [0, 32] {
            let low: HashSet<u64> = (0..4096).map(|number| hash(seed, number << shift) & 4095).collect();
            let high: HashSet<u64> = (0..4096).map(|number| hash(seed, number << shift) >> 52).collect();
            assert!(low.len() > 2_000 && high.len() > 2_000, "{} and {} of 4096", low.len(), high.len());
        }
        assert_ne!(hash(seed, 1), hash(Seeded::default(), 1));
    }
}
