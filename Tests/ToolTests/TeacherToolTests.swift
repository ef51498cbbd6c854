import Foundation
import SystemPackage
import TestSupport
import Testing

/// `lyco-train --teacher`, with a fine-tune that an adapter makes of the small pipeline.
@Suite(.serialized) struct TeacherToolTests {
  private static let tiny = Fixtures.path("training/tiny").string
  private static let images = Fixtures.path("training/tiny/images").string

  private func train(
    in folder: borrowing TemporaryFolder, _ name: String, _ arguments: [String],
    images: String? = Self.images
  ) -> ToolRun {
    ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", Self.tiny, "--resolution", "64",
        "--caption_extension", ".txt", "--output_dir", folder.file("out").string,
        "--output_name", name, "--seed", "1", "--threads", "1", "--train_batch_size", "4",
      ] + (images.map { ["--train_data_dir", $0] } ?? []) + arguments, in: folder.path)
  }

  /// A loss of `--json`.
  private func loss(_ run: ToolRun) throws -> Double {
    #expect(run.status == 0, "\(run.errors)")
    let facts = try #require(
      JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    return try #require(facts["loss"] as? Double)
  }

  /// An adapter that is the teacher's whole difference leaves none, whatever its algorithm: to rounding of the merged
  /// weights, which are f16 as those of the checkpoint.
  @Test(arguments: ["lora", "loha", "lokr factor=4", "diag-oft", "full"])
  func anAdapterThatIsTheDifferenceLeavesNone(algorithm: String) throws {
    let folder = TemporaryFolder()
    let network =
      ["--network_module", "lycoris.kohya", "--network_args"]
      + "algo=\(algorithm)".split(separator: " ").map(String.init)
    let rate = algorithm == "full" ? "1e-3" : "1e-2"
    let made = train(
      in: folder, "made",
      network + ["--network_dim", "4", "--max_train_steps", "12", "--learning_rate", rate])
    #expect(made.status == 0, "\(made.errors)")
    let merged = ToolRun(
      "lyco-merge",
      [
        Self.tiny, "out/made.safetensors", "--ratio", "1", "-o", "tuned", "--save_precision",
        "fp32",
      ],
      in: folder.path)
    #expect(merged.status == 0, "\(merged.errors)")
    let still = [
      "--learning_rate", "1e-12", "--max_train_steps", "4", "--json", "--teacher", "tuned",
    ]
    let found = try loss(
      train(
        in: folder, "there", network + still + ["--init", "out/made.safetensors"]))
    let without = try loss(
      train(in: folder, "none", network + still + ["--network_dim", "4"]))
    print("\(algorithm): \(without) without the adapter, \(found) with it")
    #expect(without > 1e-5)
    // Squares: of weights and sums in f32 about 1e-10 is left, of OFT's rotations more.
    #expect(found < 1e-6 * without, "\(found) of \(without)")
  }

  /// One line that says what was expected.
  @Test(arguments: [
    (["--teacher", "nowhere.safetensors"], "nowhere.safetensors", 1),
    (["--teacher_prompts", "x.txt"], "'--teacher_prompts'", 64),
    (["--teacher", tiny, "--teacher_samples", "5"], "'--teacher_samples'", 64),
    (["--teacher", Fixtures.path("training/tiny-sdxl").string], "expected a checkpoint of", 1),
    (["--init", "nowhere.safetensors"], "nowhere.safetensors", 1),
    (["--init", "a.safetensors", "--network_weights", "b.safetensors"], "'--init'", 64),
  ])
  func whatIsWrongIsToldInOneLine(arguments: [String], words: String, status: Int32) {
    let folder = TemporaryFolder()
    let run = train(in: folder, "bag", arguments + ["--max_train_steps", "1"])
    #expect(run.status == status, "\(arguments): \(run.errors)")
    let lines = run.errors.split(separator: "\n").filter { !$0.hasPrefix("note: ") }
    #expect(lines.first?.contains(words) == true, "\(arguments): \(run.errors)")
  }

  /// What is asked of it without pictures, and what is kept.
  @Test func thePlanSaysWhatIsDrawnAndHeldOnce() {
    let folder = TemporaryFolder()
    let run = train(
      in: folder, "bag",
      ["--teacher", Self.tiny, "--teacher_samples", "6", "--plan", "--cache_latents_to_disk"],
      images: nil)
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("391 of its 391 modules are those of the base"), "\(run.output)")
    #expect(run.output.contains("6 images x 1 = 6"), "\(run.output)")
    #expect(run.errors.contains("what the teacher draws is kept in memory"), "\(run.errors)")
  }
}
