import Autograd
package import Tensors

/// What text encoders make of the prompts of some pictures.
///
/// The negative prompt is encoded with the prompt, so that both have as many tokens as the longer of them takes.
package struct EncodedPrompts {
  /// Of the texts of a batch, in the order of the encoders.
  private var outputs: [[String]: [Tensor]] = [:]

  /// - Parameters:
  ///   - encode: what all encoders make of texts that are read together, in their order.
  ///   - progress: called after each of these; throws to stop.
  package init(
    _ requests: [PictureRequest], progress: () throws -> Void = {},
    encode: ([String]) -> [Tensor]
  ) rethrows {
    for texts in Self.batches(of: requests) {
      outputs[texts] = encode(texts)
      try progress()
    }
  }

  /// The texts that are read together.
  package static func batches(of requests: [PictureRequest]) -> [[String]] {
    Set(requests.map(\.texts)).sorted { $0.lexicographicallyPrecedes($1) }
  }

  /// Of a picture's texts.
  /// - Precondition: it was among those that were encoded.
  subscript(request: PictureRequest) -> [Variable] {
    guard let outputs = outputs[request.texts] else {
      preconditionFailure("prompts that were not encoded: \(request.texts)")
    }
    return outputs.map { Variable($0) }
  }
}
