import FoundationEssentials

/// Writes one Swift file that lists the pipelines of a target, for the plugin of the same name: each has a file
/// called as its type.
///
/// usage: list-pipelines OUTPUT.swift FILE…
@main enum ListPipelines {
  static func main() throws {
    guard let output = CommandLine.arguments.dropFirst().first else {
      fatalError("usage: list-pipelines OUTPUT.swift FILE…")
    }
    let types = CommandLine.arguments.dropFirst(2).compactMap { path in
      path.split(separator: "/").last.map { String($0.dropLast(".swift".count)) }
    }.filter { $0 != "ModelPipeline" }.sorted()
    let text = """
      extension ModelPipelines {
        /// The pipelines of all families that train, as their files were found.
        package static var all: [any ModelPipeline.Type] {
          [\(types.map { "\($0).self" }.joined(separator: ", "))]
        }
      }

      """
    try text.write(toFile: output, atomically: true, encoding: .utf8)
  }
}
