import Machine
import ModelFamilies
import SystemPackage
import Tensors

/// Finds the encoded items of datasets, one after the other. No number of theirs is read.
struct PreparedScan {
  private let demands: PreparedDemands
  private let seed: UInt64
  private(set) var training: [TrainingExample] = []
  private(set) var validation: [TrainingExample] = []
  private(set) var subsets: [[SubsetSummary]] = []
  /// Training samples of all datasets so far.
  private var samples = 0
  private var unusable: [DatasetError] = []

  init(_ demands: PreparedDemands, seed: UInt64) {
    self.demands = demands
    self.seed = seed
  }

  private var layout: PreparedLayout { demands.layout }

  /// An item of a folder, by its name.
  private struct Entry {
    let file: String
    let name: PreparedFileName
  }

  /// - Throws: `DatasetError`
  mutating func add(_ dataset: DatasetSettings, at index: Int) throws(DatasetError) {
    guard let prepared = dataset.prepared, let subset = dataset.subsets.first else {
      preconditionFailure("a dataset without a folder of encoded items")
    }
    try DatasetScan.checkRepeats(of: subset)
    let entries = try entries(in: prepared)
    let held = heldOut(entries, of: dataset)
    var counts = (images: 0, samples: 0)
    // Captions of the files that are looked at: parts of one video share theirs.
    var texts: [FilePath: String] = [:]
    for entry in entries {
      do throws(DatasetError) {
        let isHeldOut = held.contains(entry.name.stem)
        let example = try example(
          entry, of: dataset, prepared, at: index, repeats: isHeldOut ? 1 : subset.repeats, &texts)
        if isHeldOut {
          validation.append(example)
        } else {
          training.append(example)
          counts = (counts.images + 1, counts.samples + example.repeats)
        }
      } catch {
        unusable.append(error)
      }
    }
    subsets.append([SubsetSummary(subset, images: counts.images, captions: [])])
    samples += counts.samples
    try DatasetScan.checkSamples(samples)
  }

  /// - Throws: the `DatasetError` of the only item that cannot be used, or `.unusableItems`.
  func finish() throws(DatasetError) {
    guard let first = unusable.first else { return }
    throw unusable.count == 1
      ? first
      : .unusableItems(count: unusable.count, first: unusable.prefix(3).map(\.description))
  }

  // MARK: Files

  private mutating func entries(
    in prepared: PreparedSettings
  ) throws(DatasetError) -> [Entry] {
    let folder = prepared.folder
    guard FileListing.isFolder(folder) else {
      throw .notAFolder(folder, flag: prepared.folderKey)
    }
    let ending = PreparedFileName.ending(layout.name)
    let names = try FileListing.names(in: folder)
    let files = names.filter { $0.hasSuffix(ending) }
    guard !files.isEmpty else {
      throw .noPrepared(
        folder, ending: ending, others: Self.otherWords(names), command: layout.latentsCommand)
    }
    var entries: [Entry] = []
    for file in files {
      guard let name = PreparedFileName(file, of: layout.name, isVideo: prepared.isVideo) else {
        unusable.append(
          .prepared(
            folder.appending(named: file),
            expected: "a name '{stem}_" + (prepared.isVideo ? "{position}-{count}_" : "")
              + "{width}x{height}\(ending)', as a cache of "
              + (prepared.isVideo ? "a video has" : "an image has"),
            found: "another",
            remedy: Self.remedy(file, of: layout.name, prepared)))
        continue
      }
      entries.append(Entry(file: file, name: name))
    }
    return entries
  }

  private static func remedy(
    _ file: String, of word: String, _ prepared: PreparedSettings
  ) -> String {
    prepared.isVideo && PreparedFileName(file, of: word, isVideo: false) != nil
      ? "name the folder of its image by 'image_directory', in a dataset of its own"
      : "keep other files elsewhere"
  }

  /// Words of other models whose caches lie there: `hv` of `a_0048x0032_hv.safetensors`.
  private static func otherWords(_ names: [String]) -> [String] {
    let words = names.compactMap { name -> String? in
      guard let cut = name.lastIndex(of: "_") else { return nil }
      let word = name[name.index(after: cut)...].split(separator: ".").first.map(String.init) ?? ""
      return PreparedFileName(name, of: word, isVideo: false) == nil ? nil : word
    }
    return Set(words).sorted()
  }

