import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport

/// A small Wan, HunyuanVideo or Qwen-Image, 128 wide, of which all weights are zero that are not said: what it predicts is known
/// without computing it, from what is mixed, from what it is told, or not at all.
struct VideoModel {
  enum Family: String, CaseIterable {
    case wan
    case hunyuanVideo = "hunyuan-video"
    case qwenImage = "qwen-image"

    /// Its tiny example.
    var oracle: String { self == .wan ? "wan-t2v-128" : rawValue }
    /// Of musubi-tuner.
    var module: String {
      switch self {
      case .wan: "networks.lora_wan"
      case .hunyuanVideo: "networks.lora"
      case .qwenImage: "networks.lora_qwen_image"
      }
    }
    /// Tokens of a frame of the example's items.
    var tokens: Double { self == .qwenImage ? 12 : 6 }
  }

  let family: Family
  private(set) var tensors: [String: Tensor]

  /// - Parameter knownChannels: of Wan, those behind the latents: 20 of a model that sees a first picture.
  init(_ family: Family, knownChannels: Int = 0) throws {
    self.family = family
    let example = try TensorFile(
      opening: Fixtures.path(
        "training/oracles/\(family.oracle)/model.safetensors.zst"))
    var tensors: [String: Tensor] = [:]
    for (name, view) in example.tensors {
      var extents = view.shape.dimensions
      if family != .wan {
        // Twice as wide as the example, with layers between of four times that, as the real one has. What an embedding
        // of times takes and what the last layer gives stays.
        for axis in extents.indices where extents[axis] % 64 == 0 {
          let isKept =
            name.hasPrefix(family == .qwenImage ? "proj_out" : "final_layer.linear") && axis == 0
            || ["mlp.0.weight", "linear_1.weight", "img_in.weight"].contains(where: name.hasSuffix)
              && axis == 1
          if !isKept { extents[axis] *= 2 }
        }
        let inner = name.hasSuffix("fc2.weight") ? 1 : name.contains("fc1") ? 0 : nil
        if let axis = inner { extents[axis] = 4 * Self.width }
        if name.contains("linear1") { extents[0] = 7 * Self.width }
        if name.hasSuffix("linear2.weight") { extents[1] = 5 * Self.width }
      } else if name == "patch_embedding.weight" {
        extents[1] += knownChannels
      }
      tensors[name] = Tensor(zeros: Shape(extents))
    }
    self.tensors = tensors
  }

  private static let width = 128
  private static let latentChannels = 16
  /// Of a patch of two by two latents.
  private static let patch = 64

  private var names: (input: String, output: String) {
    switch family {
    case .wan: ("patch_embedding", "head.head")
    case .hunyuanVideo: ("img_in.proj", "final_layer.linear")
    case .qwenImage: ("img_in", "proj_out")
    }
  }

  /// Random numbers for all weights, so that all that is trained moves.
  mutating func fill(seed: UInt64) {
    for (i, name) in tensors.keys.sorted().enumerated() {
      let shape = tensors[name]!.shape
      // As large as keeps what goes through at its size.
      let scale = 1 / Float(max(shape.columns, 1)).squareRoot()
      let values = Tensor(random: shape, seed: seed + UInt64(i)).elements.map { $0 * scale }
      tensors[name] = Tensor(shape, values)
    }
  }

  private mutating func set(_ name: String, _ values: [(place: [Int], value: Float)]) {
    var tensor = tensors[name]!
    let extents = tensor.shape.dimensions
    for (place, value) in values {
      var index = 0
      for (i, extent) in zip(place, extents) { index = index * extent + i }
      tensor.elements[index] = value
    }
    tensors[name] = tensor
  }

  /// Where a number of a patch stands among what the last layer gives: its channel and place in the patch.
  private func output(of channel: Int, _ row: Int, _ column: Int) -> Int {
    switch family {
    case .wan: (row * 2 + column) * Self.latentChannels + channel
    case .hunyuanVideo, .qwenImage: (channel * 2 + row) * 2 + column
    }
  }

