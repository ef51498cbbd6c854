import Foundation
import PackagePlugin

/// Compiles the TOML files of a target into it, as `EmbeddedTables.files`: whatever lies in its folders is found.
@main struct EmbedTables: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let module = target.sourceModule else { return [] }
    let tables = module.sourceFiles(withSuffix: "toml").map(\.url)
    let output = context.pluginWorkDirectoryURL.appending(path: "EmbeddedTables.swift")
    return [
      .buildCommand(
        displayName: "Embedding the tables of \(target.name)",
        executable: try context.tool(named: "embed-tables").url,
        arguments: [
          output.path(percentEncoded: false), target.directoryURL.path(percentEncoded: false),
        ]
          + tables.map { $0.path(percentEncoded: false) },
        inputFiles: tables, outputFiles: [output])
    ]
  }
}
