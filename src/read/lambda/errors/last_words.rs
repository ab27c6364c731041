//! What a process writes when it dies without any logger.
//!
//! Native crashes, heaps that are full, panics, and what other programs print about their own end. Not a verdict: it
//! says why a process exited, if it did. Rule: only words at the beginning of a line count.

/// It begins with such words.
pub(in super::super) fn is(text: &str) -> bool {
    let starts = |words: &[&str]| words.iter().any(|w| text.starts_with(w));
    match text.as_bytes().first() {
        // Rust's `main` prints the error that it returns behind `Error: `.
        Some(b'E') => starts(&["Error: ", "Exception in thread \""]),
        Some(b'F') => starts(&["FATAL ERROR: ", "Fatal Python error: "]),
        Some(b'P') => starts(&["PHP Fatal error:  ", "Process terminated. "]),
        Some(b'S') => starts(&["Segmentation fault", "Stack overflow."]),
        Some(b'T') => text.starts_with("Terminating due to java.lang.OutOfMemoryError"),
        Some(b'U') => text.starts_with("Unhandled exception. "),
        Some(b'A') => text.starts_with("Aborted (core dumped)"),
        Some(b'K') => text == "Killed",
        Some(b'O') => text == "Out of memory.",
        Some(b'f') => starts(&["fatal error: ", "free(): "]),
        Some(b'd') => text.starts_with("double free or corruption"),
        Some(b'm') => text.starts_with("malloc(): "),
        Some(b'p') => text.starts_with("panic: "),
        Some(b's') => text.starts_with("signal: "),
        Some(b't') => text.starts_with("terminate called "),
        Some(b'*') => text.starts_with("*** stack smashing detected ***"),
        Some(b'#') => starts(&["# Fatal error in", "# A fatal error has been detected by the Java Runtime"]),
        // `/var/runtime/bootstrap: line 14: 9 Segmentation fault (core dumped) node ..`
        Some(b'/') => {
            let head = &text[..text.find(": line ").unwrap_or(0)];
            head.ends_with("bootstrap") && (text.contains("Segmentation fault") || text.contains("Killed"))
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is;

    #[test]
    fn last_words_and_ordinary_ones() {
        for text in [
            "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory",
            "panic: runtime error: index out of range [5] with length 3",
            "fatal error: all goroutines are asleep - deadlock!",
            "Segmentation fault (core dumped)",
            "/var/runtime/bootstrap: line 14:     9 Segmentation fault      (core dumped) node",
            "terminate called after throwing an instance of 'std::runtime_error'",
            "Fatal Python error: Segmentation fault",
            "Error: Custom { kind: NotFound }",
            "Unhandled exception. System.Exception: boom",
        ] {
            assert!(is(text), "{text}");
        }
        for text in
            ["", "panicking is bad", "Errors: 3", "it was a Segmentation fault", "/var: line 1: é", "Killed the job"]
        {
            assert!(!is(text), "{text}");
        }
    }
}
