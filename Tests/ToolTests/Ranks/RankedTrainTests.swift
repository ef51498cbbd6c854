import Foundation
import Safetensors
import SystemPackage
import Tensors
import TestSupport
import Testing

/// `mpirun -n N lyco-train` on the small pipeline of the fixtures, over the loopback of this machine. What N ranks
/// train has the bits of one process that takes N batches for a step.
@Suite(.serialized) struct RankedTrainTests {
  private let folder = TemporaryFolder.ofProcess()

  private func file(_ name: String) -> FilePath { folder.appending(FilePath(name).components) }

  private static let images = Fixtures.path("training/tiny/images").string

  private func arguments(
    _ name: String, accumulation: Int, images: String? = Self.images, _ others: [String]
  ) -> [String] {
    (images.map { ["--train_data_dir", $0] } ?? []) + [
      "--pretrained_model_name_or_path", Fixtures.path("training/tiny").string,
      "--caption_extension", ".txt", "--resolution", "64",
      "--output_dir", file("out").string, "--output_name", name, "--network_dim", "2",
      "--gradient_accumulation_steps", "\(accumulation)", "--learning_rate", "1e-3",
      "--seed", "1", "--threads", "1", "--quiet",
      "--log_csv", file("\(name).csv").string,
    ] + others
  }

  /// Trains to the end.
  private func train(
    _ name: String, ranks: Int, accumulation: Int, images: String? = Self.images,
    _ others: [String]
  ) throws {
    let run = try RankedRun(
      "lyco-train", arguments(name, accumulation: accumulation, images: images, others),
      ranks: ranks)
    #expect(run.end() == 0, "\(run.allErrors)")
  }

  /// Names and bytes of what is trained, and the table of steps.
  private func result(_ name: String) throws -> (tensors: [String: [UInt8]], table: String) {
    let adapter = try TensorFile(opening: file("out/\(name).safetensors"))
    return (
      adapter.tensors.reduce(into: [:]) { $0[$1.key] = $1.value.stored.bytes },
      try String(contentsOfFile: file("\(name).csv").string, encoding: .utf8)
    )
  }

