/// A command for a script of Python that was pasted whole, with what starts the script before it.
package enum PastedCommand {
  package static let pythons: Set<String> = ["python", "python3", "python.exe", "py"]
  package static let accelerates: Set<String> = [
    "accelerate", "accelerate.exe", "accelerate.commands.launch",
  ]
  /// Programs that start others in an environment, with options of their own before those.
  private static let launchers: Set<String> = [
    "uv", "uvx", "poetry", "pipenv", "pdm", "hatch", "rye", "conda", "mamba", "micromamba", "env",
  ]

  /// The name of a program without the folder it lies in.
  package static func program(_ word: String) -> String {
    word.split { $0 == "/" || $0 == "\\" }.last.map(String.init) ?? ""
  }

  /// The command from where Python or accelerate begins, or the script itself.
  package static func withoutLauncher(_ arguments: [String]) -> [String] {
    guard let first = arguments.first.map(program), launchers.contains(first) else {
      return arguments
    }
    guard let script = arguments.firstIndex(where: { $0.hasSuffix(".py") }) else {
      return arguments
    }
    let start = arguments[..<script].lastIndex {
      pythons.contains(program($0)) || accelerates.contains(program($0))
    }
    return Array(arguments[(start ?? script)...])
  }

  /// What stands behind the script; all of it where it is no such command.
  static func arguments(of command: [String]) -> ArraySlice<String> {
    var words = withoutLauncher(command)[...]
    if let first = words.first.map(program), pythons.contains(first) { words.removeFirst() }
    return words.first?.hasSuffix(".py") == true ? words.dropFirst() : command[...]
  }
}
