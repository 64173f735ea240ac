//! What is behind `/demo/`.

mod demo;