  private func expectEqual(_ names: String..., sourceLocation: SourceLocation = #_sourceLocation)
    throws
  {
    let first = try result(names[0])
    #expect(!first.tensors.isEmpty)
    for name in names.dropFirst() {
      let other = try result(name)
      #expect(other.tensors == first.tensors, "\(name)", sourceLocation: sourceLocation)
      #expect(other.table == first.table, "\(name)", sourceLocation: sourceLocation)
    }
  }

  /// 48 pictures are 16 batches of 3 or 10 of 5, so not all ranks have a batch at the end of an epoch. Text encoder,
  /// every dropout, average, bound of gradients and of norms, and pictures that are held out.
  @Test(arguments: [
    (
      2,
      [
        "--network_module", "lycoris.kohya", "--network_args", "algo=lora", "dropout=0.1",
        "rank_dropout=0.2", "module_dropout=0.3", "--ema_decay", "0.9", "--scale_weight_norms",
        "0.01",
        "--validation_split", "0.2", "--train_batch_size", "3", "--caption_dropout_rate", "0.2",
        "--cache_latents",
      ]
    ),
    (
      3,
      [
        "--network_module", "lycoris.kohya", "--network_args", "algo=lokr", "factor=4",
        "--train_batch_size", "3", "--flip_aug", "--optimizer_type", "Prodigy", "--learning_rate",
        "1", "--noise_offset",
        "0.1",
        "--min_snr_gamma", "5", "--cache_latents_to_disk",
      ]
    ),
    (
      4,
      [
        "--network_module", "lycoris.kohya", "--network_args", "algo=diag-oft",
        "--train_batch_size", "5", "--network_train_unet_only", "--cache_text_encoder_outputs",
        "--cache_latents",
        "--max_grad_norm", "0.01", "--gradient_checkpointing",
      ]
    ),
  ])
  func sameBitsAsOneProcess(ranks: Int, others: [String]) throws {
    let settings = others + ["--max_train_steps", "7"]
    let images = try copiedImages("images")
    let pictures = try files(images)
    try train("one", ranks: 1, accumulation: ranks, images: images, settings)
    let cached = try files(images)
    // What is cached of them is made anew.
    for name in cached.keys where pictures[name] == nil {
      try FileManager.default.removeItem(atPath: "\(images)/1_bag/\(name)")
    }
    try train("many", ranks: ranks, accumulation: 1, images: images, settings)
    try expectEqual("one", "many")
    #expect(try files(images) == cached)
  }

  /// The base is the small pipeline with an adapter, the teacher the one without: from pictures, and from what it draws,
  /// every rank its share.
  @Test(arguments: [false, true]) func sameBitsFromATeacher(draws: Bool) throws {
    try train(
      "given", ranks: 1, accumulation: 1, ["--max_train_steps", "2", "--learning_rate", "1e-2"])
    let settings = [
      "--base_weights", file("out/given.safetensors").string, "--teacher",
      Fixtures.path("training/tiny").string, "--max_train_steps", "3", "--train_batch_size", "2",
      "--validation_split", "0.25",
    ]
    let images = draws ? nil : Self.images
    let others = settings + (draws ? ["--teacher_samples", "7"] : ["--network_train_unet_only"])
    try train("one", ranks: 1, accumulation: 2, images: images, others)
    try train("many", ranks: 2, accumulation: 1, images: images, others)
    try expectEqual("one", "many")
    #expect(try result("one").tensors != result("given").tensors)
  }

  /// A copy of 48 pictures and captions in `NAME/1_bag`.
  private func copiedImages(_ name: String) throws -> String {
    let target = file(name).string
    try FileManager.default.createDirectory(
      atPath: target, withIntermediateDirectories: true)
    try FileManager.default.copyItem(
      atPath: Self.images + "/10_bag", toPath: target + "/1_bag")
    return target
  }

  private func files(_ folder: String) throws -> [String: Data] {
    try FileManager.default.contentsOfDirectory(atPath: folder + "/1_bag").reduce(into: [:]) {
      $0[$1] = try Data(contentsOf: URL(filePath: folder + "/1_bag/" + $1))
    }
  }

  /// Batches of a step go to ranks in turn, so a run goes on with any number of ranks that has as many in all.
  @Test func goesOnWithAnotherNumberOfRanks() throws {
    let settings = [
      "--network_args", "rank_dropout=0.2", "--ema_decay", "0.9", "--train_batch_size", "2",
      "--cache_latents", "--save_state",
    ]
    func state(_ name: String) -> [String] {
      ["--resume", file("out/\(name)-step00000002-state").string]
    }
    func steps(_ count: Int) -> [String] {
      ["--max_train_steps", "\(count)", "--save_every_n_steps", "2", "--lr_scheduler", "constant"]
    }
    try train("whole", ranks: 1, accumulation: 4, settings + steps(6))
    try train("parts", ranks: 2, accumulation: 2, settings + steps(3))
    try train("parts", ranks: 4, accumulation: 1, settings + steps(5) + state("parts"))
    let last = ["--resume", file("out/parts-step00000004-state").string]
    try train("parts", ranks: 1, accumulation: 4, settings + steps(6) + last)
    try expectEqual("whole", "parts")
  }

  /// One line says which rank, which picture and how to go on; what it says is done.
  @Test func aBrokenPictureStopsAllRanks() throws {
    let images = try copiedImages("broken")
    // Its head is whole, so that it is met in the middle of a step.
    let path =
      images + "/1_bag/" + (try files(images).keys.sorted().first { $0.hasSuffix(".png") }!)
    let data = try Data(contentsOf: URL(filePath: path))
    try data.prefix(data.count / 2).write(to: URL(filePath: path))
    let others = ["--max_train_steps", "26"]
    let run = try RankedRun(
      "lyco-train",
      arguments("broken", accumulation: 1, images: images, others),
      ranks: 2)
    #expect(run.end() != 0)
    #expect(run.errors.count == 1, "\(run.allErrors)")
    let line = run.errors.first ?? ""
    #expect(
      line.contains(/^Error: rank [01] \(.+\): .*\.png/) && line.contains("--resume"), "\(line)")
    let state = try #require(line.firstMatch(of: /--resume (\S+-state)'/)?.1)
    try data.write(to: URL(filePath: path))
    try train(
      "broken", ranks: 2, accumulation: 1, images: images, others + ["--resume", "\(state)"])
    try train("sound", ranks: 1, accumulation: 2, images: images, others)
    try expectEqual("sound", "broken")
  }

