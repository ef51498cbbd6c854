import Tensors

/// The code in the documentation of `Tensors`, with what it says comes out.
enum TensorSnippets {
  static func run() {
    overview()
    encoding()
    precision()
  }

  private static func overview() {
    var weight = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    weight.scale(by: 0.5)
    print(weight.elements)  // [0.5, 1, 1.5, 2, 2.5, 3]
    precondition(weight.elements == [0.5, 1, 1.5, 2, 2.5, 3])
  }

  private static func encoding() {
    let stored = EncodedTensor(Tensor([2], [1, 1.0009765625]), as: .bf16)
    print(stored.bytes)  // [128, 63, 128, 63]
    print(stored.decoded().elements)  // [1, 1]
    precondition(stored.bytes == [128, 63, 128, 63])
    precondition(stored.decoded().elements == [1, 1])
  }

  private static func precision() {
    let weight = Tensor([2, 2], [0.1, -0.2, 0.3, 1e-6])
    for format in [DType.f16, .bf16, .f8e4m3] {
      let stored = EncodedTensor(weight, as: format)
      let error = stored.decoded().squaredDistance(to: weight).squareRoot()
      print("\(format): \(stored.bytes.count) bytes, off by \(error)")
    }
  }
}
