//! `edge`: see its library.

use mainstay::Outcome;

fn main() -> Outcome {
    edge::main()
}
