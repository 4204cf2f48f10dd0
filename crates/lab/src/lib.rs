//! Volvox: lab.
