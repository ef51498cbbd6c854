import Checkpoints
import ModelFamilies
import Pipelines
import Safetensors
import SystemPackage
import Tensors

/// What a model asks of files that hold encoded items. It is held against their headers before anything is
/// computed, and once more when they are read.
struct PreparedDemands: Sendable {
  let items: PreparedItems
  let latents: LatentLayout

  var layout: PreparedLayout { items.layout }

  /// Opens the file of an item's latents.
  /// - Throws: `DatasetError.prepared` for one that the model cannot be trained with, `.damaged`.
  func latentsFile(_ path: FilePath) throws(DatasetError) -> PreparedFile {
    let file = try PreparedFile(opening: path, of: layout, command: layout.latentsCommand)
    try check(file, .latents, latents: extents(of: file))
    return file
  }

  /// Opens the file of a caption.
  /// - Throws: as `latentsFile(_:)`.
  func textFile(_ path: FilePath) throws(DatasetError) -> PreparedFile {
    let file = try PreparedFile(opening: path, of: layout, command: layout.textCommand)
    try check(file, .text, latents: [])
    return file
  }

  /// Extents of the latents that are trained, as they are stored.
  /// - Throws: `DatasetError.prepared` where there are none, or none of the model.
  func extents(of file: PreparedFile) throws(DatasetError) -> Shape {
    guard let view = file.views[PreparedArrayName.latents] else {
      throw file.fault("latents 'latents_{frames}x{height}x{width}_{dtype}'", file.names)
    }
    let extents = view.shape.dimensions
    let axes = latents.hasFrames ? 4...4 : 3...4
    guard axes.contains(extents.count), extents.allSatisfy({ $0 > 0 }) else {
      throw file.fault(
        "latents [channels, frames, height, width] in '\(view.name)'", "\(view.shape)")
    }
    guard extents[0] == latents.channels else {
      throw file.fault(
        "latents of \(latents.channels) channels, as the model has them",
        "\(extents[0]) in '\(view.name)' \(view.shape)")
    }
    guard extents.suffix(2).allSatisfy({ $0 % places == 0 }) else {
      throw .prepared(
        file.path, expected: "latents whose sides are multiples of \(places)",
        found: "\(view.shape) of \(resolution(of: view.shape))",
        remedy: "make it anew with 'enable_bucket = true', or with a 'resolution' of multiples of "
          + "\(layout.step), and musubi-tuner's '\(layout.latentsCommand)'")
    }
    return view.shape
  }

  /// Places of latents along each side that a model takes for one token.
  private var places: Int { max(layout.step / latents.stride, 1) }

  /// What an item is, numbers apart.
  func item(_ file: PreparedFile, text: FilePath) throws(DatasetError) -> PreparedItem {
    let extents = try extents(of: file)
    let read = names(of: .latents, in: file)
    let alike = file.views.filter { PreparedArrayName.isLatents($0.key) || read.contains($0.key) }
      .map { "\($0.key) \($0.value.shape)" }
    return PreparedItem(
      text: text, extents: extents, frames: frames(of: extents), arrays: alike.sorted(),
      shownPlaces: shownPlaces(of: file))
  }

  /// Frames of the video that latents stand for, as many as they can.
  func frames(of extents: Shape) -> Int {
    guard extents.dimensions.count == 4 else { return 1 }
    return latents.videoFrames(of: extents.dimensions[1])
  }

  /// Pixels that latents stand for.
  func resolution(of extents: Shape) -> Resolution {
    let sides = extents.dimensions.suffix(2).map { $0 * latents.stride }
    return Resolution(sides[1], sides[0])
  }