  /// The prediction is `factor` times the input channels from `first` on.
  ///
  /// A normalization is in the way. Two channels of ±10⁴ make its deviation the same for all tokens, to some 1e-7, and
  /// what it takes off all channels alike is seen in one that is zero.
  mutating func pass(channelsFrom first: Int = 0, times factor: Float) {
    let (loud, loudness) = (Self.patch, Float(10_000))
    set(names.input + ".bias", [([loud], loudness), ([loud + 1], -loudness)])
    let deviation = loudness * (2 / Float(Self.width)).squareRoot()
    for channel in 0..<Self.latentChannels {
      for (row, column) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let token = (channel * 2 + row) * 2 + column
        let place = [token, first + channel, 0, row, column]
        // A matrix has the places of a patch in one row.
        let input = ((first + channel) * 2 + row) * 2 + column
        set(names.input + ".weight", [(family == .qwenImage ? [token, input] : place, 1)])
        let output = output(of: channel, row, column)
        set(
          names.output + ".weight",
          [([output, token], factor * deviation), ([output, loud + 2], -factor * deviation)])
      }
    }
  }

  /// The prediction is one number everywhere.
  mutating func predict(_ value: Float) {
    set(names.output + ".bias", (0..<Self.patch).map { ([$0], value) })
  }

  /// What a model is told besides its video.
  enum Told {
    case time
    case guidance
  }

  /// The prediction is a number that grows with what the model is told: see `answer(to:)`.
  mutating func tell(_ told: Told) {
    // The last of 128 sines is the slowest, a quarter of which takes 14000 steps; the first is that of the number.
    let wave = told == .time ? 255 : 128
    switch family {
    case .wan:
      set("time_embedding.0.weight", [([0, wave], Self.steepness)])
      set("time_embedding.2.weight", [([0, 0], Self.loudness)])
    case .hunyuanVideo:
      let embedding = told == .time ? "time_in" : "guidance_in"
      set(embedding + ".mlp.0.weight", [([0, wave], Self.steepness)])
      set(embedding + ".mlp.2.weight", [([0, 0], 1)])
      set("final_layer.adaLN_modulation.1.weight", [([0, 0], Self.loudness)])
    case .qwenImage:
      set("time_text_embed.timestep_embedder.linear_1.weight", [([0, wave], Self.steepness)])
      set("time_text_embed.timestep_embedder.linear_2.weight", [([0, 0], 1)])
      // The scale comes first.
      set("norm_out.linear.weight", [([Self.width, 0], Self.loudness)])
    }
    set(names.output + ".weight", (0..<Self.patch).map { ([$0, 0], 1) })
  }

  private static let steepness: Float = 10
  /// So loud that the target is not heard in the loss.
  static let loudness: Float = 1e6

  /// What it predicts for a sine.
  private func answer(to sine: Double) -> Double {
    let first = Self.silu(Double(Self.steepness) * sine)
    return Double(Self.loudness) * (family == .wan ? first : Self.silu(first))
  }

  func answer(toTime time: Double) -> Double {
    answer(to: sin(time * exp(-log(10_000.0) * 127 / 128)))
  }

  func answer(toGuidance guidance: Double) -> Double { answer(to: sin(guidance)) }

  /// The time that a loss tells.
  func time(ofLoss loss: Double) -> Double {
    var (low, high) = (0.0, 2000.0)
    for _ in 0..<60 {
      let middle = (low + high) / 2
      if answer(toTime: middle) < loss.squareRoot() { low = middle } else { high = middle }
    }
    return low
  }

  private static func silu(_ x: Double) -> Double { x / (1 + exp(-x)) }

  @discardableResult
  func write(_ name: String = "model.safetensors", in folder: borrowing TemporaryFolder) throws
    -> FilePath
  {
    try folder.write(name, tensors.mapValues { EncodedTensor($0, as: .f32) })
  }
}
