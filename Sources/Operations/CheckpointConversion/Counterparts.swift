import Checkpoints
import LinearAlgebra
import ModelFamilies
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors

/// Where another checkpoint has the tensors of a first one: under the same keys, or, where it is laid
/// out otherwise, as the same layers.
struct Counterparts {
  private let first: BaseModel
  private let other: BaseModel
  private let layers: [String: [(module: FamilyModule, isBias: Bool)]]
  private(set) var usedKeys: Set<String> = []

  /// - Parameter layers: of the first, by the key of their weight or bias, in the order of the rows.
  init(
    of first: BaseModel, in other: BaseModel,
    layers: [String: [(module: FamilyModule, isBias: Bool)]]
  ) {
    self.first = first
    self.other = other
    self.layers = layers
  }

  /// nil if the other has no such tensor.
  /// - Throws: `CheckpointConversionError.shapes`, `.wider`
  mutating func numbers(for key: String, _ shape: Shape) throws -> StoredNumbers? {
    if let view = other.file.tensors[key] {
      usedKeys.insert(key)
      let quantized = other.quantized.weights[key]
      guard view.dtype.isFloatingPoint || quantized != nil else { return nil }
      return try checked(StoredNumbers(view, quantized), key, shape)
    }
    guard let layers = layers[key] else { return nil }
    var parts: [StoredNumbers.Part] = []
    var rows = 0
    var columns: [Int] = []
    for (layer, isBias) in layers {
      let found = other.layout.modules(named: layer.adapterName)
      let split = found.isEmpty ? other.layout.split(named: layer.adapterName) : []
      guard found.count == 1 || (split.count == 1 && split[0].missing.isEmpty) else { return nil }
      for module in found.isEmpty ? split[0].parts : found {
        guard let slot = isBias ? module.bias : module.weight,
          let stored = other.file.tensors[slot.key]
        else { return nil }
        let quantized = other.quantized.weights[slot.key]
        guard stored.dtype.isFloatingPoint || quantized != nil else { return nil }
        usedKeys.insert(slot.key)
        let isTurned = slot.isTransposed != (isBias ? false : layer.weight.isTransposed)
        let view =
          isTurned
          ? TensorView(
            slot.key,
            EncodedTensor(try other.tensor(forKey: slot.key).transposed(), as: .f32),
            from: stored.file) : stored
        let codes = isTurned ? nil : quantized
        let shape = codes?.shape ?? view.shape
        let width = shape.columns
        let range = slot.rows ?? 0..<shape.rows
        parts.append(
          StoredNumbers.Part(
            view: view, elements: range.lowerBound * width..<range.upperBound * width,
            quantized: codes))
        rows += range.count
        columns = Array(shape.dimensions.dropFirst())
      }
    }
    return try checked(StoredNumbers(Shape([rows] + columns), parts), key, shape)
  }

  private func checked(
    _ numbers: StoredNumbers, _ key: String, _ shape: Shape
  ) throws(CheckpointConversionError) -> StoredNumbers {
    let (found, expected) = (numbers.shape.withoutPointwiseKernel, shape.withoutPointwiseKernel)
    guard found != expected else { return numbers }
    let differsInInputs =
      found.dimensions.count == expected.dimensions.count && found.dimensions.count >= 2
      && found.rows == expected.rows && found.kernel == expected.kernel
    let pair = (first: (first.file.path, shape), other: (other.file.path, numbers.shape))
    guard differsInInputs, shape.kernel.count == 2 else {
      throw .shapes(tensor: key, first: pair.first, other: pair.other)
    }
    guard found.dimensions[1] < expected.dimensions[1] else {
      throw .wider(tensor: key, first: pair.first, other: pair.other)
    }
    return numbers
  }
}

extension Shape {
  /// `[512, 512, 1, 1]` as the linear layer that it is.
  fileprivate var withoutPointwiseKernel: Shape {
    dimensions.count > 2 && kernel.allSatisfy { $0 == 1 }
      ? Shape(Array(dimensions.prefix(2))) : self
  }
}
