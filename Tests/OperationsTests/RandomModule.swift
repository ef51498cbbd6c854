import Tensors
import TestSupport

/// The tensors of an adapter module of random numbers, by suffix.
enum RandomModule {
  /// Algorithms whose modules can be made for any `[out, in]`, with DoRA on either axis.
  static let names = [
    "lora", "loha", "lokr", "full", "ia3 on outputs", "ia3 on inputs", "glora", "diag-oft", "boft",
    "set", "dora on outputs", "dora on inputs", "loha + dora", "lokr + dora",
  ]

  /// - Parameter shape: `[out, in]`, both multiples of 4.
  static func tensors(
    _ name: String, for shape: Shape, seed: UInt64, bias: Bool = false
  ) -> [String: Tensor] {
    let (out, width) = (shape.rows, shape.columns)
    func random(_ extents: [Int], _ n: UInt64, _ size: Float = 1) -> Tensor {
      var tensor = Tensor(random: Shape(extents), seed: 100 * seed + n)
      tensor.scale(by: size)
      return tensor
    }
    /// Positive, as lengths are.
    func lengths(_ extents: [Int]) -> Tensor {
      let tensor = random(extents, 50)
      return Tensor(tensor.shape, tensor.elements.map { 1.5 + $0 })
    }
    let lora = [
      "lora_up.weight": random([out, 2], 1), "lora_down.weight": random([2, width], 2),
      "alpha": Tensor(scalar: 1.5),
    ]
    let loha = [
      "hada_w1_a": random([out, 2], 3), "hada_w1_b": random([2, width], 4),
      "hada_w2_a": random([out, 2], 5), "hada_w2_b": random([2, width], 6),
      "alpha": Tensor(scalar: 1),
    ]
    let lokr = [
      "lokr_w1": random([4, 2], 7), "lokr_w2": random([out / 4, width / 2], 8),
      "alpha": Tensor(scalar: 3),
    ]
    var tensors: [String: Tensor] =
      switch name {
      case "lora": lora
      case "loha": loha
      case "lokr": lokr
      case "full": ["diff": random([out, width], 9)]
      case "ia3 on outputs": ["weight": random([out], 10), "on_input": Tensor(scalar: 0)]
      case "ia3 on inputs": ["weight": random([width], 11), "on_input": Tensor(scalar: 1)]
      case "glora":
        [
          "a1.weight": random([width, 2], 12), "a2.weight": random([2, width], 13),
          "b1.weight": random([out, 2], 14), "b2.weight": random([2, width], 15),
          "alpha": Tensor(scalar: 1),
        ]
      case "diag-oft": ["oft_blocks": random([out / 4, 4, 4], 16, 0.5)]
      case "boft": ["oft_blocks": random([1, out / 4, 4, 4], 17, 0.5)]
      case "set": ["set_weight": random([out, width], 18)]
      case "dora on outputs": lora.merging(["dora_scale": lengths([out, 1])]) { $1 }
      case "dora on inputs": lora.merging(["dora_scale": lengths([1, width])]) { $1 }
      case "loha + dora": loha.merging(["dora_scale": lengths([out, 1])]) { $1 }
      case "lokr + dora": lokr.merging(["dora_scale": lengths([out, 1])]) { $1 }
      case "tlora":
        [
          "p_layer.weight": random([out, 2], 19), "q_layer.weight": random([2, width], 20),
          "lambda_layer": random([1, 2], 21),
        ]
      default: preconditionFailure("no module '\(name)'")
      }
    if bias { tensors["diff_b"] = random([out], 30) }
    return tensors
  }

  /// As an adapter file has them.
  static func encoded(
    _ name: String, of algorithm: String, for shape: Shape, seed: UInt64, bias: Bool = false
  ) -> [String: EncodedTensor] {
    Dictionary(
      uniqueKeysWithValues: tensors(algorithm, for: shape, seed: seed, bias: bias).map {
        ("\(name).\($0)", EncodedTensor($1, as: $0 == "on_input" ? .i64 : .f32))
      })
  }
}
