import Autograd
import Tensors

/// Makes the layers of one component from a source, checks that they fit, and lists them.
struct LayerBuilder {
  let source: any ParameterSource
  let component: String
  let compute: ComputeType
  /// Of linear layers.
  let storage: FrozenStorage
  /// How many of a model's blocks, the last ones, are not kept in memory.
  private let streamedBlocks: Int
  /// Takes the matrices of those blocks.
  private let stream: BlockStream
  /// Whether the layers that are made are of such a block.
  private var isStreaming = false
  /// In the order in which they were made.
  private(set) var layers: [Layer] = []

  init(
    _ source: any ParameterSource, component: String, compute: ComputeType,
    storage: FrozenStorage = .compute, streamedBlocks: Int = 0
  ) {
    self.streamedBlocks = streamedBlocks
    stream = BlockStream()
    self.storage = storage
    self.source = source
    self.component = component
    self.compute = compute
  }

  /// Whether there is a module of that path.
  func has(_ path: String) -> Bool { source.shape(component, path, "weight") != nil }

  /// How many of `prefix.0`, `prefix.1`, … there are: those that have any of the modules, so that the
  /// lack of one is not taken for the end.
  func count(_ prefix: String, having modules: String...) -> Int {
    var count = 0
    while modules.contains(where: { has("\(prefix).\(count).\($0)") }) { count += 1 }
    return count
  }

  /// Makes a block of a row of them, which is computed as one. Of the last `streamedBlocks` the linear layers are read
  /// whenever they are computed.
  /// - Parameter index: in the order in which blocks are computed, of `count`.
  mutating func block<Block>(
    _ index: Int, of count: Int, _ make: (inout Self) throws -> Block
  ) rethrows -> Block {
    guard index >= count - streamedBlocks else { return try make(&self) }
    stream.beginBlock()
    isStreaming = true
    defer { isStreaming = false }
    return try make(&self)
  }

  /// `[…, inputs]` to `[…, outputs]`, nil for any width. The weight may be a 1×1 kernel.
  /// - Throws: `ModelError.missingParameter`, `.parameterShape`, what the source throws, and `CancellationError`.
  mutating func linear(
    _ path: String, from inputs: Int?, to outputs: Int? = nil, hasBias: Bool = true
  ) throws -> Layer {
    let shape = try shape(of: path)
    let kernel = shape.kernel.isEmpty ? [] : [1, 1]
    return try layer(path, .linear, [outputs, inputs] + kernel, hasBias: hasBias)
  }

  /// A square kernel of that size.
  /// - Throws: as `linear`
  mutating func convolution(
    _ path: String, from inputs: Int, to outputs: Int? = nil, size: Int = 3,
    _ geometry: ConvolutionGeometry = ConvolutionGeometry(padding: 1)
  ) throws -> Layer {
    try layer(path, .convolution(geometry), [outputs, inputs, size, size])
  }

  /// A 1×1 convolution, which is a product of pixels; the checkpoint may have it as a matrix.
  /// - Throws: as `linear`
  mutating func pointwise(_ path: String, from inputs: Int, to outputs: Int) throws -> Layer {
    try linear(path, from: inputs, to: outputs)
  }

  /// Patches of `[batch, tokens, channels · patch.count]` to `[batch, tokens, outputs]`: a convolution whose stride is
  /// the size of its kernel.
  /// - Throws: as `linear`
  mutating func patchEmbedding(
    _ path: String, _ patch: PatchExtents, to outputs: Int? = nil
  ) throws -> Layer {
    // Kernels of pictures have no axis of frames.
    let hasFrames = try patch.frames > 1 || shape(of: path).dimensions.count != 4
    let kernel = (hasFrames ? [patch.frames] : []) + [patch.height, patch.width]
    return try layer(path, .linear, [outputs, nil] + kernel)
  }

  /// - Throws: as `linear`, and `ModelError.indivisible`
  mutating func groupNorm(
    _ path: String, _ width: Int, groups: Int, epsilon: Float, silu: Bool
  ) throws -> Layer {
    guard groups > 0, width % groups == 0 else {
      throw ModelError.indivisible(
        component: component, name: path, width: width, by: groups, of: "groups")
    }
    return try layer(path, .groupNorm(groups: groups, epsilon: epsilon, silu: silu), [width])
  }

  /// - Throws: as `linear`
  mutating func layerNorm(_ path: String, _ width: Int, epsilon: Float = 1e-5) throws -> Layer {
    try layer(path, .layerNorm(epsilon: epsilon), [width])
  }

