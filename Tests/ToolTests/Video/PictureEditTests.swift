import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// Qwen-Image-Edit, which has the weights of Qwen-Image and sees other pictures, each of a size of its own.
@Suite(.serialized) struct PictureEditTests {
  private struct Keys: Decodable {
    let values: [String: [String: String]]
  }

  private static let versions: [(options: [String], name: String)] = [
    (["--edit"], "edit"), (["--model_version", "edit"], "edit"), (["--edit_plus"], "edit-2509"),
    (["--model_version", "edit-2511"], "edit-2511"),
    // What is named counts.
    (["--edit", "--model_version", "edit-2509"], "edit-2509"),
  ]

  /// Metadata are those of musubi-tuner's code.
  @Test(arguments: versions) func saysWhatItIs(options: [String], name: String) throws {
    let keys = try JSONDecoder().decode(
      Keys.self,
      from: Data(contentsOf: URL(filePath: Fixtures.path("training/video/metadata.json").string)))
    let values = try #require(keys.values["qwen-image \(name)"])
    let run = try VideoRun("qwen-image-edit")
    let result = run.train(
      dit: run.weights,
      options + [
        "--metadata_title", "title", "--min_timestep", "200", "--max_timestep", "700",
      ])
    #expect(result.status == 0, "\(result.errors)")
    let found = try TensorFile(opening: run.folder.file("out/a.safetensors")).metadata
    #expect(found.filter { values.keys.contains($0.key) } == values)
  }

  /// x_t / t is left of the target whatever is seen beside it: the prediction is that of the first picture's tokens.
  @Test func predictsOnePicture() throws {
    let run = try VideoRun("qwen-image-edit")
    var model = try VideoModel(.qwenImage)
    model.pass(times: 2)
    let expected = try run.cached("latents").map { latents in
      latents.elements.reduce(0.0) { $0 + Double($1) * Double($1) } / Double(latents.count) * 4
    }.sorted()
    let losses = try run.losses(
      of: model,
      [
        "--edit", "--timestep_sampling", "uniform", "--min_timestep", "500", "--max_timestep",
        "500",
      ])
    for (loss, expected) in zip(losses.sorted(), expected) {
      #expect(abs(loss / expected - 1) <= 1e-5, "\(loss), expected \(expected)")
    }
  }

  /// The first loss of a run on weights that let everything through.
  private static func firstLoss(_ run: borrowing VideoRun, _ options: [String]) throws -> Double {
    let result = run.train(
      steps: 1,
      options + [
        "--timestep_sampling", "uniform", "--min_timestep", "500", "--max_timestep", "500",
      ])
    #expect(result.status == 0, "\(result.errors)")
    return try #require(try run.losses().first)
  }

  /// The pictures are seen; and as ones without noise, where that is how the model was trained.
  @Test func seesThePictures() throws {
    let run = try VideoRun("qwen-image-edit")
    var model = try VideoModel(.qwenImage)
    model.fill(seed: 5)
    try model.write(in: run.folder)
    let edit = try Self.firstLoss(run, ["--edit"])
    #expect(try Self.firstLoss(run, ["--model_version", "edit-2509"]) == edit)
    #expect(try Self.firstLoss(run, ["--model_version", "edit-2511"]) != edit)
    let cache = try run.copyCaches()
    for name in directoryEntries(cache) where !name.hasSuffix("_te.safetensors") {
      let path = cache.appending(name)
      var tensors = try TensorFile(opening: path).contents
      for (key, tensor) in tensors where key.hasPrefix("latents_control_1") {
        tensors[key] = EncodedTensor(Tensor(zeros: tensor.decoded().shape), as: .bf16)
      }
      try FileManager.default.removeItem(atPath: path.string)
      try run.folder.write("cache/" + name, tensors)
    }
    let changed = try Self.firstLoss(run, ["--edit"])
    #expect(changed != edit && abs(changed - edit) < edit)
  }

  /// Each has files of its own, and says how they are made.
  @Test(arguments: [
    ("qwen-image-edit", [String](), "'*_qi.safetensors'", "'qwen_image_cache_latents.py'"),
    (
      "qwen-image", ["--edit_plus"], "'*_qie.safetensors'",
      "'qwen_image_cache_latents.py --model_version edit-2509'"
    ),
  ])
  func asksForItsFiles(
    oracle: String, options: [String], ending: String, command: String
  ) throws {
    let run = try VideoRun(oracle)
    let result = run.train(dit: run.weights, options)
    #expect(result.status != 0)
    #expect(
      result.errors.contains(ending) && result.errors.contains(command), "\(result.errors)")
  }

  @Test func refusesLatentsThatFillNoPatches() throws {
    let run = try VideoRun("qwen-image-edit")
    let cache = try run.copyCaches()
    let name = try #require(directoryEntries(cache).first { !$0.hasSuffix("_te.safetensors") })
    var tensors = try TensorFile(opening: cache.appending(name)).contents
    let key = try #require(tensors.keys.first { $0.hasPrefix("latents_control_1") })
    tensors[key] = nil
    tensors["latents_control_1_1x5x4_bfloat16"] = EncodedTensor(
      Tensor(zeros: [16, 1, 5, 4]), as: .bf16)
    try FileManager.default.removeItem(atPath: cache.appending(name).string)
    try run.folder.write("cache/" + name, tensors)
    let result = run.train(dit: run.weights, ["--edit"])
    #expect(result.status != 0)
    #expect(
      result.errors.contains("latents 'latents_control_1' whose sides are multiples of 2"),
      "\(result.errors)")
  }

  @Test(arguments: [
    (["--model_version", "layered"], "'--model_version': expected original, edit"),
    (["--remove_first_image_from_target"], "of Qwen-Image-Layered"),
  ])
  func refusesOthers(options: [String], says: String) throws {
    let run = try VideoRun("qwen-image")
    let result = run.train(dit: run.weights, options)
    #expect(result.status == 64 && result.errors.contains(says), "\(result.errors)")
  }

  /// Of another family there are no versions.
  @Test func isOfItsFamily() throws {
    let run = try VideoRun(.wan)
    let result = run.train(dit: run.weights, ["--edit"])
    #expect(result.status == 64)
    #expect(
      result.errors.contains(
        "'--model_version': expected original of Wan 2.1 and 2.2, found edit"),
      "\(result.errors)")
  }
}
