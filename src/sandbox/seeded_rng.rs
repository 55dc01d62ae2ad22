//! Numbers, uids and hashes that look random and are the same for the same seed.

/// A stream of numbers.
pub(super) struct SeededRng(u64);

impl SeededRng {
    pub(super) const fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A Weyl sequence put through the finalizer of `MurmurHash3` in the variant known as `SplitMix64`.
    pub(super) const fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// From 0 to `sides` - 1.
    pub(super) fn below(&mut self, sides: u32) -> u32 {
        u32::try_from(self.next_u64() % u64::from(sides.max(1))).unwrap_or_default()
    }

    pub(super) fn uuid(&mut self) -> String {
        uuid(self.next_u64())
    }
}

/// Every bit of the result depends on every bit of `number`.
pub(super) const fn mix(number: u64) -> u64 {
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}

/// A number for a text, different for each seed.
pub(super) fn hash(seed: u64, text: &str) -> u64 {
    text.bytes().fold(mix(seed ^ 0x51ed_270b), |hash, byte| {
        mix(hash ^ u64::from(byte))
    })
}

/// The form of a version 4 UUID.
pub(super) fn uuid(number: u64) -> String {
    let (high, low) = (mix(number), mix(number ^ 0x2545_f491_4f6c_dd1d));
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xfff,
        0x8000 | ((low >> 48) & 0x3fff),
        low & 0xffff_ffff_ffff,
    )
}
