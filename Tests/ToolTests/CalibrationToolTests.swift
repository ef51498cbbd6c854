import Foundation
import OrderedCollections
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// lyco-extract by what layers read: a small pipeline runs on pictures, on what it draws, and not at all.
@Suite(.serialized) struct CalibrationToolTests {
  private static let tiny = Fixtures.path("training/tiny")
  private static let images = Fixtures.path("training/tiny/images").string

  /// The small pipeline with its denoiser changed a little in every weight.
  private static func writeTuned(in folder: borrowing TemporaryFolder) throws -> String {
    var tensors: [String: [String: EncodedTensor]] = [:]
    for (key, view) in try TensorFile(opening: tiny).tensors {
      let parts = key.split(separator: "/", maxSplits: 1).map(String.init)
      var tensor = view.tensor()
      if parts[0] == "unet", tensor.shape.dimensions.count > 1 {
        let noise = Tensor(random: tensor.shape, seed: UInt64(key.utf8.count))
        tensor = Tensor(
          tensor.shape, zip(tensor.elements, noise.elements).map { $0 + 0.02 * $1 })
      }
      tensors[parts[0], default: [:]][parts[1]] = EncodedTensor(tensor, as: .f32)
    }
    for (component, part) in tensors {
      try folder.write("tuned/\(component)/model.safetensors", part)
      for file in directoryEntries(tiny.appending(component)) where file.hasSuffix(".json") {
        let text = try contents(of: tiny.appending(component).appending(file))
        try folder.write(
          "tuned/\(component)/\(file)", text: String(decoding: text, as: UTF8.self))
      }
    }
    try folder.write("tuned/model_index.json", text: "{}")
    return folder.file("tuned").string
  }

  private func extract(
    _ arguments: [String], in folder: borrowing TemporaryFolder,
    rank: [String] = ["--linear_dim", "2"]
  ) -> ToolRun {
    ToolRun(
      "lyco-extract",
      [Self.tiny.string, folder.file("tuned").string, "--family", "sd1"] + rank + arguments,
      in: folder.path)
  }

