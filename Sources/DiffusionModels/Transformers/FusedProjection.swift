import Autograd

/// Projections of one input that a checkpoint has as one layer, or apart.
struct FusedProjection {
  let layers: [Layer]
  /// Widths of the results.
  private let outputs: [Int]

  /// - Parameters:
  ///   - fused: path of the one layer; taken if it is there. nil where there is none.
  ///   - parts: paths of the layers, in the order of the rows of the one.
  ///   - outputs: width of each result.
  init(
    _ builder: inout LayerBuilder, _ fused: String?, else parts: [String], from inputs: Int,
    to outputs: [Int]
  ) throws {
    self.outputs = outputs
    if let fused, builder.has(fused) || !builder.has(parts[0]) {
      layers = [try builder.linear(fused, from: inputs, to: outputs.reduce(0, +))]
    } else {
      layers = try zip(parts, outputs).map { try builder.linear($0, from: inputs, to: $1) }
    }
  }

  var compute: ComputeType { layers[0].compute }

  /// One result for each of the outputs.
  func callAsFunction(_ x: Variable) -> [Variable] {
    guard layers.count == 1 else { return layers.map { $0(x) } }
    let whole = layers[0](x)
    var start = 0
    return outputs.map { width in
      defer { start += width }
      return whole.channels(start..<start + width)
    }
  }
}
