//! promote: what goes live, what is refused, what is rolled back, and what running clients see.

mod draining;
mod every_option;
mod forgotten;
mod full_disk;
mod going_live;
mod inputs;
mod interrupts;
mod kept;
mod live_names;
mod live_ports;
mod refusals;
mod rollbacks;
mod shapes;
mod told;
mod udp;
