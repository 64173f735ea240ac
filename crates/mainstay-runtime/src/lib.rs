//! One process from boot to exit: phases, deadlines, supervision, signals, outcome.
