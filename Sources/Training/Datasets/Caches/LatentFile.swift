import Machine
import ModelFamilies
import OrderedCollections
import Pipelines
import Safetensors
import SystemPackage
import Tensors

/// The cache of one image on disk.
struct LatentFile {
  /// What is asked of it.
  struct Expectation {
    let identity: CacheIdentity
    let needsFlipped: Bool
    let needsMask: Bool
    let latents: LatentLayout
    let trusts: Bool

    /// Of the latents, `[channels, height, width]`.
    var shape: Shape {
      let extents = latents.extents(ofPicture: identity.bucket.height, identity.bucket.width)
      return [latents.channels, extents.height, extents.width]
    }
  }

  /// What was found in its place.
  enum Finding {
    case good
    /// Nothing, or a cache of our own that does not match any more.
    case missing
    /// What is wrong with a file that is cut short or otherwise damaged, which is nobody's use.
    case damaged(String)
  }

  let path: FilePath
  private let format: LatentCacheSettings.Format
  private let example: TrainingExample
  private let latents: LatentLayout
  /// Behind the names of arrays in a file of several sizes: `_64x48`.
  private let suffix: String

  init(
    of example: TrainingExample, _ format: LatentCacheSettings.Format, of latents: LatentLayout
  ) {
    self.example = example
    self.format = format
    self.latents = latents
    let extents = latents.extents(ofPicture: example.bucket.height, example.bucket.width)
    let hasSizes = format == .npz && latents.cachesSizes
    suffix = hasSizes ? "_\(extents.height)x\(extents.width)" : ""
    let stem = example.path.withoutEnding.text
    func digits(_ size: Resolution) -> String {
      [size.width, size.height].map { side in
        String(repeating: "0", count: max(0, 4 - "\(side)".count)) + "\(side)"
      }.joined(separator: "x")
    }
    switch format {
    case .npz:
      let old = FilePath(named: stem + ".npz")
      path =
        !hasSizes && FileListing.exists(old)
        ? old : FilePath(named: "\(stem)_\(digits(example.size))_\(latents.cacheName).npz")
    case .safetensors:
      path = FilePath(
        named: "\(stem)_\(digits(example.bucket))_\(latents.cacheName).safetensors.zst")
    }
  }

  /// Compares what is there with what is asked.
  /// - Throws: `DatasetError.cache` if it does not match and was not written here, so that it is not
  ///   ours to replace; what is wrong with a file that there is nothing to make anew with
  func check(_ expectation: Expectation) throws(DatasetError) -> Finding {
    guard FileListing.exists(path) else { return .missing }
    let canBeMade = expectation.identity.vae != nil
    let content: Content
    do throws(DatasetError) {
      content = try self.content()
    } catch {
      guard canBeMade, error.isDamage, (try? MappedFile(path)) != nil else { throw error }
      return .damaged(error.fault)
    }
    // One of other sizes is added to.
    if !suffix.isEmpty, content.tensors[Self.plain.mean] == nil { return .missing }
    let fault = fault(of: content, expectation)
    guard content.isOurs else {
      guard let fault else { return .good }
      throw .cache(path, expected: fault.expected, found: fault.found)
    }
    guard fault != nil || !expectation.trusts else { return .good }
    let difference = try expectation.identity.difference(
      from: content.entries, path: example.path)
    guard let found = fault.map({ ($0.expected, $0.found) }) ?? difference else { return .good }
    guard canBeMade else {
      throw .cacheWithoutEncoder(path, expected: found.0, found: found.1)
    }
    // One of other settings is out of date, not damaged, and so is one that was made without what is needed now.
    guard let fault, difference == nil, fault.isDamage else { return .missing }
    return .damaged(
      DatasetError.cache(path, expected: fault.expected, found: fault.found).fault)
  }

  /// - Throws: `DatasetError.cache`, `.file`
  func read(_ expectation: Expectation) throws(DatasetError) -> EncodedImage {
    let content = try self.content()
    if let fault = fault(of: content, expectation) {
      throw .cache(path, expected: fault.expected, found: fault.found)
    }
    func distribution(_ names: (mean: String, variance: String)) -> LatentDistribution? {
      content.tensors[names.mean].map {
        LatentDistribution(
          mean: $0.channelsLast(), logVariance: content.tensors[names.variance]?.channelsLast())
      }
    }
    guard let plain = distribution(Self.plain) else {
      throw .cache(path, expected: "latents", found: "none")
    }
    return EncodedImage(
      plain: plain,
      flipped: expectation.needsFlipped ? distribution(Self.flipped) : nil,
      mask: expectation.needsMask
        ? content.tensors[Self.mask]?.averaged(over: expectation.latents.stride) : nil)
  }

  // MARK: Content

  private static let plain = (mean: "latents", variance: "log_variance")
  private static let flipped = (mean: "latents_flipped", variance: "log_variance_flipped")
  private static let mask = "alpha_mask"
  /// The array of an `.npz` that holds our entries; sd-scripts passes over it.
  private static let entries = "lyco"

  /// Both formats alike: latents `[channels, height, width]`, mask `[height, width]` of the image.
  private struct Content {
    var tensors: [String: Tensor] = [:]
    var entries: [String: String] = [:]
    /// Size of the image that sd-scripts noted.
    var originalSize: Resolution?

    var isOurs: Bool { entries["format"] == CacheIdentity.format }
  }

