import Foundation
import PackagePlugin

/// Writes `ModelPipelines.all`: every type of a target whose file is named `…Pipeline.swift`, the protocol aside.
@main struct ListPipelines: BuildToolPlugin {
  func createBuildCommands(context: PluginContext, target: any Target) throws -> [Command] {
    guard let module = target.sourceModule else { return [] }
    let files = module.sourceFiles(withSuffix: "Pipeline.swift").map(\.url)
    let output = context.pluginWorkDirectoryURL.appending(path: "ModelPipelines+All.swift")
    return [
      .buildCommand(
        displayName: "Listing the pipelines of \(target.name)",
        executable: try context.tool(named: "list-pipelines").url,
        arguments: ([output] + files).map { $0.path(percentEncoded: false) },
        inputFiles: files, outputFiles: [output])
    ]
  }
}
