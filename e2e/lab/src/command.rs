//! Runs commands of the host and turns their failure into a readable error.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::error::{LabError, Result};

/// Lines of a log shown with an error.
const TAIL_LINES: usize = 20;

/// Shows a command line as a person would type it.
pub fn display(command: &Command) -> String {
    let words = std::iter::once(command.get_program()).chain(command.get_args());
    words.map(|word| word.to_string_lossy().into_owned()).collect::<Vec<_>>().join(" ")
}

/// Runs a command to its end and returns what it printed.
pub fn output(command: &mut Command) -> Result<String> {
    let failed = |message: String, command: &Command| LabError::Command { command: display(command), message };
    let output = match command.stdin(Stdio::null()).output() {
        Ok(output) => output,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(failed(
                "the program is not installed; `make deps` installs what the lab needs".into(),
                command,
            ));
        }
        Err(error) => return Err(failed(error.to_string(), command)),
    };
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(failed(format!("{}: {}", output.status, last_lines(text.trim(), TAIL_LINES)), command))
}

/// Runs `program` with `arguments` to its end and returns what it printed.
pub fn run(program: &str, arguments: &[&str]) -> Result<String> {
    output(Command::new(program).args(arguments))
}

/// The last lines of a log file, each indented; empty if there is no log.
pub fn log_tail(path: &Path) -> String {
    let Ok(bytes) = fs::read(path) else { return String::new() };
    let text = String::from_utf8_lossy(&bytes);
    let tail = last_lines(text.trim_end(), TAIL_LINES);
    let indented: String = tail.lines().map(|line| format!("    {line}\n")).collect();
    format!("  last lines of {}:\n{indented}", path.display())
}

/// The last `count` lines of a text.
pub fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failing_command_names_itself_and_its_error_output() {
        let error = run("sh", &["-c", "echo broken pipe dream >&2; exit 3"]).unwrap_err().to_string();
        assert!(error.contains("sh -c") && error.contains("broken pipe dream") && error.contains('3'), "{error}");
    }

    #[test]
    fn a_missing_program_points_to_the_dependencies() {
        let error = run("no-such-program-here", &[]).unwrap_err().to_string();
        assert!(error.contains("make deps"), "{error}");
    }

    #[test]
    fn only_the_last_lines_are_kept() {
        assert_eq!(last_lines("a\nb\nc", 2), "b\nc");
        assert_eq!(last_lines("a", 2), "a");
    }
}
