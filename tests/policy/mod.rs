//! What a script may do: nothing reaches the world without a grant, whatever it is called with and however it is dressed up.

mod addresses;
mod budget;
mod header;
mod hostile;
mod injection;
mod matrix;
mod paths;
mod protected;
mod repositories;
mod table;
