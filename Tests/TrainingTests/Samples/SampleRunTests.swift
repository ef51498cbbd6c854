import Foundation
import Images
import OrderedCollections
import Pipelines
import Safetensors
import Sampling
import SystemPackage
import Tensors
import TestSupport
import Testing

@testable import Training

/// Pictures that runs draw on their way.
@Suite(.serialized) struct SampleRunTests {
  static let prompts = """
    a (red:1.3) thing --n blurry --w 64 --h 72 --s 2 --ss euler_a
    a thing --l 1 --w 64 --h 64 --s 3 --d 11
    """

  static func run(_ name: String, on pipeline: SmallPipeline, _ prompts: String) throws -> SmallRun
  {
    var run = try SmallRun(name, on: pipeline)
    let path = run.folder.appending("prompts.txt")
    try prompts.write(toFile: path.string, atomically: true, encoding: .utf8)
    run.configuration.samples.prompts = path
    run.configuration.samples.everySteps = 1
    return run
  }

  private static func pictures(_ run: SmallRun) -> [FilePath] {
    let folder = run.folder.appending("sample")
    return directoryEntries(folder).sorted().map { folder.appending($0) }
  }

  private static func parameters(of path: FilePath) throws -> String {
    let chunks = try #require(PNGChunks(contents(of: path)))
    return try #require(chunks.texts.first { $0.keyword == "parameters" }?.text)
  }

  /// What is trained is the same to the bit with pictures after every step and without, through to the end and in two
  /// halves: with an average or a schedule-free optimizer in the parameters' place, with dropout, and with text
  /// encoders that are trained.
  @Test(arguments: ["sd1", "sdxl"], ["AdamW", "AdamWScheduleFree"])
  func changesNoBit(family: String, optimizer: String) throws {
    let pipeline = family == "sd1" ? SmallPipeline.sd1 : .sdxl
    var plain = try Self.run("plain", on: pipeline, Self.prompts)
    defer { plain.remove() }
    if family == "sdxl" {
      plain.configuration.network.arguments[0] =
        "include_patterns=[r'middle_block.*', r'text_model.encoder.layers.1.*']"
    }
    plain.set("dropout=0.1", "rank_dropout=0.2")
    plain.configuration.optimizer = optimizer
    plain.configuration.run.averageDecay = optimizer == "AdamW" ? 0.9 : nil
    plain.configuration.images.values.validationSplit = 0.3
    plain.configuration.output.everySteps = 2
    plain.configuration.output.savesState = true
    func table(_ name: String) -> FilePath { plain.folder.appending("\(name).csv") }
    plain.configuration.output.table = table("plain")
    let prompts = plain.configuration.samples.prompts
    plain.configuration.samples.prompts = nil
    _ = try plain.run()
    #expect(Self.pictures(plain).isEmpty)

    var drawn = plain
    drawn.configuration.samples.prompts = prompts
    drawn.configuration.samples.drawsAtFirst = true
    drawn.configuration.output.name = "drawn"
    drawn.configuration.output.table = table("drawn")
    let plan = try TrainingPlan(drawn.configuration)
    #expect(plan.network.textEncoderCount > 0)
    _ = try plan.train(observer: TrainingObserver())
    #expect(Self.pictures(drawn).count == 2 * 5)

    var rest = drawn
    rest.configuration.output.name = "rest"
    rest.configuration.output.table = nil
    rest.configuration.run.resumed = drawn.folder.appending("drawn-step00000002-state")
    _ = try rest.run()
    // Nothing at first, where a state is gone on from.
    #expect(Self.pictures(drawn).count == 2 * (5 + 2))

    let expected = try plain.adapter()
    #expect(try !expected.isEmpty && drawn.adapter() == expected && rest.adapter() == expected)
    #expect(try contents(of: table("plain")) == contents(of: table("drawn")))
    for file in ["parameters", "optimizer", "average"] {
      let states = ["plain", "drawn", "rest"].map {
        plain.folder.appending("\($0)-state/\(file).safetensors")
      }
      guard FileManager.default.fileExists(atPath: states[0].string) else {
        #expect(file == "average" && optimizer != "AdamW")
        continue
      }
      #expect(try contents(of: states[0]) == contents(of: states[1]), "\(file)")
      #expect(try contents(of: states[0]) == contents(of: states[2]), "\(file)")
    }
  }

