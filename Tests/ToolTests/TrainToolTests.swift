import Foundation
import SystemPackage
import TestSupport
import Testing

/// The built trainer on the small pipeline of the fixtures.
@Suite(.serialized) struct TrainToolTests {
  private static let base = Fixtures.path("training/tiny").string

  /// A folder with `10_bag`, two images with captions.
  private func images(in folder: borrowing TemporaryFolder, captions: Bool = true) throws
    -> FilePath
  {
    let target = folder.file(captions ? "images/10_bag" : "images")
    try FileManager.default.createDirectory(
      atPath: target.string, withIntermediateDirectories: true)
    let source = Fixtures.path("training/tiny/images/10_bag")
    let names = try FileManager.default.contentsOfDirectory(atPath: source.string).sorted()
      .filter { $0.hasSuffix(".png") }.prefix(2)
    for name in names {
      try FileManager.default.copyItem(
        atPath: source.appending(name).string, toPath: target.appending(name).string)
      guard captions else { continue }
      let caption = name.replacingOccurrences(of: ".png", with: ".txt")
      try FileManager.default.copyItem(
        atPath: source.appending(caption).string, toPath: target.appending(caption).string)
    }
    return folder.file("images")
  }

  private func train(
    _ images: FilePath, in folder: borrowing TemporaryFolder, _ arguments: String...,
    base: String = Self.base
  ) -> ToolRun {
    ToolRun(
      "lyco-train",
      [
        "--pretrained_model_name_or_path", base, "--train_data_dir", images.string,
        "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", "bag",
        "--network_dim", "2", "--max_train_steps", "2", "--seed", "1", "--threads", "1",
        "--network_train_unet_only",
      ] + arguments)
  }

