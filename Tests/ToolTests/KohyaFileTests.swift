import Foundation
import SystemPackage
import TestSupport
import Testing

/// Files and command lines in the forms of kohya's scripts and their front ends run as they are.
struct KohyaFileTests {
  private static let folder = Fixtures.path("training/kohya")

  /// Files of the fixtures by their names, `gui/lokr-sd15`.
  private static let files: [String] = ["gui", "lycoris", "lora-scripts", "colab", "easy-training"]
    .flatMap { form in
      directoryEntries(folder.appending(form)).sorted()
        .filter { $0.hasSuffix(".toml") && !$0.hasSuffix(".dataset.toml") }
        .map { "\(form)/\($0.dropLast(5))" }
    }

  /// What is refused, and why.
  private static let refused: [String: String] = [
    "gui/flux1d-adamw8bit-fp8": "whose parts come with it: remove the option",
    // As in the scripts: there is no file to take ranks from, and the fixture's images are smaller than a bucket.
    "gui/sdxl-lora-finetuning-phase-2-v1.1": "needs '--network_weights'",
    "gui/t5clrs": "expected at least 256 pixels",
  ]

  /// Those that train three steps: every form, every kind of network, most optimizers.
  private static let trained = [
    "gui/lokr-sd15", "gui/loha-sd15", "gui/ia3-prodigy-sd15", "gui/locon-adafactor",
    "gui/dylora-adafactor-toml", "gui/sd15-edg-loraoptisettings", "gui/diag-oft-adamw8bit-toml",
    "lycoris/full", "lora-scripts/page-lokr", "colab/prodigy", "easy-training/page-lora",
    "easy-training/run-loha",
  ]

  private static let commands: [String] = {
    let text = try? String(contentsOfFile: folder.appending("commands.txt").string, encoding: .utf8)
    return (text ?? "").split(separator: "\n").map(String.init).filter { !$0.hasPrefix("#") }
  }()

  /// A folder with images and a dataset configuration, for the placeholders of the fixtures.
  private struct Place: ~Copyable {
    let temporary = TemporaryFolder()

    init() throws {
      let images = temporary.file("images/10_bag")
      try FileManager.default.createDirectory(
        atPath: images.string, withIntermediateDirectories: true)
      let source = Fixtures.path("training/tiny/images/10_bag")
      for name in directoryEntries(source) where name.hasPrefix("0") {
        try FileManager.default.copyItem(
          atPath: source.appending(name).string, toPath: images.appending(name).string)
      }
      try temporary.write(
        "datasets.toml",
        text: """
          [general]
          resolution = 64
          caption_extension = ".txt"
          [[datasets]]
          batch_size = 2
          [[datasets.subsets]]
          image_dir = "\(images)"
          num_repeats = 2
          """)
      // What some of them draw on the way, in the folder where they run.
      try temporary.write("prompts.txt", text: "a bag --w 64 --h 64 --s 2\n")
    }

    func filled(_ text: String) -> String {
      [
        ("BASE", Fixtures.path("training/tiny").string),
        ("IMAGES", temporary.file("images").string), ("OUTPUT", temporary.file("out").string),
        ("LOGS", temporary.file("logs").string),
        ("DATASETS", temporary.file("datasets.toml").string),
      ].reduce(text) { $0.replacingOccurrences(of: $1.0, with: $1.1) }
    }

    /// Runs a file with what stands beside it.
    /// - Parameter isSmall: whether sizes that stand in a dataset, which no option overrides, become the fixture's:
    ///   a step at 512x512 takes a minute where nothing is optimized.
    func run(_ name: String, isSmall: Bool = false, _ arguments: String...) throws -> ToolRun {
      let source = KohyaFileTests.folder.appending(name)
      let stem = source.lastComponent?.string ?? name
      for file in directoryEntries(source.removingLastComponent()) where file.hasPrefix("\(stem).")
      {
        let text = try String(
          contentsOfFile: source.removingLastComponent().appending(file).string, encoding: .utf8)
        let sized =
          isSmall
          ? text.replacingOccurrences(of: "resolution = 512", with: "resolution = 64")
            .replacingOccurrences(of: "min_bucket_reso = 256", with: "min_bucket_reso = 64") : text
        try temporary.write(file, text: filled(sized))
      }
      let extra = try? String(
        contentsOfFile: temporary.file("\(stem).args").string, encoding: .utf8)
      return ToolRun(
        "lyco-train",
        ["--config_file", temporary.file("\(stem).toml").string]
          + (extra ?? "").split(separator: "\n").map(String.init) + arguments,
        in: temporary.path)
    }
  }

  @Test(arguments: files) func isPlanned(_ name: String) throws {
    let run = try Place().run(name, "--plan")
    if let reason = Self.refused[name] {
      #expect(run.status != 0 && run.errors.contains(reason), "\(run.errors)")
    } else {
      #expect(run.status == 0, "\(run.errors)")
      #expect(run.output.contains("steps in all"))
    }
  }

  @Test(arguments: trained) func trains(_ name: String) throws {
    let place = try Place()
    let run = try place.run(
      name, isSmall: true, "--max_train_steps", "3", "--max_train_epochs", "0",
      "--train_batch_size", "1",
      "--resolution", "64", "--min_bucket_reso", "64", "--mixed_precision", "no", "--threads", "1",
      "--output_name", "style")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.output.contains("3 steps"), "\(run.output)")
    #expect(
      FileManager.default.fileExists(atPath: place.temporary.file("out/style.safetensors").string))
  }

  @Test(arguments: commands) func commandIsPlanned(_ line: String) throws {
    let place = try Place()
    let process = Process()
    process.executableURL = URL(filePath: "/bin/sh")
    let tool = ToolRun.executable("lyco-train").path
    process.arguments = ["-c", "'\(tool)' \(place.filled(line)) --plan"]
    process.currentDirectoryURL = URL(filePath: place.temporary.path.string)
    let errors = place.temporary.file("errors")
    _ = FileManager.default.createFile(atPath: errors.string, contents: nil)
    process.standardOutput = FileHandle.nullDevice
    process.standardError = FileHandle(forWritingAtPath: errors.string)
    try process.run()
    process.waitUntilExit()
    let text = try String(contentsOfFile: errors.string, encoding: .utf8)
    #expect(process.terminationStatus == 0, "\(text)")
  }
}
