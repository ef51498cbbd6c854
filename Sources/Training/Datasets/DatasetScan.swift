import Images
import Machine
import SystemPackage

/// Finds the images of datasets, one after the other.
struct DatasetScan {
  private let seed: UInt64
  private(set) var training: [TrainingExample] = []
  private(set) var validation: [TrainingExample] = []
  private(set) var notices: [String] = []
  private(set) var subsets: [[SubsetSummary]] = []
  /// Training samples of all datasets so far.
  private var samples = 0

  /// Beyond these a number of repeats is a slip: an epoch would take years. Its plan takes some hundred
  /// bytes for every sample.
  private static var mostRepeats: Int { 1_000_000 * DataLimits.factor }
  private static var mostSamples: Int { 4_000_000 * DataLimits.factor }

  static func checkRepeats(of subset: SubsetSettings) throws(DatasetError) {
    guard !(1...mostRepeats).contains(subset.repeats) else { return }
    throw .setting(
      "repeats of \(subset.source)", expected: "1 to \(mostRepeats) (\(DataLimits.remedy))",
      found: "\(subset.repeats)")
  }

  static func checkSamples(_ samples: Int) throws(DatasetError) {
    guard samples > mostSamples else { return }
    throw .setting(
      "images x repeats", expected: "at most \(mostSamples) (\(DataLimits.remedy))",
      found: "\(samples)")
  }

  /// Images and masks that cannot be used.
  private var unusable: [DatasetError] = []
  /// Images that ask to be turned, and the first of them.
  private var turned: (count: Int, first: FilePath?) = (0, nil)

  init(seed: UInt64) { self.seed = seed }

  /// - Throws: `DatasetError`
  mutating func add(_ dataset: DatasetSettings, at index: Int) throws(DatasetError) {
    let rule =
      dataset.buckets.map { BucketRule(dataset.resolution, $0) }
      ?? BucketRule(fixed: dataset.resolution)
    let split = ValidationSplit(
      dataset.validationSplit,
      seed: dataset.validationSeed.map { UInt64(bitPattern: Int64($0)) } ?? seed)
    var trained: [TrainingExample] = []
    var regularization: [TrainingExample] = []
    var summaries: [SubsetSummary] = []
    var seen: Set<FilePath> = []
    for (place, subset) in dataset.subsets.enumerated() {
      try Self.checkRepeats(of: subset)
      guard seen.insert(subset.source.lexicallyNormalized()).inserted else {
        notices.append("\(subset.source): named twice in one dataset, the first counts")
        summaries.append(SubsetSummary(subset, images: 0, captions: []))
        continue
      }
      let entries = try entries(of: subset)
      // Regularization images are all trained.
      let parts =
        subset.isRegularization
        ? (training: Array(entries.indices), validation: [])
        : split.divided(entries.count, subset: place)
      func examples(
        _ positions: [Int], repeats: Int, _ turned: inout (count: Int, first: FilePath?),
        _ unusable: inout [DatasetError]
      ) -> [TrainingExample] {
        var examples: [TrainingExample] = []
        for position in positions {
          do throws(DatasetError) {
            examples.append(
              try Self.example(
                entries[position], subset, (index, place), repeats, rule, dataset, &turned))
          } catch {
            unusable.append(error)
          }
        }
        return examples
      }
      let found = examples(parts.training, repeats: subset.repeats, &turned, &unusable)
      if subset.isRegularization { regularization += found } else { trained += found }
      validation += examples(parts.validation, repeats: 1, &turned, &unusable)
      summaries.append(
        SubsetSummary(
          subset, images: found.count, captions: parts.training.map { entries[$0].caption }))
    }
    subsets.append(summaries)
    samples += trained.reduce(0) { $0 + $1.repeats }
    try Self.checkSamples(samples)
    training += trained + balanced(regularization, with: trained, dataset: index)
  }

  /// What counts over all datasets: images that cannot be used, all of them, and notices.
  /// - Throws: the `DatasetError` of the only image, or `.unusable`
  mutating func finish() throws(DatasetError) {
    if let first = unusable.first {
      throw unusable.count == 1
        ? first
        : .unusable(count: unusable.count, first: unusable.prefix(3).map(\.description))
    }
    guard let first = turned.first else { return }
    notices.append(
      "\(turned.count) \(turned.count == 1 ? "image asks" : "images ask") to be turned by Exif, which "
        + "training does not follow, as in sd-scripts; the first is \(first)")
  }

