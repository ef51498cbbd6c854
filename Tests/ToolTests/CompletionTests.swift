import Foundation
import SystemPackage
import TestSupport
import Testing

/// What shells complete, by running them with the scripts that the tools print.
@Suite struct CompletionTests {
  static func path(of shell: String) -> String? {
    ["/usr/bin/\(shell)", "/bin/\(shell)"].first {
      FileManager.default.isExecutableFile(atPath: $0)
    }
  }

  /// What completes a command line that ends where the cursor is.
  ///
  /// - Parameter expected: a shell with a terminal says nothing when it is done, and is waited for until it shows this,
  ///   for ten seconds.
  private func completions(
    of line: String, awaiting expected: String, in shell: String, files: [String] = []
  ) throws -> String {
    let folder = TemporaryFolder()
    for file in files { try folder.write(file, text: "x") }
    let tool = String(line.prefix { $0 != " " })
    let script = ToolRun(tool, ["--generate-completion-script", shell])
    #expect(script.status == 0)
    let scripts = TemporaryFolder()
    try scripts.write("script", text: script.output)
    try scripts.write("run", text: Self.program(shell))
    let process = Process()
    process.executableURL = URL(fileURLWithPath: try #require(Self.path(of: shell)))
    process.arguments =
      (shell == "zsh" ? ["-f"] : shell == "bash" ? ["--norc"] : ["--no-config"])
      + [scripts.file("run").string]
    process.currentDirectoryURL = URL(fileURLWithPath: folder.path.string)
    let tools = ToolRun.executable(tool).deletingLastPathComponent().path
    process.environment = [
      "PATH": tools + ":/usr/bin:/bin", "HOME": scripts.path.string, "TERM": "dumb",
      "SCRIPT": scripts.file("script").string, "LINE": line, "TOOL": tool,
      "EXPECTED": expected,
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    let pipe = Pipe()
    process.standardOutput = pipe
    try process.run()
    let data = pipe.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    _ = consume folder
    _ = consume scripts
    return String(decoding: data, as: UTF8.self)
  }

  /// Prints what completes `$LINE`, by the script at `$SCRIPT` for `$TOOL`.
  private static func program(_ shell: String) -> String {
    switch shell {
    case "bash":
      """
      source "$SCRIPT"
      COMP_LINE="$LINE"; COMP_POINT=${#LINE}
      read -ra COMP_WORDS <<< "$LINE"
      [[ "$LINE" == *" " ]] && COMP_WORDS+=("")
      COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); COMPREPLY=()
      "_$TOOL" "$TOOL" "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD - 1]}"
      printf '%s\\n' "${COMPREPLY[@]}"
      """
    case "fish":
      """
      source $SCRIPT
      complete -C "$LINE" | string replace -r '\\t.*' ''
      """
    default:
      // A terminal of its own, in which the key is pressed.
      """
      zmodload zsh/zpty
      zpty z zsh -f -i
      zpty -w z "PROMPT=; stty -echo columns 400; autoload -U compinit; compinit -u -D; source $SCRIPT; compdef _$TOOL $TOOL; zstyle ':completion:*' verbose no; LISTMAX=1000; print RE''ADY"
      zpty -r z text '*READY*'
      zpty -n -w z "$LINE"$'\\t\\t'
      text=
      for i in {1..200}; do
        while zpty -r -t z part; do text+=$part; done
        [[ "$text" == *"$EXPECTED"* ]] && break
        sleep 0.05
      done
      zpty -d z
      print -r -- "$text"
      """
    }
  }

  @Test func bashCompletes() throws { try completesValuesOptionsAndFiles(in: "bash") }

  @Test(.enabled(if: path(of: "zsh") != nil, "zsh is missing; scripts/test.sh installs it"))
  func zshCompletes() throws { try completesValuesOptionsAndFiles(in: "zsh") }

  @Test(.enabled(if: path(of: "fish") != nil, "fish is missing; scripts/test.sh installs it"))
  func fishCompletes() throws { try completesValuesOptionsAndFiles(in: "fish") }

  private func completesValuesOptionsAndFiles(in shell: String) throws {
    let cases = [
      ("lyco-extract --mode quan", "quantile"), ("lyco-extract --linear_d", "--linear_dim"),
      ("lyco-extract --algo diag", "diag-oft"), ("lyco-convert --to diff", "diffusers"),
      ("lyco-merge --family sdxl-r", "sdxl-refiner"), ("lyco-extract --preset attn-m", "attn-mlp"),
      ("lyco-merge --save_precision bf", "bf16"), ("lyco-inspect mod", "model.safetensors"),
      ("lyco-extract --report rep", "report.json"), ("lyco-train --config_file con", "config.toml"),
      ("lyco-merge -o mod", "model.safetensors"),
      ("lyco-sample --sampler dpmsolver", "dpmsolver++"),
    ]
    for (line, expected) in cases {
      let found = try completions(
        of: line, awaiting: expected, in: shell,
        files: ["model.safetensors", "report.json", "config.toml"])
      #expect(found.contains(expected), "\(shell): \(line): \(found)")
    }
  }
}
