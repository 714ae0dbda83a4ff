//! Every primitive, one file each, and the list of them.

pub mod sh;

use crate::primitive::Primitive;

/// All primitives there are. Binding, checking and the reference pages start from this list.
pub fn all() -> Vec<&'static dyn Primitive> {
    vec![&sh::Sh]
}