  private mutating func entries(of subset: SubsetSettings) throws(DatasetError) -> [ImageEntry] {
    let entries: [ImageEntry]
    if subset.metadataFile != nil {
      entries = try CaptionMetadata(of: subset).entries()
    } else {
      let folder = subset.source
      guard FileListing.isFolder(folder) else { throw .notAFolder(folder, flag: "image_dir") }
      let images = try FileListing.images(in: folder).map { folder.appending(named: $0) }
      entries = try CaptionFiles(of: subset).entries(images)
    }
    guard !entries.isEmpty else { throw .noImages(subset.source, detail: "") }
    addNotices(on: entries, of: subset)
    return entries
  }

  /// Tells of images without a caption of their own.
  private mutating func addNotices(on entries: [ImageEntry], of subset: SubsetSettings) {
    let ofClass = entries.filter(\.isOfClass)
    guard !ofClass.isEmpty else { return }
    let files = CaptionFiles(of: subset)
    let tokens = subset.classTokens.flatMap { $0.isEmpty ? nil : $0 }
    notices.append(
      "\(subset.source): \(ofClass.count) of \(entries.count) images have no caption"
        + (subset.metadataFile == nil ? " file ending in '\(files.ending)'" : "")
        + (tokens.map { ", theirs is '\($0)'" } ?? ", theirs is empty"))
    guard subset.metadataFile == nil,
      let (other, count) = files.otherEnding(beside: ofClass.map(\.path))
    else { return }
    notices.append(
      "\(subset.source): \(count) \(count == 1 ? "image has a" : "images have") \(other) "
        + "\(count == 1 ? "file beside it that is" : "files beside them that are") not read: "
        + "--caption_extension \(other)")
  }

  private static func example(
    _ entry: ImageEntry, _ subset: SubsetSettings, _ place: (dataset: Int, subset: Int),
    _ repeats: Int, _ rule: BucketRule, _ dataset: DatasetSettings,
    _ turned: inout (count: Int, first: FilePath?)
  ) throws(DatasetError) -> TrainingExample {
    let header = try header(of: entry.path)
    let size = Resolution(header.width, header.height)
    if header.orientation != nil { turned = (turned.count + 1, turned.first ?? entry.path) }
    guard let choice = rule.choice(for: size) else {
      throw .imageTooSmall(entry.path, size: size, step: dataset.buckets?.step ?? 1)
    }
    guard choice.resized.area <= ImageHeader.pixelLimit else {
      throw .imageTooLarge(
        entry.path, size: size, resized: choice.resized, bucket: choice.bucket)
    }
    return TrainingExample(
      path: entry.path, caption: entry.caption, size: size, repeats: repeats,
      isRegularization: subset.isRegularization, dataset: place.dataset, subset: place.subset,
      mask: try mask(of: entry.path, size, in: subset), choice: choice)
  }

  private static func header(of path: FilePath) throws(DatasetError) -> ImageHeader {
    do { return try ImageHeader(reading: path) } catch { throw .image(error) }
  }

  private static func mask(
    of image: FilePath, _ size: Resolution, in subset: SubsetSettings
  ) throws(DatasetError) -> FilePath? {
    guard let folder = subset.maskFolder else { return nil }
    let stem = image.stem ?? ""
    for ending in ["png", "webp", "jpg", "jpeg", "PNG", "WEBP", "JPG", "JPEG"] {
      let mask = folder.appending(stem + "." + ending)
      guard FileListing.exists(mask) else { continue }
      let header = try header(of: mask)
      let found = Resolution(header.width, header.height)
      guard found == size else { throw .maskSize(mask, expected: size, found: found) }
      return mask
    }
    throw .missingMask(image, folder: folder)
  }

  /// Regularization images as often as training images: too many are left out, too few are repeated
  /// (sd-scripts, `DreamBoothDataset`).
  private mutating func balanced(
    _ regularization: [TrainingExample], with trained: [TrainingExample], dataset: Int
  ) -> [TrainingExample] {
    let goal = trained.reduce(0) { $0 + $1.repeats }
    guard !regularization.isEmpty, goal > 0 else {
      if !regularization.isEmpty {
        notices.append("dataset \(dataset + 1): regularization images without training images")
      }
      return []
    }
    var used: [TrainingExample] = []
    var count = 0
    for example in regularization where count < goal {
      used.append(example)
      count += example.repeats
    }
    if used.count < regularization.count {
      notices.append(
        "dataset \(dataset + 1): \(regularization.count - used.count) of \(regularization.count) "
          + "regularization images are not used, there are more than training images")
    }
    for i in 0..<max(0, goal - count) { used[i % used.count].repeats += 1 }
    return used
  }
}
