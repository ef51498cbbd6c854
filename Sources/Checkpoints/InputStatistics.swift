package import Adapters
import LinearAlgebra
package import ModelFamilies
import OrderedCollections
package import Safetensors
package import SystemPackage
package import Tensors

/// Second moments of what the layers of a model read, by module: gathered here, or of a file.
///
/// A module is named as in an adapter (`lora_unet_mid_block_attentions_0_…`), or by the key of its weight without
/// `.weight`. Of each there are `NAME.second_moment` `[n, n]`, where that is of channels alone `NAME.kernel_moment`
/// `[k, k]`, and where gradients are known `NAME.gradient_moment` `[out, out]`, see `LayerMoments`; `NAME.places` is one
/// number, 1 where it is missing. docs/lyco-extract.md describes the file for programs that write it.
package struct InputStatistics: Sendable {
  package static let moment = "second_moment"
  package static let kernelMoment = "kernel_moment"
  package static let gradientMoment = "gradient_moment"
  package static let places = "places"
  private static let suffixes = [moment, kernelMoment, gradientMoment, places]

  /// For messages; that of the model for what was gathered.
  package let path: FilePath
  package let metadata: [String: String]
  private let tensors: [String: Numbers]

  private enum Numbers: Sendable {
    case gathered(Tensor)
    case summed(GatheredMoments.Moment)
    case stored(TensorView)

    var shape: Shape {
      switch self {
      case .gathered(let tensor): tensor.shape
      case .summed(let moment): [moment.order, moment.order]
      case .stored(let view): view.shape
      }
    }

    var tensor: Tensor {
      switch self {
      case .gathered(let tensor): return tensor
      case .summed(let moment): return moment.tensor
      case .stored(let view):
        let tensor = view.tensor()
        view.releasePages()
        return tensor
      }
    }
  }

  /// - Throws: `CheckpointError.statistics` for a file that holds something else, and what opening throws.
  package init(opening path: FilePath) throws {
    let file = try TensorFile(opening: path)
    self.path = path
    metadata = file.metadata
    var tensors: [String: Numbers] = [:]
    for (name, view) in file.tensors {
      guard let suffix = Self.suffixes.first(where: { name.hasSuffix("." + $0) }),
        view.dtype.isConvertible
      else {
        throw CheckpointError.statistics(
          path, tensor: name,
          expected: "names that end in " + Self.suffixes.map { ".\($0)" }.joined(separator: ", ")
            + ", in a format of numbers", found: "'\(name)' in \(view.dtype)")
      }
      let extents = view.shape.dimensions
      guard
        suffix == Self.places
          ? view.shape.count == 1 : extents.count == 2 && extents[0] == extents[1]
      else {
        throw CheckpointError.statistics(
          path, tensor: name, expected: suffix == Self.places ? "one number" : "a square",
          found: "\(view.shape)")
      }
      tensors[name] = .stored(view)
    }
    self.tensors = tensors
  }

  /// - Parameters:
  ///   - moments: by the names that modules have in adapters.
  ///   - model: whose layers they were.
  package init(
    _ moments: [(module: String, moments: GatheredMoments)], of model: FilePath,
    metadata: [String: String]
  ) {
    path = model
    self.metadata = metadata
    var tensors: [String: Numbers] = [:]
    for (module, found) in moments {
      func add(_ suffix: String, _ numbers: Numbers?) {
        tensors["\(module).\(suffix)"] = numbers
      }
      add(Self.moment, .summed(found.inputs))
      add(Self.kernelMoment, found.kernel.map { .gathered($0) })
      add(Self.gradientMoment, found.gradients.map { .summed($0) })
      add(Self.places, .gathered(Tensor(scalar: Float(found.places))))
    }
    self.tensors = tensors
  }

  /// How many modules have moments.
  package var count: Int { tensors.keys.count { $0.hasSuffix("." + Self.moment) } }

  /// Whether a module has moments, by any of its names.
  package func has(_ names: [String]) -> Bool { name(among: names) != nil }

  private func name(among names: [String]) -> String? {
    names.first { tensors["\($0).\(Self.moment)"] != nil }
  }

  /// Finds out by shapes alone whether moments fit a weight; says nothing where there are none.
  /// - Throws: `CheckpointError.statistics`
  package func check(_ names: [String], weight: Shape) throws(CheckpointError) {
    guard let name = name(among: names), let view = tensors["\(name).\(Self.moment)"] else {
      return
    }
    let size = weight.kernel.reduce(1, *)
    let kernel = tensors["\(name).\(Self.kernelMoment)"]
    let (inputs, patch) = (weight.columns / max(size, 1), weight.columns)
    let expected = kernel == nil ? patch : inputs
    guard view.shape.rows == expected else {
      throw CheckpointError.statistics(
        path, tensor: "\(name).\(Self.moment)",
        expected: "[\(expected), \(expected)] for a weight of \(weight)"
          + (size > 1 ? " (\(inputs) with a '.\(Self.kernelMoment)')" : ""), found: "\(view.shape)")
    }
    if let gradients = tensors["\(name).\(Self.gradientMoment)"],
      gradients.shape.rows != weight.rows
    {
      throw CheckpointError.statistics(
        path, tensor: "\(name).\(Self.gradientMoment)",
        expected: "[\(weight.rows), \(weight.rows)] for a weight of \(weight)",
        found: "\(gradients.shape)")
    }
    if let kernel, kernel.shape.rows != size {
      throw CheckpointError.statistics(
        path, tensor: "\(name).\(Self.kernelMoment)",
        expected: "[\(size), \(size)] for a weight of \(weight)",
        found: "\(kernel.shape)")
    }
  }

  /// The moments of a module with a weight of a shape, by any of its names; nil where there are none.
  /// - Throws: `CheckpointError.statistics` for those of another shape, with numbers that are not finite, or of an input
  ///   that is never anything but zero.
  package func moments(
    of names: [String], weight: Shape
  ) throws(CheckpointError) -> LayerMoments? {
    try check(names, weight: weight)
    guard let name = name(among: names), let inputs = try numbers("\(name).\(Self.moment)") else {
      return nil
    }
    let places = tensors["\(name).\(Self.places)"]?.tensor.elements[0] ?? 1
    guard places > 0, places.isFinite else {
      throw CheckpointError.statistics(
        path, tensor: "\(name).\(Self.places)", expected: "a positive number", found: "\(places)")
    }
    let kernel = try numbers("\(name).\(Self.kernelMoment)")
    return LayerMoments(
      inputs: inputs, kernel: weight.kernel.reduce(1, *) > 1 ? kernel : nil,
      gradients: try numbers("\(name).\(Self.gradientMoment)", mayBeZero: true),
      places: Double(places))
  }

  /// - Parameter mayBeZero: as gradients of what has no effect are.
  private func numbers(
    _ name: String, mayBeZero: Bool = false
  ) throws(CheckpointError) -> Tensor? {
    guard let tensor = tensors[name]?.tensor else { return nil }
    guard tensor.mayBeMoment, mayBeZero || tensor.meanOfDiagonal > 0 else {
      throw CheckpointError.statistics(
        path, tensor: name,
        expected:
          "finite second moments: symmetric, with squares on the diagonal that are not all zero, "
          + "and no number beyond what these allow", found: "others")
    }
    return tensor
  }

  /// Writes a file that `init(opening:)` reads.
  /// - Throws: `SafetensorsError`
  package func write(to path: FilePath) throws(SafetensorsError) {
    var writer = try SafetensorsWriter.create(
      path,
      announcing: tensors.map { TensorInfo(name: $0.key, dtype: .f32, shape: $0.value.shape) },
      metadata: metadata)
    for info in writer.order {
      guard let numbers = tensors[info.name] else { continue }
      try writer.append(info.name, EncodedTensor(numbers.tensor, as: .f32))
    }
    try writer.finish()
  }
}

extension FamilyModule {
  /// What statistics of inputs may call it: as adapters do, or by the key of its weight without `.weight`.
  package var statisticsNames: [String] {
    let (key, ending) = (weight.key, ".weight")
    return [adapterName, key.hasSuffix(ending) ? String(key.dropLast(ending.count)) : key]
  }
}
