//! promote: what goes live, what is refused, what is rolled back, and what running clients see.

mod draining;
mod full_disk;
mod going_live;
mod interrupts;
mod refusals;
mod rollbacks;
mod shapes;