  /// After the last step: what the adapter that is saved then draws where it is merged into the checkpoint, to one
  /// level of 255, as sums are rounded otherwise. Text encoders are trained, stay as they are, or are gone.
  @Test(arguments: ["trained", "frozen", "memory", "disk"])
  func drawsWhatTheSavedAdapterDraws(text: String) throws {
    let pipeline = text == "memory" || text == "disk" ? SmallPipeline.sdxl : .sd1
    var run = try Self.run(
      "style", on: pipeline,
      """
      a (red:1.3) thing --n blurry --w 64 --h 72 --s 4
      a thing --l 1 --w 64 --h 64 --s 3 --d 11 --ss euler_a
      """)
    defer { run.remove() }
    if pipeline === SmallPipeline.sdxl {
      run.configuration.network.arguments[0] = "include_patterns=[r'middle_block.*']"
    }
    run.configuration.network.flags.trainsTextEncoders = text == "trained"
    run.configuration.rates.common = 5e-2
    run.configuration.run.averageDecay = 0.5
    run.configuration.run.steps = 3
    run.configuration.samples.everySteps = 3
    if text == "frozen" { run.configuration.images.values.shuffleCaption = true }
    if text == "memory" { run.configuration.textCaching = .memory }
    if text == "disk" {
      try run.copyImages()
      run.configuration.textCaching = .disk
      // Captions are there already when pictures are drawn.
      var first = run
      first.configuration.samples.prompts = nil
      _ = try first.run()
      #expect(try TrainingPlan(run.configuration).missingText.isEmpty)
    }
    _ = try run.run()
    let files = Self.pictures(run)
    #expect(files.count == 2)

    var model = run.configuration.model
    model.takesWholeCaptions = true
    model.weighsCaptions = true
    model.restoresMeans = true
    var sampling = SamplingConfiguration(
      model: model,
      prompts: try PromptFile(reading: try #require(run.configuration.samples.prompts)).prompts)
    sampling.sampler = try Sampler(parsing: "ddim")
    // That of the run and of the first prompt; the second has its own.
    sampling.seed = 7
    sampling.threads = 1
    sampling.variants = [
      SamplingVariant(
        label: "style",
        adapters: [MergedAdapter(run.folder.appending("style.safetensors"), ratio: 1)]),
      SamplingVariant(label: "base", adapters: []),
    ]
    var images: [[RasterImage]] = [[], []]
    var observer = PictureObserver()
    observer.drawn = { images[$0.variant].append(RasterImage($0.pixels)) }
    try SamplingPlan(sampling).draw(observer)
    var worst = 0
    for (index, path) in files.enumerated() {
      let picture = try RasterImage(decoding: path)
      func distance(_ other: RasterImage) -> Int {
        #expect(picture.pixels.count == other.pixels.count)
        return zip(picture.pixels, other.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 0
      }
      worst = max(worst, distance(images[0][index]))
      #expect(distance(images[1][index]) > 3, "the adapter shows in picture \(index)")
    }
    print("pictures while training and after it, text \(text): worst difference \(worst) of 255")
    #expect(worst <= 1)
  }

  /// Kohya's names, what a picture says of itself, and the pictures of the log.
  @Test func whatIsWritten() throws {
    var run = try Self.run("style", on: .sd1, Self.prompts)
    defer { run.remove() }
    run.configuration.run.epochs = 2
    run.configuration.samples.everySteps = nil
    run.configuration.samples.everyEpochs = 2
    run.configuration.samples.drawsAtFirst = true
    run.configuration.output.writer = "lyco/1"
    run.configuration.output.logFolder = run.folder.appending("logs")
    var told: [FilePath] = []
    var steps: [Int] = []
    var observer = TrainingObserver()
    observer.sampled = { told.append($0.path) }
    observer.drawing = { steps.append($0.step) }
    let plan = try TrainingPlan(run.configuration)
    #expect(plan.samples?.summary == "2 sample pictures every 2 epochs and at first")
    let report = try plan.train(observer: observer)
    let files = Self.pictures(run)
    #expect(told == files)
    #expect(steps == [1, 2, 1, 2, 3, 1, 2, 1, 2, 3])
    let names = files.compactMap { $0.lastComponent?.string }
    for (name, beginning, seed) in [
      (names[0], "style_e000000_00_", "7"), (names[1], "style_e000000_01_", "11"),
      (names[2], "style_e000002_00_", "7"), (names[3], "style_e000002_01_", "11"),
    ] {
      let rest = try #require(name.hasPrefix(beginning) ? name.dropFirst(beginning.count) : nil)
      #expect(try rest.wholeMatch(of: Regex("[0-9]{14}_\(seed)\\.png")) != nil, "\(name)")
    }
    let base = run.configuration.model.base.lastComponent?.string ?? ""
    #expect(
      try Self.parameters(of: files[2]) == """
        a (red:1.3) thing
        Negative prompt: blurry
        Steps: 2, Sampler: Euler a, CFG scale: 7.5, Seed: 7, Size: 64x72, Model: \(base), \
        Trained adapter: style, Training steps: \(report.steps), Version: lyco 1
        """)
    #expect(try Self.parameters(of: files[3]).contains("Sampler: DDIM, CFG scale: 1, Seed: 11"))
    // Before the first step the adapter changes nothing; two epochs later it does.
    #expect(try RasterImage(decoding: files[0]) != RasterImage(decoding: files[2]))
    let logs = try FileManager.default.subpathsOfDirectory(
      atPath: run.folder.appending("logs").string)
    let events = try #require(logs.first { $0.contains("tfevents") })
    let log = Data(try contents(of: run.folder.appending("logs").appending(events)))
    for (tag, index) in [("sample/00", 2), ("sample/01", 3)] {
      #expect(log.range(of: Data(tag.utf8)) != nil)
      let image = try RasterImage(decoding: files[index])
      #expect(log.range(of: Data(image.png())) != nil, "\(tag) of the log")
    }
  }

  /// Weights that make no picture are said, and trained on.
  @Test func picturesThatFailAreSaid() throws {
    var run = try Self.run(
      "style", on: .sd1, "(thing:\(String(repeating: "9", count: 40))) --w 64 --h 64 --s 5")
    defer { run.remove() }
    run.configuration.run.steps = 1
    var notes: [String] = []
    var drawn = 0
    var observer = TrainingObserver()
    observer.note = { notes.append($0) }
    observer.drawing = { _ in drawn += 1 }
    let report = try TrainingPlan(run.configuration).train(observer: observer)
    #expect(report.steps == 1 && Self.pictures(run).isEmpty)
    // Found in the first of five steps.
    #expect(drawn == 0)
    #expect(
      notes.count == 1
        && notes[0].hasPrefix("step 1: no sample is drawn: prompt '(thing:"),
      "\(notes)")
  }
}