  /// The latents of an item and all else that the model reads of it.
  /// - Returns: latents `[frames, height, width, channels]`, or without frames, and with them the other arrays by the
  ///   names that they have without size, dtype and `varlen_`.
  /// - Throws: `DatasetError.prepared` for numbers that are not finite, and for a file that is not what it was
  ///   when the run began.
  func read(_ example: TrainingExample, _ item: PreparedItem) throws(DatasetError)
    -> (latents: Tensor, kept: [String: Tensor])
  {
    let file = try latentsFile(example.path)
    let found = try extents(of: file)
    guard found == item.extents else {
      throw file.fault("latents \(item.extents) as when the run began", "\(found)")
    }
    var kept = try file.tensors(names(of: .latents, in: file))
    guard let latents = kept[PreparedArrayName.latents] else {
      preconditionFailure("no latents in \(example.path)")
    }
    let text = try textFile(item.text)
    kept.merge(try text.tensors(names(of: .text, in: text))) { $1 }
    return (latents, kept)
  }

  /// - Throws: `DatasetError.prepared` for numbers that are not finite, and as `latentsFile(_:)`.
  func checkNumbers(ofLatents path: FilePath) throws(DatasetError) {
    let file = try latentsFile(path)
    try file.checkNumbers(of: names(of: .latents, in: file))
  }

  /// - Throws: as for latents.
  func checkNumbers(ofText path: FilePath) throws(DatasetError) {
    let file = try textFile(path)
    try file.checkNumbers(of: names(of: .text, in: file))
  }

  // MARK: Arrays

  /// Names of the arrays that are read of a file.
  private func names(of source: PreparedItems.Source, in file: PreparedFile) -> Set<String> {
    let asked = items.arrays.filter { $0.source == source }.flatMap { names(of: $0, in: file) }
    return Set(source == .latents ? asked + [PreparedArrayName.latents] : asked)
  }

  /// That of an array, or those of as many as a file has.
  private func names(of array: PreparedItems.Array, in file: PreparedFile) -> [String] {
    guard array.isSeries else { return [array.name] }
    return (0...).lazy.map { "\(array.name)_\($0)" }.prefix { file.views[$0] != nil }.map { $0 }
  }

  /// Places of the latents of other pictures that a model sees.
  private func shownPlaces(of file: PreparedFile) -> Int {
    let shown = items.arrays.filter { if case .latents = $0.extents { true } else { false } }
    return shown.flatMap { names(of: $0, in: file) }.reduce(0) { sum, name in
      sum + (file.views[name]?.shape.dimensions.dropFirst().reduce(1, *) ?? 0)
    }
  }

  private func check(
    _ file: PreparedFile, _ source: PreparedItems.Source, latents: Shape
  ) throws(DatasetError) {
    for array in items.arrays where array.source == source {
      let extents: [Int?] =
        switch array.extents {
        case .axes(let extents): extents
        case .likeLatents(let channels): [channels] + latents.dimensions.dropFirst().map { $0 }
        case .latents(let channels):
          [channels] + Array(repeating: nil, count: max(latents.dimensions.count - 1, 0))
        }
      for name in names(of: array, in: file) { try check(file, name, array, extents) }
    }
  }

  private func check(
    _ file: PreparedFile, _ name: String, _ array: PreparedItems.Array, _ extents: [Int?]
  ) throws(DatasetError) {
    let text = extents.map { $0.map { "\($0)" } ?? "any" }.joined(separator: ", ")
    guard let view = file.views[name] else {
      throw file.fault("array '\(name)' [\(text)]", file.names, option: array.option)
    }
    let found = view.shape.dimensions
    guard found.count == extents.count,
      zip(found, extents).allSatisfy({ $0 > 0 && $1 ?? $0 == $0 })
    else {
      throw file.fault(
        "array '\(name)' [\(text)], as the model reads it", "\(view.shape)",
        option: array.option)
    }
    guard case .latents = array.extents, found.suffix(2).contains(where: { $0 % places != 0 })
    else { return }
    throw file.fault(
      "latents '\(name)' whose sides are multiples of \(places)", "\(view.shape)",
      option: array.option)
  }
}
