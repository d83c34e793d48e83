//! The arguments of the programs that `tools/instructions.py` runs: `instructions PATH TIMES`.

/// Which path is asked for, and how often it is to run.
pub fn asked() -> (String, usize) {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().expect("a path");
    (path, arguments.next().expect("times").parse().expect("a number"))
}