  /// What is missing for all ranks is told once, as by one process.
  @Test func whatAllMissIsToldOnce() throws {
    let run = try RankedRun(
      "lyco-train", arguments("none", accumulation: 1, images: "/nowhere", []), ranks: 3)
    #expect(run.end() != 0)
    #expect(run.errors.count == 1 && run.errors[0].contains("/nowhere"), "\(run.allErrors)")
    #expect(!run.errors[0].contains("rank"), "\(run.allErrors)")
  }

  /// Ctrl-C at mpirun saves the state once. A rank that is killed takes the others with it, within 10 s; then the
  /// last state is whole, which is that of the last step where there was time to save it, and the page says so.
  @Test(arguments: [SIGKILL, SIGINT]) func endsBySignals(signal: Int32) throws {
    // More steps than are trained in the second that mpirun leaves after Ctrl-C.
    let settings = ["--max_train_steps", "240", "--cache_latents"]
    let name = signal == SIGKILL ? "killed" : "stopped"
    let page = file("\(name).json")
    let run = try RankedRun(
      "lyco-train", arguments(name, accumulation: 1, settings + ["--html", page.string]), ranks: 2)
    let table = file("\(name).csv").string
    run.wait {
      (try? String(contentsOfFile: table, encoding: .utf8))?.split(separator: "\n").count ?? 0 > 3
    }
    let started = ContinuousClock.now
    // The younger of the two is rank 1.
    let target = signal == SIGKILL ? try #require(run.ranks.max()) : run.identifier
    kill(target, signal)
    #expect(run.end() != 0)
    #expect((run.lastSeen ?? .now) - started < .seconds(10))
    let line = try #require(run.errors.first, "\(run.allErrors)")
    #expect(run.errors.count == 1 && line.contains("interrupted"), "\(run.allErrors)")
    let state = try #require(line.firstMatch(of: /--resume (\S+-state)/)?.1)
    let states = try FileManager.default.contentsOfDirectory(atPath: file("out").string)
    #expect(states.filter { $0.contains("state") }.count == 1, "\(states)")
    let shown = try #require(
      try JSONSerialization.jsonObject(with: Data(contents(of: page))) as? [String: Any])
    #expect(shown["status"] as? String == "interrupted")
    #expect((shown["message"] as? String)?.contains("--resume \(state)") == true, "\(shown)")
    try train(name, ranks: 1, accumulation: 2, settings + ["--resume", "\(state)"])
    try train("whole", ranks: 1, accumulation: 2, settings)
    try expectEqual("whole", name)
  }

  /// Frozen weights of ranks on one machine lie in memory once.
  @Test func frozenWeightsAreShared() throws {
    let run = try RankedRun(
      "lyco-train",
      arguments("shared", accumulation: 1, ["--max_train_steps", "60", "--cache_latents"]), ranks: 2
    )
    let table = file("shared.csv").string
    run.wait {
      (try? String(contentsOfFile: table, encoding: .utf8))?.split(separator: "\n").count ?? 0 > 2
    }
    let mappings = run.ranks.flatMap { rank in
      ((try? String(contentsOfFile: "/proc/\(rank)/maps", encoding: .utf8)) ?? "")
        .split(separator: "\n").filter { $0.contains("memfd:lyco") }
        .map { $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init) }
    }
    kill(run.identifier, SIGINT)
    run.end()
    // Address, permissions, offset, device, inode, name. The text encoder is trained and stays: it has a memory, too.
    #expect(mappings.map { $0[1] } == Array(repeating: "rw-s", count: 4), "\(mappings)")
    #expect(Set(mappings.map { $0[4] }).count == 2, "\(mappings)")
  }

  /// A rank that stands still, as one whose machine is out of reach, is told by its silence; the last step is saved.
  @Test func endsWhereARankStandsStill() throws {
    let settings = ["--max_train_steps", "2000", "--cache_latents"]
    let run = try RankedRun("lyco-train", arguments("still", accumulation: 1, settings), ranks: 2)
    let table = file("still.csv").string
    run.wait {
      (try? String(contentsOfFile: table, encoding: .utf8))?.split(separator: "\n").count ?? 0 > 3
    }
    let started = ContinuousClock.now
    kill(try #require(run.ranks.max()), SIGSTOP)
    #expect(run.end() != 0)
    #expect(ContinuousClock.now - started < .seconds(10))
    let line = try #require(run.errors.first, "\(run.allErrors)")
    #expect(run.errors.count == 1, "\(run.allErrors)")
    #expect(line.contains(/^Error: rank 1 \(.+\): gives no sign of life/), "\(line)")
    let state = try #require(line.firstMatch(of: /--resume (\S+-state)'/)?.1)
    #expect(FileManager.default.fileExists(atPath: state + "/train_state.json"))
  }

  /// Whatever ranks have otherwise is told before anything is written.
  @Test(arguments: [
    (["--noise_offset", "0.1"], "--noise_offset: expected none as on rank 0, found '0.1'"),
    (["--plan"], "--plan: expected none as on rank 0, found 'given'"),
    (["--network_dim", "x"], "--network_dim"),
    (["--resolution", "64", "--unheard_of"], "--unheard_of"),
  ])
  func otherOptionsAreTold(options: [String], says: String) throws {
    let own = arguments("other", accumulation: 1, ["--cache_latents_to_disk"])
    let run = try RankedRun("lyco-train", ofEach: [own, own + options])
    #expect(run.end() != 0)
    #expect(run.errors.count == 1 && run.errors[0].contains("rank 1 ("), "\(run.allErrors)")
    #expect(run.errors.first?.contains(says) == true, "\(run.allErrors)")
    #expect(!FileManager.default.fileExists(atPath: file("out").string))
  }

  /// A file of several sizes is filled by one rank: each size is added to what is there.
  @Test func filesOfSeveralSizesAreWhole() throws {
    let flux = Fixtures.path("training/tiny-flux")
    let images = try copiedImages("sizes")
    let pictures = try files(images)
    let configuration = file("sizes.toml").string
    try """
    [general]
    caption_extension = ".txt"
    [[datasets]]
    resolution = 64
    batch_size = 2
    [[datasets.subsets]]
    image_dir = "\(images)/1_bag"
    [[datasets]]
    resolution = 96
    [[datasets.subsets]]
    image_dir = "\(images)/1_bag"
    flip_aug = true
    """.write(toFile: configuration, atomically: true, encoding: .utf8)
    /// What is made anew.
    func caches(ranks: Int) throws -> [String: Data] {
      let run = try RankedRun(
        "lyco-train",
        [
          "--pretrained_model_name_or_path", flux.appending("flux.safetensors").string, "--ae",
          flux.appending("vae").string, "--clip_l", flux.appending("clip_l.safetensors").string,
          "--t5xxl", flux.appending("t5xxl.safetensors").string, "--t5xxl_tokenizer",
          flux.appending("tokenizer.json").string, "--dataset_config", configuration,
          "--cache_latents_to_disk", "--network_train_unet_only", "--cache_text_encoder_outputs",
          "--network_dim", "2", "--max_train_steps", "1", "--output_dir", file("out").string,
          "--vae_batch_size", "3", "--seed", "1", "--threads", "1", "--quiet",
        ], ranks: ranks)
      #expect(run.end() == 0, "\(run.allErrors)")
      let made = try files(images).filter { pictures[$0.key] == nil }
      for name in made.keys {
        try FileManager.default.removeItem(atPath: "\(images)/1_bag/\(name)")
      }
      return made
    }
    let one = try caches(ranks: 1)
    #expect(one.count == 48)
    #expect(try caches(ranks: 3) == one)
  }

  /// What travels, and memory, for each rank and in all.
  @Test func thePlanTellsOfRanks() throws {
    let run = try RankedRun(
      "lyco-train", arguments("plan", accumulation: 2, ["--plan", "--json"]), ranks: 2)
    #expect(run.end() == 0, "\(run.allErrors)")
    let facts = try #require(
      try JSONSerialization.jsonObject(with: Data(run.output.utf8)) as? [String: Any])
    #expect(facts["ranks"] as? Int == 2 && facts["batches_per_rank"] as? Int == 2, "\(facts)")
    // 480 batches of one picture, four to a step.
    #expect(facts["batches_per_epoch"] as? Int == 480 && facts["steps"] as? Int == 1600)
    #expect((facts["payload_bytes"] as? Int ?? 0) > 0)
  }
}
