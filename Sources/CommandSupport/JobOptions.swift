package import ArgumentParser
import CPlatform
import LinearAlgebra
import Machine
import Operations
package import Safetensors
package import SystemPackage

/// What every long-running tool takes.
package struct JobOptions: ParsableArguments {
  @Option(
    name: .customLong("threads"),
    help: ArgumentHelp(
      "How many tensors are worked on at a time. Default: the number of cores.", valueName: "n"))
  package var requestedThreads: Int?

  @Flag(name: .customLong("dry_run"), help: "Print the plan and write nothing.")
  package var isDryRun = false

  @Flag(
    name: .customLong("overwrite"),
    help: "Let an output take the place of an input; of many outputs, of what is there already.")
  package var overwrites = false

  @Flag(
    name: .shortAndLong,
    help:
      "Print errors and warnings only. What '--json' and '--dry_run' ask for is printed all the same."
  )
  package var quiet = false

  @Flag(name: .shortAndLong, help: "List everything that was done, module by module.")
  package var verbose = false

  @Flag(name: .customLong("json"), help: "Print the result as JSON.")
  package var asJSON = false

  package init() {}

  package func validate() throws {
    if let requestedThreads, !(1...1024).contains(requestedThreads) {
      throw ValidationError("'--threads': expected 1 to 1024, found \(requestedThreads)")
    }
  }

  /// Refuses outputs that take the place of inputs, unless that is asked for.
  /// - Throws: `OperationError.replacesInput`
  package func protect(_ inputs: [TensorFile], from outputs: [FilePath]) throws {
    if !overwrites { try InputProtection(inputs).check(outputs) }
  }

  /// Makes sure of places before the work; the values are to live until all is written. A dry run writes
  /// nothing.
  ///
  /// A place is where an interrupted exchange is finished. An input in the middle of one is refused first: what is
  /// finished by the way would be read as the input, and a merge in place would be done twice.
  /// - Throws: `SafetensorsError`, `ValidationError` for a place that two outputs would have
  package func prepare(
    _ places: [(path: FilePath, kind: OutputPlace.Kind)], reading inputs: [FilePath]
  ) throws -> [OutputPlace] {
    if let path = OutputPlace.repeated(in: places.map(\.path)) {
      throw ValidationError(
        "\(path): expected a place of its own for every output, found one that two are written to")
    }
    for input in inputs { try Exchange.check(input) }
    return try isDryRun ? [] : places.map { try OutputPlace($0.path, $0.kind) }
  }

  /// Where a checkpoint of the layout of a base goes: a folder if the base is a pipeline of components.
  /// - Throws: `ValidationError` for the name of a folder where a file will be written
  package static func place(
    _ output: String, base: FilePath
  ) throws -> (path: FilePath, kind: OutputPlace.Kind) {
    let path = FilePath(named: output)
    // Without an index it may be a folder of components too; only reading it tells.
    guard base.kind != .folder || output.hasSuffix(".safetensors") else {
      let isPipeline = base.appending("model_index.json").kind != nil
      return (path, isPipeline || path.kind == .folder ? .folder : .tensors)
    }
    guard !output.hasSuffix("/") else {
      throw ValidationError(
        "'-o \(output)': expected the name of a file, such as '\(output)\(base.stem ?? "model").safetensors', "
          + "since \(base) is one")
    }
    return (path, .tensors)
  }

  /// Threads for work on separate tensors; each runs linear algebra on its own.
  package func prepareThreads() -> Int {
    lyco_keep_freed_memory()
    BLASThreads.set(1)
    return requestedThreads ?? Processors.usable
  }
}
