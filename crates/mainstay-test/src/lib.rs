//! Fakes, and a driver for real processes, to test daemons with.
