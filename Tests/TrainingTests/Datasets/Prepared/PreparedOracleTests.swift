import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Caches that musubi-tuner's functions wrote, against the batch that its loader makes of them, see
/// `scripts/fixtures/training/make-prepared-fixtures.py`.
struct PreparedOracleTests {
  private static func model(_ oracle: String) throws -> PreparedModel {
    switch oracle {
    case "hunyuan-video":
      try PreparedModel(
        oracle,
        [
          .text("llm", [nil, 24]), .text("llm_mask", [nil]), .text("clipL", [12]),
          .text("clipL_mask", [nil]),
        ])
    case "wan-i2v":
      try .wan([
        .latents("latents_image", channels: 20, option: "--i2v"),
        .picture("clip", [257, 20], option: "--clip"),
      ])
    case "wan22-i2v": try .wan([.latents("latents_image", channels: 20, option: "--i2v")])
    default: try .wan()
    }
  }

  /// The oracle's own configuration, with its folder found from anywhere.
  private static func set(
    _ oracle: String, _ model: PreparedModel, in folder: borrowing TemporaryFolder,
    batchSize: Int = 2
  ) throws -> TrainingSet {
    let path = Fixtures.path("training/oracles/\(oracle)")
    let text = String(decoding: try contents(of: path.appending("dataset.toml")), as: UTF8.self)
      .replacingAll("\"cache\"", with: "\"\(path.appending("cache"))\"")
      .replacingAll("batch_size = 1", with: "batch_size = \(batchSize)")
    return try model.set(try folder.write("dataset.toml", text: text))
  }

  @Test(arguments: ["hunyuan-video", "wan-t2v", "wan-i2v", "wan22-i2v"])
  func equalMusubi(_ oracle: String) throws {
    let folder = TemporaryFolder()
    let model = try Self.model(oracle)
    let set = try Self.set(oracle, model, in: folder)
    #expect(set.notices.isEmpty && set.validation.isEmpty)
    let batch = try #require(try model.batches(of: set).first)
    #expect(batch.plan.bucket == Resolution(48, 32) && batch.plan.frames == 5)
    #expect(batch.mask == nil && batch.lossWeights == [1, 1])
    let golden = try TensorFile(opening: Fixtures.path("training/prepared/items.safetensors"))
    guard case .latents(let latents) = batch.content else {
      Issue.record("no latents")
      return
    }
    #expect(latents.shape == [2, 2, 4, 6, 16])
    let kept = try #require(batch.kept)
    var compared = 0
    for (place, sample) in batch.plan.samples.enumerated() {
      let number = sample.example
      #expect(set.examples[number].caption == "caption \(number)")
      for view in golden.tensors.values where view.name.hasPrefix(oracle + ".") {
        var parts = view.name.split(separator: ".").dropFirst().map(String.init)
        var expected = view.tensor()
        if parts.count == 2 {
          guard parts.removeLast() == "\(number)" else { continue }
        } else {
          expected = expected.rows(number..<number + 1)
            .reshaped(Shape(Array(expected.shape.dimensions.dropFirst())))
        }
        if parts[0].hasPrefix("latents") { expected = Self.channelsLast(expected) }
        let found =
          parts[0] == "latents"
          ? latents.rows(place..<place + 1).reshaped([2, 4, 6, 16])
          : try #require(kept[place][parts[0]], "\(parts[0])")
        // Widening is exact.
        #expect(found == expected, "\(view.name)")
        compared += 1
      }
      let names = Set(
        golden.tensors.keys.compactMap { name -> String? in
          let parts = name.split(separator: ".").map(String.init)
          return parts[0] == oracle ? parts[1] : nil
        })
      #expect(Set(kept[place].keys) == names)
      #expect(compared == (place + 1) * names.count)
    }
  }

  /// By the definition, not by what reads caches.
  private static func channelsLast(_ tensor: Tensor) -> Tensor {
    let extents = tensor.shape.dimensions
    let (channels, frames, height, width) = (extents[0], extents[1], extents[2], extents[3])
    var result = Tensor(zeros: [frames, height, width, channels])
    for c in 0..<channels {
      for f in 0..<frames {
        for y in 0..<height {
          for x in 0..<width {
            result.elements[((f * height + y) * width + x) * channels + c] =
              tensor.elements[((c * frames + f) * height + y) * width + x]
          }
        }
      }
    }
    return result
  }

  /// What a batch is depends on neither threads nor what was loaded before.
  @Test func resumes() throws {
    let folder = TemporaryFolder()
    let model = try Self.model("wan-i2v")
    let set = try Self.set("wan-i2v", model, in: folder, batchSize: 1)
    let all = try model.batches(of: set, threads: 1)
    #expect(all.count == 2)
    #expect(try model.batches(of: set, threads: 3) == all)
    #expect(try model.batches(of: set, from: 1) == Array(all.dropFirst()))
    let orders = (0..<8).map { set.batches(epoch: $0, seed: 3).map { $0.samples[0].example } }
    #expect(Set(orders) == [[0, 1], [1, 0]])
  }

  /// Latents of a model are scaled as its family says.
  @Test func scales() throws {
    let model = try Self.model("hunyuan-video")
    // Rounded to f16, as there.
    #expect(model.latents.scaled(Tensor([1], [2])).elements == [0.95410156])
    #expect(try Self.model("wan-t2v").latents.scaled(Tensor([1], [2])).elements == [2])
    #expect([1, 4, 5, 25, 129].map(model.latents.frames) == [1, 1, 2, 7, 33])
  }

  @Test func summary() throws {
    let folder = TemporaryFolder()
    let set = try Self.set("wan-t2v", try .wan(), in: folder, batchSize: 1)
    let source = Fixtures.path("training/oracles/wan-t2v/cache")
    #expect(
      set.summary.lines == [
        "dataset 1: 48x32, batch size 1, 2 samples in 2 batches",
        "  \(source): 2 items x 1 = 2", "  bucket 48x32x5: 2", "items x repeats: 2",
        "batches per epoch: 2",
      ])
  }
}
