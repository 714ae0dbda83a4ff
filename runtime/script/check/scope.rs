//! Which names are visible at a place, and what is known about their values.

use super::tree::{Call, Node};

/// What is known about a value without running anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Guess {
    /// Nothing.
    Unknown,
    /// `()`.
    Nothing,
    Bool,
    Int,
    Float,
    Text,
    List,
    Map,
    /// A closure, with the number of parameters it declares.
    Closure(usize),
    /// A handle of this kind.
    Handle(&'static str),
}

/// How a name came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Variable,
    Constant,
    Parameter,
    /// The variable of a `for` loop.
    Loop,
}

#[derive(Clone, Debug)]
pub(super) struct Binding<'a> {
    pub name: String,
    pub origin: Origin,
    pub guess: Guess,
    /// The expression it was declared with, when nothing is ever assigned to it.
    pub value: Option<&'a Node>,
    /// The call that made the handle it holds, when every caller passes the same one.
    pub maker: Option<&'a Call>,
}

/// What a closure is for, as far as it matters where its variables live.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// Called by whoever it is handed to, before the statement ends.
    Now,
    /// Kept and called after the loop it stands in has moved on.
    Later(&'static str),
    /// Run on another thread with copies of what it captures.
    Branch,
}

/// A region of a script with names of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Region {
    Script,
    Function,
    Closure(Role),
    Block,
}

#[derive(Debug)]
struct Frame<'a> {
    region: Region,
    bindings: Vec<Binding<'a>>,
    modules: Vec<String>,
    /// Reached in some environments only.
    guarded: bool,
}

/// The names visible at the place the walk has reached.
#[derive(Debug, Default)]
pub(super) struct Scope<'a> {
    frames: Vec<Frame<'a>>,
}

impl<'a> Scope<'a> {
    pub fn enter(&mut self, region: Region) {
        self.frames.push(Frame { region, bindings: Vec::new(), modules: Vec::new(), guarded: false });
    }

    pub fn leave(&mut self) {
        self.frames.pop();
    }

    pub fn declare(&mut self, binding: Binding<'a>) {
        if let Some(frame) = self.frames.last_mut() {
            frame.bindings.push(binding);
        }
    }

    pub fn import(&mut self, alias: &str) {
        if let Some(frame) = self.frames.last_mut() {
            frame.modules.push(alias.to_owned());
        }
    }

    /// The rest of this region is reached in some environments only.
    pub fn guard(&mut self) {
        if let Some(frame) = self.frames.last_mut() {
            frame.guarded = true;
        }
    }

    /// Is this place reached in some environments only?
    pub fn guarded(&self) -> bool {
        self.frames.iter().any(|frame| frame.guarded)
    }

    /// The variable of that name.
    pub fn find(&self, name: &str) -> Option<&Binding<'a>> {
        self.place(name).map(|(_, binding)| binding)
    }

    pub fn has_module(&self, alias: &str) -> bool {
        self.frames.iter().any(|frame| frame.modules.iter().any(|module| module == alias))
    }

    /// Everything visible, for "did you mean".
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().flat_map(|frame| frame.bindings.iter().map(|binding| binding.name.as_str()))
    }

    pub fn modules(&self) -> impl Iterator<Item = &str> {
        self.frames.iter().flat_map(|frame| frame.modules.iter().map(String::as_str))
    }

    /// The closures between a variable's declaration and here, outermost first.
    pub fn closures_since(&self, name: &str) -> Vec<Role> {
        let start = self.place(name).map_or(0, |(frame, _)| frame + 1);
        let roles = self.frames[start..].iter().filter_map(|frame| match frame.region {
            Region::Closure(role) => Some(role),
            _ => None,
        });
        roles.collect()
    }

    /// Does the place belong to a function?
    pub fn in_function(&self) -> bool {
        self.frames.iter().any(|frame| frame.region == Region::Function)
    }

    fn place(&self, name: &str) -> Option<(usize, &Binding<'a>)> {
        let mut frames = self.frames.iter().enumerate().rev();
        frames.find_map(|(index, frame)| Some((index, frame.bindings.iter().rfind(|binding| binding.name == name)?)))
    }
}
