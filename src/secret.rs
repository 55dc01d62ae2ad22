//! A value that must not be shown: no `Debug`, no `Display`, no `Serialize`; zeroized on drop.

use zeroize::Zeroize;

/// Holds a secret. The files that may call [`Secret::expose`] are a list in `tests/architecture/`.
pub struct Secret<T: Zeroize>(T);

impl<T: Zeroize> Secret<T> {
    /// Wraps `value`; it is wiped when the last clone is dropped.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself. Pass it on at once; keep no copy of it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T: Zeroize> Drop for Secret<T> {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl<T: Zeroize + Clone> Clone for Secret<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Equality takes the same time wherever the first difference is.
impl PartialEq for Secret<String> {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(self.0.as_bytes(), other.0.as_bytes())
            .is_ok()
    }
}

impl Eq for Secret<String> {}

/// Equality takes the same time wherever the first difference is.
impl<const N: usize> PartialEq for Secret<[u8; N]> {
    fn eq(&self, other: &Self) -> bool {
        aws_lc_rs::constant_time::verify_slices_are_equal(&self.0, &other.0).is_ok()
    }
}

impl<const N: usize> Eq for Secret<[u8; N]> {}
