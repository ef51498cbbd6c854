import Autograd
import Machine
import OrderedCollections
import Safetensors
package import SystemPackage
package import Tensors

/// All that a training needs to go on as if it had not been interrupted: a folder.
///
/// | file | contents |
/// | --- | --- |
/// | `parameters.safetensors` | what is trained, F32, by name |
/// | `optimizer.safetensors` | `OptimizerState.tensors` |
/// | `average.safetensors` | `ParameterAverage.values`, if there is one |
/// | `train_state.json` | `TrainingProgress` |
///
/// Random numbers need nothing: they follow from seed, epoch and sample.
package struct TrainingState {
  package private(set) var progress: TrainingProgress
  package let parameters: [String: Tensor]
  package let optimizer: OptimizerState
  package let average: [String: Tensor]

  enum Name {
    static let parameters = "parameters.safetensors"
    static let optimizer = "optimizer.safetensors"
    static let average = "average.safetensors"
    static let progress = "train_state.json"
  }

  /// As things are: not during an evaluation, and without gradients.
  package init(
    _ progress: TrainingProgress, _ groups: [ParameterGroup], _ optimizer: any Optimizer,
    _ average: ParameterAverage?
  ) {
    let state = optimizer.state
    var progress = progress
    progress.optimizerNumbers = state.numbers
    progress.averageCount = average?.count ?? 0
    self.progress = progress
    self.optimizer = state
    self.average = average?.values ?? [:]
    parameters = Dictionary(
      groups.flatMap(\.parameters).map { ($0.name, $0.value) },
      uniquingKeysWith: { _, _ in preconditionFailure("two parameters of one name") })
    self.progress.digests = digests
  }

  /// Reads a folder.
  /// - Throws: `StateError`
  package init(opening folder: FilePath) throws(StateError) {
    // A state is there to be gone on from: what an interrupted run has begun is finished first.
    do throws(SafetensorsError) { _ = try Exchange.finish(at: folder) } catch { throw .file(error) }
    let progress = try Self.readProgress(folder)
    try progress.checkRanges(in: folder)
    self.progress = progress
    parameters = try Self.numbers(Name.parameters, in: folder)
    optimizer = OptimizerState(
      tensors: try Self.open(folder.appending(Name.optimizer)).tensors.reduce(into: [:]) {
        $0[$1.key] = $1.value.encoded
      }, numbers: progress.optimizerNumbers)
    average = progress.averageCount > 0 ? try Self.numbers(Name.average, in: folder) : [:]
  }

  /// Puts it all back.
  /// - Parameter average: nil for none; what the state has of one is then let go
  /// - Throws: `StateError` if parameters or the optimizer's tensors are not those of the state
  package func restore(
    _ groups: [ParameterGroup], _ optimizer: inout any Optimizer,
    _ average: inout ParameterAverage?, from folder: FilePath
  ) throws(StateError) {
    var names: Set<String> = []
    for parameter in groups.flatMap(\.parameters) {
      names.insert(parameter.name)
      guard let value = parameters[parameter.name], value.shape == parameter.value.shape else {
        let found = parameters[parameter.name].map { "shape \($0.shape)" } ?? "none of that name"
        throw .parameter(
          folder, parameter.name, expected: "shape \(parameter.value.shape)", found: found)
      }
    }
    for parameter in groups.flatMap(\.parameters) {
      guard parameters[parameter.name]?.elements.allSatisfy(\.isFinite) ?? true else {
        throw .parameter(
          folder, parameter.name, expected: "finite numbers", found: "NaN or infinity")
      }
    }
    guard progress.step == progress.start.step || !self.optimizer.tensors.isEmpty else {
      throw .optimizer(folder, .missing("every tensor of the optimizer"))
    }
    if let surplus = parameters.keys.filter({ !names.contains($0) }).min() {
      throw .parameter(
        folder, surplus, expected: "a network that has it", found: "none of that name")
    }
    do throws(OptimizerStateError) {
      try optimizer.restore(self.optimizer, for: groups)
      try average?.restore(count: progress.averageCount, self.average, for: groups)
    } catch {
      throw .optimizer(folder, error)
    }
    for parameter in groups.flatMap(\.parameters) {
      if let value = parameters[parameter.name] { parameter.value = value }
    }
  }

  private static func readProgress(_ folder: FilePath) throws(StateError) -> TrainingProgress {
    let path = folder.appending(Name.progress)
    guard let bytes = try? InputFile.bytes(of: path) else {
      throw .notAState(folder, "found no '\(Name.progress)' in it")
    }
    guard let text = String(validating: bytes, as: UTF8.self), let value = JSONValue(parsing: text)
    else {
      throw .notAState(folder, "but '\(Name.progress)' is not readable JSON")
    }
    guard let number = value["format_version"]?.integer else {
      throw .notAState(folder, "found one of sd-scripts, which only sd-scripts can go on from")
    }
    guard number == TrainingProgress.currentVersion else { throw .version(folder, found: number) }
    return try TrainingProgress(decoding: bytes, in: folder)
  }

  /// Tensors that are numbers of the computation.
  private static func numbers(
    _ name: String, in folder: FilePath
  ) throws(StateError) -> [String: Tensor] {
    var tensors: [String: Tensor] = [:]
    for (key, view) in try open(folder.appending(name)).tensors {
      guard view.dtype == .f32 else {
        throw .parameter(folder, key, expected: "F32", found: "\(view.dtype) in \(name)")
      }
      tensors[key] = view.tensor()
    }
    return tensors
  }

  private static func open(_ path: FilePath) throws(StateError) -> TensorFile {
    do throws(SafetensorsError) {
      return try TensorFile(opening: path)
    } catch {
      throw .file(error)
    }
  }
}