  /// Each in one line that says what was expected and found, with nothing left behind, by the plan as by the run;
  /// status 64 for what options say and 1 for what files do.
  @Test(arguments: [
    (["--network_args", "include_patern=x"], "did you mean 'include_patterns'", 64),
    (
      ["--network_module", "lycoris.kohya", "--network_args", "algo=lorra"],
      "found 'lorra'", 64
    ),
    (["--network_args", "exclude_patterns=[r'.*']"], "no module is selected", 64),
    (["--network_module", "lycoris.kohya", "--network_args", "dora_wd=maybe"], "dora_wd", 64),
    (["--optimizer_type", "AdamX"], "--optimizer_type", 64),
    (["--optimizer_args", "weight_decai=1"], "weight_decay", 64),
    (["--lr_scheduler", "cosinus"], "did you mean 'cosine'", 64),
    (["--resume", "nowhere"], "nowhere", 1),
    (["--network_weights", "nowhere.safetensors"], "nowhere.safetensors", 1),
    (["--clip_skip", "99"], "--clip_skip", 64),
    (["--dataset_config", "x.toml"], "x.toml", 1),
    (["--resolution", ""], "resolution: expected '--resolution'", 64),
    (["--learning_rate", "0"], "nothing is trained", 64),
    (
      ["--optimizer_type", "DAdaptAdam", "--unet_lr", "1", "--text_encoder_lr", "0.5"],
      "one learning rate for all", 64
    ),
    (
      ["--optimizer_type", "DAdaptLion", "--network_args", "loraplus_lr_ratio=4"],
      "one learning rate for all", 64
    ),
    (
      ["--optimizer_type", "Prodigy", "--unet_lr", "1", "--text_encoder_lr", "0.5"],
      "one learning rate for all", 64
    ),
    (
      [
        "--optimizer_type", "DAdaptSGD", "--network_args",
        "down_lr_weight=1,1,1,1,1,1,1,1,1,1,1,1", "mid_lr_weight=0.5",
      ], "one learning rate for all", 64
    ),
    (["--vae", "nowhere.safetensors"], "nowhere.safetensors", 1),
    (["--base_weights", "nowhere.safetensors"], "nowhere.safetensors", 1),
  ])
  func refusesSettings(arguments: [String], says: String, status: Int32) throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    for plan in [[], ["--plan"]] {
      let run = ToolRun(
        "lyco-train",
        [
          "--pretrained_model_name_or_path", Self.base, "--train_data_dir", images.string,
          "--resolution", "64", "--output_dir", folder.file("out").string, "--quiet",
        ] + arguments + plan)
      #expect(run.status == status, "\(run.errors)")
      #expect(run.errors.contains(says), "\(run.errors)")
      let lines = run.errors.split(separator: "\n").filter {
        !$0.hasPrefix("note: ") && !$0.hasPrefix("Usage: ") && !$0.hasPrefix("  See ")
      }
      #expect(lines.count == 1, "\(run.errors)")
    }
    #expect(!FileManager.default.fileExists(atPath: folder.file("out").string))
  }

  /// As sd-scripts do, and it is said.
  @Test func trainsImagesWithoutCaptions() throws {
    let folder = TemporaryFolder()
    let run = train(try images(in: folder, captions: false), in: folder, "--plan")
    #expect(run.status == 0, "\(run.errors)")
    #expect(run.errors.contains("2 of 2 images have no caption file"), "\(run.errors)")
  }

  @Test func refusesWhatIsNoImageAndWhatIsNoModel() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    let foreign = train(
      images, in: folder, base: Fixtures.path("real/fashion-ddpm/base.safetensors").string)
    #expect(foreign.status == 1 && foreign.errors.contains("Stable Diffusion"), "\(foreign.errors)")

    try Data("<html>not found</html>".utf8).write(
      to: URL(filePath: images.appending("10_bag/zz.jpg").string))
    let unreadable = train(images, in: folder)
    #expect(unreadable.status == 1 && unreadable.errors.contains("zz.jpg"), "\(unreadable.errors)")
    #expect(!FileManager.default.fileExists(atPath: folder.file("out").string))
  }

  /// A file system without room: one line, and no part of a file.
  @Test func saysThatTheDiskIsFull() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    let tool = ToolRun.executable("lyco-train").path
    let command = """
      trap '' XFSZ; ulimit -f 8; exec '\(tool)' --pretrained_model_name_or_path '\(Self.base)' \
      --train_data_dir '\(images)' --resolution 64 --output_dir '\(folder.file("out"))' \
      --output_name bag --network_dim 16 --max_train_steps 1 --seed 1 --threads 1 --quiet \
      --network_train_unet_only
      """
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-c", command]
    let errors = Pipe()
    process.standardError = errors
    try process.run()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 1, "\(text)")
    let lines = text.split(separator: "\n").filter { !$0.hasPrefix("note: ") }
    #expect(lines.count == 1 && text.contains("bag.safetensors"), "\(text)")
    // A folder that was made for the output goes with it.
    #expect(!FileManager.default.fileExists(atPath: folder.file("out").string))
  }

  /// Who means it can have more than the limits of files allow.
  @Test func limitsCanBeRaised() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder, captions: false)
    let image = try #require(directoryEntries(images).first)
    try FileTree(files: [
      "\(FilePath(image).stem ?? "").caption": [UInt8](repeating: 0x61, count: 3 << 19)
    ])
    .write(to: images)
    let refused = train(images, in: folder, "--plan")
    #expect(refused.status == 1 && refused.errors.contains("expected at most 1 MiB, found 1572864"))
    let taken = train(images, in: folder, "--plan", "--raise_limits", "2")
    #expect(taken.status == 0, "\(taken.errors)")
    #expect(train(images, in: folder, "--plan", "--raise_limits", "0").status == 64)
  }

  /// The first interrupt finishes the step, saves the state and says how to go on; that then ends as the
  /// uninterrupted run.
  @Test func anInterruptedRunGoesOn() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    func arguments(_ name: String) -> [String] {
      [
        "--pretrained_model_name_or_path", Self.base, "--train_data_dir", images.string,
        "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", name,
        "--network_dim", "2", "--max_train_steps", "12", "--seed", "1", "--threads", "1",
        "--network_train_unet_only", "--quiet", "--cache_latents", "--log_csv",
        folder.file("\(name).csv").string, "--html", folder.file("\(name).html").string,
      ]
    }
    let process = Process()
    process.executableURL = ToolRun.executable("lyco-train")
    process.arguments = arguments("stopped")
    let errors = Pipe()
    process.standardError = errors
    try process.runHearingInterrupts()
    // After the first line of the table a step has been taken.
    let table = folder.file("stopped.csv").string
    while process.isRunning,
      (try? String(contentsOfFile: table, encoding: .utf8))?.split(separator: "\n").count ?? 0 < 2
    {
      usleep(20_000)
    }
    process.interrupt()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130, "\(text)")
    let state = try #require(text.firstMatch(of: /--resume (\S+-state)'/)?.1)
    #expect(!FileManager.default.fileExists(atPath: folder.file("out/stopped.safetensors").string))

    func page() throws -> PageReading {
      PageReading(String(decoding: try contents(of: folder.file("stopped.html")), as: UTF8.self))
    }
    let stopped = try page()
    #expect(stopped.faults == [] && stopped.text.contains("The run was interrupted"))
    #expect(stopped.text.contains("--resume \(state)"))

    let rest = ToolRun("lyco-train", arguments("stopped") + ["--resume", String(state)])
    #expect(try page().text.contains("The run is finished"))
    #expect(rest.status == 0, "\(rest.errors)")
    let whole = ToolRun("lyco-train", arguments("whole"))
    #expect(whole.status == 0, "\(whole.errors)")
    let inspected = ["stopped", "whole"].map { name in
      ToolRun("lyco-inspect", [folder.file("out/\(name).safetensors").string, "--json"]).output
        .firstMatch(of: /"sshs_model_hash" : "([0-9a-f]+)"/)?.1
    }
    #expect(inspected[0] != nil && inspected[0] == inspected[1])
    let tables = try ["stopped", "whole"].map { name in
      try String(contentsOfFile: folder.file("\(name).csv").string, encoding: .utf8)
    }
    #expect(tables[0] == tables[1])
  }

  /// Options of samples on the command line and in a file, off where kohya's files have them off.
  @Test func drawsSamples() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    let prompts = try folder.write("prompts.txt", text: "a bag --w 64 --h 64 --s 2 --d 4\n")
    let config = try folder.write(
      "config.toml",
      text: """
        [samples]
        sample_prompts = "\(prompts)"
        sample_every_n_epochs = 0
        sample_every_n_steps = 2
        sample_sampler = "Euler a"
        """)
    let run = train(images, in: folder, "--config_file", config.string)
    #expect(run.status == 0, "\(run.errors)")
    #expect(!run.errors.contains("without effect") && !run.errors.contains("no effect"))
    let names = directoryEntries(folder.file("out/sample"))
    #expect(
      names.count == 1 && names[0].hasPrefix("bag_000002_00_") && names[0].hasSuffix("_4.png"),
      "\(names)")
    #expect(run.errors.contains("1 sample picture every 2 steps"), "\(run.errors)")
    #expect(run.errors.contains("drew \(folder.file("out/sample/\(names[0])"))"), "\(run.errors)")

    let never = train(images, in: folder, "--sample_prompts", prompts.string, "--plan")
    #expect(never.status == 0 && never.errors.contains("without effect: '--sample_prompts'"))
    let nothing = train(images, in: folder, "--sample_every_n_epochs", "1", "--plan")
    #expect(nothing.status == 0 && nothing.errors.contains("without effect: '--sample_every"))
    for (option, value, says, status) in [
      ("--sample_sampler", "dimm", "did you mean 'ddim'", 64),
      ("--sample_every_n_epochs", "-1", "expected a number from 0 on", 64),
      ("--sample_prompts", "none.txt", "none.txt", 1),
    ] as [(String, String, String, Int32)] {
      let refused = train(
        images, in: folder, "--sample_prompts", prompts.string, "--sample_at_first", option, value,
        "--plan")
      #expect(refused.status == status && refused.errors.contains(says), "\(refused.errors)")
    }
  }

  /// Ctrl-C while a picture is drawn saves the state, and leaves no part of the picture.
  @Test func anInterruptedPictureIsNotWritten() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    let prompts = try folder.write(
      "prompts.txt", text: "a bag --w 64 --h 64 --s 1\na bag --w 512 --h 512 --s 1000\n")
    let process = Process()
    process.executableURL = ToolRun.executable("lyco-train")
    process.arguments = [
      "--pretrained_model_name_or_path", Self.base, "--train_data_dir", images.string,
      "--resolution", "64", "--output_dir", folder.file("out").string, "--output_name", "bag",
      "--network_dim", "2", "--max_train_steps", "12", "--seed", "1", "--threads", "1",
      "--network_train_unet_only", "--quiet", "--sample_prompts", prompts.string,
      "--sample_every_n_steps", "1",
    ]
    let errors = Pipe()
    process.standardError = errors
    try process.runHearingInterrupts()
    // The second picture is begun when the first is there.
    while process.isRunning,
      directoryEntries(folder.file("out/sample")).allSatisfy({
        !$0.hasSuffix(".png")
      })
    { usleep(20_000) }
    process.interrupt()
    let text = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    #expect(process.terminationStatus == 130, "\(text)")
    let state = try #require(text.firstMatch(of: /--resume (\S+-state)'/)?.1)
    #expect(state.hasSuffix("bag-step00000001-state"))
    let names = directoryEntries(folder.file("out/sample"))
    #expect(names.count == 1 && names[0].hasPrefix("bag_000001_00_"), "\(names)")
  }

  @Test func printsThePlan() throws {
    let folder = TemporaryFolder()
    let images = try images(in: folder)
    let run = train(images, in: folder, "--plan")
    #expect(run.status == 0, "\(run.errors)")
    for part in ["modules:", "batches per epoch: 20", "2 steps in all", "of memory", "per step"] {
      #expect(run.output.contains(part), "\(part): \(run.output)")
    }
    // A summary, and the list on request.
    #expect(run.output.split(separator: "\n").count < 16, "\(run.output)")
    let list = train(images, in: folder, "--plan", "--verbose")
    #expect(list.output.split(separator: "\n").count > 200 && list.output.contains("lora_unet_"))
    #expect(!FileManager.default.fileExists(atPath: folder.file("out").string))
  }
}
