import Images
import Safetensors
import SystemPackage
import TestSupport
import Testing

@testable import Training

struct TrainingSetTests {
  @Test func kohyaFolders() throws {
    let folder = ImageFolder()
    for i in 0..<3 { try folder.image("10_my cat/\(i).png", caption: "cat \(i), Tag") }
    try folder.image("10_my cat/bare.jpg", "rgb.jpg")
    try folder.image("2_style/x.webp", "lossy.webp")
    try folder.image("0_none/y.png")
    try folder.image("plain/z.png", caption: "z")
    let set = try folder.set { $0.values.batchSize = 4 }
    #expect(set.examples.count == 6)
    #expect(set.examples.map(\.repeats) == [10, 10, 10, 10, 2, 1])
    #expect(
      set.examples.map(\.caption) == [
        "cat 0, Tag", "cat 1, Tag", "cat 2, Tag", "my cat", "style", "z",
      ])
    let summary = set.summary
    #expect(summary.trainingSamples == 43 && summary.batchesPerEpoch == 11)
    // Told: 0 repeats, a plain folder, and two folders with captions of the class.
    #expect(set.notices.count == 4, "\(set.notices)")
  }

  @Test func imagesInTheFolderItself() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "one", ending: ".txt")
    try folder.image("b.png", caption: "two")
    let set = try folder.set()
    #expect(set.examples.map(\.caption) == ["", "two"])
    #expect(set.notices.contains { $0.contains("each counts once") })
    #expect(try folder.set { $0.values.numRepeats = 4 }.summary.trainingSamples == 8)
  }

  /// A blank line is a caption without words; a file without any is a mistake.
  @Test func blankCaptions() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "\n\ncat")
    try folder.image("b.png", caption: "\n")
    #expect(try folder.set().examples.map(\.caption) == ["", ""])
    try folder.image("c.png", caption: "")
    #expect(throws: DatasetError.self) { try folder.set() }
  }

  @Test func missingCaptions() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "one", ending: ".txt")
    try folder.image("b.png")
    // As sd-scripts: `.caption` alone, else the class, else nothing.
    let standard = try folder.set()
    #expect(standard.examples.map(\.caption) == ["", ""])
    #expect(
      standard.notices.suffix(2) == [
        "\(folder.path): 2 of 2 images have no caption file ending in '.caption', theirs is empty",
        "\(folder.path): 1 image has a .txt file beside it that is not read: "
          + "--caption_extension .txt",
      ])
    let texts: (inout DatasetDefaults) -> Void = { $0.values.captionExtension = "txt" }
    #expect(try folder.set(texts).examples.map(\.caption) == ["one", ""])
    let ofClass = try folder.set {
      texts(&$0)
      $0.values.classTokens = "thing"
    }
    #expect(ofClass.examples.map(\.caption) == ["one", "thing"])
    #expect(
      ofClass.notices.last
        == "\(folder.path): 1 of 2 images have no caption file ending in '.txt', theirs is 'thing'")
    try folder.folder.write("b.txt", text: "")
    #expect(
      message { _ = try folder.set(texts) }.contains("b.txt: expected a caption, found an empty"))
    try folder.bytes("b.txt", [0xFF, 0xFE, 0x41])
    #expect(message { _ = try folder.set(texts) }.contains("expected text in UTF-8"))
  }

  /// All that are broken are counted before anything is computed, those held out too.
  @Test func everyUnreadableImageIsCounted() throws {
    let folder = ImageFolder()
    for i in 0..<4 { try folder.image("good\(i).png") }
    for i in 0..<5 { try folder.folder.write("bad\(i).png", text: i == 0 ? "" : "no picture") }
    let text = message { _ = try folder.set { $0.values.validationSplit = 0.5 } }
    #expect(text.hasPrefix("5 images or masks cannot be used: "), "\(text)")
    #expect(text.hasSuffix("; and 2 more"), "\(text)")
  }

  @Test func unreadableImages() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "one")
    try folder.folder.write("b.jpg", text: "<html></html>")
    try folder.folder.write("b.caption", text: "two")
    #expect(
      message { _ = try folder.set() }
        == "\(folder.path)/b.jpg: expected a PNG, JPEG or WebP image, found a web page")
    #expect(
      message { _ = try ImageFolder().set() }.contains(
        "expected PNG, JPEG or WebP images, found none"))
  }

  @Test func extremeProportions() throws {
    let folder = ImageFolder()
    try folder.image("a.png", caption: "a")
    // A head that says 1x40000; nothing else is read before the run.
    var bytes = try contents(of: folder.folder.file("a.png"))
    bytes.replaceSubrange(16..<24, with: [0, 0, 0, 1, 0, 0, 0x9C, 0x40])
    try folder.bytes("a.png", bytes)
    #expect(
      message { _ = try folder.set { $0.values.resolution = Resolution(512, 512) } }
        == "\(folder.path)/a.png: 1x40000 pixels would grow to 512x20480000 to cover 512x512; crop the "
        + "image to less extreme proportions")
    var buckets = BucketSettings()
    buckets.neverEnlarges = true
    let rule = BucketRule(Resolution(512, 512), buckets)
    for size in [Resolution(1, 40000), Resolution(40000, 1), Resolution(100_000, 70)] {
      #expect((rule.choice(for: size)?.bucket.area ?? 64) > 0)
    }
  }

  @Test func metadataFiles() throws {
    let folder = ImageFolder()
    let a = try folder.image("images/a.png")
    try folder.image("images/b.png")
    let json = try folder.folder.write(
      "meta.json",
      text: """
        {"\(a)": {"caption": "whole", "tags": "x, y"}, "b": {"tags": "only tags"}}
        """)
    let set = try folder.set {
      $0.trainFolder = folder.path.appending("images")
      $0.metadataFile = json
    }
    #expect(set.examples.map(\.caption) == ["whole,x, y", "only tags"])
    let lines = try folder.folder.write(
      "meta.jsonl",
      text: "{\"image_path\": \"images/b.png\", \"caption\": \"line\"}\n\n{\"image_path\": 3}\n")
    #expect(
      message {
        _ = try folder.set {
          $0.metadataFile = lines
          $0.trainFolder = nil
        }
      } == "\(lines): line 3: expected 'image_path', found none")
    let missing = try folder.folder.write("bad.json", text: "{\"c.png\": {\"caption\": \"\"}}")
    #expect(
      message { _ = try folder.set { $0.metadataFile = missing } }
        .hasPrefix("\(missing): entry 'c.png': expected an image at"))
  }

  @Test func regularizationImagesAreBalanced() throws {
    let folder = ImageFolder()
    for i in 0..<5 { try folder.image("train/4_cat/\(i).png") }
    for i in 0..<3 { try folder.image("few/1_animal/\(i).png") }
    for i in 0..<30 { try folder.image("many/1_animal/\(i).png") }
    func counts(_ reg: String) throws -> (set: TrainingSet, repeats: [Int]) {
      let set = try folder.set {
        $0.trainFolder = folder.path.appending("train")
        $0.regularizationFolder = folder.path.appending(reg)
        $0.priorLossWeight = 0.5
      }
      return (set, set.examples.filter(\.isRegularization).map(\.repeats))
    }
    // 20 training samples: three images give 7, 7 and 6; of thirty images twenty are used.
    let few = try counts("few")
    #expect(few.repeats == [7, 7, 6])
    #expect(few.set.summary.datasets[0].samples == 40 && few.set.summary.regularizationImages == 3)
    let many = try counts("many")
    #expect(many.repeats == [Int](repeating: 1, count: 20))
    #expect(many.set.notices.contains { $0.contains("10 of 30 regularization images") })
    // Samples are numbered through, without gaps.
    let numbers = few.set.batches(epoch: 0, seed: 1).flatMap { $0.samples.map(\.number) }
    #expect(numbers.sorted() == Array(0..<40))
  }

  @Test func impossibleRepeats() throws {
    let folder = ImageFolder()
    try folder.image("9000000000000000000_x/a.png")
    #expect(
      message { _ = try folder.set() }
        == "repeats of \(folder.path)/9000000000000000000_x: expected 1 to 1000000 "
        + "('--raise_limits' allows more), found 9000000000000000000"
    )
    let many = ImageFolder()
    for i in 0..<101 { try many.image("1000000_x/\(i).png") }
    #expect(
      message { _ = try many.set() }
        == "images x repeats: expected at most 4000000 ('--raise_limits' allows more), found 101000000"
    )
  }

  @Test func batches() throws {
    let folder = ImageFolder()
    for i in 0..<7 { try folder.image("\(i).png", caption: "\(i)") }
    let text = """
      [[datasets]]
      resolution = 32
      batch_size = 4
      [[datasets.subsets]]
      image_dir = "FOLDER"
      num_repeats = 3
      [[datasets]]
      resolution = 48
      batch_size = 2
      enable_bucket = true
      min_bucket_reso = 16
      max_bucket_reso = 64
      bucket_reso_steps = 8
      [[datasets.subsets]]
      image_dir = "FOLDER"
      """
    let set = try folder.set(configuration: text)
    let epoch = set.batches(epoch: 3, seed: 9)
    #expect(epoch.count == 6 + 4 && epoch.count == set.summary.batchesPerEpoch)
    #expect(epoch == set.batches(epoch: 3, seed: 9))
    #expect(epoch != set.batches(epoch: 4, seed: 9) && epoch != set.batches(epoch: 3, seed: 8))
    for batch in epoch {
      #expect(batch.samples.count <= (batch.dataset == 0 ? 4 : 2))
      #expect(batch.samples.allSatisfy { set.examples[$0.example].bucket == batch.bucket })
    }
    #expect(epoch.flatMap { $0.samples.map(\.number) }.sorted() == Array(0..<28))
    #expect(Set(epoch.map(\.bucket)) == [Resolution(32, 32), Resolution(48, 48)])
    // Batches of both datasets are mixed.
    #expect(epoch.map(\.dataset) != epoch.map(\.dataset).sorted())
  }

  @Test func validationSplit() throws {
    let folder = ImageFolder()
    for i in 0..<20 { try folder.image("\(i).png", caption: "\(i)") }
    func split(_ seed: Int?, run: UInt64) throws -> TrainingSet {
      try folder.set(seed: run) {
        $0.values.validationSplit = 0.2
        $0.values.validationSeed = seed
        $0.values.numRepeats = 3
      }
    }
    let set = try split(5, run: 1)
    #expect(set.examples.count == 16 && set.validation.count == 4)
    #expect(set.validation.allSatisfy { $0.repeats == 1 })
    #expect(Set(set.examples.map(\.path)).isDisjoint(with: set.validation.map(\.path)))
    #expect(try split(5, run: 2).validation == set.validation)
    #expect(try split(6, run: 1).validation.map(\.path) != set.validation.map(\.path))
    #expect(
      try split(nil, run: 1).validation.map(\.path) != split(nil, run: 2).validation.map(\.path))
    #expect(set.summary.validationImages == 4 && set.validationBatches().count == 4)
    #expect(
      message { _ = try folder.set { $0.values.validationSplit = 1 } }.hasPrefix(
        "no images to train on"))
  }

  @Test func metadata() throws {
    let folder = ImageFolder()
    try folder.image("3_cat/a.png", caption: "Cat, sits, cat")
    try folder.image("3_cat/b.png", caption: "cat é")
    let flags = try folder.set {
      $0.values.enableBucket = true
      $0.values.resolution = Resolution(64, 64)
      $0.values.minBucketReso = 32
      $0.values.bucketResoSteps = 8
    }.metadata(accumulation: 2)
    #expect(flags["ss_dataset_dirs"] == #"{"3_cat": {"n_repeats": 3, "img_count": 2}}"#)
    #expect(flags["ss_reg_dataset_dirs"] == "{}")
    #expect(
      flags["ss_tag_frequency"] == #"{"3_cat": {"cat": 2, "sits": 1, "cat \u00e9": 1}}"#)
    #expect(flags["ss_resolution"] == "(64, 64)" && flags["ss_total_batch_size"] == "2")
    #expect(flags["ss_enable_bucket"] == "True" && flags["ss_max_bucket_reso"] == "1024")
    let info = try #require(JSONValue(parsing: flags["ss_bucket_info"] ?? ""))
    #expect(info["buckets"]?["0"]?["count"]?.integer == 6)
    let file = try folder.set(
      configuration: """
        [[datasets]]
        resolution = 32
        [[datasets.subsets]]
        image_dir = "FOLDER/3_cat"
        [[datasets.subsets]]
        image_dir = "FOLDER/3_cat/."
        """)
    #expect(file.notices.contains { $0.contains("named twice") })
    let datasets = try #require(
      JSONValue(parsing: file.metadata(accumulation: 1)["ss_datasets"] ?? ""))
    #expect(datasets.elements.count == 1)
    #expect(datasets.elements[0]["bucket_info"] == .null)
    #expect(datasets.elements[0]["subsets"]?.elements.count == 1)
    #expect(datasets.elements[0]["subsets"]?.elements[0]["image_dir"]?.text == "3_cat")
  }
}