  private func report(_ name: String, in folder: borrowing TemporaryFolder) throws -> [String: Any]
  {
    try #require(
      JSONSerialization.jsonObject(with: Data(contents(of: folder.file(name)))) as? [String: Any])
  }

  @Test func picturesMakeOutputsNearer() throws {
    let folder = TemporaryFolder()
    _ = try Self.writeTuned(in: folder)
    let run = extract(
      [
        "-o", "a.safetensors", "--calibrate", Self.images, "--calibration_samples", "4",
        "--save_statistics", "m.safetensors", "--report", "a.json",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("of outputs"), "\(run.output)")
    // The same by the file that was saved, to the byte, and without a model.
    let other = extract(
      ["-o", "b.safetensors", "--statistics", "m.safetensors", "--report", "b.html"], in: folder)
    #expect(other.status == 0, "\(other.errors)")
    let (first, second) = (
      try TensorFile(opening: folder.file("a.safetensors")),
      try TensorFile(opening: folder.file("b.safetensors"))
    )
    for (name, view) in first.tensors {
      let found = try #require(second.tensors[name])
      #expect(view.hasEqualBytes(as: found), "\(name)")
    }
    let page = PageReading(
      String(decoding: try contents(of: folder.file("b.html")), as: UTF8.self))
    #expect(page.faults.isEmpty && page.text.contains("Error of outputs"))
    // The weights are further away than by an SVD of their own, and shares are those of wholes.
    let plain = extract(["-o", "c.safetensors", "--report", "c.json"], in: folder)
    #expect(plain.status == 0, "\(plain.errors)")
    let (weighed, unweighed) = (try report("a.json", in: folder), try report("c.json", in: folder))
    let modules = try #require(weighed["modules"] as? [[String: Any]])
    let others = try #require(unweighed["modules"] as? [[String: Any]])
    #expect(modules.count == others.count)
    var (before, after) = (0.0, 0.0)
    for (module, other) in zip(modules, others) where module["part"] as? String == "weight" {
      let path = module["path"] as? String ?? ""
      let output = try #require(module["output"] as? [String: Any], "\(path)")
      before += output["share_before"] as? Double ?? 0
      after += output["share_after"] as? Double ?? 0
      let errors = [module, other].map { $0["relative_error"] as? Double ?? 0 }
      // Of layers of rank 2 both are exact.
      #expect(errors[0] >= errors[1] * 0.99, "\(path): \(errors)")
    }
    #expect(abs(before - 1) < 1e-6 && abs(after - 1) < 1e-6)
    #expect(others[0]["output"] == nil)
  }

  /// What runs without pictures: noise and prompts, twice the same; with gradients all modules still have a share of one
  /// size.
  @Test(arguments: [[], ["--calibration_gradients"], ["--mixed_precision", "bf16"]])
  func drawsItsOwnLatents(more: [String]) throws {
    let folder = TemporaryFolder()
    _ = try Self.writeTuned(in: folder)
    try folder.write("prompts.txt", text: "a photo of a bag --w 64 --h 64\n")
    for name in ["a", "b"] {
      let run = extract(
        [
          "-o", "\(name).safetensors", "--calibrate", "random", "--calibration_prompts",
          "prompts.txt", "--calibration_samples", "8", "--calibration_model", "base",
          "--max_size", "100KB", "--no_metadata", "--report", "\(name).json",
        ] + more, in: folder, rank: [])
      #expect(run.status == 0, "\(run.errors)")
    }
    let size = try contents(of: folder.file("a.safetensors"))
    #expect(size.count <= 100_000)
    #expect(try contents(of: folder.file("b.safetensors")) == size)
    let totals = try #require(try report("a.json", in: folder)["totals"] as? [String: Any])
    let error = try #require(totals["output_error"] as? Double)
    #expect(error > 0 && error < 1)
  }

  /// Gradients by the outputs of the last layer are the random numbers of the sum themselves, in which timesteps count by
  /// what they do to the clean latents: 25, the most there is, at 927, and less than 1 at 309.
  @Test func timestepsCountByWhatIsClean() throws {
    let folder = TemporaryFolder()
    _ = try Self.writeTuned(in: folder)
    let run = extract(
      [
        "-o", "a.safetensors", "--calibrate", Self.images, "--calibration_samples", "2",
        "--calibration_gradients", "--save_statistics", "m.safetensors",
      ], in: folder)
    #expect(run.status == 0, "\(run.errors)")
    let file = try TensorFile(opening: folder.file("m.safetensors"))
    let found = try #require(file.tensors["lora_unet_conv_out.gradient_moment"]).tensor()
    let width = found.shape.rows
    let mean = (0..<width).reduce(0) { $0 + found.elements[$1 * (width + 1)] } / Float(width)
    // Of a few hundred squares of normal numbers.
    #expect(mean > 9 && mean < 17, "\(mean)")
  }

  /// Every rank runs the model, and factorizes its share by what it found; threads share every product.
  @Test func ranksAndThreadsWriteTheSameBytes() throws {
    let folder = TemporaryFolder()
    let tuned = try Self.writeTuned(in: folder)
    for (ranks, threads, name) in [(1, 1, "one"), (2, 1, "two"), (1, 2, "threads")] {
      let run = try RankedRun(
        "lyco-extract",
        [
          Self.tiny.string, tuned, "-o", folder.file("\(name).safetensors").string, "--family",
          "sd1", "--linear_dim", "2", "--calibrate", Self.images, "--calibration_samples", "2",
          "--save_statistics", folder.file("\(name)-moments.safetensors").string,
          "--no_metadata", "--quiet", "--threads", "\(threads)",
        ], ranks: ranks)
      #expect(run.end() == 0, "\(run.allErrors)")
    }
    for (other, ending) in [
      ("two", ".safetensors"), ("two", "-moments.safetensors"), ("threads", ".safetensors"),
      ("threads", "-moments.safetensors"),
    ] {
      #expect(
        try contents(of: folder.file("one" + ending))
          == contents(of: folder.file(other + ending)), "\(other)\(ending)")
    }
  }

  @Test(arguments: [
    (["--calibrate", "nowhere"], 64, "expected a folder of pictures"),
    (["--calibrate", "random", "--use_sparse_bias"], 64, "says nothing of outputs"),
    (["--statistics", "odd.safetensors"], 1, "expected [16, 16]"),
    (["--statistics", "foreign.safetensors"], 1, "none of its 1 modules"),
    (["--statistics", "names.safetensors"], 1, "expected names that end in .second_moment"),
    (["--save_statistics", "m.safetensors"], 64, "--calibrate"),
  ])
  func saysWhatIsWrong(arguments: [String], status: Int32, message: String) throws {
    let folder = TemporaryFolder()
    try folder.write(
      "base.safetensors", ["a.weight": EncodedTensor(Tensor(random: [12, 16], seed: 1), as: .f32)])
    try folder.write(
      "tuned.safetensors", ["a.weight": EncodedTensor(Tensor(random: [12, 16], seed: 2), as: .f32)])
    let square = EncodedTensor(Tensor(random: [4, 4], seed: 3), as: .f32)
    try folder.write("odd.safetensors", ["a.second_moment": square])
    try folder.write("foreign.safetensors", ["b.second_moment": square])
    try folder.write("names.safetensors", ["a.moment": square])
    let run = ToolRun(
      "lyco-extract", ["base.safetensors", "tuned.safetensors", "-o", "c.safetensors"] + arguments,
      in: folder.path)
    #expect(run.status == status, "\(run.errors)")
    #expect(run.errors.contains(message), "\(run.errors)")
    #expect(folder.file("c.safetensors").kind == nil)
  }

  /// Moments of another program, by the keys of the base, of a model that no family knows.
  @Test func takesMomentsFromOutside() throws {
    let folder = TemporaryFolder()
    let (base, tuned) = (Tensor(random: [12, 16], seed: 1), Tensor(random: [12, 16], seed: 2))
    for (name, tensor) in [("base", base), ("tuned", tuned)] {
      try folder.write("\(name).safetensors", ["a.weight": EncodedTensor(tensor, as: .f32)])
    }
    let rows = Tensor(random: [200, 16], seed: 4).elements
    var sums = [Float](repeating: 0, count: 256)
    for row in stride(from: 0, to: rows.count, by: 16) {
      for i in 0..<16 {
        for j in 0..<16 { sums[i * 16 + j] += rows[row + i] * rows[row + j] }
      }
    }
    let moment = Tensor([16, 16], sums)
    try folder.write("m.safetensors", ["a.second_moment": EncodedTensor(moment, as: .f32)])
    let run = ToolRun(
      "lyco-extract",
      [
        "base.safetensors", "tuned.safetensors", "-o", "c.safetensors", "--statistics",
        "m.safetensors", "--max_error", "0.5", "--json",
      ], in: folder.path)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("\"output_error\""), "\(run.output)")
  }
}
