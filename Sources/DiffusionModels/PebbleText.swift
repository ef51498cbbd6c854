package import Autograd
import Tensors

/// The text encoder of Pebble, the made-up family of CONTRIBUTING.md: a vector for every letter.
package struct PebbleText {
  /// Bytes of a caption that count; shorter ones end in zeros.
  package static let captionLength = 16

  package let layers: [Layer]
  private let letters: Tensor
  private let proj: Layer

  /// - Throws: `ModelError`, and what the source throws.
  package init(
    _ source: any ParameterSource, compute: ComputeType = .f32,
    storage: FrozenStorage = .compute
  ) throws {
    var builder = LayerBuilder(source, component: "te1", compute: compute, storage: storage)
    letters = try builder.table("letters")
    proj = try builder.linear("proj", from: letters.shape.columns)
    layers = builder.layers
  }

  /// `[captions, captionLength, context]`
  package func context(of captions: [String]) -> Variable {
    let bytes = captions.flatMap { caption in
      let bytes = caption.utf8.prefix(Self.captionLength).map { Int($0) }
      return bytes + Array(repeating: 0, count: Self.captionLength - bytes.count)
    }
    return proj(
      Variable.rows(bytes, of: letters)
        .reshaped([captions.count, Self.captionLength, letters.shape.columns]))
  }
}