  private func content() throws(DatasetError) -> Content {
    var content = Content()
    switch format {
    case .npz:
      let archive = try NumpyArchive(reading: path)
      for (name, array) in archive.arrays where name.hasSuffix(suffix) {
        content.tensors[String(name.dropLast(suffix.count))] = array.tensor
      }
      if let size = archive["original_size" + suffix]?.numbers, size.count == 2 {
        content.originalSize = Resolution(
          Int(exactly: size[0]) ?? 0, Int(exactly: size[1]) ?? 0)
      }
      if let text = archive[Self.entries + suffix]?.text, let value = JSONValue(parsing: text) {
        content.entries = Dictionary(
          value.members.map { ($0.key, $0.value.text) }, uniquingKeysWith: { $1 })
      }
    case .safetensors:
      let file: TensorFile
      do { file = try TensorFile(opening: path) } catch { throw .wrapped(error, path) }
      for (name, view) in file.tensors where view.dtype == .f32 {
        content.tensors[name] = view.tensor()
      }
      content.entries = file.metadata
    }
    return content
  }

  private struct Fault {
    let expected, found: String
    /// Whether no cache is so that was once good.
    let isDamage: Bool

    init(_ expected: String, _ found: String, isDamage: Bool = true) {
      (self.expected, self.found, self.isDamage) = (expected, found, isDamage)
    }
  }

  private func fault(of content: Content, _ expectation: Expectation) -> Fault? {
    var names = [Self.plain]
    if expectation.needsFlipped { names.append(Self.flipped) }
    for (name, variance) in names {
      guard let tensor = content.tensors[name] else {
        let found = content.tensors.keys.sorted().joined(separator: ", ")
        return Fault(
          "array '\(name)\(suffix)'", found.isEmpty ? "none" : found,
          isDamage: name == Self.plain.mean)
      }
      let shape = expectation.shape
      guard tensor.shape == shape else {
        return Fault("latents \(shape) of bucket \(example.bucket)", "\(tensor.shape)")
      }
      guard tensor.elements.allSatisfy(\.isFinite) else {
        return Fault("finite latents", "NaN or infinity in '\(name)'")
      }
      if let variance = content.tensors[variance], variance.shape != shape {
        return Fault("variances \(shape)", "\(variance.shape)")
      }
    }
    if expectation.needsMask {
      let shape: Shape = [example.bucket.height, example.bucket.width]
      guard let mask = content.tensors[Self.mask] else {
        return Fault("array '\(Self.mask)\(suffix)'", "none", isDamage: false)
      }
      guard mask.shape == shape else { return Fault("a mask \(shape)", "\(mask.shape)") }
    }
    if let size = content.originalSize, size != example.size {
      return Fault("an image of \(example.size)", "\(size)")
    }
    return nil
  }

  // MARK: Writing

  /// Writes the file, which appears whole or not at all.
  /// - Parameters:
  ///   - mask: `[height, width]` of the bucket
  ///   - sample: draws the latents that an `.npz` holds
  func write(
    plain: LatentDistribution, flipped: LatentDistribution?, mask: Tensor?,
    _ identity: CacheIdentity, sample: CounterGenerator
  ) throws(DatasetError) {
    let entries = identity.entries(hash: try CacheIdentity.hash(of: example.path))
    switch format {
    case .npz:
      let edges = BucketRule.edges(of: example.size, in: example.bucket)
      func drawn(_ distribution: LatentDistribution) -> NumpyArray {
        let sample = distribution.sample(using: sample)
        return NumpyArray((latents.cachesScaled ? latents.scaled(sample) : sample).channelsFirst())
      }
      var arrays: [(name: String, array: NumpyArray)] = [
        (Self.plain.mean, drawn(plain)),
        ("original_size", NumpyArray([example.size.width, example.size.height])),
        ("crop_ltrb", NumpyArray([edges.left, edges.top, edges.right, edges.bottom])),
      ]
      if let flipped {
        arrays.append((Self.flipped.mean, drawn(flipped)))
      }
      if let mask { arrays.append((Self.mask, NumpyArray(mask))) }
      let text = JSONValue.object(entries.map { ($0.key, .string($0.value)) }).pythonText
      arrays.append((Self.entries, NumpyArray(text)))
      arrays = arrays.map { ($0.name + suffix, $0.array) }
      try NumpyArchive(otherSizes + arrays).write(to: path)
    case .safetensors:
      var tensors: [String: Tensor] = [
        Self.plain.mean: plain.mean.channelsFirst(),
        Self.plain.variance: plain.logVariance?.channelsFirst(),
        Self.flipped.mean: flipped?.mean.channelsFirst(),
        Self.flipped.variance: flipped?.logVariance?.channelsFirst(),
        Self.mask: mask,
      ].compactMapValues { $0 }
      try write(&tensors, Dictionary(entries.map { ($0.key, $0.value) }) { $1 })
    }
  }

  /// What a file of several sizes holds besides; nothing of one that is damaged.
  private var otherSizes: [(name: String, array: NumpyArray)] {
    guard !suffix.isEmpty, let archive = try? NumpyArchive(reading: path) else { return [] }
    return archive.arrays.filter { !$0.name.hasSuffix(suffix) }
  }

  private func write(
    _ tensors: inout [String: Tensor], _ metadata: [String: String]
  ) throws(DatasetError) {
    do {
      var writer = try SafetensorsWriter.create(
        path,
        announcing: tensors.map { TensorInfo(name: $0, dtype: .f32, shape: $1.shape) },
        metadata: metadata)
      for info in writer.order {
        guard let tensor = tensors[info.name] else { continue }
        try unsafe writer.append(info.name, tensor.elements.span.bytes)
      }
      try writer.finish()
    } catch {
      throw .wrapped(error, path)
    }
  }
}

extension DatasetError {
  /// Whether a file is not in the format that its name says.
  var isDamage: Bool {
    switch self {
    case .file: true
    case .cache(_, let expected, _): expected == NumpyArchive.format
    default: false
    }
  }
}