  /// Of runs of `width` numbers; it has a weight alone.
  /// - Throws: as `linear`
  mutating func rmsNorm(_ path: String, _ width: Int, epsilon: Float = 1e-6) throws -> Layer {
    try layer(path, .rmsNorm(epsilon: epsilon), [width], hasBias: false)
  }

  /// A table `[entries, width]`, which is no layer.
  /// - Throws: as `linear`
  func table(_ path: String, width: Int? = nil) throws -> Tensor {
    try parameter(path, "weight", [nil, width])
  }

  /// A parameter that no module has.
  /// - Throws: as `linear`
  func values(_ path: String, _ name: String, _ extents: [Int?]) throws -> Tensor {
    try parameter(path, name, extents)
  }

  /// The shape of a module's weight, or of another parameter.
  /// - Throws: `ModelError.missingParameter`
  func shape(of path: String, _ name: String = "weight") throws -> Shape {
    guard let shape = source.shape(component, path, name) else {
      throw ModelError.missingParameter(component: component, name: Self.name(path, name))
    }
    return shape
  }

  /// How many heads of attention a width has.
  /// - Throws: `ModelError.indivisible`
  func heads(_ rule: HeadRule, level: Int = 0, of width: Int, at path: String) throws -> Int {
    let count = rule.count(level: level, width: width)
    guard count > 0, width % count == 0 else {
      throw ModelError.indivisible(
        component: component, name: path, width: width, by: count, of: "heads")
    }
    return count
  }

  /// - Throws: `ModelError.unevenWidth`
  func require(
    _ what: String, _ width: Int, multipleOf step: Int, at path: String
  ) throws(ModelError) {
    guard step > 0, width > 0, width % step == 0 else {
      throw .unevenWidth(
        component: component, name: path, of: what, width: width, step: step)
    }
  }

  private mutating func layer(
    _ path: String, _ operation: Layer.Operation, _ expected: [Int?], hasBias: Bool = true
  ) throws -> Layer {
    // Checkpoints of many gigabytes take minutes to read.
    try Task.checkCancellation()
    if isStreaming, case .linear = operation {
      return try streamedLayer(path, expected, hasBias: hasBias)
    }
    let modulePath = source.modulePath(component, path)
    let layer: Layer
    if let lent = LentLayers.layer(component, modulePath) {
      try require(lent.weightShape, Self.name(path, "weight"), expected)
      layer = Layer(sharing: lent)
    } else {
      let weight = try parameter(path, "weight", expected)
      let bias = hasBias ? try parameter(path, "bias", [weight.shape.rows]) : nil
      layer = Layer(
        component: component, path: modulePath, operation, weight: weight, bias: bias,
        storage: storage, compute: compute)
    }
    layers.append(layer)
    return layer
  }

  private mutating func streamedLayer(
    _ path: String, _ expected: [Int?], hasBias: Bool
  ) throws -> Layer {
    let shape = try shape(of: path)
    try require(shape, path + ".weight", expected)
    try source.check(component, path, "weight")
    let (source, component, compute, storage) = (source, component, compute, storage)
    let matrix = stream.add(shape.asMatrix) {
      FrozenMatrix(shape, storage: storage, compute: compute) { set in
        do {
          try source.readRows(component, path, "weight", set)
        } catch {
          preconditionFailure("\(component).\(path): a weight that could be read: \(error)")
        }
      }
    }
    let layer = Layer(
      component: component, path: source.modulePath(component, path), shape: shape,
      streaming: matrix, bias: hasBias ? try parameter(path, "bias", [shape.rows]) : nil,
      compute: compute)
    layers.append(layer)
    return layer
  }

  /// That of a parameter; the path is empty of those that the model has itself.
  static func name(_ path: String, _ parameter: String) -> String {
    path.isEmpty ? parameter : "\(path).\(parameter)"
  }

  private func parameter(_ path: String, _ kind: String, _ expected: [Int?]) throws -> Tensor {
    let name = Self.name(path, kind)
    guard let tensor = try source.parameter(component, path, kind) else {
      throw ModelError.missingParameter(component: component, name: name)
    }
    try require(tensor.shape, name, expected)
    return tensor
  }

  /// - Throws: `ModelError.parameterShape`
  func require(_ shape: Shape, _ name: String, _ expected: [Int?]) throws(ModelError) {
    let extents = shape.dimensions
    guard extents.count == expected.count,
      zip(extents, expected).allSatisfy({ $1 == nil || $0 == $1 })
    else {
      throw ModelError.parameterShape(
        component: component, name: name, expected: expected, found: shape)
    }
  }
}
