/// A set of small numbers: the values of a field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::schedule) struct Values(u64);

impl Values {
    pub(super) fn insert(&mut self, value: u32) {
        self.0 |= 1 << value;
    }

    pub(super) fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// In ascending order.
    pub(in crate::schedule) fn iter(self) -> impl Iterator<Item = u32> {
        (0..u64::BITS).filter(move |value| self.0 >> value & 1 == 1)
    }

    /// Sunday may be written as 0 and as 7; from here on it is 0.
    pub(super) fn fold_sunday(self) -> Self {
        Self(self.0 & 0x7f | self.0 >> 7 & 1)
    }
}

impl FromIterator<u32> for Values {
    fn from_iter<T: IntoIterator<Item = u32>>(values: T) -> Self {
        let mut set = Self::default();
        values.into_iter().for_each(|value| set.insert(value));
        set
    }
}