  /// Stems that are held out: of one video all that was cut from it.
  private func heldOut(_ entries: [Entry], of dataset: DatasetSettings) -> Set<String> {
    let stems = Set(entries.map(\.name.stem)).sorted {
      $0.utf8.lexicographicallyPrecedes($1.utf8)
    }
    let split = ValidationSplit(
      dataset.validationSplit,
      seed: dataset.validationSeed.map { UInt64(bitPattern: Int64($0)) } ?? seed)
    return Set(split.divided(stems.count, subset: 0).validation.map { stems[$0] })
  }

  // MARK: Items

  private func example(
    _ entry: Entry, of dataset: DatasetSettings, _ prepared: PreparedSettings, at index: Int,
    repeats: Int, _ texts: inout [FilePath: String]
  ) throws(DatasetError) -> TrainingExample {
    let path = prepared.folder.appending(named: entry.file)
    let text = prepared.folder.appending(named: "\(entry.name.stem)_\(layout.name)_te.safetensors")
    let file = try demands.latentsFile(path)
    let item = try demands.item(file, text: text)
    try check(item, of: file, entry.name, dataset, prepared)
    guard FileListing.exists(text) else {
      throw missing(text, of: path, entry, prepared)
    }
    if texts[text] == nil { texts[text] = try demands.textFile(text).caption }
    let bucket = demands.resolution(of: item.extents)
    let size = entry.name.size
    return TrainingExample(
      path: path, caption: texts[text] ?? "", size: size, repeats: repeats,
      isRegularization: false, dataset: index, subset: 0, mask: nil,
      choice: BucketRule.Choice(
        bucket: bucket, resized: bucket,
        proportionError: Double(bucket.width) / Double(bucket.height)
          - Double(size.width) / Double(size.height)), prepared: item)
  }

  /// Refuses latents that today's settings would not have made of the item.
  private func check(
    _ item: PreparedItem, of file: PreparedFile, _ name: PreparedFileName,
    _ dataset: DatasetSettings, _ prepared: PreparedSettings
  ) throws(DatasetError) {
    let step = layout.step
    var rules = [
      dataset.buckets.map {
        PreparedBucketRule(dataset.resolution, step: step, neverEnlarges: $0.neverEnlarges)
      } ?? PreparedBucketRule(fixed: dataset.resolution)
    ]
    // Videos are always encoded by buckets, whatever the dataset says.
    if prepared.isVideo {
      rules.insert(
        PreparedBucketRule(dataset.resolution, step: step, neverEnlarges: false), at: 0)
    }
    let buckets = rules.compactMap { $0.bucket(of: name.size) }
    func sides(_ bucket: Resolution) -> [Int] {
      let extents = demands.latents.extents(ofPicture: bucket.height, bucket.width)
      return [extents.height, extents.width]
    }
    let found = item.extents.dimensions
    let frames = name.frameCount.map { demands.latents.frames(ofVideo: $0) }
    let isOfFrames = frames == nil || found.count == 4 && found[1] == frames
    if isOfFrames, buckets.contains(where: { sides($0) == found.suffix(2) }) { return }
    guard let bucket = buckets.first else {
      throw .prepared(
        file.path, expected: "an item of at least \(step) pixels on each side",
        found: "\(name.size)",
        remedy: "remove it")
    }
    let middle = frames.map { [$0] } ?? Array(found.dropFirst().dropLast(2))
    throw .prepared(
      file.path,
      expected: "latents \(Shape([found[0]] + middle + sides(bucket))) of \(bucket)"
        + (name.frameCount.map { "x\($0)" } ?? "") + ", which 'resolution' \(dataset.resolution)"
        + " makes of \(name.size)",
      found: "\(item.extents) of \(demands.resolution(of: item.extents))"
        + (name.frameCount == nil ? "" : "x\(item.frames)"),
      remedy: "give the resolution that it was cached with, or make it anew with musubi-tuner's "
        + "'\(layout.latentsCommand)'")
  }

  private func missing(
    _ text: FilePath, of path: FilePath, _ entry: Entry, _ prepared: PreparedSettings
  ) -> DatasetError {
    // A cache of a video passes for one of an image whose name has the frames.
    let video =
      prepared.isVideo ? nil : PreparedFileName(entry.file, of: layout.name, isVideo: true)
    let isOfVideo = video.map {
      FileListing.exists(
        prepared.folder.appending(named: "\($0.stem)_\(layout.name)_te.safetensors"))
    }
    return .prepared(
      path, expected: "the text cache \(text) beside it", found: "none",
      remedy: isOfVideo ?? false
        ? "it is of a video: name the folder of videos by 'video_directory'"
        : "make it with musubi-tuner's '\(layout.textCommand)'")
  }
}
