import Images
package import Machine
import ModelFamilies
package import Pipelines
import Safetensors
import SystemPackage
import Tensors

/// Latents of all images of a set, in memory or on disk.
package struct LatentCache: Sendable {
  /// How far the making of a cache is.
  package struct Progress: Equatable, Sendable {
    /// Images that are encoded, and all that had to be.
    package let done: Int
    package let total: Int
    /// Images whose caches were there.
    package let reused: Int
  }

  private let set: TrainingSet
  private let settings: LatentCacheSettings
  private let inMemory: [TrainingSet.Place: EncodedImage]
  /// Whether they never were pictures.
  private let isDrawn: Bool

  /// Encodes what is not there yet. Images are decoded ahead of the encoder.
  /// - Parameters:
  ///   - encoder: nil where all that is needed is on disk.
  ///   - ranks: each encodes its share.
  ///   - progress: called behind every batch; returns whether to go on
  ///   - note: told once of caches that are damaged and made anew
  /// - Throws: `DatasetError`, what the encoder throws, `CancellationError`
  package init(
    preparing set: TrainingSet, _ settings: LatentCacheSettings, with encoder: (any LatentEncoder)?,
    over ranks: any Communicator = SingleProcess(),
    progress: (Progress) -> Bool = { _ in true }, note: (String) -> Void = { _ in }
  ) throws {
    guard set.isCacheable else {
      throw DatasetError.setting(
        "cache_latents", expected: "images that are the same in every epoch",
        found: "'random_crop' or 'color_aug'")
    }
    self.set = set
    self.settings = settings
    isDrawn = false
    let places = set.places
    let missing = try Self.missing(of: places, set, settings, ranks, note)
    // Kept until all is written.
    var folders: [OutputPlace] = []
    if case .disk(let format) = settings.place, ranks.isFirst {
      folders = try OutputPlace.folders(
        of: missing.map { LatentFile(of: set[$0], format, of: settings.latents).path })
    }
    defer { withExtendedLifetime(folders) {} }
    try ranks.agree()
    guard let encoder else {
      guard let first = missing.first else {
        inMemory = [:]
        return
      }
      throw DatasetError.noEncoder(set[first].path, count: missing.count, total: places.count)
    }
    inMemory = try Self.shared(
      Self.encode(
        missing, reused: places.count - missing.count, set, settings, encoder, ranks, progress),
      over: ranks)
  }

  /// Latents that a model drew.
  /// - Parameter drawn: `[1, height, width, channels]`, scaled, in the order of the set's requests.
  init(of set: TrainingSet, drawn: [Tensor], _ latents: LatentLayout) {
    precondition(drawn.count == set.places.count, "\(drawn.count) of \(set.places.count) latents")
    self.set = set
    settings = LatentCacheSettings(.memory, latents, vae: nil, seed: 0)
    isDrawn = true
    inMemory = Dictionary(
      uniqueKeysWithValues: zip(set.places, drawn).map { place, latents in
        let shape = Shape(Array(latents.shape.dimensions.dropFirst()))
        let sample = LatentDistribution(mean: latents.reshaped(shape), logVariance: nil)
        return (place, EncodedImage(plain: sample, flipped: nil, mask: nil))
      })
  }

  /// Whether samples are shifted and scaled already.
  package var holdsScaled: Bool {
    isDrawn || settings.latents.cachesScaled && settings.place == .disk(.npz)
  }

  /// - Throws: `DatasetError.cache` if a file is not what it was when the cache was made
  package func encoded(_ place: TrainingSet.Place) throws(DatasetError) -> EncodedImage {
    switch settings.place {
    case .memory:
      guard let encoded = inMemory[place] else {
        preconditionFailure("no latents of image \(place)")
      }
      return encoded
    case .disk(let format):
      let example = set[place]
      return try LatentFile(of: example, format, of: settings.latents)
        .read(try Self.expectation(of: example, set, settings))
    }
  }

  // MARK: Preparation

  /// Images that are to be encoded, as the first rank finds them.
  private static func missing(
    of places: [TrainingSet.Place], _ set: TrainingSet, _ settings: LatentCacheSettings,
    _ ranks: any Communicator, _ note: (String) -> Void
  ) throws -> [TrainingSet.Place] {
    guard ranks.count > 1 else { return try missing(of: places, set, settings, note) }
    var message = Message()
    if ranks.isFirst {
      let found = Set(try missing(of: places, set, settings, note))
      for (index, place) in places.enumerated() where found.contains(place) {
        message.append(index)
      }
    }
    var reader = MessageReader(try ranks.first(message.bytes))
    var missing: [TrainingSet.Place] = []
    while !reader.isAtEnd { missing.append(places[reader.integer()]) }
    return missing
  }

  private static func missing(
    of places: [TrainingSet.Place], _ set: TrainingSet, _ settings: LatentCacheSettings,
    _ note: (String) -> Void
  ) throws(DatasetError) -> [TrainingSet.Place] {
    guard case .disk(let format) = settings.place else { return places }
    var users: [FilePath: [Resolution?: TrainingExample]] = [:]
    var missing: [TrainingSet.Place] = []
    var faults: [String] = []
    defer {
      if let first = faults.first {
        let others = faults.count > 1 ? ", and those of \(faults.count - 1) other images" : ""
        note("\(first); the cache is made anew\(others)")
      }
    }
    for place in places {
      let example = set[place]
      let file = LatentFile(of: example, format, of: settings.latents)
      let size = format == .npz && settings.latents.cachesSizes ? example.bucket : nil
      if let other = users[file.path, default: [:]].updateValue(example, forKey: size) {
        guard other.path == example.path, other.choice == example.choice else {
          throw .sharedCache(
            file.path, "\(other.path) (\(other.bucket))", "\(example.path) (\(example.bucket))")
        }
        continue
      }
      switch try file.check(try expectation(of: example, set, settings)) {
      case .good: continue
      case .missing: break
      case .damaged(let fault): faults.append(fault)
      }
      missing.append(place)
    }
    return missing
  }

  /// What is kept in memory, of all ranks.
  private static func shared(
    _ own: [TrainingSet.Place: EncodedImage], over ranks: any Communicator
  ) throws -> [TrainingSet.Place: EncodedImage] {
    var all = own
    try ranks.hand(
      own,
      write: { entry, message in
        message.append(entry.key.index)
        message.append(entry.key.isValidation ? 1 : 0)
        entry.value.write(to: &message)
      },
      receive: { reader in
        let place = TrainingSet.Place(
          index: reader.integer(), isValidation: reader.integer() == 1)
        all[place] = EncodedImage(reading: &reader)
      })
    return all
  }

  private static func expectation(
    of example: TrainingExample, _ set: TrainingSet, _ settings: LatentCacheSettings
  ) throws(DatasetError) -> LatentFile.Expectation {
    let subset = set.settings(of: example)
    return LatentFile.Expectation(
      identity: try CacheIdentity(
        of: example, set.interpolation(of: example)?.rawValue ?? "standard", vae: settings.vae),
      needsFlipped: subset.flips, needsMask: subset.usesAlphaMask && example.mask == nil,
      latents: settings.latents, trusts: settings.trustsDisk)
  }

  /// A batch of images of one bucket, with their mirror images where these are needed.
  private struct Decoded: Sendable {
    let place: TrainingSet.Place
    let plain: ImagePreparation.Prepared
    let flipped: Tensor?
  }

  /// The batches that this rank encodes: every rank takes one in turn. Those that go into one file of several sizes, and
  /// others that share files with them, are one rank's, for each size is added to what the file holds already.
  private static func own(
    _ batches: [[TrainingSet.Place]], _ set: TrainingSet, _ settings: LatentCacheSettings,
    of ranks: any Communicator
  ) -> [[TrainingSet.Place]] {
    guard ranks.count > 1, case .disk(let format) = settings.place else {
      return batches.enumerated().filter { ranks.isOwn($0.offset) }.map(\.element)
    }
    // The first batch of those that hang together, from batch to batch.
    var firsts = Array(batches.indices)
    func first(_ batch: Int) -> Int { firsts[batch] == batch ? batch : first(firsts[batch]) }
    var users: [FilePath: Int] = [:]
    for (index, batch) in batches.enumerated() {
      for place in batch {
        let path = LatentFile(of: set[place], format, of: settings.latents).path
        let (one, other) = (first(users[path] ?? index), first(index))
        firsts[max(one, other)] = min(one, other)
        users[path] = index
      }
    }
    let groups = batches.indices.filter { firsts[$0] == $0 }
    let owners = Dictionary(uniqueKeysWithValues: groups.enumerated().map { ($1, $0) })
    return batches.indices.filter { ranks.isOwn(owners[first($0)] ?? 0) }.map { batches[$0] }
  }

  private static func encode(
    _ missing: [TrainingSet.Place], reused: Int, _ set: TrainingSet,
    _ settings: LatentCacheSettings,
    _ encoder: some LatentEncoder, _ ranks: any Communicator, _ progress: (Progress) -> Bool
  ) throws -> [TrainingSet.Place: EncodedImage] {
    let ordered = missing.sorted {
      (set[$0].bucket, $0.isValidation ? 1 : 0, $0.index)
        < (set[$1].bucket, $1.isValidation ? 1 : 0, $1.index)
    }
    let batches = own(
      ordered.chunked(by: settings.batchSize) { set[$0].bucket == set[$1].bucket }, set, settings,
      of: ranks)
    let total = batches.reduce(0) { $0 + $1.count }
    let reader = ReadAhead(batches, threads: settings.threads, ahead: settings.threads + 1) {
      try $0.map { place in
        let example = set[place]
        let preparation = ImagePreparation(example, of: set)
        let plain = try preparation.prepared(isFlipped: false, at: nil)
        return Decoded(
          place: place, plain: plain,
          flipped: set.settings(of: example).flips ? plain.pixels.mirrored() : nil)
      }
    }
    var kept: [TrainingSet.Place: EncodedImage] = [:]
    var done = 0
    while let batch = try reader.next() {
      let plain = try encoder.encode(Tensor(stacking: batch.map(\.plain.pixels)))
      let mirrored = batch.compactMap(\.flipped)
      // Subsets of one batch may differ in whether they mirror.
      let flipped = mirrored.isEmpty ? nil : try encoder.encode(Tensor(stacking: mirrored))
      var next = 0
      for (i, image) in batch.enumerated() {
        let distribution = LatentDistribution(i, of: plain)
        guard distribution.mean.elements.allSatisfy(\.isFinite) else {
          throw DatasetError.notFinite(set[image.place].path)
        }
        var flippedDistribution: LatentDistribution?
        if let flipped, image.flipped != nil {
          flippedDistribution = LatentDistribution(next, of: flipped)
          next += 1
        }
        let example = set[image.place]
        // Masks that lie in a folder are read for every step: they are no part of the cache.
        let mask = example.mask == nil ? image.plain.mask : nil
        if case .disk(let format) = settings.place {
          let expectation = try expectation(of: example, set, settings)
          try LatentFile(of: example, format, of: settings.latents).write(
            plain: distribution, flipped: flippedDistribution, mask: mask, expectation.identity,
            sample: CounterGenerator(
              seed: settings.seed, epoch: 0, sample: example.firstSample,
              purpose: image.place.isValidation ? .validationLatent : .latent))
        } else {
          kept[image.place] = EncodedImage(
            plain: distribution, flipped: flippedDistribution,
            mask: mask?.averaged(over: settings.latents.stride))
        }
      }
      done += batch.count
      guard progress(Progress(done: done, total: total, reused: reused)) else {
        throw CancellationError()
      }
    }
    return kept
  }
}

extension Array {
  /// Runs of neighbours that belong together, none longer than `count`.
  fileprivate func chunked(by count: Int, _ belong: (Element, Element) -> Bool) -> [[Element]] {
    var chunks: [[Element]] = []
    for element in self {
      if let last = chunks.last, last.count < count, belong(last[0], element) {
        chunks[chunks.count - 1].append(element)
      } else {
        chunks.append([element])
      }
    }
    return chunks
  }
}
