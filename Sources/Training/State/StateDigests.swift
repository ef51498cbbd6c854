import Safetensors
import SystemPackage
import Tensors

/// What the parts of a state were when it was written, in short: see `ContentDigest`.
///
/// A number of a state that a disk or a person has changed may be as good as any other. Only this tells that a run
/// which goes on from it would not be the one that was interrupted.
package struct StateDigests: Codable, Equatable, Sendable {
  let parameters: String
  let optimizer: String
  let average: String
  /// Of all else in `train_state.json`.
  let progress: String
}

extension TrainingState {
  /// Of what it holds.
  var digests: StateDigests {
    var bare = progress
    bare.digests = nil
    return StateDigests(
      parameters: Self.digest(of: parameters), optimizer: Self.digest(of: optimizer.tensors),
      average: Self.digest(of: average), progress: ContentDigest.text(of: bare.encoded))
  }

  private static func digest(of tensors: [String: Tensor]) -> String {
    var digest = ContentDigest()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      add(name, .f32, tensor.shape, to: &digest)
      unsafe digest.update(tensor.elements.span.bytes)
    }
    return digest.text
  }

  private static func digest(of tensors: [String: EncodedTensor]) -> String {
    var digest = ContentDigest()
    for (name, tensor) in tensors.sorted(by: { $0.key < $1.key }) {
      add(name, tensor.dtype, tensor.shape, to: &digest)
      digest.update(tensor.rawBytes)
    }
    return digest.text
  }

  private static func add(
    _ name: String, _ dtype: DType, _ shape: Shape, to digest: inout ContentDigest
  ) {
    let head = Array("\(name)\n\(dtype) \(shape)\n".utf8)
    unsafe digest.update(head.span.bytes)
  }

  /// Checks that a run can go on from the state, as far as the plan tells.
  /// - Throws: `StateError` for the first that is not as it was, the most telling one first
  func check(
    _ settings: [String: String], optimizer: String, _ arithmetic: StepArithmetic,
    in folder: FilePath
  ) throws(StateError) {
    try progress.check(settings, optimizer: optimizer, in: folder)
    try progress.check(arithmetic, in: folder)
    try checkDigests(in: folder)
  }

  /// Checks that the state is what was written. One of an earlier release does not tell.
  /// - Throws: `StateError.parameter`, `.optimizer` where the change is in numbers that none can be; `.changed`
  private func checkDigests(in folder: FilePath) throws(StateError) {
    guard let expected = progress.digests else { return }
    let found = digests
    if found.parameters != expected.parameters {
      if let name = Self.firstNotFinite(parameters) {
        throw .parameter(folder, name, expected: "finite numbers", found: "NaN or infinity")
      }
      throw .changed(folder.appending(Name.parameters))
    }
    if found.optimizer != expected.optimizer {
      let numbers = optimizer.tensors.filter { $0.value.dtype == .f32 }.mapValues { $0.decoded() }
      if let name = Self.firstNotFinite(numbers) {
        throw .optimizer(
          folder, .value(name, expected: "finite numbers", found: "NaN or infinity"))
      }
      throw .changed(folder.appending(Name.optimizer))
    }
    guard found.average == expected.average else {
      throw .changed(folder.appending(Name.average))
    }
    guard found.progress == expected.progress else {
      throw .changed(folder.appending(Name.progress))
    }
  }

  private static func firstNotFinite(_ tensors: [String: Tensor]) -> String? {
    tensors.filter { !$0.value.elements.allSatisfy(\.isFinite) }.keys.min()
  }
}
