//! Every primitive, one file each, and the list of them.

use crate::primitive::Primitive;

/// All primitives there are. Binding, checking and the reference pages start from this list.
pub fn all() -> Vec<&'static dyn Primitive> {
    Vec::new()
}
