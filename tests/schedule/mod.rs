mod book;
mod debian;
mod decade;
mod decisions;
mod definitions;
pub mod expressions;
mod mistakes;
mod next;
mod speed;
