//! Volvox: sim.
