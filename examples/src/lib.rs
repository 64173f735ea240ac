//! Programs that answer one question each; they are in the folder `examples`, and README.md is their index.
